//! Roles and instance profiles: as much of IAM as an instance that Systems Manager leads needs.
//!
//! IAM is one for all regions. Nothing here limits what the sandbox's clients may do; policies
//! only decide whether the agent of an instance may register.
//!
//! A profile that a launch names and that was never made here stands in for one of the real
//! account, as a base does for an image: it exists, and it lets the agent register.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::filter::wildcard;
use super::{ACCOUNT, CloudError, Tags, id};

/// What an agent asks of the service first.
const REGISTER: &str = "ssm:UpdateInstanceInformation";
/// Policies of AWS that allow it.
const MANAGED: [&str; 4] = [
    "policy/AmazonSSMManagedInstanceCore",
    "policy/service-role/AmazonEC2RoleforSSM",
    "policy/AmazonSSMManagedEC2InstanceDefaultPolicy",
    "policy/AdministratorAccess",
];

/// Lets EC2 assume a role.
const TRUST_EC2: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// `/` or `/a/b/`
    pub path: String,
    /// `AROA…`
    pub id: String,
    /// Who may assume it, as JSON.
    pub trust: String,
    /// For people.
    pub description: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// How long a session of it may last, in seconds.
    pub max_session: i64,
    /// ARNs of attached policies.
    pub attached: BTreeSet<String>,
    /// Policies of its own, as JSON.
    pub inline: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Tags,
}

impl Role {
    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:role{}{}", self.path, self.name)
    }

    fn lets_agent_register(&self) -> bool {
        self.attached.iter().any(|arn| MANAGED.iter().any(|name| arn.ends_with(name)))
            || self.inline.values().any(|policy| allows(policy, REGISTER))
    }
}

/// An instance profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceProfile {
    /// Its name.
    pub name: String,
    /// `/` or `/a/b/`
    pub path: String,
    /// `AIPA…`
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// The name of its role.
    pub role: Option<String>,
    /// Its tags.
    pub tags: Tags,
    /// When it can be read.
    visible_at: Timestamp,
    /// When EC2 has heard of it.
    usable_at: Timestamp,
}

impl InstanceProfile {
    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:instance-profile{}{}", self.path, self.name)
    }
}

/// What CreateRole and CreateInstanceProfile say of both.
#[derive(Clone, Debug, Default)]
pub struct NewEntity {
    /// Its name.
    pub name: String,
    /// `/` when it is not given.
    pub path: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// All roles and profiles.
#[derive(Clone, Debug, Default)]
pub struct Iam {
    roles: BTreeMap<String, Role>,
    profiles: BTreeMap<String, InstanceProfile>,
    /// Names that no stand-in has any more.
    removed: BTreeSet<String>,
}

fn no_role(name: &str) -> CloudError {
    CloudError::new("NoSuchEntity", format!("The role with name {name} cannot be found."))
}

fn no_profile(name: &str) -> CloudError {
    CloudError::new("NoSuchEntity", format!("Instance Profile {name} cannot be found."))
}

fn exists(what: &str) -> CloudError {
    CloudError::new("EntityAlreadyExists", format!("{what} already exists."))
}

fn conflict(first: &str) -> CloudError {
    CloudError::new("DeleteConflict", format!("Cannot delete entity, must {first} first."))
}

fn check_name(what: &str, name: &str, limit: usize) -> Result<(), CloudError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if (1..=limit).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(CloudError::new(
        "ValidationError",
        format!(
            "1 validation error detected: Value '{name}' at '{what}' failed to satisfy constraint: Member must have length between 1 and {limit} and satisfy regular expression pattern: [\\w+=,.@-]+"
        ),
    ))
}

fn check_policy(text: &str) -> Result<(), CloudError> {
    let malformed = |message: &str| CloudError::new("MalformedPolicyDocument", message);
    let policy: Value =
        serde_json::from_str(text).map_err(|_| malformed("Syntax errors in policy."))?;
    match policy.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => Ok(()),
        Some(Value::Object(_)) => Ok(()),
        _ => Err(malformed("Syntax errors in policy.")),
    }
}

