//! The temporary instance profile: what the instance may do while it is built.

use super::run::Run;
use super::settings::ProfileSettings;
use crate::aws::retry::persist;
use crate::aws::{AwsError, Tags};
use crate::build::BuildError;
use crate::event::{Fact, ResourceKind};

impl Run<'_> {
    /// The instance profile to launch with, made if need be: role, its policy, profile, and the
    /// role in the profile. Role and profile have one name.
    pub(super) async fn instance_profile(&self) -> Result<Option<String>, BuildError> {
        let policy = match &self.build.instance.profile {
            ProfileSettings::Nothing => return Ok(None),
            ProfileSettings::Existing { name } => return Ok(Some(name.clone())),
            ProfileSettings::Temporary { policy } => policy.as_deref(),
        };
        let (name, tags) = (self.temporary_name(), self.run_tags());
        let (role, profile) = tokio::join!(
            self.named(ResourceKind::Role, self.client.create_instance_role(name, &tags)),
            self.named(ResourceKind::InstanceProfile, self.new_profile(name, &tags)),
        );
        role.and(profile)?;
        self.check_cancelled()?;
        let cancel = self.context.cancel.stop();
        let (allowed, joined) = tokio::join!(
            persist(cancel, || self.allow(name, policy)),
            persist(cancel, || self.client.add_role_to_instance_profile(name, name)),
        );
        allowed?;
        match joined {
            // An earlier attempt whose answer was lost.
            Err(error) if !error.is_code(&["LimitExceeded"]) => return Err(error.into()),
            _ => {}
        }
        Ok(Some(name.to_owned()))
    }

    async fn new_profile(&self, name: &str, tags: &Tags) -> Result<(), AwsError> {
        self.client.create_instance_profile(name, tags).await
    }

    /// Makes something that has a name of this run's own; one that is there already was made by an
    /// attempt whose answer was lost.
    async fn named(
        &self,
        kind: ResourceKind,
        call: impl Future<Output = Result<(), AwsError>>,
    ) -> Result<(), BuildError> {
        let name = self.temporary_name();
        match self.resources.create(kind, name, "", call, |()| name.to_owned()).await {
            Err(BuildError::Aws(error)) if error.is_code(&["EntityAlreadyExists"]) => {
                self.resources.recover(kind, name, name).await
            }
            other => other,
        }
    }

    /// Lets the role do what the template says, or what Systems Manager needs.
    async fn allow(&self, role: &str, policy: Option<&str>) -> Result<(), AwsError> {
        let events = &self.context.events;
        match policy {
            Some(document) => {
                self.client.put_role_policy(role, role, document).await?;
                let policy = role.to_owned();
                events.emit(Fact::PolicyAttached { role: role.to_owned(), policy }).await;
            }
            None => {
                let policy = self.client.managed_instance_policy();
                self.client.attach_role_policy(role, &policy).await?;
                events.emit(Fact::PolicyAttached { role: role.to_owned(), policy }).await;
            }
        }
        Ok(())
    }
}
