//! What can be wrong with the options before anything is connected to (`packer-core.md` sections
//! 5.1 and 5.2), and what bake cannot do yet.

use crate::diagnostic::did_you_mean;
use crate::plan::{Planner, UNKNOWN_TEXT};

use super::CommunicatorOptions;
use super::key_file::KeyFiles;
use crate::communicator::ssh::{self, Algorithms, Tunnel};

/// Options of SSH that bake cannot do; each has a row in `docs/unsupported.md`.
const UNSUPPORTED_SSH: &[(&str, &str)] = &[(
    "ssh_bastion_interactive",
    "give `ssh_bastion_password`, such as a variable that is set by `PKR_VAR_…`, or a key",
)];

/// Ciphers that Packer takes and bake has not, as nobody should use them.
const BROKEN_CIPHERS: &[&str] = &["3des-cbc", "arcfour", "arcfour128", "arcfour256"];

impl CommunicatorOptions {
    /// Reports what is wrong with them, and what bake cannot do yet.
    pub fn check(&self, planner: &mut Planner<'_>) {
        self.check_bucket(planner);
        match self.kind() {
            "ssh" => self.check_ssh(planner),
            "winrm" => self.check_winrm(planner),
            other => {
                let known = &["ssh", "ssm", "winrm", "none"];
                planner.one_of("communicator", Some(other), known);
            }
        }
    }

    fn check_bucket(&self, planner: &mut Planner<'_>) {
        let Some(name) = self.ssm_bucket.as_deref().filter(|name| !name.is_empty()) else {
            return;
        };
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        let is_name = (3..=63).contains(&name.len()) && name.chars().all(plain);
        if !is_name && !planner.is_late("ssm_bucket") && !name.contains(UNKNOWN_TEXT) {
            let help =
                "the name alone, without `s3://`: 3 to 63 lower-case letters, digits, `-` and `.`";
            planner.wrong("ssm_bucket", format!("`{name}` is no name of a bucket"), help);
        }
    }

