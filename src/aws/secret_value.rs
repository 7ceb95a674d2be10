//! Secrets of Secrets Manager.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;

use super::{AwsError, Client};

/// Which secret to fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretQuery {
    /// Name or ARN.
    pub name: String,
    /// A version; that of the stage when `None`.
    pub version_id: Option<String>,
    /// A stage, such as `AWSCURRENT`.
    pub version_stage: Option<String>,
}

/// A secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretValue {
    /// The text, if it is one.
    pub string: Option<String>,
    /// The bytes in base64, if it is not text.
    pub binary: Option<String>,
    /// The version.
    pub version_id: String,
    /// Its ARN.
    pub arn: String,
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretValue({}, {})", self.arn, self.version_id)
    }
}

impl Client {
    /// Fetches a secret.
    pub async fn secret_value(&self, query: &SecretQuery) -> Result<SecretValue, AwsError> {
        const ACTION: &str = "GetSecretValue";
        let output = self
            .secrets
            .get_secret_value()
            .secret_id(&query.name)
            .set_version_id(query.version_id.clone())
            .set_version_stage(query.version_stage.clone())
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("secretsmanager", ACTION, Some(&query.name), error))?;
        Ok(SecretValue {
            string: output.secret_string,
            binary: output.secret_binary.map(|bytes| STANDARD.encode(bytes)),
            version_id: output.version_id.unwrap_or_default(),
            arn: output.arn.unwrap_or_default(),
        })
    }
}
