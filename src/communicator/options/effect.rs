//! Which options have an effect on which way to a machine. Packer takes all of them on every way
//! and passes over those that it has no use for; templates that rely on it go on working, and are
//! told.

use super::CommunicatorOptions;
use crate::plan::Planner;

/// A way to a machine, as far as options are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// SSH to an address.
    Ssh,
    /// SSH through Session Manager.
    Session,
    /// Systems Manager, without SSH.
    Ssm,
    /// WinRM.
    WinRm,
    /// The communicator `none`.
    Nothing,
}

use Way::{Session, Ssh, Ssm, WinRm};

/// Options, and the ways on which they do something. Every option is in one row.
const EFFECTS: &[(&[&str], &[Way])] = &[
    (&["communicator"], &[Ssh, Session, Ssm, WinRm, Way::Nothing]),
    (&["pause_before_connecting", "ssh_keypair_name"], &[Ssh, Session, WinRm]),
    // Commands run as root over Systems Manager. The user stays, so that a template can be changed
    // from one way to the other in one line.
    (&["ssh_username"], &[Ssh, Session, Ssm]),
    // With WinRM, the key is what decrypts the password.
    (
        &[
            "ssh_private_key_file",
            "temporary_key_pair_bits",
            "temporary_key_pair_name",
            "temporary_key_pair_type",
        ],
        &[Ssh, Session, WinRm],
    ),
    (
        &[
            "ssh_agent_auth",
            "ssh_certificate_file",
            "ssh_ciphers",
            "ssh_clear_authorized_keys",
            "ssh_disable_agent_forwarding",
            "ssh_file_transfer_method",
            "ssh_handshake_attempts",
            "ssh_keep_alive_interval",
            "ssh_key_exchange_algorithms",
            "ssh_local_tunnels",
            "ssh_password",
            "ssh_port",
            "ssh_private_key",
            "ssh_pty",
            "ssh_read_write_timeout",
            "ssh_remote_tunnels",
            "ssh_timeout",
            "ssh_wait_timeout",
        ],
        &[Ssh, Session],
    ),
    (
        &[
            "ssh_bastion_agent_auth",
            "ssh_bastion_certificate_file",
            "ssh_bastion_host",
            "ssh_bastion_interactive",
            "ssh_bastion_password",
            "ssh_bastion_port",
            "ssh_bastion_private_key_file",
            "ssh_bastion_username",
            "ssh_host",
            "ssh_proxy_host",
            "ssh_proxy_password",
            "ssh_proxy_port",
            "ssh_proxy_username",
        ],
        &[Ssh],
    ),
    // Packer's plugins pass it on; the public half follows from `ssh_private_key`.
    (&["ssh_public_key"], &[Ssh, Session, Ssm, WinRm, Way::Nothing]),
    (
        &[
            "winrm_host",
            "winrm_insecure",
            "winrm_no_proxy",
            "winrm_password",
            "winrm_port",
            "winrm_timeout",
            "winrm_use_ntlm",
            "winrm_use_ssl",
            "winrm_username",
        ],
        &[WinRm],
    ),
    (&["ssm_bucket", "ssm_bucket_prefix"], &[Ssm]),
];

/// Options about the key that a builder makes or names when it launches a machine.
const OF_A_LAUNCH: &[&str] = &[
    "ssh_clear_authorized_keys",
    "ssh_keypair_name",
    "temporary_key_pair_bits",
    "temporary_key_pair_name",
    "temporary_key_pair_type",
];

/// With any of these, no temporary key is made.
const OTHER_KEYS: &[&str] = &[
    "ssh_keypair_name",
    "ssh_private_key_file",
    "ssh_private_key",
    "ssh_agent_auth",
    "ssh_password",
];

/// Options that say more about something, and the one that names it.
const COMPANIONS: &[(&str, &[&str])] = &[
    (
        "ssh_bastion_host",
        &[
            "ssh_bastion_agent_auth",
            "ssh_bastion_certificate_file",
            "ssh_bastion_interactive",
            "ssh_bastion_password",
            "ssh_bastion_port",
            "ssh_bastion_private_key_file",
            "ssh_bastion_username",
        ],
    ),
    ("ssh_proxy_host", &["ssh_proxy_password", "ssh_proxy_port", "ssh_proxy_username"]),
    ("ssm_bucket", &["ssm_bucket_prefix"]),
];

/// What to do about an option, where there is more to say than to leave it out.
const INSTEAD: &[(&str, Way, &str)] = &[
    (
        "pause_before_connecting",
        Ssm,
        "`pause_before_ssm` waits before the agent is asked for anything",
    ),
    ("ssh_host", WinRm, "`winrm_host` names the machine"),
    ("ssh_password", WinRm, "`winrm_password` is the password"),
    ("ssh_port", WinRm, "`winrm_port` is the port"),
    ("ssh_timeout", WinRm, "`winrm_timeout` is the time limit"),
    ("ssh_username", WinRm, "`winrm_username` is the user"),
];

