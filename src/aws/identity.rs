//! Who the credentials belong to.

use std::time::SystemTime;

use aws_credential_types::provider::ProvideCredentials as _;

use super::{AwsError, Client};
use futures::FutureExt as _;

/// Who the credentials belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The account's 12 digits.
    pub account: String,
    /// The user's or role session's ARN.
    pub arn: String,
}

impl Client {
    /// When the credentials expire, where their provider or the environment says so. Some are
    /// renewed before.
    pub async fn credentials_expire(&self) -> Option<SystemTime> {
        let told = std::env::var("AWS_CREDENTIAL_EXPIRATION").ok();
        let told = told.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let credentials = self.credentials.as_ref()?.provide_credentials().await.ok()?;
        // The variable is about keys in the environment only.
        let in_environment =
            std::env::var("AWS_ACCESS_KEY_ID").is_ok_and(|key| key == credentials.access_key_id());
        let told = told.filter(|_| in_environment).map(SystemTime::from);
        credentials.expiry().into_iter().chain(told).min()
    }

    /// Asks STS who the credentials belong to: the cheapest check that they work.
    pub async fn caller_identity(&self) -> Result<CallerIdentity, AwsError> {
        let output = self
            .sts
            .get_caller_identity()
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("sts", "GetCallerIdentity", None, error))?;
        Ok(CallerIdentity {
            account: output
                .account
                .ok_or_else(|| self.incomplete("sts", "GetCallerIdentity", "account"))?,
            arn: output.arn.unwrap_or_default(),
        })
    }
}
