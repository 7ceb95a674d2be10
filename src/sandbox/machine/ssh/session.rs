//! One session channel: a program between the client and its streams.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use russh::server::{Handle, Msg};
use russh::{ChannelId, ChannelWriteHalf, Sig};
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::input::Input;
use super::process::{Running, Streams};

/// What is read from a program at once.
const CHUNK: usize = 128 << 10;
/// How long output may follow the end of a program before its status is sent
/// ahead of it (a background process may keep the pipe open for hours).
const LINGER: Duration = Duration::from_millis(200);
/// `SSH_EXTENDED_DATA_STDERR`, RFC 4254 5.2.
const STDERR: u32 = 1;

/// The connection's hold on a running session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) input: Arc<Input>,
    group: Pid,
    terminal: Option<OwnedFd>,
    /// Cancelled when the client is gone.
    gone: CancellationToken,
    /// Runs until the channel is closed from this side.
    work: tokio::task::JoinHandle<()>,
}

impl Session {
    /// Connects the program with the channel; the work goes on in tasks of its own.
    pub(super) fn start(
        mut running: Running,
        channel: ChannelWriteHalf<Msg>,
        handle: Handle,
    ) -> Self {
        let input = Arc::new(Input::default());
        let gone = CancellationToken::new();
        let group = running.group;
        let mut terminal = None;
        let channel = Arc::new(channel);
        let outputs = match running.streams {
            Streams::Pipes { input: stdin, output, errors } => {
                tokio::spawn(feed(Arc::clone(&input), stdin));
                let output = tokio::spawn(drain(output, Arc::clone(&channel), None));
                let errors = tokio::spawn(drain(errors, Arc::clone(&channel), Some(STDERR)));
                vec![output, errors]
            }
            Streams::Terminal(master) => {
                terminal = master.control().ok();
                let (reader, writer) = tokio::io::split(master);
                tokio::spawn(feed(Arc::clone(&input), writer));
                vec![tokio::spawn(drain(reader, Arc::clone(&channel), None))]
            }
        };
        let client_gone = gone.clone();
        let id = channel.id();
        let end_input = Arc::clone(&input);
        let work = tokio::spawn(async move {
            let aborts: Vec<_> =
                outputs.iter().map(tokio::task::JoinHandle::abort_handle).collect();
            let outputs = futures::future::join_all(outputs);
            tokio::pin!(outputs);
            let mut drained = false;
            let status = loop {
                tokio::select! {
                    status = running.child.wait() => break status.ok(),
                    _ = &mut outputs, if !drained => drained = true,
                    () = client_gone.cancelled() => {
                        hang_up(group);
                        for abort in &aborts {
                            abort.abort();
                        }
                        // Collects the child, whenever it ends.
                        drop(running.child.wait().await);
                        return;
                    }
                }
            };
            if !drained {
                drained = tokio::time::timeout(LINGER, &mut outputs).await.is_ok();
            }
            if drained {
                let _: Result<_, _> = handle.eof(id).await;
                report(&handle, id, status).await;
            } else {
                report(&handle, id, status).await;
                tokio::select! {
                    _ = &mut outputs => {
                        let _: Result<_, _> = handle.eof(id).await;
                    }
                    () = client_gone.cancelled() => {
                        for abort in &aborts {
                            abort.abort();
                        }
                    }
                }
            }
            end_input.end();
            let _: Result<_, _> = handle.close(id).await;
        });
        Self { input, group, terminal, gone, work }
    }

    /// Whether the program has ended and the channel is closed from this side.
    pub(super) fn is_over(&self) -> bool {
        self.work.is_finished()
    }

    /// Passes a signal on to the program's process group.
    pub(super) fn signal(&self, name: &Sig) {
        if let Some(signal) = signal_number(name) {
            let _: Result<_, _> = rustix::process::kill_process_group(self.group, signal);
        }
    }

