//! IAM: roles and instance profiles.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::call::{Answer, Call};
use super::query::Params;
use super::xml::Fields;
use crate::sandbox::cloud::{CloudError, InstanceProfile, NewEntity, Role, Tags, time_text};

/// Policies come in RFC 3986's encoding.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The answer of actions that have nothing to say.
fn done() -> Answer {
    Ok(Fields::new())
}

fn required<'a>(params: &'a Params, name: &str) -> Result<&'a str, CloudError> {
    params.text(name).ok_or_else(|| {
        let name = name.get(..1).map(str::to_lowercase).unwrap_or_default()
            + name.get(1..).unwrap_or_default();
        CloudError::new(
            "ValidationError",
            format!("1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must not be null"),
        )
    })
}

fn new_entity(params: &Params, name: &str) -> Result<NewEntity, CloudError> {
    let mut tags = Tags::new();
    for tag in params.list("Tags")? {
        let value = tag.any("Value").unwrap_or_default();
        tags.insert(required(tag, "Key")?.to_owned(), value.to_owned());
    }
    Ok(NewEntity { name: required(params, name)?.to_owned(), path: params.owned("Path"), tags })
}

fn tags(fields: Fields, tags: &Tags) -> Fields {
    if tags.is_empty() {
        return fields;
    }
    let tag = |(key, value)| Fields::new().text("Key", key).text("Value", value);
    fields.members("Tags", tags.iter().map(tag))
}

fn role(role: &Role) -> Fields {
    let fields = Fields::new()
        .text("Path", &role.path)
        .text("RoleName", &role.name)
        .text("RoleId", &role.id)
        .text("Arn", role.arn())
        .text("CreateDate", time_text(role.created))
        .text("AssumeRolePolicyDocument", utf8_percent_encode(&role.trust, ENCODED))
        .maybe("Description", role.description.as_ref())
        .text("MaxSessionDuration", role.max_session);
    tags(fields, &role.tags)
}

fn profile(profile: &InstanceProfile, of_it: Option<&Role>) -> Fields {
    let fields = Fields::new()
        .text("Path", &profile.path)
        .text("InstanceProfileName", &profile.name)
        .text("InstanceProfileId", &profile.id)
        .text("Arn", profile.arn())
        .text("CreateDate", time_text(profile.created))
        .members("Roles", of_it.map(role));
    tags(fields, &profile.tags)
}

pub(super) fn create_role(call: &Call<'_>) -> Answer {
    let params = call.params;
    let new = new_entity(params, "RoleName")?;
    let trust = required(params, "AssumeRolePolicyDocument")?;
    let mut iam = call.cloud.iam();
    let description = params.owned("Description");
    let made = iam.create_role(new, trust, description, params.number("MaxSessionDuration")?)?;
    Ok(Fields::new().group("Role", role(made)))
}

pub(super) fn get_role(call: &Call<'_>) -> Answer {
    let name = required(call.params, "RoleName")?;
    Ok(Fields::new().group("Role", role(call.cloud.iam().role(name)?)))
}

pub(super) fn delete_role(call: &Call<'_>) -> Answer {
    call.cloud.iam().delete_role(required(call.params, "RoleName")?)?;
    done()
}

pub(super) fn attach_role_policy(call: &Call<'_>) -> Answer {
    let (name, arn) = (required(call.params, "RoleName")?, required(call.params, "PolicyArn")?);
    call.cloud.iam().attach_role_policy(name, arn)?;
    done()
}

pub(super) fn detach_role_policy(call: &Call<'_>) -> Answer {
    let (name, arn) = (required(call.params, "RoleName")?, required(call.params, "PolicyArn")?);
    call.cloud.iam().detach_role_policy(name, arn)?;
    done()
}

pub(super) fn list_attached_role_policies(call: &Call<'_>) -> Answer {
    let iam = call.cloud.iam();
    let found = &iam.role(required(call.params, "RoleName")?)?.attached;
    let policies = found.iter().map(|arn| {
        let name = arn.rsplit('/').next().unwrap_or_default();
        Fields::new().text("PolicyName", name).text("PolicyArn", arn)
    });
    Ok(Fields::new().members("AttachedPolicies", policies).text("IsTruncated", false))
}

pub(super) fn put_role_policy(call: &Call<'_>) -> Answer {
    let (params, iam) = (call.params, &mut call.cloud.iam());
    let (role, name) = (required(params, "RoleName")?, required(params, "PolicyName")?);
    iam.put_role_policy(role, name, required(params, "PolicyDocument")?)?;
    done()
}

