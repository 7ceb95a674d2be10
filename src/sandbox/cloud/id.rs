//! Ids in EC2's shape: a prefix, then 17 (long ago 8) hexadecimal digits.
//!
//! Ids that the sandbox makes for images carry a check in their last four
//! digits. A well-formed image id without it cannot be ours, so it comes from
//! AWS and a base may stand in for it; one with it that is in no list was
//! removed. No list of removed ids is needed, in this process or the next.

use sha2::{Digest as _, Sha256};

use super::CloudError;

/// A fresh id: `i-0` and 16 random digits.
pub(crate) fn fresh(prefix: &str) -> String {
    format!("{prefix}-0{:016x}", rand::random::<u64>())
}

/// A fresh image id.
pub(crate) fn fresh_image() -> String {
    checked_image(rand::random::<u64>())
}

/// The same id for the same words, on every machine.
pub(crate) fn derived(prefix: &str, words: &[&str]) -> String {
    format!("{prefix}-0{:016x}", digest(words))
}

/// The same image id for the same words, on every machine.
pub(crate) fn derived_image(words: &[&str]) -> String {
    checked_image(digest(words))
}

/// Whether the sandbox made this image id, in this process or another.
pub(crate) fn is_ours(image_id: &str) -> bool {
    image_id
        .strip_prefix("ami-")
        .and_then(|digits| digits.split_at_checked(13))
        .is_some_and(|(body, check)| check == check_of(body))
}

fn checked_image(number: u64) -> String {
    let body = format!("0{:012x}", number & 0xffff_ffff_ffff);
    let check = check_of(&body);
    format!("ami-{body}{check}")
}

fn check_of(body: &str) -> String {
    format!("{:04x}", digest(&["image id", body]) & 0xffff)
}

fn digest(words: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for word in words {
        hasher.update((word.len() as u64).to_be_bytes());
        hasher.update(word.as_bytes());
    }
    hasher.finalize().iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// The kinds of ids that EC2 checks the shape of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Image,
    Instance,
    Snapshot,
    Volume,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Kind::Image => "ami-",
            Kind::Instance => "i-",
            Kind::Snapshot => "snap-",
            Kind::Volume => "vol-",
        }
    }

    /// EC2's error for an id of the wrong shape.
    pub(crate) fn check(self, id: &str) -> Result<(), CloudError> {
        let well_formed = id.strip_prefix(self.prefix()).is_some_and(|digits| {
            matches!(digits.len(), 8 | 17)
                && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        });
        if well_formed {
            return Ok(());
        }
        let prefix = self.prefix();
        let (code, what) = match self {
            Kind::Image => ("InvalidAMIID.Malformed", format!("expecting \"{prefix}...\"")),
            Kind::Instance => ("InvalidInstanceID.Malformed", format!("expecting \"{prefix}...\"")),
            Kind::Snapshot => ("InvalidSnapshotID.Malformed", format!("expecting \"{prefix}...\"")),
            Kind::Volume => ("InvalidVolumeID.Malformed", format!("expecting \"{prefix}...\"")),
        };
        Err(CloudError::new(code, format!("Invalid id: \"{id}\" ({what})")))
    }

    /// EC2's error for an id that is not there.
    pub(crate) fn not_found(self, id: &str) -> CloudError {
        match self {
            Kind::Image => CloudError::new(
                "InvalidAMIID.NotFound",
                format!("The image id '[{id}]' does not exist"),
            ),
            Kind::Instance => CloudError::new(
                "InvalidInstanceID.NotFound",
                format!("The instance ID '{id}' does not exist"),
            ),
            Kind::Snapshot => CloudError::new(
                "InvalidSnapshot.NotFound",
                format!("The snapshot '{id}' does not exist."),
            ),
            Kind::Volume => CloudError::new(
                "InvalidVolume.NotFound",
                format!("The volume '{id}' does not exist."),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_ids_of_the_sandbox_are_known_again() {
        for _ in 0..50 {
            let id = fresh_image();
            assert!(is_ours(&id), "{id}");
            assert_eq!(Kind::Image.check(&id), Ok(()));
        }
        assert!(!is_ours("ami-0c55b159cbfafe1f0"));
        assert!(!is_ours("ami-12345678"));
        assert!(!is_ours("ami-"));
        assert!(!is_ours("ami-0123456789abé"));
    }

    #[test]
    fn a_derived_id_is_the_same_everywhere() {
        assert_eq!(derived_image(&["a", "bc"]), derived_image(&["a", "bc"]));
        assert_ne!(derived_image(&["a", "bc"]), derived_image(&["ab", "c"]));
        insta::assert_snapshot!(derived("vpc", &["us-east-1"]), @"vpc-01ee2e4ebdb7ac33f");
    }

    #[test]
    fn shape_of_ids() {
        let good = ["ami-12345678", "ami-0123456789abcdef0"];
        let bad = [
            "",
            "ami-",
            "ami-1234567",
            "ami-123456789",
            "ami-1234567g",
            "i-12345678",
            "ami-1234567A",
        ];
        assert!(good.iter().all(|id| Kind::Image.check(id).is_ok()));
        assert!(bad.iter().all(|id| Kind::Image.check(id).is_err()));
    }
}