/// Whether a policy allows an action and does not deny it. Resources and conditions are not looked
/// at.
fn allows(policy: &str, action: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else { return false };
    let one_or_many = |value: Option<&Value>| match value {
        Some(Value::Array(values)) => values.clone(),
        Some(value) => vec![value.clone()],
        None => Vec::new(),
    };
    let has = |effect: &str| {
        one_or_many(policy.get("Statement")).iter().any(|statement| {
            statement.get("Effect").and_then(Value::as_str) == Some(effect)
                && one_or_many(statement.get("Action")).iter().any(|pattern| {
                    let pattern = pattern.as_str().unwrap_or_default().to_ascii_lowercase();
                    wildcard(&pattern, &action.to_ascii_lowercase())
                })
        })
    };
    has("Allow") && !has("Deny")
}

/// `AROA` or `AIPA` and 17 letters and digits.
fn unique(prefix: &str) -> String {
    let digits = id::fresh("x").trim_start_matches("x-").to_uppercase();
    format!("{prefix}{digits}")
}

impl Iam {
    /// CreateRole.
    pub fn create_role(
        &mut self,
        new: NewEntity,
        trust: &str,
        description: Option<String>,
        max_session: Option<i64>,
    ) -> Result<&Role, CloudError> {
        check_name("roleName", &new.name, 64)?;
        check_policy(trust)?;
        let max_session = max_session.unwrap_or(3600);
        if !(3600..=43_200).contains(&max_session) {
            return Err(CloudError::new(
                "ValidationError",
                "maxSessionDuration must be between 3600 and 43200",
            ));
        }
        if self.roles.contains_key(&new.name) {
            return Err(exists(&format!("Role with name {}", new.name)));
        }
        let role = Role {
            name: new.name.clone(),
            path: path_of(new.path)?,
            id: unique("AROA"),
            trust: trust.to_owned(),
            description,
            created: Timestamp::now(),
            max_session,
            attached: BTreeSet::new(),
            inline: BTreeMap::new(),
            tags: new.tags,
        };
        Ok(self.roles.entry(new.name).or_insert(role))
    }

    /// GetRole, and the policies of a role.
    pub fn role(&self, name: &str) -> Result<&Role, CloudError> {
        self.roles.get(name).ok_or_else(|| no_role(name))
    }

    /// ListRoles.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    /// ListInstanceProfiles: those that can be read, each with its role.
    pub fn all_profiles(&self) -> impl Iterator<Item = (&InstanceProfile, Option<&Role>)> {
        let now = Timestamp::now();
        self.profiles.values().filter(move |profile| profile.visible_at <= now).map(|profile| {
            let role = profile.role.as_ref().and_then(|role| self.roles.get(role));
            (profile, role)
        })
    }

    fn role_mut(&mut self, name: &str) -> Result<&mut Role, CloudError> {
        self.roles.get_mut(name).ok_or_else(|| no_role(name))
    }

    /// DeleteRole.
    pub fn delete_role(&mut self, name: &str) -> Result<(), CloudError> {
        let role = self.role(name)?;
        if self.profiles.values().any(|profile| profile.role.as_deref() == Some(name)) {
            return Err(conflict("remove roles from instance profile"));
        }
        if !role.attached.is_empty() {
            return Err(conflict("detach all policies"));
        }
        if !role.inline.is_empty() {
            return Err(conflict("delete policies"));
        }
        self.roles.remove(name);
        Ok(())
    }

    /// AttachRolePolicy. AWS's own policies all exist; there is no way to make others.
    pub fn attach_role_policy(&mut self, role: &str, arn: &str) -> Result<(), CloudError> {
        let role = self.role_mut(role)?;
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let known = matches!(parts.as_slice(), ["arn", _, "iam", "", "aws", name] if name.starts_with("policy/"));
        if !known {
            return Err(CloudError::new(
                "NoSuchEntity",
                format!("Policy {arn} does not exist or is not attachable."),
            ));
        }
        role.attached.insert(arn.to_owned());
        Ok(())
    }

