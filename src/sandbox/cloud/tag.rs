//! Tags and the rules for them.

use std::collections::BTreeMap;

use super::{CONTENT_TAG, CloudError};

/// The tags of one resource.
pub type Tags = BTreeMap<String, String>;

/// Tags for one type of resource that a call creates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagSpecification {
    /// `instance`, `image`, `snapshot`, …
    pub resource_type: String,
    /// What to put on it.
    pub tags: Vec<(String, String)>,
}

/// At most this many tags on a resource, as on EC2.
const MAX_TAGS: usize = 50;

/// Puts tags on a resource, or says which rule they break. `aws:` keys are reserved.
pub(crate) fn add_tags(onto: &mut Tags, tags: &[(String, String)]) -> Result<(), CloudError> {
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 127 {
            return Err(CloudError::invalid(format!(
                "Tag key exceeds the maximum length of 127 characters or is empty: '{key}'"
            )));
        }
        if value.chars().count() > 255 {
            return Err(CloudError::invalid(format!(
                "Tag value exceeds the maximum length of 255 characters. Key: '{key}'"
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(CloudError::invalid(format!(
                "Tag keys starting with 'aws:' are reserved for internal use: '{key}'"
            )));
        }
        onto.insert(key.clone(), value.clone());
    }
    // One that the sandbox adds itself takes nobody's place.
    if onto.keys().filter(|key| *key != CONTENT_TAG).count() > MAX_TAGS {
        return Err(CloudError::new(
            "TagLimitExceeded",
            format!("The maximum number of tags on a resource is {MAX_TAGS}"),
        ));
    }
    Ok(())
}

/// The tags that a create call gives to a resource type. `allowed` are the types that the call
/// makes; another one is EC2's error.
pub(crate) fn tags_for(
    specifications: &[TagSpecification],
    resource_type: &str,
    allowed: &[&str],
) -> Result<Tags, CloudError> {
    let mut tags = Tags::new();
    for specification in specifications {
        let given = specification.resource_type.as_str();
        if !allowed.contains(&given) {
            return Err(CloudError::invalid(format!(
                "'{given}' is not a valid taggable resource type for this operation."
            )));
        }
        if given == resource_type {
            for (i, (key, _)) in specification.tags.iter().enumerate() {
                if specification.tags.iter().skip(i + 1).any(|(other, _)| other == key) {
                    return Err(CloudError::invalid(format!(
                        "Duplicate tag key '{key}' specified."
                    )));
                }
            }
            add_tags(&mut tags, &specification.tags)?;
        }
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn reserved_long_and_many_keys_are_refused() {
        let mut tags = Tags::new();
        assert!(add_tags(&mut tags, &[pair("aws:x", "1")]).is_err());
        assert!(add_tags(&mut tags, &[pair(&"k".repeat(128), "1")]).is_err());
        assert!(add_tags(&mut tags, &[pair("k", &"v".repeat(256))]).is_err());
        let many: Vec<_> = (0..51).map(|n| pair(&format!("k{n}"), "v")).collect();
        let code = add_tags(&mut tags, &many).map_err(|error| error.code);
        assert_eq!(code, Err("TagLimitExceeded".into()));
    }

    #[test]
    fn a_specification_for_another_resource_is_refused() {
        let specification =
            TagSpecification { resource_type: "volume".into(), tags: vec![pair("a", "b")] };
        let allowed = ["image", "snapshot"];
        assert!(tags_for(std::slice::from_ref(&specification), "image", &allowed).is_err());
        let tags = tags_for(&[specification], "image", &["image", "volume"]);
        assert_eq!(tags, Ok(Tags::new()));
    }
}
