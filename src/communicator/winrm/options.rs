//! What a connection needs to know.

use std::sync::Arc;
use std::time::Duration;

use super::link::HttpProxy;
use crate::communicator::Dial;
use crate::template::schema::Secret;

/// How to reach a Windows machine.
#[derive(Clone)]
pub struct WinRmOptions {
    /// Name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// `user`, `DOMAIN\user` or `user@domain`.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// Whether it is over TLS.
    pub tls: bool,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// Whether users are known by NTLM from the start; else it is tried where the service does not
    /// take the password itself.
    pub ntlm: bool,
    /// A proxy on the way.
    pub proxy: Option<HttpProxy>,
    /// Streams to the machine that are not TCP.
    pub dial: Option<Arc<dyn Dial>>,
    /// How long to try to connect, each time that there is no connection.
    pub timeout: Duration,
    /// How often the user may be refused until that is taken for the truth.
    pub refusals: u32,
    /// The first pause after that; each is twice the last, up to two minutes.
    pub refusal_pause: Duration,
    /// How long to wait once it was possible to log in.
    pub pause: Duration,
    /// How the waiting goes.
    pub pace: Pace,
}

/// How long things may take; tests have no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The longest pause after a failure that is no refusal.
    pub failed: Duration,
    /// How long the service holds a question for output back while there is none.
    pub poll: Duration,
    /// How long output is asked for again after a connection was lost.
    pub resume: Duration,
    /// How long a command may go on whose input broke off: it may be about to end by itself.
    pub unfed: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            failed: Duration::from_secs(3),
            poll: Duration::from_secs(20),
            resume: Duration::from_secs(60),
            unfed: Duration::from_secs(5),
        }
    }
}

impl std::fmt::Debug for WinRmOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WinRmOptions")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
