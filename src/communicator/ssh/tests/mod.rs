//! Tests against an OpenSSH server, and against a server of our own that can misbehave.

mod against_openssh;
mod connecting;
mod downloading;
pub(crate) mod openssh;
mod server;
mod splitting;
mod uploading;

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

/// Runs a command that must succeed and returns what it said.
async fn succeed(ssh: &Ssh, text: &str) -> String {
    let (exit, said) = run(ssh, Command::new(text)).await;
    assert_eq!(exit.unwrap(), Exit::Code(0), "{said:?}");
    said.stdout
}
