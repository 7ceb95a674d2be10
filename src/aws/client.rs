//! How to reach AWS: region, credentials, endpoint, retries.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use serde::{Deserialize, Serialize};

use super::AwsError;
use super::attempts::Attempts;
use super::time::{milliseconds, seconds};

/// Attempts of one call when the template does not say (Packer's default).
const MAX_ATTEMPTS: u32 = 10;
/// Longest pause between two attempts of one call.
const MAX_BACKOFF: Duration = seconds(10);
/// How long a TCP and TLS connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one attempt of a call may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);

/// Which account and region to work in. What is `None` comes from the SDK's usual chain
/// (environment, profile, container or instance role, `AWS_ENDPOINT_URL`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Access {
    /// The region.
    pub region: Option<String>,
    /// The profile in the shared configuration files.
    pub profile: Option<String>,
    /// A credentials file other than `~/.aws/credentials`.
    pub shared_credentials_file: Option<String>,
    /// Keys given outright.
    pub credentials: Option<StaticCredentials>,
    /// A role to assume with whatever credentials were found.
    pub assume_role: Option<AssumeRole>,
    /// Attempts of one call; 10 when `None`.
    pub max_retries: Option<u32>,
    /// Leaves the instance metadata service out of the search for credentials.
    pub without_metadata_service: bool,
    /// Endpoint for EC2 alone.
    pub ec2_endpoint: Option<String>,
    /// Endpoint for all services: an endpoint of one's own, such as a local one.
    pub endpoint: Option<Endpoint>,
    /// An HTTP client that is no network.
    #[cfg(test)]
    #[serde(skip)]
    pub(crate) http: Option<aws_smithy_runtime_api::client::http::SharedHttpClient>,
}

/// Keys given outright.
#[derive(Clone, Serialize, Deserialize)]
pub struct StaticCredentials {
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// Session token of temporary keys.
    pub token: Option<String>,
}

impl std::fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StaticCredentials({}, …)", self.access_key)
    }
}

/// An endpoint for all services.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its URL.
    pub url: String,
}

/// A role to assume.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AssumeRole {
    /// The role's ARN.
    pub role_arn: String,
    /// How long its credentials last; AWS's default when `None`.
    pub duration: Option<Duration>,
    /// External id that the role asks for.
    pub external_id: Option<String>,
    /// A policy that narrows the session, as JSON.
    pub policy: Option<String>,
    /// Managed policies that narrow the session.
    pub policy_arns: Vec<String>,
    /// Name of the session in CloudTrail.
    pub session_name: Option<String>,
    /// Session tags.
    pub tags: Vec<(String, String)>,
}

/// Clients of the services that bake calls, in one region.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) ec2: aws_sdk_ec2::Client,
    pub(super) iam: aws_sdk_iam::Client,
    pub(super) secrets: aws_sdk_secretsmanager::Client,
    pub(super) ssm: aws_sdk_ssm::Client,
    pub(super) sts: aws_sdk_sts::Client,
    /// For signatures that the SDK does not make.
    pub(super) credentials: Option<aws_credential_types::provider::SharedCredentialsProvider>,
    /// Whether all services are at an endpoint of one's own.
    pub(super) own_cloud: bool,
    /// That endpoint.
    pub(super) all_services: Option<String>,
    /// What requests that the SDK does not make go through; the SDK's usual one when `None`.
    pub(super) http: Option<aws_smithy_runtime_api::client::http::SharedHttpClient>,
    region: String,
    endpoint: Option<String>,
}