impl Way {
    /// The way; `None` for one that there is not, which is told elsewhere.
    fn of(options: &CommunicatorOptions, interface: Option<&str>) -> Option<Self> {
        Some(match options.kind() {
            "ssh" if interface == Some("session_manager") => Session,
            "ssh" => Ssh,
            "ssm" => Ssm,
            "winrm" => WinRm,
            "none" => Self::Nothing,
            _ => return None,
        })
    }

    /// What a template says to go this way.
    fn written(self) -> &'static str {
        match self {
            Ssh => "communicator = \"ssh\"",
            Session => "ssh_interface = \"session_manager\"",
            Ssm => "communicator = \"ssm\"",
            WinRm => "communicator = \"winrm\"",
            Self::Nothing => "communicator = \"none\"",
        }
    }

    /// Why most options do nothing on it.
    fn reason(self) -> &'static str {
        match self {
            Ssh => "leave it out, or set `communicator = \"winrm\"`",
            Session => "leave it out: sessions go to the instance through AWS, not to an address",
            Ssm => "leave it out: everything goes through the agent of Systems Manager",
            WinRm => "leave it out, or set `communicator = \"ssh\"`",
            Self::Nothing => "leave it out: nothing is connected to",
        }
    }
}

impl CommunicatorOptions {
    /// Warns of options that do nothing on the way to a machine that the builder launches;
    /// `interface` is the builder's `ssh_interface`.
    pub fn check_effects(&self, interface: Option<&str>, planner: &mut Planner<'_>) {
        let Some(way) = Way::of(self, interface) else { return };
        warn_of(way, planner);
        if !matches!(way, Ssh | Session) {
            return;
        }
        let Some(other) = OTHER_KEYS.iter().find(|option| planner.asks_for(option)) else { return };
        for option in asked(OF_A_LAUNCH, planner) {
            if !OTHER_KEYS.contains(&option) {
                let text = format!("`{option}` has no effect beside `{other}`: no key is made");
                planner.warn("no-effect", option, text, "leave it out");
            }
        }
    }

    /// The same for a machine that is there already.
    pub fn check_effects_without_launch(&self, planner: &mut Planner<'_>) {
        let Some(way) = Way::of(self, None) else { return };
        warn_of(way, planner);
        for option in asked(OF_A_LAUNCH, planner) {
            if acts(option, way) {
                let text = format!("`{option}` has no effect: this builder makes no key");
                planner.warn("no-effect", option, text, "leave it out");
            }
        }
    }
}

/// Warns of options without effect on this way.
fn warn_of(way: Way, planner: &mut Planner<'_>) {
    warn_of_companions(way, planner);
    for (options, ways) in EFFECTS.iter().filter(|(_, ways)| !ways.contains(&way)) {
        let reason = match ways {
            [Ssm] => "leave it out, or set `communicator = \"ssm\"`",
            _ => way.reason(),
        };
        for option in asked(options, planner) {
            let text = format!("`{option}` has no effect with `{}`", way.written());
            let instead = INSTEAD.iter().find(|(name, on, _)| *name == option && *on == way);
            let help = instead.map_or(reason, |(_, _, help)| help);
            planner.warn("no-effect", option, text, help);
        }
    }
}

/// Warns of options about something that no option names. An empty name is the template's way to
/// have a host or not.
fn warn_of_companions(way: Way, planner: &mut Planner<'_>) {
    for (named, options) in COMPANIONS {
        if planner.is_given(named) {
            continue;
        }
        for option in asked(options, planner).into_iter().filter(|option| acts(option, way)) {
            let text = format!("`{option}` has no effect without `{named}`");
            planner.warn("no-effect", option, text, "");
        }
    }
}

/// Whether an option does something on this way.
fn acts(option: &str, way: Way) -> bool {
    EFFECTS.iter().any(|(options, ways)| options.contains(&option) && ways.contains(&way))
}

/// Those that a template asks for something with.
fn asked(options: &'static [&'static str], planner: &Planner<'_>) -> Vec<&'static str> {
    options.iter().copied().filter(|option| planner.asks_for(option)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_in_one_row() {
        let mut rows: Vec<_> = EFFECTS.iter().flat_map(|(options, _)| options.iter()).collect();
        rows.sort();
        let mut options: Vec<_> =
            CommunicatorOptions::schema().options.iter().map(|option| &option.name).collect();
        options.sort();
        assert_eq!(rows, options);
    }
}
