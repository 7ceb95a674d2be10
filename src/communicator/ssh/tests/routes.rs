//! Bastion hosts, proxies and streams of other kinds.

use futures::future::BoxFuture;

use super::openssh::{Sshd, start, user};
use super::server::Behaviour;
use super::*;
use crate::communicator::{ByteStream, ConnectStage, Dial, DialError};
use crate::template::schema::Secret;

fn bastion(server: &Sshd) -> Bastion {
    Bastion { address: server.address(), username: user(), authentication: vec![server.login()] }
}

fn through(machine: &Sshd, bastions: &[&Sshd]) -> SshOptions {
    let route = Route::Bastions(bastions.iter().map(|&server| bastion(server)).collect());
    SshOptions { route, ..machine.options() }
}

#[tokio::test]
async fn a_machine_behind_two_bastions_is_reached_each_time() {
    let settings = "LogLevel VERBOSE";
    let (Some(first), Some(second), Some(machine)) =
        (start(settings), start(settings), start(settings))
    else {
        return;
    };
    let ssh = machine.connect_with(through(&machine, &[&first, &second])).await;
    assert_eq!(succeed(&ssh, "echo in").await, "in\n");
    let (exit, _) = run(&ssh, Command::new("kill -KILL $PPID; sleep 20")).await;
    assert!(matches!(exit.unwrap(), Exit::Disconnected { .. }));
    assert_eq!(succeed(&ssh, "echo again").await, "again\n");
    let logins = |server: &Sshd| server.log().matches("Accepted publickey").count();
    assert_eq!((logins(&first), logins(&second), logins(&machine)), (2, 2, 2));
    ssh.disconnect().await;
}

#[tokio::test]
async fn one_more_connection_goes_the_same_way() {
    let settings = "LogLevel VERBOSE";
    let (Some(gate), Some(machine)) = (start(settings), start(settings)) else { return };
    let ssh = machine.connect_with(through(&machine, &[&gate])).await;
    let extra = ssh.extra_connection().await.unwrap();
    let session = extra.open_session().await.unwrap();
    let (output, mut chunks) = mpsc::channel(4);
    let running = exec::exec(&extra, session, Command::new("echo more"), output);
    let (exit, chunk) = tokio::join!(running, chunks.recv());
    assert_eq!((exit.unwrap(), chunk.unwrap().bytes), (Exit::Code(0), b"more\n".to_vec()));
    assert_eq!(gate.log().matches("Accepted publickey").count(), 2);
}

