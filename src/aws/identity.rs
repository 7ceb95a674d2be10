//! Who the credentials belong to.

use std::time::SystemTime;

use aws_credential_types::credential_feature::AwsCredentialFeature;
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

/// When credentials expire, and whether there are others then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// When they expire.
    pub at: SystemTime,
    /// What happens then.
    pub renewal: Renewal,
}

/// What happens when credentials expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// They came with the environment: nothing.
    Never,
    /// `credential_process` is run again, which may or may not have others.
    Asked,
    /// They are renewed: SSO, an assumed role, the metadata service and the like.
    Always,
}

impl Client {
    /// When the credentials expire, where their provider or the environment says so.
    pub async fn credentials_expire(&self) -> Option<Expiry> {
        let told = std::env::var("AWS_CREDENTIAL_EXPIRATION").ok();
        let told = told.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let credentials = self.credentials.as_ref()?.provide_credentials().await.ok()?;
        let sources = credentials.get_property::<Vec<AwsCredentialFeature>>();
        let renewal = renewal(sources.map(Vec::as_slice).unwrap_or_default());
        // The variable is about keys in the environment only.
        let told = told.filter(|_| renewal == Renewal::Never).map(SystemTime::from);
        let at = credentials.expiry().into_iter().chain(told).min()?;
        Some(Expiry { at, renewal })
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

/// By what the SDK took credentials from, the last step last.
fn renewal(sources: &[AwsCredentialFeature]) -> Renewal {
    match sources.last() {
        Some(AwsCredentialFeature::CredentialsEnvVars) => Renewal::Never,
        Some(
            AwsCredentialFeature::CredentialsProcess
            | AwsCredentialFeature::CredentialsProfileProcess,
        ) => Renewal::Asked,
        _ if sources.contains(&AwsCredentialFeature::CredentialsProcess)
            && !sources.contains(&AwsCredentialFeature::CredentialsStsAssumeRole) =>
        {
            Renewal::Asked
        }
        _ => Renewal::Always,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_environment_is_never_asked_again() {
        use AwsCredentialFeature as Source;
        assert_eq!(renewal(&[Source::CredentialsEnvVars]), Renewal::Never);
        let process = [Source::CredentialsProcess, Source::CredentialsProfileProcess];
        assert_eq!(renewal(&process), Renewal::Asked);
        assert_eq!(renewal(&[Source::CredentialsProcess]), Renewal::Asked);
        let role = [Source::CredentialsProcess, Source::CredentialsStsAssumeRole];
        assert_eq!(renewal(&role), Renewal::Always);
        assert_eq!(renewal(&[Source::CredentialsImds]), Renewal::Always);
        assert_eq!(renewal(&[]), Renewal::Always);
    }
}
