//! Who the credentials belong to.

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