#[tokio::test]
async fn a_bastion_may_want_a_password() {
    let Some(machine) = start("") else { return };
    let gate = server::start(Behaviour { password: Some("pw"), ..Behaviour::default() }).await;
    let with = |password: &str| {
        let bastion = Bastion {
            address: Address { host: "127.0.0.1".into(), port: gate.port },
            username: "guard".into(),
            authentication: vec![Authentication::Password(Secret::new(password))],
        };
        SshOptions { route: Route::Bastions(vec![bastion]), ..machine.options() }
    };
    let ssh = machine.connect_with(with("pw")).await;
    assert_eq!(succeed(&ssh, "echo in").await, "in\n");
    let names = [(machine.port(), "MACHINE"), (gate.port, "GATE")];
    insta::assert_snapshot!(complaint(with("other"), machine.port(), &names).await, @"
    the bastion host GATE does not let user `guard` log in: access denied; tried password, keyboard-interactive; the server takes none, publickey, hostbased, keyboard-interactive
    check `ssh_bastion_username` and the bastion host's key, password or agent
    ");
}

#[tokio::test]
async fn the_stop_that_fails_is_named() {
    let (Some(gate), Some(machine)) = (start(""), start("")) else { return };
    let port = machine.port();
    let names = |more| [(port, "MACHINE"), (gate.port(), "GATE"), (more, "CLOSED")];

    let closed = closed();
    let nowhere = closed.port;
    let mut options = through(&machine, &[&gate]);
    options.route = Route::Bastions(vec![Bastion {
        address: Address { host: "127.0.0.1".into(), port: nowhere },
        ..bastion(&gate)
    }]);
    insta::assert_snapshot!(late_complaint(options, port, &names(nowhere)).await, @"
    no TCP connection to the bastion host CLOSED: connection refused
    check `ssh_bastion_host` and `ssh_bastion_port`, and that this machine reaches CLOSED
    ");

    let options = through(&machine, &[&gate]);
    insta::assert_snapshot!(late_complaint(options, nowhere, &names(nowhere)).await, @"
    no TCP connection to CLOSED through the bastion host GATE: that server cannot connect to it
    check that the security group and the network let the bastion host GATE reach CLOSED, and that sshd runs on the instance
    ");

    // The machine's key is not the gate's.
    let mut options = through(&machine, &[&gate]);
    options.route =
        Route::Bastions(vec![Bastion { authentication: vec![machine.login()], ..bastion(&gate) }]);
    insta::assert_snapshot!(complaint(options, port, &names(0)).await, @"
    the bastion host GATE does not let user `root` log in: access denied; tried publickey (ssh-ed25519); the server takes publickey
    check `ssh_bastion_username` and the bastion host's key, password or agent
    ");

    let options = SshOptions { authentication: vec![gate.login()], ..through(&machine, &[&gate]) };
    insta::assert_snapshot!(complaint(options, port, &names(0)).await, @"
    MACHINE through the bastion host GATE does not let user `root` log in: access denied; tried publickey (ssh-ed25519); the server takes publickey
    check `ssh_username` (`root` here; images have their own: ec2-user, ubuntu, admin, rocky, fedora, …), and that the key is the one the instance was launched with
    ");
}

#[tokio::test]
async fn a_bastion_that_forbids_forwarding_is_told_at_once() {
    let (Some(gate), Some(machine)) = (start("AllowTcpForwarding no"), start("")) else { return };
    let names = [(machine.port(), "MACHINE"), (gate.port(), "GATE")];
    let start = std::time::Instant::now();
    let options = SshOptions { timeout: Duration::from_secs(60), ..through(&machine, &[&gate]) };
    insta::assert_snapshot!(complaint(options, machine.port(), &names).await, @"
    no TCP connection to MACHINE through the bastion host GATE: that server forbids TCP forwarding to it
    its sshd must allow it: see `AllowTcpForwarding` and `PermitOpen` there
    ");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

fn proxied(machine: &Sshd, port: u16, login: Option<(&str, &str)>) -> SshOptions {
    let login = login.map(|(user, password)| (user.to_owned(), Secret::new(password)));
    let address = Address { host: "127.0.0.1".into(), port };
    SshOptions { route: Route::Proxy(Proxy { address, login }), ..machine.options() }
}

#[tokio::test]
async fn a_proxy_is_gone_through() {
    let Some(machine) = start("") else { return };
    let open = socks::start(socks::Behaviour::default()).await;
    let ssh = machine.connect_with(proxied(&machine, open.port, None)).await;
    assert_eq!(succeed(&ssh, "echo in").await, "in\n");
    // One that offers a log-in need not use it.
    let login = Some(("me", "secret"));
    machine.connect_with(proxied(&machine, open.port, login)).await;

    let guarded = socks::start(socks::Behaviour { login, ..socks::Behaviour::default() }).await;
    let ssh = machine.connect_with(proxied(&machine, guarded.port, login)).await;
    assert_eq!(succeed(&ssh, "echo in").await, "in\n");
}

#[tokio::test]
async fn what_a_proxy_refuses_is_told() {
    let Some(machine) = start("") else { return };
    let port = machine.port();
    let told = async |behaviour: socks::Behaviour, login| {
        let proxy = socks::start(behaviour).await;
        let names = [(port, "MACHINE"), (proxy.port, "PROXY")];
        late_complaint(proxied(&machine, proxy.port, login), port, &names).await
    };
    let guarded = socks::Behaviour { login: Some(("me", "secret")), ..socks::Behaviour::default() };
    insta::assert_snapshot!(told(guarded, None).await, @"
    the proxy PROXY lets nobody in without a log-in: it wants a user and a password
    check `ssh_proxy_username` and `ssh_proxy_password`
    ");
    insta::assert_snapshot!(told(guarded, Some(("me", "wrong"))).await, @"
    the proxy PROXY does not let user `me` log in: access denied
    check `ssh_proxy_username` and `ssh_proxy_password`
    ");
    let answers = |code| socks::Behaviour { answer: Some(code), ..socks::Behaviour::default() };
    let hangs = socks::Behaviour { hangs: true, ..socks::Behaviour::default() };
    insta::assert_snapshot!(told(hangs, None).await, @"
    no TCP connection to MACHINE through the proxy PROXY: no answer for N s
    check that the security group and the network let the proxy PROXY reach MACHINE, and that sshd runs on the instance
    ");
    insta::assert_snapshot!(told(answers(2), None).await, @"
    no TCP connection to MACHINE through the proxy PROXY: the proxy's rules forbid it
    the proxy must allow connections to MACHINE
    ");
    insta::assert_snapshot!(told(answers(5), None).await, @"
    no TCP connection to MACHINE through the proxy PROXY: connection refused
    check that the security group and the network let the proxy PROXY reach MACHINE, and that sshd runs on the instance
    ");

    let closed = closed();
    let names = [(port, "MACHINE"), (closed.port, "PROXY")];
    let options = proxied(&machine, closed.port, None);
    insta::assert_snapshot!(late_complaint(options, port, &names).await, @"
    no TCP connection to the proxy PROXY: connection refused
    check `ssh_proxy_host` and `ssh_proxy_port`, and that it is a SOCKS 5 proxy
    ");
    // An SSH server is no proxy.
    let names = [(port, "MACHINE")];
    let options = proxied(&machine, port, None);
    insta::assert_snapshot!(late_complaint(options, port, &names).await, @"
    no SOCKS 5 proxy answers at MACHINE: what answers does not speak SOCKS 5
    check `ssh_proxy_host` and `ssh_proxy_port`, and that it is a SOCKS 5 proxy
    ");
}

/// Streams that a test gives.
struct Given(Option<u16>);

impl Dial for Given {
    fn dial(&self) -> BoxFuture<'_, Result<Box<dyn ByteStream>, DialError>> {
        async {
            let Some(port) = self.0 else {
                return Err(DialError {
                    stage: ConnectStage::Tcp,
                    reason: "the agent is not registered".into(),
                    fatal: true,
                });
            };
            let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            let stream = connected.map_err(|error| DialError {
                stage: ConnectStage::Tcp,
                reason: error.to_string(),
                fatal: false,
            })?;
            // Not a TCP stream for whoever gets it.
            let (near, mut far) = tokio::io::duplex(777);
            drop(tokio::spawn(async move {
                let mut stream = stream;
                drop(tokio::io::copy_bidirectional(&mut far, &mut stream).await);
            }));
            Ok(Box::new(near) as Box<dyn ByteStream>)
        }
        .boxed()
    }

    fn name(&self) -> String {
        "i-0123456789abcdef0 (Session Manager)".into()
    }
}

#[tokio::test]
async fn streams_may_come_from_elsewhere() {
    let Some(machine) = start("") else { return };
    let dialled = |dial| SshOptions { route: Route::Dial(Arc::new(dial)), ..machine.options() };
    // No address is needed.
    let (_sender, address) = watch::channel(None);
    let (emitter, _events) = event::channel();
    let cancel = CancellationToken::new();
    let options = dialled(Given(Some(machine.port())));
    let ssh = connect(options, address, emitter, cancel).await.unwrap();
    assert_eq!(succeed(&ssh, "echo in").await, "in\n");
    insta::assert_snapshot!(complaint(dialled(Given(None)), 1, &[]).await, @"no session to i-0123456789abcdef0 (Session Manager): the agent is not registered");
}
