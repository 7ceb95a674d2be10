//! Tags.

use futures::FutureExt as _;
use std::collections::BTreeMap;

use aws_sdk_ec2::types;

use super::{AwsError, Client};

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// Tags for a create call; nothing rather than an empty list, which EC2 refuses.
pub(super) fn specification(
    kind: types::ResourceType,
    tags: &Tags,
) -> Option<types::TagSpecification> {
    (!tags.is_empty()).then(|| {
        types::TagSpecification::builder().resource_type(kind).set_tags(Some(to_sdk(tags))).build()
    })
}

pub(super) fn from_sdk(tags: Option<Vec<types::Tag>>) -> Tags {
    tags.unwrap_or_default()
        .into_iter()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}

fn to_sdk(tags: &Tags) -> Vec<types::Tag> {
    tags.iter().map(|(key, value)| types::Tag::builder().key(key).value(value).build()).collect()
}

impl Client {
    /// Puts all `tags` on all `ids`, replacing values of the same keys.
    pub async fn create_tags(&self, ids: &[String], tags: &Tags) -> Result<(), AwsError> {
        if ids.is_empty() || tags.is_empty() {
            return Ok(());
        }
        self.ec2
            .create_tags()
            .set_resources(Some(ids.to_vec()))
            .set_tags(Some(to_sdk(tags)))
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "CreateTags", Some(&ids.join(", ")), error))?;
        Ok(())
    }
}
