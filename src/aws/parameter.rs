//! SSM parameters, such as the public ones that hold the newest image ids.

use super::{AwsError, Client};
use futures::FutureExt as _;

impl Client {
    /// The value of the SSM parameter `name`, such as
    /// `/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64`.
    pub async fn parameter(&self, name: &str) -> Result<String, AwsError> {
        self.ssm
            .get_parameter()
            .name(name)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ssm", "GetParameter", Some(name), error))?
            .parameter
            .and_then(|parameter| parameter.value)
            .ok_or_else(|| self.incomplete("ssm", "GetParameter", "value"))
    }
}
