//! Tests against an OpenSSH server, and against a server of our own that can misbehave.

mod against_openssh;
mod agents;
mod certificates;
mod comparing;
mod connecting;
mod downloading;
mod drills;
pub(crate) mod openssh;
mod relay;
mod routes;
mod server;
mod sessions;
mod socks;
mod splitting;
mod tunnels;
mod uploading;

use self::connecting::try_to_connect;
use super::*;
use crate::event;

/// What a command said and how it ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    stdout: String,
    stderr: String,
}

async fn run(ssh: &Ssh, command: Command) -> (Result<Exit, CommunicatorError>, Said) {
    let (output, mut chunks) = mpsc::channel::<Chunk>(4);
    let listen = async {
        let mut said = Said::default();
        while let Some(chunk) = chunks.recv().await {
            let text = String::from_utf8(chunk.bytes).unwrap();
            match chunk.stream {
                event::Stream::Stdout => said.stdout.push_str(&text),
                event::Stream::Stderr => said.stderr.push_str(&text),
            }
        }
        said
    };
    tokio::join!(ssh.exec(command, output), listen)
}

/// A port on which nobody listens, as long as the value lives.
struct Closed {
    port: u16,
    _socket: tokio::net::TcpSocket,
}

fn closed() -> Closed {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    Closed { port: socket.local_addr().unwrap().port(), _socket: socket }
}

/// Options that give up after one refused log-in. Whatever else happens is tried again for a minute,
/// which a loaded machine may need to come to the refusal.
fn impatient(options: SshOptions) -> SshOptions {
    SshOptions { timeout: Duration::from_secs(60), handshake_attempts: 1, ..options }
}

/// What is said when the far side refuses, with what to do. Ports have names in it.
async fn complaint(options: SshOptions, port: u16, names: &[(u16, &str)]) -> String {
    said_of(impatient(options), port, names).await
}

/// What is said when it is not possible to connect for as long as the template allows.
async fn late_complaint(options: SshOptions, port: u16, names: &[(u16, &str)]) -> String {
    let timeout = Duration::from_secs(4);
    said_of(SshOptions { timeout, ..impatient(options) }, port, names).await
}

async fn said_of(options: SshOptions, port: u16, names: &[(u16, &str)]) -> String {
    let error = match try_to_connect(options, port).await {
        Ok(_) => panic!("it let us in"),
        Err(error) => error,
    };
    let mut text = [vec![error.to_string()], error.hints()].concat().join("\n");
    for (port, name) in names {
        text = text.replace(&format!("127.0.0.1:{port}"), name);
    }
    let attempts = regex::Regex::new(r" \([^()]*attempt[^()]*\)").unwrap();
    let text = attempts.replace(&text, "").into_owned();
    regex::Regex::new(r"for \d+ s").unwrap().replace(&text, "for N s").into_owned()
}

/// Runs a command that must succeed and returns what it said.
async fn succeed(ssh: &Ssh, text: &str) -> String {
    let (exit, said) = run(ssh, Command::new(text)).await;
    assert_eq!(exit.unwrap(), Exit::Code(0), "{said:?}");
    said.stdout
}
