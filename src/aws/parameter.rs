//! SSM parameters, such as the public ones that hold the newest image ids.

use super::{AwsError, Client};
use futures::FutureExt as _;

/// A parameter of the SSM parameter store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// Its value.
    pub value: String,
    /// Its version.
    pub version: i64,
    /// Its ARN.
    pub arn: String,
}

impl Client {
    /// The value of the SSM parameter `name`, such as
    /// `/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64`.
    pub async fn parameter(&self, name: &str) -> Result<String, AwsError> {
        Ok(self.whole_parameter(name, false).await?.value)
    }

    /// The SSM parameter `name`, which may carry `:VERSION`. The value of a secure one is encrypted
    /// unless `decrypted` is asked for.
    pub async fn whole_parameter(
        &self,
        name: &str,
        decrypted: bool,
    ) -> Result<Parameter, AwsError> {
        let parameter = self
            .ssm
            .get_parameter()
            .name(name)
            .set_with_decryption(decrypted.then_some(true))
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ssm", "GetParameter", Some(name), error))?
            .parameter
            .ok_or_else(|| self.incomplete("ssm", "GetParameter", "parameter"))?;
        Ok(Parameter {
            value: parameter
                .value
                .ok_or_else(|| self.incomplete("ssm", "GetParameter", "value"))?,
            version: parameter.version,
            arn: parameter.arn.unwrap_or_default(),
        })
    }
}
