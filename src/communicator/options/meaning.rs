//! What the options say once Packer's defaults are in.

use std::time::Duration;

use super::CommunicatorOptions;
use crate::template::schema::parse_go_duration;

impl CommunicatorOptions {
    /// `ssh`, `winrm`, `ssm`, `none`, or what the template says instead.
    pub fn kind(&self) -> &str {
        match self.communicator.as_str() {
            "" => "ssh",
            kind => kind,
        }
    }

    /// The port; the communicator's usual one for nothing.
    pub fn port(&self) -> u16 {
        let (given, usual) = match (self.kind(), self.winrm_use_ssl) {
            ("winrm", false) => (self.winrm_port.unwrap_or_default(), 5985),
            ("winrm", true) => (self.winrm_port.unwrap_or_default(), 5986),
            _ => (self.ssh_port, 22),
        };
        if given == 0 { usual } else { given }
    }

    /// How long to try to connect, and how many refused log-ins are too many; 0 for no limit.
    ///
    /// Packer's defaults hold only when neither is set: alone, a time limit means as many attempts
    /// as fit in.
    pub fn patience(&self) -> (Duration, u32) {
        let is_set = |timeout: &Duration| !timeout.is_zero();
        let timeout =
            self.ssh_wait_timeout.filter(is_set).or_else(|| self.ssh_timeout.filter(is_set));
        let attempts = self.ssh_handshake_attempts.filter(|count| *count > 0);
        let default = if timeout.is_some() { 0 } else { 10 };
        (timeout.unwrap_or(Duration::from_secs(300)), attempts.unwrap_or(default))
    }

    /// The interval of keep-alives; `None` for a negative one, which turns them off.
    ///
    /// # Errors
    /// When the text is no duration.
    pub fn keep_alive(&self) -> Result<Option<Duration>, String> {
        match self.ssh_keep_alive_interval.as_str() {
            "" => Ok(Some(Duration::from_secs(5))),
            text => match text.strip_prefix('-') {
                Some(text) => parse_go_duration(text).map(|_| None),
                None => parse_go_duration(text).map(|one| Some(one).filter(|one| !one.is_zero())),
            },
        }
    }
}