    /// Changes the size of the terminal, if there is one.
    pub(super) fn resize(&self, size: rustix::termios::Winsize) {
        if let Some(terminal) = &self.terminal {
            super::process::resize(terminal, size);
        }
    }
}

impl Drop for Session {
    /// The channel was closed or the connection lost. Does nothing to a program that has ended.
    fn drop(&mut self) {
        self.input.end();
        self.gone.cancel();
    }
}

fn hang_up(group: Pid) {
    let _: Result<_, _> = rustix::process::kill_process_group(group, Signal::HUP);
    let _: Result<_, _> = rustix::process::kill_process_group(group, Signal::CONT);
}

/// Copies what the client sends into the program, until either ends.
async fn feed(input: Arc<Input>, mut writer: impl AsyncWrite + Unpin) {
    while let Ok(Some(bytes)) = input.next().await {
        if writer.write_all(&bytes).await.is_err() {
            break; // the program does not read any more
        }
    }
    input.close();
}

/// Copies what the program writes to the client, no faster than its window opens.
async fn drain(
    mut reader: impl AsyncRead + Unpin,
    channel: Arc<ChannelWriteHalf<Msg>>,
    stream: Option<u32>,
) {
    let mut buffer = Vec::with_capacity(CHUNK);
    while let Ok(1..) = reader.read_buf(&mut buffer).await {
        let bytes = bytes_of(&mut buffer);
        let sent = match stream {
            None => channel.data_bytes(bytes).await,
            Some(stream) => channel.extended_data_bytes(stream, bytes).await,
        };
        if sent.is_err() {
            break;
        }
    }
}

/// Takes what was read and leaves a buffer that is large enough for the next.
fn bytes_of(buffer: &mut Vec<u8>) -> Vec<u8> {
    let full = buffer.len() > CHUNK / 2;
    if full {
        std::mem::replace(buffer, Vec::with_capacity(CHUNK))
    } else {
        let bytes = buffer.clone();
        buffer.clear();
        bytes
    }
}

async fn report(handle: &Handle, id: ChannelId, status: Option<ExitStatus>) {
    let signal = status.and_then(|status| status.signal());
    let sent = match (status.and_then(|status| status.code()), signal.and_then(signal_name)) {
        (Some(code), _) => handle.exit_status_request(id, code.cast_unsigned()).await,
        (None, Some(name)) => {
            let dumped = status.is_some_and(|status| status.core_dumped());
            handle.exit_signal_request(id, name, dumped, String::new(), String::new()).await
        }
        // A signal that SSH has no name for.
        (None, None) => handle.exit_status_request(id, 255).await,
    };
    // A client that is gone needs no status.
    let _: Result<_, _> = sent;
}

fn signal_name(number: i32) -> Option<Sig> {
    [
        Sig::ABRT,
        Sig::ALRM,
        Sig::FPE,
        Sig::HUP,
        Sig::ILL,
        Sig::INT,
        Sig::KILL,
        Sig::PIPE,
        Sig::QUIT,
        Sig::SEGV,
        Sig::TERM,
        Sig::USR1,
        Sig::Custom("USR2".to_owned()),
    ]
    .into_iter()
    .find(|name| signal_number(name).is_some_and(|signal| signal.as_raw() == number))
}

fn signal_number(name: &Sig) -> Option<Signal> {
    Some(match name {
        Sig::ABRT => Signal::ABORT,
        Sig::ALRM => Signal::ALARM,
        Sig::FPE => Signal::FPE,
        Sig::HUP => Signal::HUP,
        Sig::ILL => Signal::ILL,
        Sig::INT => Signal::INT,
        Sig::KILL => Signal::KILL,
        Sig::PIPE => Signal::PIPE,
        Sig::QUIT => Signal::QUIT,
        Sig::SEGV => Signal::SEGV,
        Sig::TERM => Signal::TERM,
        Sig::USR1 => Signal::USR1,
        Sig::Custom(name) if name == "USR2" => Signal::USR2,
        Sig::Custom(_) => return None,
    })
}
