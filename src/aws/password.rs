//! Passwords of Windows instances.

use futures::FutureExt as _;

use super::{AwsError, Client};

impl Client {
    /// The password of the instance's administrator, encrypted for its key pair and in base64;
    /// `None` while Windows has not made one.
    pub async fn password_data(&self, instance: &str) -> Result<Option<String>, AwsError> {
        self.ec2
            .get_password_data()
            .instance_id(instance)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "GetPasswordData", Some(instance), error))
            .map(|output| output.password_data.filter(|data| !data.trim().is_empty()))
    }
}
