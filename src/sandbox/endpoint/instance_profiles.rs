//! Which instance has which instance profile.

use super::call::{Answer, Call};
use super::xml::Fields;
use crate::sandbox::cloud::{Association, CloudError, time_text};

fn association(found: &Association, state: &str) -> Fields {
    let (arn, id) = &found.profile;
    Fields::new()
        .text("associationId", &found.id)
        .text("instanceId", &found.instance_id)
        .group("iamInstanceProfile", Fields::new().text("arn", arn).text("id", id))
        .text("state", state)
        .text("timestamp", time_text(found.since))
}

pub(super) fn associate(call: &Call<'_>) -> Answer {
    let instance = call.params.required("InstanceId")?;
    let profile = call.params.group("IamInstanceProfile");
    let profile = profile.text("Arn").or(profile.text("Name"));
    let profile = profile.ok_or_else(|| CloudError::missing("IamInstanceProfile"))?;
    let made = call.request(|session| session.associate_profile(instance, profile))?;
    Ok(Fields::new().group("iamInstanceProfileAssociation", association(&made, "associating")))
}

pub(super) fn disassociate(call: &Call<'_>) -> Answer {
    let id = call.params.required("AssociationId")?;
    let gone = call.request(|session| session.disassociate_profile(id))?;
    Ok(Fields::new().group("iamInstanceProfileAssociation", association(&gone, "disassociating")))
}

pub(super) fn describe(call: &Call<'_>) -> Answer {
    let ids = call.params.texts("AssociationId")?;
    let filters = call.params.filters()?;
    let found = call.request(|session| session.associations(&ids, &filters))?;
    let found = found.iter().map(|found| association(found, "associated"));
    Ok(Fields::new().list("iamInstanceProfileAssociationSet", found))
}