pub(super) fn get_role_policy(call: &Call<'_>) -> Answer {
    let (params, iam) = (call.params, call.cloud.iam());
    let (role, name) = (required(params, "RoleName")?, required(params, "PolicyName")?);
    let document = utf8_percent_encode(iam.role_policy(role, name)?, ENCODED);
    Ok(Fields::new()
        .text("RoleName", role)
        .text("PolicyName", name)
        .text("PolicyDocument", document))
}

pub(super) fn delete_role_policy(call: &Call<'_>) -> Answer {
    let (params, iam) = (call.params, &mut call.cloud.iam());
    iam.delete_role_policy(required(params, "RoleName")?, required(params, "PolicyName")?)?;
    done()
}

pub(super) fn list_role_policies(call: &Call<'_>) -> Answer {
    let iam = call.cloud.iam();
    let names = iam.role(required(call.params, "RoleName")?)?.inline.keys();
    Ok(Fields::new().member_texts("PolicyNames", names).text("IsTruncated", false))
}

pub(super) fn create_instance_profile(call: &Call<'_>) -> Answer {
    let new = new_entity(call.params, "InstanceProfileName")?;
    let latency = call.cloud.latency();
    let mut iam = call.cloud.iam();
    let made = iam.create_profile(new, latency.visible, latency.profile)?;
    Ok(Fields::new().group("InstanceProfile", profile(made, None)))
}

pub(super) fn get_instance_profile(call: &Call<'_>) -> Answer {
    let name = required(call.params, "InstanceProfileName")?;
    let (found, role) = call.cloud.iam().profile(name)?;
    Ok(Fields::new().group("InstanceProfile", profile(&found, role.as_ref())))
}

pub(super) fn list_instance_profiles_for_role(call: &Call<'_>) -> Answer {
    let iam = call.cloud.iam();
    let found = iam.role(required(call.params, "RoleName")?)?;
    let profiles = iam.profiles_of(&found.name).map(|made| profile(made, Some(found)));
    Ok(Fields::new().members("InstanceProfiles", profiles).text("IsTruncated", false))
}

pub(super) fn add_role_to_instance_profile(call: &Call<'_>) -> Answer {
    let params = call.params;
    let usable = call.cloud.latency().profile;
    let (profile, role) = (required(params, "InstanceProfileName")?, required(params, "RoleName")?);
    call.cloud.iam().add_role(profile, role, usable)?;
    done()
}

pub(super) fn remove_role_from_instance_profile(call: &Call<'_>) -> Answer {
    let params = call.params;
    let (profile, role) = (required(params, "InstanceProfileName")?, required(params, "RoleName")?);
    call.cloud.iam().remove_role(profile, role)?;
    done()
}

pub(super) fn delete_instance_profile(call: &Call<'_>) -> Answer {
    call.cloud.iam().delete_profile(required(call.params, "InstanceProfileName")?)?;
    done()
}

/// ListRoles: without tags, as IAM does.
pub(super) fn list_roles(call: &Call<'_>) -> Answer {
    let iam = call.cloud.iam();
    let roles = iam.roles().map(|one| role(&Role { tags: Tags::new(), ..one.clone() }));
    Ok(Fields::new().members("Roles", roles).text("IsTruncated", false))
}

pub(super) fn list_role_tags(call: &Call<'_>) -> Answer {
    let iam = call.cloud.iam();
    let found = iam.role(required(call.params, "RoleName")?)?;
    Ok(tags(Fields::new(), &found.tags).text("IsTruncated", false))
}

/// ListInstanceProfiles: without tags, as IAM does.
pub(super) fn list_instance_profiles(call: &Call<'_>) -> Answer {
    let iam = call.cloud.iam();
    let profiles = iam.all_profiles().map(|(one, of_it)| {
        let mut one = one.clone();
        one.tags.clear();
        profile(&one, of_it)
    });
    Ok(Fields::new().members("InstanceProfiles", profiles).text("IsTruncated", false))
}

pub(super) fn list_instance_profile_tags(call: &Call<'_>) -> Answer {
    let name = required(call.params, "InstanceProfileName")?;
    let (found, _) = call.cloud.iam().profile(name)?;
    Ok(tags(Fields::new(), &found.tags).text("IsTruncated", false))
}