    /// DetachRolePolicy.
    pub fn detach_role_policy(&mut self, role: &str, arn: &str) -> Result<(), CloudError> {
        if self.role_mut(role)?.attached.remove(arn) {
            return Ok(());
        }
        Err(CloudError::new("NoSuchEntity", format!("Policy {arn} was not found.")))
    }

    /// PutRolePolicy.
    pub fn put_role_policy(
        &mut self,
        role: &str,
        name: &str,
        document: &str,
    ) -> Result<(), CloudError> {
        check_name("policyName", name, 128)?;
        check_policy(document)?;
        self.role_mut(role)?.inline.insert(name.to_owned(), document.to_owned());
        Ok(())
    }

    /// GetRolePolicy.
    pub fn role_policy(&self, role: &str, name: &str) -> Result<&str, CloudError> {
        let found = self.role(role)?.inline.get(name);
        found.map(String::as_str).ok_or_else(|| no_policy(name))
    }

    /// DeleteRolePolicy.
    pub fn delete_role_policy(&mut self, role: &str, name: &str) -> Result<(), CloudError> {
        let removed = self.role_mut(role)?.inline.remove(name);
        removed.map(drop).ok_or_else(|| no_policy(name))
    }

    /// CreateInstanceProfile. It is read after `visible`, and EC2 hears of it after `usable`.
    pub fn create_profile(
        &mut self,
        new: NewEntity,
        visible: Duration,
        usable: Duration,
    ) -> Result<&InstanceProfile, CloudError> {
        check_name("instanceProfileName", &new.name, 128)?;
        if self.profiles.contains_key(&new.name) {
            return Err(exists(&format!("Instance Profile {}", new.name)));
        }
        let now = Timestamp::now();
        let profile = InstanceProfile {
            name: new.name.clone(),
            path: path_of(new.path)?,
            id: unique("AIPA"),
            created: now,
            role: None,
            tags: new.tags,
            visible_at: now + visible,
            usable_at: now + usable,
        };
        self.removed.remove(&new.name);
        Ok(self.profiles.entry(new.name).or_insert(profile))
    }

    /// GetInstanceProfile: the profile and its role.
    pub fn profile(&self, name: &str) -> Result<(InstanceProfile, Option<Role>), CloudError> {
        check_name("instanceProfileName", name, 128)?;
        match self.profiles.get(name) {
            Some(profile) if profile.visible_at <= Timestamp::now() => {
                let role = profile.role.as_ref().and_then(|role| self.roles.get(role));
                Ok((profile.clone(), role.cloned()))
            }
            None if !self.removed.contains(name) => {
                Ok((stand_in(name), Some(role_of_stand_in(name))))
            }
            _ => Err(no_profile(name)),
        }
    }

    /// The profiles that have a role.
    pub fn profiles_of(&self, role: &str) -> impl Iterator<Item = &InstanceProfile> {
        self.profiles.values().filter(move |profile| profile.role.as_deref() == Some(role))
    }

    fn profile_mut(&mut self, name: &str) -> Result<&mut InstanceProfile, CloudError> {
        self.profiles.get_mut(name).ok_or_else(|| no_profile(name))
    }

    /// AddRoleToInstanceProfile. EC2 hears of it after `usable`.
    pub fn add_role(
        &mut self,
        profile: &str,
        role: &str,
        usable: Duration,
    ) -> Result<(), CloudError> {
        self.role(role)?;
        let profile = self.profile_mut(profile)?;
        if profile.role.is_some() {
            return Err(CloudError::new(
                "LimitExceeded",
                "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
            ));
        }
        profile.role = Some(role.to_owned());
        profile.usable_at = Timestamp::now() + usable;
        Ok(())
    }

    /// RemoveRoleFromInstanceProfile.
    pub fn remove_role(&mut self, profile: &str, role: &str) -> Result<(), CloudError> {
        let profile = self.profile_mut(profile)?;
        if profile.role.as_deref() != Some(role) {
            return Err(no_role(role));
        }
        profile.role = None;
        Ok(())
    }

