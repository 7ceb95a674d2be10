//! From what a template says about account and region to how AWS is reached.

use std::time::Duration;

use super::{Access, AccessOptions, AssumeRole, Endpoint, StaticCredentials};
use crate::template::schema::Secret;

/// Where a template works in a cloud of one's own when it does not say.
const OWN_REGION: &str = "us-east-1";

/// An endpoint that speaks EC2's protocol, with the key that it asks for.
#[derive(Clone, Debug)]
pub struct OwnCloud {
    /// Its URL.
    pub url: String,
    /// Access key id that it wants to see.
    pub access_key: Secret,
}

impl From<&AccessOptions> for Access {
    fn from(options: &AccessOptions) -> Self {
        let credentials = options.access_key.as_ref().zip(options.secret_key.as_ref());
        Self {
            region: text(&options.region),
            profile: text(&options.profile),
            shared_credentials_file: text(&options.shared_credentials_file),
            credentials: credentials.map(|(access_key, secret_key)| StaticCredentials {
                access_key: access_key.clone(),
                secret_key: secret_key.reveal().to_owned(),
                token: options.token.as_ref().map(|token| token.reveal().to_owned()),
            }),
            assume_role: options.assume_role.as_ref().map(|role| AssumeRole {
                role_arn: role.role_arn.clone(),
                duration: role.duration_seconds.map(|count| Duration::from_secs(u64::from(count))),
                external_id: text(&role.external_id),
                policy: text(&role.policy),
                policy_arns: role.policy_arns.clone(),
                session_name: text(&role.session_name),
                tags: role.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            }),
            max_retries: Some(options.max_retries),
            ec2_endpoint: text(&options.custom_endpoint_ec2),
            without_metadata_service: options.skip_metadata_api_check,
            ..Self::default()
        }
    }
}

impl Access {
    /// The same in a cloud of one's own, with what that takes for access.
    #[must_use]
    pub fn in_own(self, cloud: &OwnCloud) -> Self {
        Self {
            region: self.region.or_else(|| Some(OWN_REGION.to_owned())),
            credentials: Some(StaticCredentials {
                access_key: cloud.access_key.reveal().to_owned(),
                secret_key: "unused".to_owned(),
                token: None,
            }),
            endpoint: Some(Endpoint { url: cloud.url.clone() }),
            without_metadata_service: true,
            ..Self::default()
        }
    }
}

/// An option's text, when it says something: legacy templates give empty strings for nothing.
fn text(option: &Option<String>) -> Option<String> {
    option.clone().filter(|text| !text.is_empty())
}
