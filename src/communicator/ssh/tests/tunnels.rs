//! Ports that lead elsewhere.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::openssh::start;
use super::*;

/// A service that greets whoever connects.
async fn greeter() -> (u16, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(tokio::spawn(async move {
                let mut said = String::new();
                stream.read_to_string(&mut said).await.unwrap();
                stream.write_all(format!("hello {said}").as_bytes()).await.unwrap();
            }));
        }
    });
    (port, AbortOnDropHandle::new(task))
}

/// What the greeter says through a port; nothing when it is not there.
async fn greeting(port: u16) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else {
        return "nobody listens".into();
    };
    let mut said = String::new();
    let talk = async {
        stream.write_all(b"you").await?;
        stream.shutdown().await?;
        stream.read_to_string(&mut said).await
    };
    drop(talk.await);
    said
}

async fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port()
}

fn tunnel(listen: u16, port: u16) -> Vec<Tunnel> {
    vec![Tunnel { listen, host: "127.0.0.1".into(), port }]
}

#[tokio::test]
async fn tunnels_lead_both_ways_and_again_after_a_loss() {
    let Some(server) = start("") else { return };
    let (service, _task) = greeter().await;
    let (near, far) = (free_port().await, free_port().await);
    let options = SshOptions {
        local_tunnels: tunnel(near, service),
        remote_tunnels: tunnel(far, service),
        ..server.options()
    };
    let ssh = server.connect_with(options).await;
    assert_eq!(
        (greeting(near).await, greeting(far).await),
        ("hello you".into(), "hello you".into())
    );
    let (exit, _) = run(&ssh, Command::new("kill -KILL $PPID; sleep 20")).await;
    assert!(matches!(exit.unwrap(), Exit::Disconnected { .. }));
    assert_eq!(greeting(near).await, "");
    succeed(&ssh, "true").await;
    assert_eq!(
        (greeting(near).await, greeting(far).await),
        ("hello you".into(), "hello you".into())
    );
    ssh.disconnect().await;
    drop(ssh);
    for port in [near, far] {
        until_closed(port).await;
        assert_eq!(greeting(port).await, "nobody listens");
    }
}

async fn until_closed(port: u16) {
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_tunnel_that_leads_nowhere_closes_what_connects() {
    let Some(server) = start("") else { return };
    let (near, far, nowhere) = (free_port().await, free_port().await, closed());
    let options = SshOptions {
        local_tunnels: tunnel(near, nowhere.port),
        remote_tunnels: tunnel(far, nowhere.port),
        ..server.options()
    };
    let (emitter, mut events) = event::channel();
    let cancel = CancellationToken::new();
    let address = Address::known("127.0.0.1", server.port());
    let ssh = connect(options, address, emitter, cancel).await.unwrap();
    assert_eq!((greeting(near).await, greeting(far).await), (String::new(), String::new()));
    assert_eq!(succeed(&ssh, "echo on").await, "on\n");
    drop(ssh);
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        if let event::Fact::Warning { text } = event.fact {
            told.push(text);
        }
    }
    let names = [(near, "NEAR"), (far, "FAR"), (nowhere.port, "CLOSED")];
    let name = |text: String, (port, name): &(u16, &str)| text.replace(&port.to_string(), name);
    insta::assert_snapshot!(names.iter().fold(told.join("\n"), name), @"
    the tunnel `NEAR:127.0.0.1:CLOSED` does not reach 127.0.0.1:CLOSED: that server cannot connect to it
    the tunnel `FAR:127.0.0.1:CLOSED` does not reach 127.0.0.1:CLOSED: connection refused
    ");
}

#[tokio::test]
async fn a_port_that_cannot_be_listened_on_is_told() {
    let Some(server) = start("AllowTcpForwarding local") else { return };
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let ports = |text: String| text.replace(&port.to_string(), "PORT");
    let options = SshOptions { local_tunnels: tunnel(port, 1), ..server.options() };
    insta::assert_snapshot!(ports(complaint(options, server.port(), &[]).await), @"
    the tunnel `PORT:127.0.0.1:1` cannot be opened: this machine's port PORT: Address already in use (os error 98)
    choose another port, or end what listens on it
    ");
    let options = SshOptions { remote_tunnels: tunnel(port, 1), ..server.options() };
    insta::assert_snapshot!(ports(complaint(options, server.port(), &[]).await), @"
    the tunnel `PORT:127.0.0.1:1` cannot be opened: the server does not listen on its port PORT: it is taken, or the server forbids it (`AllowTcpForwarding`)
    choose another port, or end what listens on it
    ");
}
