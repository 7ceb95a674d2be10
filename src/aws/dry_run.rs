//! Calls that only ask whether they would be allowed.
//!
//! EC2 answers a call with `DryRun` by an error in either case: `DryRunOperation` when it would
//! have been done, `UnauthorizedOperation` when it is denied. Nothing is tried twice: no answer is
//! an answer, too.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::FutureExt as _;

use super::query::once;
use super::{AwsError, Client, CreateImage, RunInstance, Tags};

/// What EC2 says when it would have done it.
const ALLOWED: &str = "DryRunOperation";

/// A key pair that is deleted to see what an endpoint makes of `DryRun`. There is none of this name.
const NOBODYS: &str = "bake-asks-whether-dry-runs-are-known";

impl Client {
    /// Whether the endpoint knows dry runs. AWS does; one that does not would do what it is only
    /// asked about, so it is first asked about something without an effect.
    pub async fn knows_dry_runs(&self) -> bool {
        if self.is_aws() {
            return true;
        }
        let call = self.ec2.delete_key_pair().key_name(NOBODYS).dry_run(true);
        let sent = call.customize().config_override(once()).send().boxed().await;
        self.asked("DeleteKeyPair", NOBODYS, sent).is_ok()
    }

    /// Whether EC2 itself is AWS's own, be it by an endpoint in a VPC.
    fn is_aws(&self) -> bool {
        let Some(endpoint) = self.endpoint() else { return true };
        let host = endpoint.parse::<http::Uri>().ok();
        let host = host.as_ref().and_then(http::Uri::host).unwrap_or_default();
        host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
    }

    /// Asks whether `run` could be launched.
    ///
    /// # Errors
    /// With why not, or why it is not known.
    pub async fn may_run_instance(&self, run: &RunInstance) -> Result<(), AwsError> {
        let call = self.run_instances_call(run).dry_run(true).customize();
        let sent = call.config_override(once()).send().boxed().await;
        self.asked("RunInstances", &run.image_id, sent)
    }

    /// Asks whether a public key could be imported.
    ///
    /// # Errors
    /// With why not, or why it is not known.
    pub async fn may_import_key_pair(
        &self,
        name: &str,
        public_key: &str,
        tags: &Tags,
    ) -> Result<(), AwsError> {
        let call = self.import_key_pair_call(name, public_key, tags).dry_run(true).customize();
        let sent = call.config_override(once()).send().boxed().await;
        self.asked("ImportKeyPair", name, sent)
    }

    /// Asks whether a group could be made.
    ///
    /// # Errors
    /// With why not, or why it is not known.
    pub async fn may_create_security_group(
        &self,
        name: &str,
        description: &str,
        vpc_id: Option<&str>,
        tags: &Tags,
    ) -> Result<(), AwsError> {
        let call = self.create_security_group_call(name, description, vpc_id, tags).dry_run(true);
        let sent = call.customize().config_override(once()).send().boxed().await;
        self.asked("CreateSecurityGroup", name, sent)
    }

    /// Asks whether `image` could be made.
    ///
    /// # Errors
    /// With why not, or why it is not known.
    pub async fn may_create_image(&self, image: &CreateImage) -> Result<(), AwsError> {
        let call = self.create_image_call(image).dry_run(true).customize();
        let sent = call.config_override(once()).send().boxed().await;
        self.asked("CreateImage", &image.name, sent)
    }

    /// Asks whether an instance could be stopped.
    ///
    /// # Errors
    /// With why not, or why it is not known.
    pub async fn may_stop_instance(&self, id: &str) -> Result<(), AwsError> {
        let call = self.ec2.stop_instances().instance_ids(id).dry_run(true).customize();
        let sent = call.config_override(once()).send().boxed().await;
        self.asked("StopInstances", id, sent)
    }

    /// Asks whether an instance could be terminated.
    ///
    /// # Errors
    /// With why not, or why it is not known.
    pub async fn may_terminate_instance(&self, id: &str) -> Result<(), AwsError> {
        let call = self.ec2.terminate_instances().instance_ids(id).dry_run(true).customize();
        let sent = call.config_override(once()).send().boxed().await;
        self.asked("TerminateInstances", id, sent)
    }

    fn asked<T, E>(
        &self,
        action: &'static str,
        resource: &str,
        sent: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<(), AwsError>
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        match sent {
            Err(error) => {
                let error = self.failed("ec2", action, Some(resource), error);
                if error.is_code(&[ALLOWED]) { Ok(()) } else { Err(error) }
            }
            Ok(_) => Err(self.incomplete("ec2", action, "word about the dry run")),
        }
    }
}
