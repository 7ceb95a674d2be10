//! Roles and instance profiles: what an instance may do.
//!
//! IAM is a service of the whole account; changes reach EC2 within about fifteen seconds
//! ([`retry`](super::retry) has the refusals of that time).

use aws_sdk_iam::types;
use futures::FutureExt as _;

use super::pages::PAGE;
use super::{AwsError, Client, Tags};

/// The policy that lets Systems Manager work with an instance.
const MANAGED_INSTANCE: &str = "AmazonSSMManagedInstanceCore";

impl Client {
    /// The partition of the region, as in ARNs.
    fn partition(&self) -> &'static str {
        match self.region() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// The ARN of the managed policy that lets Systems Manager work with an instance.
    pub fn managed_instance_policy(&self) -> String {
        format!("arn:{}:iam::aws:policy/{MANAGED_INSTANCE}", self.partition())
    }

    /// Makes a role that EC2 instances can have.
    pub async fn create_instance_role(&self, name: &str, tags: &Tags) -> Result<(), AwsError> {
        let service = match self.partition() {
            "aws-cn" => "ec2.amazonaws.com.cn",
            _ => "ec2.amazonaws.com",
        };
        let trust = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": service },
                "Action": "sts:AssumeRole",
            }],
        });
        self.iam
            .create_role()
            .role_name(name)
            .assume_role_policy_document(trust.to_string())
            .set_tags(self.iam_tags("CreateRole", tags)?)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("iam", "CreateRole", Some(name), error))?;
        Ok(())
    }

    /// Attaches a managed policy to a role.
    pub async fn attach_role_policy(&self, role: &str, policy_arn: &str) -> Result<(), AwsError> {
        self.iam
            .attach_role_policy()
            .role_name(role)
            .policy_arn(policy_arn)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("iam", "AttachRolePolicy", Some(role), error))?;
        Ok(())
    }

    /// Gives a role a policy of its own; `document` is JSON.
    pub async fn put_role_policy(
        &self,
        role: &str,
        policy: &str,
        document: &str,
    ) -> Result<(), AwsError> {
        self.iam
            .put_role_policy()
            .role_name(role)
            .policy_name(policy)
            .policy_document(document)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("iam", "PutRolePolicy", Some(role), error))?;
        Ok(())
    }

    /// Makes an empty instance profile.
    pub async fn create_instance_profile(&self, name: &str, tags: &Tags) -> Result<(), AwsError> {
        self.iam
            .create_instance_profile()
            .instance_profile_name(name)
            .set_tags(self.iam_tags("CreateInstanceProfile", tags)?)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("iam", "CreateInstanceProfile", Some(name), error))?;
        Ok(())
    }

    /// Puts a role into an instance profile.
    pub async fn add_role_to_instance_profile(
        &self,
        profile: &str,
        role: &str,
    ) -> Result<(), AwsError> {
        self.iam
            .add_role_to_instance_profile()
            .instance_profile_name(profile)
            .role_name(role)
            .send()
            .boxed()
            .await
            .map_err(|error| {
                self.failed("iam", "AddRoleToInstanceProfile", Some(profile), error)
            })?;
        Ok(())
    }

    /// Deletes an instance profile, with its roles taken out before; one that does not exist is no
    /// error.
    pub async fn delete_instance_profile(&self, name: &str) -> Result<(), AwsError> {
        let found =
            self.iam.get_instance_profile().instance_profile_name(name).send().boxed().await;
        let roles = match found {
            Ok(found) => found.instance_profile.map(|profile| profile.roles).unwrap_or_default(),
            Err(error) => {
                let error = self.failed("iam", "GetInstanceProfile", Some(name), error);
                return if error.is_not_found() { Ok(()) } else { Err(error) };
            }
        };
        for role in roles {
            let removed = self
                .iam
                .remove_role_from_instance_profile()
                .instance_profile_name(name)
                .role_name(role.role_name)
                .send()
                .boxed()
                .await
                .map_err(|error| {
                    self.failed("iam", "RemoveRoleFromInstanceProfile", Some(name), error)
                });
            gone(removed.map(|_| ()))?;
        }
        let deleted = self
            .iam
            .delete_instance_profile()
            .instance_profile_name(name)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("iam", "DeleteInstanceProfile", Some(name), error));
        gone(deleted.map(|_| ()))
    }

    /// Deletes a role with its policies; one that does not exist is no error.
    pub async fn delete_role(&self, name: &str) -> Result<(), AwsError> {
        // A temporary role has few of them: they come in one part.
        let (attached, own) = tokio::join!(
            self.iam.list_attached_role_policies().role_name(name).send().boxed(),
            self.iam.list_role_policies().role_name(name).send().boxed(),
        );
        let attached = attached
            .map_err(|error| self.failed("iam", "ListAttachedRolePolicies", Some(name), error));
        let own = own.map_err(|error| self.failed("iam", "ListRolePolicies", Some(name), error));
        let (attached, own) = match (attached, own) {
            (Ok(attached), Ok(own)) => (attached, own),
            (Err(error), _) | (_, Err(error)) => {
                return if error.is_not_found() { Ok(()) } else { Err(error) };
            }
        };
        let arns = attached.attached_policies.unwrap_or_default();
        for arn in arns.into_iter().filter_map(|policy| policy.policy_arn) {
            let detached = self
                .iam
                .detach_role_policy()
                .role_name(name)
                .policy_arn(arn)
                .send()
                .boxed()
                .await
                .map_err(|error| self.failed("iam", "DetachRolePolicy", Some(name), error));
            gone(detached.map(|_| ()))?;
        }
        for policy in own.policy_names {
            let deleted = self
                .iam
                .delete_role_policy()
                .role_name(name)
                .policy_name(policy)
                .send()
                .boxed()
                .await
                .map_err(|error| self.failed("iam", "DeleteRolePolicy", Some(name), error));
            gone(deleted.map(|_| ()))?;
        }
        let deleted = self
            .iam
            .delete_role()
            .role_name(name)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("iam", "DeleteRole", Some(name), error));
        gone(deleted.map(|_| ()))
    }

    /// Names and tags of the roles whose name begins with `prefix`.
    pub async fn roles_named(&self, prefix: &str) -> Result<Vec<(String, Tags)>, AwsError> {
        let page = |marker| async move {
            let call = self.iam.list_roles().max_items(PAGE).set_marker(marker);
            let output = call.send().boxed().await;
            let output = output.map_err(|error| self.failed("iam", "ListRoles", None, error))?;
            Ok((output.roles, output.marker))
        };
        let roles = self.all_pages("iam", "ListRoles", page).await?;
        let mut found = Vec::new();
        for name in roles.into_iter().map(|role| role.role_name) {
            if !name.starts_with(prefix) {
                continue;
            }
            let tags = self.iam.list_role_tags().role_name(&name).send().boxed().await;
            match tags.map_err(|error| self.failed("iam", "ListRoleTags", Some(&name), error)) {
                Ok(output) => found.push((name, from_iam(output.tags))),
                // It was deleted meanwhile.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Names and tags of the instance profiles whose name begins with `prefix`.
    pub async fn instance_profiles_named(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, Tags)>, AwsError> {
        let action = "ListInstanceProfiles";
        let page = |marker| async move {
            let call = self.iam.list_instance_profiles().max_items(PAGE).set_marker(marker);
            let output = call.send().boxed().await;
            let output = output.map_err(|error| self.failed("iam", action, None, error))?;
            Ok((output.instance_profiles, output.marker))
        };
        let profiles = self.all_pages("iam", action, page).await?;
        let mut found = Vec::new();
        for name in profiles.into_iter().map(|profile| profile.instance_profile_name) {
            if !name.starts_with(prefix) {
                continue;
            }
            let tags =
                self.iam.list_instance_profile_tags().instance_profile_name(&name).send().boxed();
            let action = "ListInstanceProfileTags";
            match tags.await.map_err(|error| self.failed("iam", action, Some(&name), error)) {
                Ok(output) => found.push((name, from_iam(output.tags))),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn iam_tags(
        &self,
        action: &'static str,
        tags: &Tags,
    ) -> Result<Option<Vec<types::Tag>>, AwsError> {
        let each = tags.iter().map(|(key, value)| {
            types::Tag::builder()
                .key(key)
                .value(value)
                .build()
                .map_err(|_missing| self.incomplete("iam", action, "tag"))
        });
        let tags: Vec<_> = each.collect::<Result<_, _>>()?;
        Ok((!tags.is_empty()).then_some(tags))
    }
}

fn from_iam(tags: Vec<types::Tag>) -> Tags {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// What is gone already is as good as removed.
fn gone(removed: Result<(), AwsError>) -> Result<(), AwsError> {
    match removed {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}
