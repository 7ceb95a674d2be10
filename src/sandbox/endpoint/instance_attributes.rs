//! ModifyInstanceAttribute and DescribeInstanceAttribute.

use super::call::{Answer, Call, done};
use super::instances::{block_devices, group_set};
use super::query::Params;
use super::xml::Fields;
use crate::sandbox::cloud::{CloudError, InstanceChange, ShutdownBehavior};

/// The one change of a ModifyInstanceAttribute call, in the form `Attribute` and `Value` or in
/// the form `EnaSupport.Value`.
fn change(params: &Params) -> Result<InstanceChange, CloudError> {
    let named = params.text("Attribute").zip(params.any("Value"));
    let value = |attribute: &str, parameter: &str| {
        named
            .filter(|(name, _)| *name == attribute)
            .map(|(_, value)| value)
            .or_else(|| params.attribute(parameter))
            .map(str::to_owned)
    };
    let flag = |attribute: &str, parameter: &str| match value(attribute, parameter).as_deref() {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(CloudError::invalid_value(parameter, other)),
    };
    let mut changes = Vec::new();
    changes.extend(value("instanceType", "InstanceType").map(InstanceChange::InstanceType));
    changes.extend(value("userData", "UserData").map(InstanceChange::UserData));
    changes
        .extend(value("sriovNetSupport", "SriovNetSupport").map(InstanceChange::SriovNetSupport));
    changes.extend(flag("enaSupport", "EnaSupport")?.map(InstanceChange::EnaSupport));
    changes.extend(flag("ebsOptimized", "EbsOptimized")?.map(InstanceChange::EbsOptimized));
    changes
        .extend(flag("sourceDestCheck", "SourceDestCheck")?.map(InstanceChange::SourceDestCheck));
    changes.extend(flag("disableApiStop", "DisableApiStop")?.map(InstanceChange::DisableApiStop));
    changes.extend(
        flag("disableApiTermination", "DisableApiTermination")?
            .map(InstanceChange::DisableApiTermination),
    );
    let behavior = value("instanceInitiatedShutdownBehavior", "InstanceInitiatedShutdownBehavior");
    if let Some(behavior) = behavior {
        changes.push(InstanceChange::ShutdownBehavior(ShutdownBehavior::parse(&behavior)?));
    }
    let groups = params.texts("GroupId")?;
    if !groups.is_empty() {
        changes.push(InstanceChange::Groups(groups));
    }
    let mut devices = Vec::new();
    for mapping in params.block_devices()? {
        devices.extend(mapping.delete_on_termination.map(|on| (mapping.device, on)));
    }
    if !devices.is_empty() {
        changes.push(InstanceChange::DeleteOnTermination(devices));
    }
    let mut changes = changes.into_iter();
    match (changes.next(), changes.next()) {
        (Some(change), None) => Ok(change),
        (None, _) => Err(CloudError::combination("No attributes specified.")),
        (Some(_), Some(_)) => {
            Err(CloudError::combination("Fields for multiple attribute types specified"))
        }
    }
}

pub(super) fn modify_instance_attribute(call: &Call<'_>) -> Answer {
    let id = call.params.required("InstanceId")?;
    let change = change(call.params)?;
    call.request(|session| session.modify_instance(id, change))?;
    done()
}

pub(super) fn describe_instance_attribute(call: &Call<'_>) -> Answer {
    let id = call.params.required("InstanceId")?;
    let attribute = call.params.required("Attribute")?;
    let (i, groups) = call.request(|session| {
        let instance = session.instance(id)?.clone();
        let groups = session.groups_of(&instance);
        Ok((instance, groups))
    })?;
    let fields = Fields::new().text("instanceId", &i.id);
    let optional = |name, value: Option<&String>| match value {
        Some(value) => Fields::new().attribute(name, value),
        None => Fields::new().group(name, Fields::new()),
    };
    Ok(match attribute {
        "instanceType" => fields.attribute("instanceType", &i.instance_type),
        "userData" => fields.extend(optional("userData", i.user_data.as_ref())),
        "instanceInitiatedShutdownBehavior" => {
            fields.attribute("instanceInitiatedShutdownBehavior", i.on_shutdown.name())
        }
        "disableApiTermination" => {
            fields.attribute("disableApiTermination", i.disable_api_termination)
        }
        "disableApiStop" => fields.attribute("disableApiStop", i.disable_api_stop),
        "rootDeviceName" => fields.attribute("rootDeviceName", &i.root_device),
        "sourceDestCheck" => fields.attribute("sourceDestCheck", i.source_dest_check),
        "ebsOptimized" => fields.attribute("ebsOptimized", i.ebs_optimized),
        "enaSupport" => fields.attribute("enaSupport", i.ena_support),
        "sriovNetSupport" => {
            fields.extend(optional("sriovNetSupport", i.sriov_net_support.as_ref()))
        }
        "kernel" => fields.extend(optional("kernel", None)),
        "ramdisk" => fields.extend(optional("ramdisk", None)),
        "groupSet" => fields.list("groupSet", group_set(&groups)),
        "productCodes" => fields.group("productCodes", Fields::new()),
        "enclaveOptions" => fields.group("enclaveOptions", Fields::new().text("enabled", false)),
        "blockDeviceMapping" => fields.list("blockDeviceMapping", block_devices(&i)),
        other => return Err(CloudError::invalid_value("Attribute", other)),
    })
}
