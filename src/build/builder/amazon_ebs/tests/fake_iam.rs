//! IAM beside the EC2 in memory: roles and instance profiles, with what may not be deleted yet.

use std::collections::{BTreeMap, BTreeSet};

use super::fake_ec2::{Form, Reply, Tags, get, pairs};

#[derive(Default)]
pub(super) struct FakeIam {
    roles: BTreeMap<String, Role>,
    profiles: BTreeMap<String, BTreeSet<String>>,
    profile_tags: BTreeMap<String, Tags>,
}

#[derive(Default)]
struct Role {
    attached: BTreeSet<String>,
    own: BTreeSet<String>,
    tags: Tags,
}

impl FakeIam {
    /// Everything that there is.
    pub(super) fn all(&self) -> Vec<String> {
        let roles = self.roles.keys().map(|name| format!("role {name}"));
        roles.chain(self.profiles.keys().map(|name| format!("profile {name}"))).collect()
    }

    /// The answer to an action of IAM; `None` to others.
    pub(super) fn act(&mut self, action: &str, form: &Form) -> Option<Reply> {
        let role = get(form, "RoleName").to_owned();
        let profile = get(form, "InstanceProfileName").to_owned();
        let done = || Ok(String::new());
        Some(match action {
            "CreateRole" => match self.roles.contains_key(&role) {
                true => Err((409, "EntityAlreadyExists", role)),
                false => {
                    let inner = format!("<Role><RoleName>{role}</RoleName></Role>");
                    let tags = pairs(form, "Tags.member");
                    self.roles.insert(role, Role { tags, ..Role::default() });
                    Ok(inner)
                }
            },
            "AttachRolePolicy" => self.role(&role, |one| {
                one.attached.insert(get(form, "PolicyArn").to_owned());
                done()
            }),
            "DetachRolePolicy" => self.role(&role, |one| {
                if one.attached.remove(get(form, "PolicyArn")) { done() } else { missing("policy") }
            }),
            "PutRolePolicy" => self.role(&role, |one| {
                one.own.insert(get(form, "PolicyName").to_owned());
                done()
            }),
            "DeleteRolePolicy" => self.role(&role, |one| {
                if one.own.remove(get(form, "PolicyName")) { done() } else { missing("policy") }
            }),
            "ListAttachedRolePolicies" => self.role(&role, |one| {
                let members: String = one
                    .attached
                    .iter()
                    .map(|arn| format!("<member><PolicyArn>{arn}</PolicyArn></member>"))
                    .collect();
                Ok(format!("<AttachedPolicies>{members}</AttachedPolicies>"))
            }),
            "ListRolePolicies" => self.role(&role, |one| {
                let members: String =
                    one.own.iter().map(|name| format!("<member>{name}</member>")).collect();
                Ok(format!("<PolicyNames>{members}</PolicyNames>"))
            }),
            "DeleteRole" => {
                let used = self.profiles.values().any(|roles| roles.contains(&role));
                match self.roles.get(&role) {
                    None => missing(&role),
                    Some(one) if used || !one.attached.is_empty() || !one.own.is_empty() => {
                        Err((409, "DeleteConflict", role))
                    }
                    Some(_) => {
                        self.roles.remove(&role);
                        done()
                    }
                }
            }
            "CreateInstanceProfile" => match self.profiles.contains_key(&profile) {
                true => Err((409, "EntityAlreadyExists", profile)),
                false => {
                    let inner = described(&profile, &BTreeSet::new());
                    self.profile_tags.insert(profile.clone(), pairs(form, "Tags.member"));
                    self.profiles.insert(profile, BTreeSet::new());
                    Ok(inner)
                }
            },
            "GetInstanceProfile" => match self.profiles.get(&profile) {
                Some(roles) => Ok(described(&profile, roles)),
                None => missing(&profile),
            },
            "AddRoleToInstanceProfile" => match self.profiles.get_mut(&profile) {
                _ if !self.roles.contains_key(&role) => missing(&role),
                None => missing(&profile),
                Some(roles) if !roles.is_empty() => Err((409, "LimitExceeded", profile)),
                Some(roles) => {
                    roles.insert(role);
                    done()
                }
            },
            "RemoveRoleFromInstanceProfile" => match self.profiles.get_mut(&profile) {
                Some(roles) => {
                    if roles.remove(&role) {
                        done()
                    } else {
                        missing(&role)
                    }
                }
                None => missing(&profile),
            },
            "DeleteInstanceProfile" => match self.profiles.get(&profile) {
                None => missing(&profile),
                Some(roles) if !roles.is_empty() => Err((409, "DeleteConflict", profile)),
                Some(_) => {
                    self.profiles.remove(&profile);
                    done()
                }
            },
            "ListRoles" => {
                let members: String = self
                    .roles
                    .keys()
                    .map(|name| {
                        format!(
                            "<member><Path>/</Path><RoleName>{name}</RoleName><RoleId>r</RoleId>\
                             <Arn>a</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></member>"
                        )
                    })
                    .collect();
                Ok(format!("<Roles>{members}</Roles><IsTruncated>false</IsTruncated>"))
            }
            "ListInstanceProfiles" => {
                let members: String = self
                    .profiles
                    .keys()
                    .map(|name| {
                        format!(
                            "<member><Path>/</Path><InstanceProfileName>{name}</InstanceProfileName>\
                             <InstanceProfileId>p</InstanceProfileId><Arn>a</Arn>\
                             <CreateDate>2026-01-01T00:00:00Z</CreateDate><Roles/></member>"
                        )
                    })
                    .collect();
                let list = format!("<InstanceProfiles>{members}</InstanceProfiles>");
                Ok(list + "<IsTruncated>false</IsTruncated>")
            }
            "ListRoleTags" => self.role(&role, |one| Ok(tag_members(&one.tags))),
            "ListInstanceProfileTags" => match self.profile_tags.get(&profile) {
                Some(tags) => Ok(tag_members(tags)),
                None => missing(&profile),
            },
            _ => return None,
        })
    }

    fn role(&mut self, name: &str, act: impl FnOnce(&mut Role) -> Reply) -> Reply {
        match self.roles.get_mut(name) {
            Some(role) => act(role),
            None => missing(name),
        }
    }

    /// Whether a launch may name the profile.
    pub(super) fn is_usable(&self, profile: &str) -> bool {
        self.profiles.get(profile).is_some_and(|roles| {
            roles
                .iter()
                .filter_map(|role| self.roles.get(role))
                .any(|role| !role.attached.is_empty() || !role.own.is_empty())
        })
    }
}

fn tag_members(tags: &Tags) -> String {
    let members: String = tags
        .iter()
        .map(|(key, value)| format!("<member><Key>{key}</Key><Value>{value}</Value></member>"))
        .collect();
    format!("<Tags>{members}</Tags><IsTruncated>false</IsTruncated>")
}

fn described(profile: &str, roles: &BTreeSet<String>) -> String {
    let members: String =
        roles.iter().map(|role| format!("<member><RoleName>{role}</RoleName></member>")).collect();
    format!(
        "<InstanceProfile><InstanceProfileName>{profile}</InstanceProfileName><Roles>{members}</Roles></InstanceProfile>"
    )
}

fn missing(name: &str) -> Reply {
    Err((404, "NoSuchEntity", format!("{name} cannot be found")))
}