    /// DeleteInstanceProfile.
    pub fn delete_profile(&mut self, name: &str) -> Result<(), CloudError> {
        if self.profile_mut(name)?.role.is_some() {
            return Err(conflict("remove roles from instance profile"));
        }
        self.profiles.remove(name);
        self.removed.insert(name.to_owned());
        Ok(())
    }

    /// ARN and id of the profile that a launch names, by name or ARN.
    pub(crate) fn profile_for_launch(&self, text: &str) -> Result<(String, String), CloudError> {
        let is_arn = text.starts_with("arn:");
        let name = text.rsplit('/').next().unwrap_or_default();
        let refused = || {
            let (parameter, kind) = if is_arn { ("arn", "ARN") } else { ("name", "name") };
            CloudError::invalid(format!(
                "Value ({text}) for parameter iamInstanceProfile.{parameter} is invalid. Invalid IAM Instance Profile {kind}"
            ))
        };
        if name.is_empty() || (is_arn && !text.contains(":instance-profile/")) {
            return Err(refused());
        }
        let Some(profile) = self.profiles.get(name) else {
            if self.removed.contains(name) {
                return Err(refused());
            }
            let mut found = stand_in(name);
            // The path is the real account's affair.
            let arn = if is_arn { text.to_owned() } else { found.arn() };
            return Ok((arn, std::mem::take(&mut found.id)));
        };
        if profile.usable_at > Timestamp::now() {
            return Err(refused());
        }
        if profile.role.is_none() {
            return Err(CloudError::invalid(format!(
                "IAM Instance Profile \"{}\" has no associated IAM Roles",
                profile.arn()
            )));
        }
        Ok((profile.arn(), profile.id.clone()))
    }

    /// Whether the agent of an instance with this profile may register with Systems Manager.
    pub(crate) fn lets_agent_register(&self, profile_arn: &str) -> bool {
        let name = profile_arn.rsplit('/').next().unwrap_or_default();
        match self.profiles.get(name) {
            Some(profile) => {
                let role = profile.role.as_ref().and_then(|role| self.roles.get(role));
                role.is_some_and(Role::lets_agent_register)
            }
            None => !self.removed.contains(name),
        }
    }
}

fn no_policy(name: &str) -> CloudError {
    CloudError::new("NoSuchEntity", format!("The role policy with name {name} cannot be found."))
}

fn path_of(path: Option<String>) -> Result<String, CloudError> {
    let path = path.unwrap_or_else(|| "/".to_owned());
    if path.starts_with('/') && path.ends_with('/') && path.len() <= 512 {
        return Ok(path);
    }
    let message = "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.";
    Err(CloudError::new("ValidationError", message))
}

/// A profile of the real account that nobody has made here.
fn stand_in(name: &str) -> InstanceProfile {
    let digits = id::derived("AIPA", &[name]).replace("-0", "").to_uppercase();
    InstanceProfile {
        name: name.to_owned(),
        path: "/".to_owned(),
        id: digits,
        created: Timestamp::UNIX_EPOCH,
        role: None,
        tags: Tags::new(),
        visible_at: Timestamp::UNIX_EPOCH,
        usable_at: Timestamp::UNIX_EPOCH,
    }
}

