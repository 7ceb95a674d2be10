//! Account and region as templates give them: the same options for builders, data sources and
//! post-processors.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Access, AssumeRole, StaticCredentials};
use crate::diagnostic::Diagnostic;
use crate::plan::UNKNOWN_TEXT;
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
        let mut found = Vec::new();
        let mut wrong = |option, message: String, help: &str| {
            let help = (!help.is_empty()).then(|| help.to_owned());
            found.push((option, Diagnostic::error("wrong-option", message).maybe_help(help)));
        };
        let has_access = is_some(&self.access_key);
        if has_access != is_secret(&self.secret_key) {
            let given = if has_access { "access_key" } else { "secret_key" };
            wrong(given, "`access_key` and `secret_key` belong together".to_owned(), "");
        }
        if is_secret(&self.token) && !has_access {
            wrong("token", "`token` needs `access_key` and `secret_key`".to_owned(), "");
        }
        if let Some(region) = self.region.as_ref().filter(|region| !is_region(region)) {
            let help = "regions look like `eu-west-1`; zones have a letter at their end";
            wrong("region", format!("`{region}` is no region"), help);
        }
        if let Some(role) = &self.assume_role {
            let arn = &role.role_arn;
            if !arn.starts_with("arn:") && arn != UNKNOWN_TEXT {
                let help = "such as `arn:aws:iam::123456789012:role/build`";
                wrong("assume_role.0.role_arn", "an ARN is expected".to_owned(), help);
            }
            if role.duration_seconds.is_some_and(|count| !(900..=43_200).contains(&count)) {
                let text = "a role's credentials last from 900 to 43200 seconds".to_owned();
                wrong("assume_role.0.duration_seconds", text, "");
            }
            let policy = role.policy.as_deref().filter(|text| !text.is_empty());
            if let Some(policy) = policy.filter(|text| *text != UNKNOWN_TEXT)
                && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(policy)
            {
                let text = format!("the session policy is no JSON: {error}");
                wrong("assume_role.0.policy", text, "`jsonencode({ … })` writes it");
            }
        }
        if let Some(vault) = &self.vault_aws_engine {
            if !is_some(&vault.name) {
                wrong("vault_aws_engine", "`vault_aws_engine` needs `name`".to_owned(), "");
            }
            if has_access {
                let text = "`vault_aws_engine` and `access_key` exclude each other".to_owned();
                wrong("vault_aws_engine", text, "give one of them");
            }
        }
        found
    }

    /// What bake cannot do yet with them.
    pub fn unsupported(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut unsupported = |option: &'static str, is_asked: bool, help: &str| {
            if is_asked {
                let name = option.rsplit('.').next().unwrap_or(option);
                let text = format!("`{name}` is not supported yet");
                let help = (!help.is_empty()).then(|| help.to_owned());
                found
                    .push((option, Diagnostic::error("unsupported-option", text).maybe_help(help)));
            }
        };
        let vault = self.vault_aws_engine.is_some();
        unsupported("vault_aws_engine", vault, "export the credentials into the environment");
        let help = "use a profile with `mfa_serial` and `aws sts get-session-token`";
        unsupported("mfa_code", is_some(&self.mfa_code), help);
        let help = "put the endpoint's certificate into a bundle and set AWS_CA_BUNDLE";
        unsupported("insecure_skip_tls_verify", self.insecure_skip_tls_verify, help);
        unsupported("decode_authorization_messages", self.decode_authorization_messages, "");
        let keys =
            self.assume_role.as_ref().is_some_and(|role| !role.transitive_tag_keys.is_empty());
        unsupported("assume_role.0.transitive_tag_keys", keys, "");
        found
    }

    /// The access that they describe. Empty options are as good as none.
    pub fn access(&self) -> Access {
        let secret = self.secret_key.as_ref().filter(|key| !key.reveal().is_empty());
        let credentials = text(&self.access_key).zip(secret);
        let token = self.token.as_ref().map(Secret::reveal).filter(|token| !token.is_empty());
        Access {
            region: text(&self.region),
            profile: text(&self.profile),
            shared_credentials_file: text(&self.shared_credentials_file),
            credentials: credentials.map(|(access_key, secret_key)| StaticCredentials {
                access_key,
                secret_key: secret_key.reveal().to_owned(),
                token: token.map(ToOwned::to_owned),
            }),
            assume_role: self.assume_role.as_ref().map(AssumeRoleOptions::role),
            // Packer's default stands for 0 too.
            max_retries: Some(if self.max_retries == 0 { 10 } else { self.max_retries }),
            ec2_endpoint: text(&self.custom_endpoint_ec2),
            without_metadata_service: self.skip_metadata_api_check,
            ..Access::default()
        }
    }
}

impl AssumeRoleOptions {
    fn role(&self) -> AssumeRole {
        AssumeRole {
            role_arn: self.role_arn.clone(),
            duration: self.duration_seconds.map(|count| Duration::from_secs(u64::from(count))),
            external_id: text(&self.external_id),
            policy: text(&self.policy),
            policy_arns: self.policy_arns.clone(),
            session_name: text(&self.session_name),
            tags: self.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }
}

/// Whether a text has the form of a region's name, or says nothing yet.
pub fn is_region(name: &str) -> bool {
    name.is_empty()
        || name == UNKNOWN_TEXT
        || name.split('-').count() >= 3
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && name.ends_with(|c: char| c.is_ascii_digit())
}

fn text(option: &Option<String>) -> Option<String> {
    option.clone().filter(|text| !text.is_empty())
}

fn is_some(option: &Option<String>) -> bool {
    option.as_ref().is_some_and(|text| !text.is_empty())
}

fn is_secret(option: &Option<Secret>) -> bool {
    option.as_ref().is_some_and(|secret| !secret.reveal().is_empty())
}
