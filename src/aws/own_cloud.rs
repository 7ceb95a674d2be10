//! Clouds of one's own, in place of the account that a template names.

use super::{Access, Endpoint, StaticCredentials};
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
