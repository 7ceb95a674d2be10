//! Account and region.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Access, AssumeRole, StaticCredentials};
use crate::diagnostic::Diagnostic;
use crate::template::schema::Secret;

crate::options! {
    /// Account and region.
    pub struct AccessOptions {
        /// Access key id; by default from the environment, the profile or the instance's role.
        unhashed access_key: Option<String>,
        /// Secret access key.
        unhashed secret_key: Option<Secret>,
        /// Session token of temporary keys.
        unhashed token: Option<Secret>,
        /// Region to build in; by default from AWS_REGION or the profile.
        unhashed region: Option<String>,
        /// Profile in the shared configuration files; by default AWS_PROFILE.
        unhashed profile: Option<String>,
        /// Credentials file other than `~/.aws/credentials`.
        unhashed shared_credentials_file: Option<String>,
        /// Role to assume.
        unhashed assume_role: Option<AssumeRoleOptions>,
        /// Credentials from HashiCorp Vault.
        unhashed vault_aws_engine: Option<VaultOptions>,
        /// One-time code for multi-factor authentication.
        unhashed mfa_code: Option<String>,
        /// Endpoint for EC2.
        unhashed custom_endpoint_ec2: Option<String>,
        /// Attempts of one API call.
        unhashed max_retries: u32 = 10,
        /// Takes any TLS certificate.
        unhashed insecure_skip_tls_verify: bool = false,
        /// Leaves the instance metadata service out of the search for credentials.
        unhashed skip_metadata_api_check: bool = false,
        /// Does not ask STS who the credentials belong to.
        unhashed skip_credential_validation: bool = false,
        /// Decodes the details of denied calls.
        unhashed decode_authorization_messages: bool = false,
        /// How long to wait for states.
        unhashed aws_polling: Option<PollingOptions>,
    }
}

crate::options! {
    /// A role to assume.
    pub struct AssumeRoleOptions {
        /// ARN of the role.
        unhashed role_arn: String,
        /// How long its credentials last.
        unhashed duration_seconds: Option<u32>,
        /// External id that the role asks for.
        unhashed external_id: Option<String>,
        /// Policy that narrows the session, as JSON.
        unhashed policy: Option<String>,
        /// Managed policies that narrow the session.
        unhashed policy_arns: Vec<String>,
        /// Name of the session in CloudTrail.
        unhashed session_name: Option<String>,
        /// Session tags.
        unhashed tags: BTreeMap<String, String>,
        /// Session tags that pass on to further roles.
        unhashed transitive_tag_keys: Vec<String>,
    }
}

crate::options! {
    /// Credentials from HashiCorp Vault.
    pub struct VaultOptions {
        /// Role in Vault.
        unhashed name: Option<String>,
        /// ARN of the role to assume.
        unhashed role_arn: Option<String>,
        /// How long the credentials last.
        unhashed ttl: Option<String>,
        /// Path of the secrets engine.
        unhashed engine_name: String = "aws".to_owned(),
    }
}

crate::options! {
    /// How long to wait for states.
    pub struct PollingOptions {
        /// Attempts; times the delay they are the longest wait.
        unhashed max_attempts: Option<u32>,
        /// Seconds between attempts.
        unhashed delay_seconds: Option<u32>,
    }
}

/// What a finding is about: the option's path, and what there is to say.
type Finding = (&'static str, Diagnostic);

impl AccessOptions {
    /// What is wrong with them.
    pub fn problems(&self) -> Vec<Finding> {
        if self.access_key.is_some() == self.secret_key.is_some() {
            return Vec::new();
        }
        let given = if self.access_key.is_some() { "access_key" } else { "secret_key" };
        let text = "`access_key` and `secret_key` belong together";
        vec![(given, Diagnostic::error("wrong-option", text))]
    }

    /// What bake cannot do yet with them.
    pub fn unsupported(&self) -> Vec<Finding> {
        let finding = |option, help: &str| {
            let text = format!("`{option}` is not supported yet");
            (option, Diagnostic::error("unsupported-option", text).help(help))
        };
        let vault = self
            .vault_aws_engine
            .as_ref()
            .map(|_| finding("vault_aws_engine", "export the credentials into the environment"));
        let code = text(&self.mfa_code).map(|_| {
            finding("mfa_code", "use a profile with `mfa_serial` and `aws sts get-session-token`")
        });
        vault.into_iter().chain(code).collect()
    }

    /// The access that they describe. Empty options are as good as none.
    pub fn access(&self) -> Access {
        let credentials = self.access_key.as_ref().zip(self.secret_key.as_ref());
        Access {
            region: text(&self.region),
            profile: text(&self.profile),
            shared_credentials_file: text(&self.shared_credentials_file),
            credentials: credentials.map(|(access_key, secret_key)| StaticCredentials {
                access_key: access_key.clone(),
                secret_key: secret_key.reveal().to_owned(),
                token: self.token.as_ref().map(|token| token.reveal().to_owned()),
            }),
            assume_role: self.assume_role.as_ref().map(|role| AssumeRole {
                role_arn: role.role_arn.clone(),
                duration: role.duration_seconds.map(|count| Duration::from_secs(u64::from(count))),
                external_id: text(&role.external_id),
                policy: text(&role.policy),
                policy_arns: role.policy_arns.clone(),
                session_name: text(&role.session_name),
                tags: role.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            }),
            max_retries: Some(self.max_retries),
            ec2_endpoint: text(&self.custom_endpoint_ec2),
            without_metadata_service: self.skip_metadata_api_check,
            ..Access::default()
        }
    }
}

fn text(option: &Option<String>) -> Option<String> {
    option.clone().filter(|text| !text.is_empty())
}
