//! A small SSH server that does what a test wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Response, Session, run_stream};
use russh::{Channel, ChannelId, ChannelOpenFailure, Sig};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How a server behaves.
#[derive(Clone, Debug, Default)]
pub(super) struct Behaviour {
    /// How many log-ins are refused before one is accepted.
    pub(super) refusals: u32,
    /// Whether only this password logs in, by keyboard-interactive.
    pub(super) password: Option<&'static str>,
    /// Whether commands are refused.
    pub(super) refuse_commands: bool,
    /// Whether only old algorithms are offered.
    pub(super) old_ciphers: bool,
}

/// A running server.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) logins: Arc<AtomicU32>,
    pub(super) host_key: String,
    /// What became of the command `hang`.
    pub(super) ended: watch::Sender<Vec<&'static str>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a server on a free loopback port.
pub(super) async fn start(behaviour: Behaviour) -> Server {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    serve(listener, behaviour)
}

pub(super) fn serve(listener: TcpListener, behaviour: Behaviour) -> Server {
    let port = listener.local_addr().unwrap().port();
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap();
    let host_key = key.public_key().to_openssh().unwrap();
    let mut config = Config {
        keys: vec![key],
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        ..Config::default()
    };
    if behaviour.old_ciphers {
        config.preferred.cipher = (&[russh::cipher::AES_128_CBC]).into();
    }
    let config = Arc::new(config);
    let logins = Arc::new(AtomicU32::new(0));
    let count = logins.clone();
    let (ended, _) = watch::channel(Vec::new());
    let story = ended.clone();
    let task = tokio::spawn(async move {
        while let Ok((stream, _peer)) = listener.accept().await {
            let session =
                One { behaviour: behaviour.clone(), logins: count.clone(), ended: story.clone() };
            let config = config.clone();
            drop(tokio::spawn(async move {
                if let Ok(running) = run_stream(config, stream, session).await {
                    drop(running.await);
                }
            }));
        }
    });
    Server { port, logins, host_key, ended, task }
}

struct One {
    behaviour: Behaviour,
    logins: Arc<AtomicU32>,
    ended: watch::Sender<Vec<&'static str>>,
}

impl One {
    fn note(&self, what: &'static str) {
        self.ended.send_modify(|said| said.push(what));
    }
}

impl Handler for One {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        _key: russh::server::VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let before = self.logins.fetch_add(1, Ordering::SeqCst);
        let accepted = before >= self.behaviour.refusals && self.behaviour.password.is_none();
        Ok(if accepted { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(response) = response else {
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password:".into(), false)].into(),
            });
        };
        let answers: Vec<_> = response.collect();
        let expected = self.behaviour.password.map(str::as_bytes);
        let right = answers.first().map(|answer| answer.as_ref()) == expected;
        Ok(if right { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        drop(channel);
        reply.accept().await;
        Ok(())
    }

    /// As a bastion host does.
    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let target = (host.to_owned(), u16::try_from(port).unwrap());
        drop(tokio::spawn(async move {
            // A machine that has only just been started may not listen yet.
            let Ok(mut far) = tokio::net::TcpStream::connect(target).await else {
                reply.reject(ChannelOpenFailure::ConnectFailed).await;
                return;
            };
            reply.accept().await;
            drop(tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut far).await);
        }));
        Ok(())
    }

    async fn signal(
        &mut self,
        _channel: ChannelId,
        signal: Sig,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        assert!(matches!(signal, Sig::TERM));
        self.note("SIGTERM");
        Ok(())
    }

    async fn channel_close(
        &mut self,
        _channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.ended.borrow().contains(&"SIGTERM") {
            self.note("closed");
        }
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        text: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.behaviour.refuse_commands {
            return session.channel_failure(channel);
        }
        session.channel_success(channel)?;
        match text {
            b"vanish" => return Err(russh::Error::Disconnect),
            b"hang" => {
                self.note("hangs");
                return Ok(());
            }
            b"no status" => {}
            b"status, then more" => {
                session.exit_status_request(channel, 4)?;
                self.note("has ended");
                let handle = session.handle();
                drop(tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    drop(handle.data(channel, b"more\n".to_vec()).await);
                    _ = handle.eof(channel).await;
                    _ = handle.close(channel).await;
                }));
                return Ok(());
            }
            b"signal" => {
                session.exit_signal_request(channel, Sig::SEGV, false, "crashed", "en")?;
            }
            b"status first" => {
                session.exit_status_request(channel, 3)?;
                session.data(channel, b"late\n".to_vec())?;
            }
            _ => session.exit_status_request(channel, 0)?,
        }
        session.eof(channel)?;
        session.close(channel)
    }
}
