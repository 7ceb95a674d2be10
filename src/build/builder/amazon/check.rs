//! Forms of texts, and what all builders of this family check alike.

use crate::plan::{Planner, UNKNOWN_TEXT};
use crate::value::count;

/// Names, descriptions and tags: options whose texts are filled in while the build runs. Everything
/// else is needed before, or is not about the build at all.
const LATE: &[&str] = &[
    "ami_name",
    "ami_description",
    "tags",
    "tag",
    "snapshot_tags",
    "snapshot_tag",
    "snapshot_description",
    "run_tags",
    "run_tag",
    "run_volume_tags",
    "run_volume_tag",
    "root_volume_tags",
    "root_volume_tag",
    "spot_tags",
    "spot_tag",
    "fleet_tags",
    "fleet_tag",
];

/// Reports options that are only known once the build runs, where that is too late.
pub fn check_late(planner: &mut Planner<'_>) {
    let help = "only names, descriptions and tags of this builder can use `build`";
    planner.refuse_late(LATE, help);
    for option in LATE {
        planner.check_fields(option, &[]);
    }
}

/// Reports what is wrong with access, and what bake cannot do yet.
pub fn check_access(access: &crate::aws::AccessOptions, planner: &mut Planner<'_>) {
    for (option, finding) in access.problems() {
        planner.error(option, finding);
    }
    for (option, finding) in access.unsupported() {
        planner.unsupported(option, finding);
    }
}

/// Says that a builder can be checked but not run yet.
pub fn not_run_yet(name: &str, planner: &mut Planner<'_>) {
    planner.not_yet_because("", format!("the builder `{name}` is not supported yet"), "");
}

/// What is wrong with an image's name, and a next step; an empty one is none.
pub fn name_problem(name: &str) -> Option<(String, &'static str)> {
    let length = name.len();
    if !(3..=128).contains(&length) {
        let length = count(length, if name.is_ascii() { "character" } else { "byte" });
        return Some((format!("has {length}; EC2 takes 3 to 128"), ""));
    }
    let wrong: std::collections::BTreeSet<char> = name
        .chars()
        .filter(|c| !c.is_ascii_alphanumeric() && !"()[] ./-'@_".contains(*c))
        .collect();
    if wrong.is_empty() {
        return None;
    }
    let list: Vec<_> = wrong.iter().map(|c| format!("`{c}`")).collect();
    let help = "the function `clean_resource_name` replaces what is not allowed";
    Some((format!("has {} in it, which EC2 does not take", list.join(" ")), help))
}

/// Whether a text names a KMS key: by id, multi-region id, alias or ARN.
pub(super) fn is_kms_key(text: &str) -> bool {
    let is_id = |text: &str| {
        let digits = text.strip_prefix("mrk-").unwrap_or(text);
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
    };
    let is_alias = |text: &str| {
        text.strip_prefix("alias/").is_some_and(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "/_-".contains(c))
        })
    };
    if text == UNKNOWN_TEXT || is_id(text) || is_alias(text) {
        return true;
    }
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, name] = parts.as_slice() else { return false };
    *arn == "arn"
        && partition.starts_with("aws")
        && *service == "kms"
        && !region.is_empty()
        && account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && (name.strip_prefix("key/").is_some_and(is_id) || is_alias(name))
}

/// Whether a text is an address range, or not known yet.
pub(super) fn is_cidr(text: &str) -> bool {
    if text == UNKNOWN_TEXT {
        return true;
    }
    let Some((address, bits)) = text.split_once('/') else { return false };
    let Ok(bits) = bits.parse::<u8>() else { return false };
    match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => bits <= 32,
        Ok(std::net::IpAddr::V6(_)) => bits <= 128,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_ec2() {
        assert_eq!(name_problem("web-2026.01/x (a)_[b]'@"), None);
        let problem = |name: &str| name_problem(name).expect("a problem");
        assert_eq!(problem("a"), ("has 1 character; EC2 takes 3 to 128".to_owned(), ""));
        assert_eq!(problem("").0, "has 0 characters; EC2 takes 3 to 128");
        assert_eq!(problem(&"é".repeat(65)).0, "has 130 bytes; EC2 takes 3 to 128");
        let (text, help) = problem("a:b");
        assert_eq!(text, "has `:` in it, which EC2 does not take");
        assert!(help.contains("clean_resource_name"));
    }

    #[test]
    fn kms_keys_have_four_forms() {
        for key in [
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "mrk-1234abcd12ab34cd56ef1234567890ab",
            "alias/team/key_1",
            "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/key",
        ] {
            assert!(is_kms_key(key), "{key}");
        }
        for text in ["", "my key", "alias/", "arn:aws:kms:eu-west-1:1:key/12", "arn:aws:s3:::x"] {
            assert!(!is_kms_key(text), "{text}");
        }
    }
}