impl Client {
    /// Resolves region, endpoint and where credentials come from. Credentials themselves are
    /// fetched by the first call.
    ///
    /// # Errors
    /// When no region is known, or a role's credentials cannot be set up.
    pub async fn connect(access: &Access) -> Result<Self, AwsError> {
        let mut config = load(access).await;
        let Some(region) = config.region().map(ToString::to_string) else {
            return Err(AwsError::no_region());
        };
        if let Some(role) = &access.assume_role {
            let provider = role.provider(&config).await;
            config = config
                .into_builder()
                .credentials_provider(
                    aws_credential_types::provider::SharedCredentialsProvider::new(provider),
                )
                .build();
        }
        let mut ec2 = aws_sdk_ec2::config::Builder::from(&config).interceptor(Attempts);
        let iam = aws_sdk_iam::config::Builder::from(&config).interceptor(Attempts);
        if let Some(url) = &access.ec2_endpoint {
            ec2 = ec2.endpoint_url(url);
        }
        let endpoint =
            access.ec2_endpoint.clone().or_else(|| config.endpoint_url().map(ToOwned::to_owned));
        Ok(Self {
            ec2: aws_sdk_ec2::Client::from_conf(ec2.build()),
            iam: aws_sdk_iam::Client::from_conf(iam.build()),
            secrets: aws_sdk_secretsmanager::Client::new(&config),
            ssm: aws_sdk_ssm::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            credentials: config.credentials_provider(),
            own_cloud: config.endpoint_url().is_some(),
            all_services: config.endpoint_url().map(ToOwned::to_owned),
            http: config.http_client(),
            region,
            endpoint,
        })
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The endpoint, when it is not AWS's own.
    pub fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// Whether that endpoint is EC2's alone, and the other services are AWS's own.
    pub fn has_ec2_endpoint_only(&self) -> bool {
        self.endpoint.is_some() && !self.own_cloud
    }

    /// Whether the region's partition refuses tags at CreateImage: China and GovCloud.
    pub fn tags_images_after_create(&self) -> bool {
        self.region.starts_with("cn-") || self.region.starts_with("us-gov-")
    }
}

async fn load(access: &Access) -> SdkConfig {
    let mut loader: ConfigLoader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(access.max_retries.filter(|n| *n > 0).unwrap_or(MAX_ATTEMPTS))
                .with_initial_backoff(milliseconds(200))
                .with_max_backoff(MAX_BACKOFF),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .build(),
        );
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &access.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(file) = &access.shared_credentials_file {
        loader = with_credentials_file(loader, file);
    }
    if let Some(keys) = &access.credentials {
        loader = loader.credentials_provider(Credentials::new(
            &keys.access_key,
            &keys.secret_key,
            keys.token.clone(),
            None,
            "template",
        ));
    }
    if access.without_metadata_service && access.credentials.is_none() {
        loader = loader.credentials_provider(chain_without_metadata_service(access).await);
    }
    if let Some(endpoint) = &access.endpoint {
        loader = loader.endpoint_url(&endpoint.url);
    }
    #[cfg(test)]
    if let Some(http) = &access.http {
        loader = loader.http_client(http.clone());
    }
    loader.load().await
}

/// The SDK's usual chain; its last member is asked at an address where nothing answers, as there is
/// no other way to leave it out.
async fn chain_without_metadata_service(access: &Access) -> DefaultCredentialsChain {
    let mut chain = DefaultCredentialsChain::builder();
    if let Some(profile) = &access.profile {
        chain = chain.profile_name(profile);
    }
    if let Some(region) = &access.region {
        chain = chain.region(Region::new(region.clone()));
    }
    let nowhere = aws_config::imds::Client::builder()
        .max_attempts(1)
        .connect_timeout(Duration::from_millis(1))
        .endpoint("http://127.0.0.1:9");
    if let Ok(nowhere) = nowhere {
        chain = chain.imds_client(nowhere.build());
    }
    chain.build().await
}

#[expect(deprecated, reason = "the new home of these two names is a crate of its own")]
fn with_credentials_file(loader: ConfigLoader, file: &str) -> ConfigLoader {
    use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
    loader.profile_files(
        ProfileFiles::builder()
            .include_default_config_file(true)
            .with_file(ProfileFileKind::Credentials, file)
            .build(),
    )
}

impl AssumeRole {
    async fn provider(&self, config: &SdkConfig) -> AssumeRoleProvider {
        let mut builder = AssumeRoleProvider::builder(&self.role_arn)
            .configure(config)
            .session_name(self.session_name.as_deref().unwrap_or("bake"));
        if let Some(duration) = self.duration {
            builder = builder.session_length(duration);
        }
        if let Some(id) = &self.external_id {
            builder = builder.external_id(id);
        }
        if let Some(policy) = &self.policy {
            builder = builder.policy(policy);
        }
        if !self.policy_arns.is_empty() {
            builder = builder.policy_arns(self.policy_arns.clone());
        }
        if !self.tags.is_empty() {
            builder = builder.tags(self.tags.clone());
        }
        match config.credentials_provider() {
            Some(source) => builder.build_from_provider(source).await,
            None => builder.build().await,
        }
    }
}
