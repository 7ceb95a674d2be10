//! What people read when an instance cannot be reached.

use std::time::Duration;

pub use super::failure::Stage;

/// Why nobody could log in, with the stage that never worked.
#[derive(Debug)]
pub struct WinRmError {
    /// Host and port, or what people know the far end by.
    pub address: String,
    /// The furthest that any attempt came to.
    pub stage: Stage,
    /// What went wrong there the last time.
    pub last: String,
    /// Attempts in all.
    pub attempts: u32,
    /// Time since the first attempt.
    pub elapsed: Duration,
    /// Who wanted to log in.
    pub username: String,
    /// Ways to log in that the service takes.
    pub offered: Vec<String>,
    /// Whether the way there is a session, whose own words say it all.
    pub through_session: bool,
    /// Whether it was over TLS.
    pub tls: bool,
}

impl std::error::Error for WinRmError {}

impl std::fmt::Display for WinRmError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, last, .. } = self;
        match self.stage {
            Stage::Resolve => write!(f, "`{address}` has no address: {last}")?,
            Stage::Tcp if self.through_session => write!(f, "no session to {address}: {last}")?,
            Stage::Tcp => write!(f, "no TCP connection to {address}: {last}")?,
            Stage::Tls => write!(f, "the TLS handshake with {address} failed: {last}")?,
            Stage::Service => write!(f, "no WinRM service answers at {address}: {last}")?,
            Stage::Authentication => {
                write!(f, "{address} does not let user `{}` log in: {last}", self.username)?;
                if !self.offered.is_empty() {
                    write!(f, "; the service takes {}", self.offered.join(", "))?;
                }
            }
            Stage::Shell => {
                write!(f, "{address} runs no command for user `{}`: {last}", self.username)?;
            }
        }
        if self.attempts > 0 {
            let (attempts, seconds) = (self.attempts, self.elapsed.as_secs_f64());
            let plural = if attempts == 1 { "" } else { "s" };
            write!(f, " ({attempts} attempt{plural} in {seconds:.1} s)")?;
        }
        Ok(())
    }
}

impl WinRmError {
    /// What to do next.
    pub(in super::super) fn hints(&self) -> Vec<String> {
        let quick = match self.tls {
            true => "winrm quickconfig -transport:https",
            false => "winrm quickconfig",
        };
        let hint = match self.stage {
            Stage::Tcp if self.through_session => return Vec::new(),
            Stage::Resolve => "check the host name and this machine's name server".to_owned(),
            Stage::Tcp => format!(
                "check that the security group, the network and Windows' own firewall let this machine reach {}, and that WinRM is on (`{quick}` in the user data)",
                self.address
            ),
            Stage::Tls if self.last.contains("certificate") => {
                "a fresh Windows has only a certificate that it made itself: set `winrm_insecure = true`, or give it one that this machine trusts".to_owned()
            }
            Stage::Tls | Stage::Service => {
                "check `winrm_port` and `winrm_use_ssl`: WinRM listens at 5985 without TLS and at 5986 with it".to_owned()
            }
            Stage::Authentication if self.is_unknown_scheme() => {
                "bake knows Basic and NTLM: have the user data allow one of them, such as by `winrm set winrm/config/service/auth @{Basic=\"true\"}`".to_owned()
            }
            Stage::Authentication => format!(
                "check `winrm_username` (`{}` here) and `winrm_password`; Windows may lock the account after some wrong passwords",
                self.username
            ),
            Stage::Shell => {
                "the user must be an administrator; for one other than `Administrator` set `LocalAccountTokenFilterPolicy` to 1 below `HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System`".to_owned()
            }
        };
        vec![hint]
    }

    /// Whether the service takes no way to log in that there is.
    fn is_unknown_scheme(&self) -> bool {
        let known = ["Basic", "Negotiate", "NTLM"];
        !self.offered.is_empty() && !self.offered.iter().any(|one| known.contains(&one.as_str()))
    }
}
