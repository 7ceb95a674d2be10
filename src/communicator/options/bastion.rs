//! `ssh_bastion_host`.

use crate::communicator::ssh::Address;

/// One bastion host, written `[user@]host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BastionHost {
    /// The user, when the host has one of its own.
    pub(super) username: Option<String>,
    /// Where it listens.
    pub(super) address: Address,
}

impl BastionHost {
    /// The hosts of a list that is separated by commas; `port` is for those without one.
    ///
    /// # Errors
    /// What is wrong with one of them, in a few words.
    pub(super) fn list(text: &str, port: u16) -> Result<Vec<Self>, String> {
        text.split(',').map(|one| Self::parse(one.trim(), port)).collect()
    }

    fn parse(text: &str, port: u16) -> Result<Self, String> {
        let (username, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()).filter(|user| !user.is_empty()), rest),
            None => (None, text),
        };
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, port),
            Some((host, rest)) => (host, number(rest.strip_prefix(':').unwrap_or(rest))?),
            // More than one colon is an address of IPv6 without a port.
            None if rest.matches(':').count() == 1 => {
                let (host, port) = rest.split_once(':').unwrap_or((rest, ""));
                (host, number(port)?)
            }
            None => (rest, port),
        };
        if host.is_empty() {
            return Err(format!("`{text}` names no host"));
        }
        Ok(Self { username, address: Address { host: host.to_owned(), port } })
    }
}

fn number(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is no port")),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_may_have_users_and_ports() {
        let list = |text| {
            BastionHost::list(text, 22).map(|all| {
                let show = |one: BastionHost| format!("{:?} {}", one.username, one.address);
                all.into_iter().map(show).collect::<Vec<_>>().join(" | ")
            })
        };
        for (text, expected) in [
            ("gate", Ok("None gate:22")),
            ("me@gate:2222, inner", Ok("Some(\"me\") gate:2222 | None inner:22")),
            ("10.0.0.1:23", Ok("None 10.0.0.1:23")),
            ("fe80::1", Ok("None [fe80::1]:22")),
            ("me@[fe80::1]:23", Ok("Some(\"me\") [fe80::1]:23")),
            ("a,,b", Err("`` names no host")),
            ("gate:ssh", Err("`ssh` is no port")),
            ("[::1]x", Err("`x` is no port")),
            ("me@", Err("`me@` names no host")),
        ] {
            assert_eq!(list(text), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }
}
