//! What an agent of some version can do.

/// Whether `version` is later than `than`. Anything but four numbers is not.
fn later(version: &str, than: [u64; 4]) -> bool {
    let mut numbers = [0; 4];
    let mut parts = version.split('.');
    for number in &mut numbers {
        match parts.next().and_then(|part| part.parse().ok()) {
            Some(value) => *number = value,
            None => return false,
        }
    }
    parts.next().is_none() && numbers > than
}

/// Whether it speaks smux in port sessions.
pub(super) fn speaks_smux(version: &str) -> bool {
    later(version, [3, 0, 196, 0])
}

/// Whether it wants to hear from the client every 30 s in smux.
pub(super) fn wants_keepalive(version: &str) -> bool {
    !later(version, [3, 1, 1511, 0])
}

/// Whether it understands [`Flag::TerminateSession`](super::frame::Flag).
pub(super) fn takes_terminate(version: &str) -> bool {
    later(version, [2, 3, 722, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(speaks_smux("3.0.197.0"));
        assert!(speaks_smux("3.3.4851.0"));
        assert!(speaks_smux("3.0.196.1"));
        assert!(!speaks_smux("3.0.196.0"));
        assert!(!speaks_smux("2.9.1000.0"));
        assert!(!speaks_smux("3.3.4851"));
        assert!(!speaks_smux("3.3.4851.0.1"));
        assert!(!speaks_smux("latest"));
        assert!(!wants_keepalive("3.2.0.0"));
        assert!(wants_keepalive("3.1.1511.0"));
        assert!(takes_terminate("2.3.800.0"));
    }
}
