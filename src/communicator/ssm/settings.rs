//! Numbers of the data channel.

use std::time::Duration;

/// How a session behaves. The defaults are those for AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of the stream in one message. The agent's own number is 1024; more has been seen to
    /// work, and is faster if the service's limit is on messages.
    pub payload: usize,
    /// Messages a second. Above about 1000 the service has been seen to drop the connection.
    pub rate: u32,
    /// How long the handshake may take.
    pub handshake: Duration,
    /// How often to ping.
    pub ping: Duration,
    /// A connection on which nothing at all was heard for this long is dead.
    pub silence: Duration,
    /// How long to try to resume a session after its connection was lost.
    pub resume: Duration,
    /// How long a target may be unknown to the service (`TargetNotConnected`): the agent of a fresh
    /// instance takes tens of seconds to minutes to register.
    pub ready: Duration,
    /// How long to wait for the far side's word on an orderly end.
    pub goodbye: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            payload: 1024,
            rate: 900,
            handshake: Duration::from_secs(30),
            ping: Duration::from_secs(30),
            silence: Duration::from_secs(90),
            resume: Duration::from_secs(180),
            ready: Duration::from_secs(600),
            goodbye: Duration::from_secs(2),
        }
    }
}