    /// The option that should say which machine is meant, when none does. For builders that make
    /// no machine of their own.
    pub fn missing_host(&self) -> Option<&'static str> {
        let (option, host) = match self.kind() {
            "ssh" => ("ssh_host", &self.ssh_host),
            "winrm" => ("winrm_host", &self.winrm_host),
            _ => return None,
        };
        host.as_ref().is_none_or(String::is_empty).then_some(option)
    }

    /// Reports when there is no way to log in, or more than one. For builders that make no key of
    /// their own.
    pub fn check_one_login(&self, planner: &mut Planner<'_>) {
        let ways: &[&str] = match self.kind() {
            "ssh" => &["ssh_password", "ssh_private_key_file", "ssh_agent_auth"],
            "winrm" => &["winrm_password"],
            _ => return,
        };
        let given: Vec<_> = ways.iter().filter(|option| planner.asks_for(option)).collect();
        match given.as_slice() {
            [] => {
                let all: Vec<_> = ways.iter().map(|option| format!("`{option}`")).collect();
                let help = format!("give {}", all.join(" or "));
                planner.wrong("", "there is no way to log in", &help);
            }
            [_] => {}
            [first, .., last] => {
                let text = format!("`{first}` and `{last}` exclude each other");
                planner.wrong(last, text, "give one of them");
            }
        }
    }

    fn check_ssh(&self, planner: &mut Planner<'_>) {
        for (option, help) in UNSUPPORTED_SSH {
            if planner.asks_for(option) {
                planner.not_yet(option, help);
            }
        }
        if self.ssh_username.as_ref().is_none_or(String::is_empty) {
            let help = "images have their own: ec2-user, ubuntu, admin, rocky, fedora, …";
            planner.wrong("ssh_username", "`ssh_username` is needed", help);
        }
        self.check_key_files(planner);
        self.check_temporary_key(planner);
        self.check_bastion(planner);
        self.check_proxy(planner);
        self.check_private_key(planner);
        self.check_algorithms(planner);
        let method = Some(self.ssh_file_transfer_method.as_str());
        planner.one_of("ssh_file_transfer_method", method, &["scp", "sftp"]);
        if self.keep_alive().is_err() {
            let text = format!("`{}` is no duration", self.ssh_keep_alive_interval);
            planner.wrong("ssh_keep_alive_interval", text, "such as `5s`");
        }
        if planner.asks_for("ssh_wait_timeout") && planner.asks_for("ssh_timeout") {
            let text = "`ssh_timeout` has no effect beside its old name `ssh_wait_timeout`";
            planner.warn("no-effect", "ssh_timeout", text, "leave `ssh_wait_timeout` out");
        }
        for (option, tunnels) in [
            ("ssh_local_tunnels", &self.ssh_local_tunnels),
            ("ssh_remote_tunnels", &self.ssh_remote_tunnels),
        ] {
            for text in tunnels.iter().filter(|text| *text != UNKNOWN_TEXT) {
                if let Err(problem) = text.parse::<Tunnel>() {
                    let help = "such as `8080:db.internal:5432`";
                    planner.wrong(option, format!("`{text}` is no tunnel: {problem}"), help);
                }
            }
        }
    }

    fn check_winrm(&self, planner: &mut Planner<'_>) {
        if self.winrm_username.as_ref().is_none_or(String::is_empty) {
            planner.wrong("winrm_username", "`winrm_username` is needed", "often Administrator");
        }
        if self.winrm_insecure && !self.winrm_use_ssl {
            let text = "`winrm_insecure` has no effect without `winrm_use_ssl`";
            planner.warn("no-effect", "winrm_insecure", text, "");
        }
        // The key decrypts the password of a Windows instance.
        self.check_key_files(planner);
        self.check_temporary_key(planner);
    }

    fn check_temporary_key(&self, planner: &mut Planner<'_>) {
        let option = "temporary_key_pair_type";
        let kind = match self.temporary_key_pair_type.as_str() {
            "dsa" => {
                let text = "there are no DSA keys any more: OpenSSH has given them up";
                planner.wrong(option, text, "write `ed25519`, or leave it out");
                return;
            }
            "" => "ed25519",
            kind => kind,
        };
        planner.one_of(option, Some(kind), &["ed25519", "rsa", "ecdsa"]);
        let Some(bits) = self.temporary_key_pair_bits.filter(|bits| *bits > 0) else { return };
        let sizes: &[u32] = match kind {
            "rsa" => &[2048, 3072, 4096],
            "ecdsa" => &[256, 384, 521],
            // Other types have one size.
            _ => return,
        };
        if !sizes.contains(&bits) {
            let sizes: Vec<_> = sizes.iter().map(u32::to_string).collect();
            let text = format!("no {} key of {bits} bits", kind.to_uppercase());
            planner.wrong("temporary_key_pair_bits", text, &format!("one of {}", sizes.join(", ")));
        }
    }

    fn check_bastion(&self, planner: &mut Planner<'_>) {
        planner.exclusive("ssh_bastion_host", "ssh_proxy_host");
        if !planner.asks_for("ssh_bastion_host") {
            return;
        }
        let late = planner.is_late("ssh_bastion_host")
            || self.ssh_bastion_host.as_deref().is_some_and(|host| host.contains(UNKNOWN_TEXT));
        if let (false, Err(problem)) = (late, self.bastion_hosts()) {
            let help =
                "hosts are separated by commas; each is `host`, `host:port` or `user@host:port`";
            planner.wrong("ssh_bastion_host", format!("in `ssh_bastion_host`, {problem}"), help);
        }
        let ways = [
            "ssh_bastion_password",
            "ssh_bastion_interactive",
            "ssh_bastion_agent_auth",
            "ssh_bastion_private_key_file",
            // Stands in for the bastion's own.
            "ssh_private_key_file",
        ];
        if !ways.iter().any(|option| planner.asks_for(option)) {
            let text = "there is no way to log in to the bastion host";
            let help = "give `ssh_bastion_private_key_file`, `ssh_bastion_password` or `ssh_bastion_agent_auth`";
            planner.wrong("ssh_bastion_host", text, help);
        }
    }

    fn check_algorithms(&self, planner: &mut Planner<'_>) {
        for (option, what, names, known) in [
            ("ssh_ciphers", "cipher", &self.ssh_ciphers, Algorithms::ciphers()),
            (
                "ssh_key_exchange_algorithms",
                "key exchange",
                &self.ssh_key_exchange_algorithms,
                Algorithms::key_exchanges(),
            ),
        ] {
            let known_or_late =
                |name: &&String| known.contains(&name.as_str()) || *name == UNKNOWN_TEXT;
            for name in names.iter().filter(|name| !known_or_late(name)) {
                let all = format!("one of {}", known.join(", "));
                if BROKEN_CIPHERS.contains(&name.as_str()) {
                    let text = format!("bake has no {what} `{name}`: it is broken");
                    planner.wrong(option, text, &all);
                    continue;
                }
                let help = did_you_mean(name, known.iter().copied()).unwrap_or(all);
                planner.wrong(option, format!("there is no {what} `{name}`"), &help);
            }
        }
    }

    fn check_private_key(&self, planner: &mut Planner<'_>) {
        let Some(key) = self.ssh_private_key.text() else { return };
        if let Err(error) = ssh::check_private_key(key) {
            let help = "an unencrypted OpenSSH, PKCS#1, PKCS#8 or SEC1 key, as PEM";
            planner.wrong("ssh_private_key", error.to_string(), help);
        }
    }

    /// User and password of a proxy go in one message with a byte for the length of each.
    fn check_proxy(&self, planner: &mut Planner<'_>) {
        if !planner.asks_for("ssh_proxy_host") {
            return;
        }
        if planner.asks_for("ssh_proxy_password") && !planner.asks_for("ssh_proxy_username") {
            let text = "`ssh_proxy_password` needs `ssh_proxy_username`";
            planner.wrong("ssh_proxy_password", text, "");
        }
        if planner.asks_for("ssh_proxy_username") && !planner.asks_for("ssh_proxy_password") {
            let text = "`ssh_proxy_username` needs `ssh_proxy_password`";
            planner.wrong("ssh_proxy_username", text, "SOCKS 5 knows no users without a password");
        }
        let password = self.ssh_proxy_password.as_ref().map_or(0, |one| one.reveal().len());
        let username = self.ssh_proxy_username.as_ref().map_or(0, String::len);
        for (option, length) in [("ssh_proxy_username", username), ("ssh_proxy_password", password)]
        {
            if length > 255 {
                let text = format!("`{option}` has {length} bytes; SOCKS 5 takes 255");
                planner.wrong(option, text, "");
            }
        }
    }

    fn check_key_files(&self, planner: &mut Planner<'_>) {
        KeyFiles {
            key_option: "ssh_private_key_file",
            key: self.ssh_private_key_file.as_deref(),
            certificate_option: "ssh_certificate_file",
            certificate: self.ssh_certificate_file.as_deref(),
        }
        .check(planner);
        // A bastion host without a key of its own takes the machine's, with its certificate.
        let own = ["ssh_bastion_private_key_file", "ssh_bastion_certificate_file"];
        if own.iter().any(|option| planner.asks_for(option)) {
            KeyFiles {
                key_option: "ssh_bastion_private_key_file",
                key: self.ssh_bastion_private_key_file.as_deref(),
                certificate_option: "ssh_bastion_certificate_file",
                certificate: self.ssh_bastion_certificate_file.as_deref(),
            }
            .check(planner);
        }
    }
}