fn role_of_stand_in(name: &str) -> Role {
    Role {
        name: name.to_owned(),
        path: "/".to_owned(),
        id: id::derived("AROA", &[name]).replace("-0", "").to_uppercase(),
        trust: TRUST_EC2.to_owned(),
        description: None,
        created: Timestamp::UNIX_EPOCH,
        max_session: 3600,
        attached: BTreeSet::new(),
        inline: BTreeMap::new(),
        tags: Tags::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORE: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

    fn named(name: &str) -> NewEntity {
        NewEntity { name: name.to_owned(), ..NewEntity::default() }
    }

    fn code<T>(result: Result<T, CloudError>) -> String {
        result.err().map(|error| error.code.into_owned()).unwrap_or_default()
    }

    #[test]
    fn a_profile_is_made_used_and_taken_apart_in_order() {
        let mut iam = Iam::default();
        iam.create_role(named("r"), TRUST_EC2, None, None).unwrap();
        assert_eq!(code(iam.create_role(named("r"), TRUST_EC2, None, None)), "EntityAlreadyExists");
        iam.create_profile(named("p"), Duration::ZERO, Duration::ZERO).unwrap();
        let again = iam.create_profile(named("p"), Duration::ZERO, Duration::ZERO);
        assert_eq!(code(again), "EntityAlreadyExists");
        let refused = iam.profile_for_launch("p").unwrap_err();
        insta::assert_snapshot!(refused, @r#"InvalidParameterValue: IAM Instance Profile "arn:aws:iam::123456789012:instance-profile/p" has no associated IAM Roles"#);
        iam.add_role("p", "r", Duration::ZERO).unwrap();
        assert_eq!(code(iam.add_role("p", "r", Duration::ZERO)), "LimitExceeded");
        let (arn, _) = iam.profile_for_launch("p").unwrap();
        assert_eq!(arn, "arn:aws:iam::123456789012:instance-profile/p");
        assert!(!iam.lets_agent_register(&arn));
        iam.attach_role_policy("r", CORE).unwrap();
        assert!(iam.lets_agent_register(&arn));

        assert_eq!(code(iam.delete_role("r")), "DeleteConflict");
        assert_eq!(code(iam.delete_profile("p")), "DeleteConflict");
        iam.remove_role("p", "r").unwrap();
        assert_eq!(code(iam.delete_role("r")), "DeleteConflict");
        iam.detach_role_policy("r", CORE).unwrap();
        assert_eq!(code(iam.detach_role_policy("r", CORE)), "NoSuchEntity");
        iam.delete_role("r").unwrap();
        assert_eq!(code(iam.delete_role("r")), "NoSuchEntity");
        iam.delete_profile("p").unwrap();
        assert_eq!(code(iam.delete_profile("p")), "NoSuchEntity");
        assert_eq!(code(iam.profile("p")), "NoSuchEntity");
        insta::assert_snapshot!(iam.profile_for_launch("p").unwrap_err(), @"InvalidParameterValue: Value (p) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name");
    }

    #[test]
    fn a_fresh_profile_is_unknown_to_ec2_for_a_while() {
        let mut iam = Iam::default();
        let hour = Duration::from_secs(3600);
        iam.create_role(named("r"), TRUST_EC2, None, None).unwrap();
        iam.create_profile(named("p"), hour, hour).unwrap();
        iam.add_role("p", "r", hour).unwrap();
        assert_eq!(code(iam.profile("p")), "NoSuchEntity");
        assert_eq!(code(iam.profile_for_launch("p")), "InvalidParameterValue");
    }

    #[test]
    fn a_profile_that_was_never_made_here_stands_in() {
        let iam = Iam::default();
        let (arn, id) = iam.profile_for_launch("mine").unwrap();
        assert_eq!(arn, "arn:aws:iam::123456789012:instance-profile/mine");
        assert_eq!((id.len(), &id[..4]), (20, "AIPA"));
        assert!(iam.lets_agent_register(&arn));
        assert!(iam.profile("mine").is_ok());
        assert_eq!(code(iam.profile_for_launch("arn:aws:iam::1:role/x")), "InvalidParameterValue");
    }

    #[test]
    fn a_policy_of_its_own_may_let_the_agent_register() {
        for (policy, expected) in [
            (
                r#"{"Statement":[{"Effect":"Allow","Action":["s3:*","ssm:Update*"],"Resource":"*"}]}"#,
                true,
            ),
            (r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#, true),
            (r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#, false),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"*"},{"Effect":"Deny","Action":"ssm:*"}]}"#,
                false,
            ),
        ] {
            assert_eq!(allows(policy, REGISTER), expected, "{policy}");
        }
    }
}
