//! From the options of a template to the settings of a connection over WinRM.

use std::sync::Arc;
use std::time::Duration;

use super::CommunicatorOptions;
use crate::communicator::winrm::{HttpProxy, Pace, WinRmOptions};
use crate::communicator::{CommunicatorError, Dial};
use crate::template::schema::Secret;

/// How long to try to connect unless the template says it.
const TIMEOUT: Duration = Duration::from_secs(1800);
/// How often a user may be refused by a machine that is there already.
const REFUSALS: u32 = 3;
/// The first pause after that.
const REFUSAL_PAUSE: Duration = Duration::from_secs(2);

/// How to reach a machine over WinRM, as a template says it, with all defaults in.
#[derive(Clone, Debug, Default)]
pub struct WinRmSettings {
    /// The user.
    pub username: String,
    /// The password; `None` while only the cloud knows it.
    pub password: Option<Secret>,
    /// How long to try.
    pub timeout: Duration,
    /// How often the user may be refused.
    pub refusals: u32,
    /// The first pause after that; they grow.
    pub refusal_pause: Duration,
    /// Whether it is over TLS.
    pub tls: bool,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// Whether users are known by NTLM from the start.
    pub ntlm: bool,
    /// Whether the environment's proxy is left out.
    pub no_proxy: bool,
    /// How long to wait once it was possible to log in.
    pub pause: Duration,
}

impl CommunicatorOptions {
    /// What the options say about WinRM.
    pub fn winrm_settings(&self) -> WinRmSettings {
        WinRmSettings {
            username: self.winrm_username.clone().unwrap_or_default(),
            password: self.winrm_password.clone().filter(|one| !one.reveal().is_empty()),
            timeout: self.winrm_timeout.filter(|time| !time.is_zero()).unwrap_or(TIMEOUT),
            refusals: REFUSALS,
            refusal_pause: REFUSAL_PAUSE,
            tls: self.winrm_use_ssl,
            insecure: self.winrm_insecure,
            ntlm: self.winrm_use_ntlm,
            no_proxy: self.winrm_no_proxy,
            pause: self.pause_before_connecting,
        }
    }
}

impl WinRmSettings {
    /// What a connection to a machine needs. With `dial`, bytes get there by its streams, and
    /// through no proxy.
    ///
    /// # Errors
    /// When the environment names a proxy that is none for HTTP.
    pub fn load(
        &self,
        host: String,
        port: u16,
        dial: Option<Arc<dyn Dial>>,
    ) -> Result<WinRmOptions, CommunicatorError> {
        let proxy = match dial.is_some() || self.no_proxy {
            true => None,
            false => HttpProxy::of_environment(&host, self.tls).map_err(|reason| {
                let reason = format!("{reason}; `winrm_no_proxy = true` leaves it out");
                CommunicatorError::Failed { wanted: "connect over WinRM", reason }
            })?,
        };
        Ok(WinRmOptions {
            host,
            port,
            username: self.username.clone(),
            password: self.password.clone().unwrap_or_else(|| Secret::new("")),
            tls: self.tls,
            insecure: self.insecure,
            ntlm: self.ntlm,
            proxy,
            dial,
            timeout: self.timeout,
            refusals: self.refusals,
            refusal_pause: self.refusal_pause,
            pause: self.pause,
            pace: Pace::default(),
        })
    }
}
