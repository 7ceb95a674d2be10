//! Images.

use super::call::{Answer, Call, done};
use super::tags::tag_set;
use super::xml::Fields;
use crate::sandbox::cloud::{
    BlockDevice, CloudError, CopyImage, CreateImage, DescribeImages, Image, ImageChange,
    ImageState, Permissions, time_text,
};

fn block_devices(devices: &[BlockDevice]) -> impl Iterator<Item = Fields> {
    devices.iter().map(|device| {
        let ebs = Fields::new()
            .maybe("snapshotId", device.snapshot.as_ref().map(|snapshot| &snapshot.id))
            .text("volumeSize", device.size)
            .text("deleteOnTermination", device.delete_on_termination)
            .text("volumeType", &device.volume_type)
            .maybe("iops", device.iops)
            .maybe("throughput", device.throughput)
            .text("encrypted", device.encrypted)
            .maybe("kmsKeyId", device.kms_key_id.as_ref());
        Fields::new().text("deviceName", &device.device).group("ebs", ebs)
    })
}

fn product_codes(codes: &[String]) -> impl Iterator<Item = Fields> {
    codes.iter().map(|code| Fields::new().text("productCode", code).text("type", "marketplace"))
}

fn image(image: &Image) -> Fields {
    let mut fields = Fields::new()
        .text("imageId", &image.id)
        .text("imageLocation", format!("{}/{}", image.owner_id, image.name))
        .text("imageState", image.state.name())
        .text("imageOwnerId", &image.owner_id)
        .maybe("imageOwnerAlias", image.owner_alias.as_ref())
        .text("creationDate", time_text(image.created))
        .text("isPublic", image.permissions.is_public())
        .text("architecture", &image.architecture)
        .text("imageType", "machine")
        .text("platformDetails", "Linux/UNIX")
        .text("usageOperation", "RunInstances")
        .text("name", &image.name)
        .text("description", &image.description)
        .text("rootDeviceType", "ebs")
        .text("rootDeviceName", &image.root_device)
        .list("blockDeviceMapping", block_devices(&image.block_devices))
        .text("virtualizationType", "hvm")
        .text("hypervisor", "xen")
        .text("enaSupport", image.ena_support)
        .maybe("sriovNetSupport", image.sriov_net_support.as_ref())
        .maybe("bootMode", image.boot_mode.as_ref())
        .maybe("imdsSupport", image.imds_support.as_ref())
        .maybe("deprecationTime", image.deprecation.map(time_text))
        .text("deregistrationProtection", &image.deregistration_protection)
        .maybe("sourceInstanceId", image.source_instance_id.as_ref())
        .maybe("sourceImageId", image.source_image_id.as_ref())
        .maybe("sourceImageRegion", image.source_image_region.as_ref());
    if !image.product_codes.is_empty() {
        fields = fields.list("productCodes", product_codes(&image.product_codes));
    }
    if let ImageState::Failed(reason) = &image.state {
        let code = "Server.InternalError";
        let reason = Fields::new().text("code", code).text("message", format!("{code}: {reason}"));
        fields = fields.group("stateReason", reason);
    }
    tag_set(fields, &image.tags)
}

pub(super) fn describe_images(call: &Call<'_>) -> Answer {
    let request = DescribeImages {
        ids: call.params.texts("ImageId")?,
        owners: call.params.texts("Owner")?,
        executable_by: call.params.texts("ExecutableBy")?,
        filters: call.params.filters()?,
        page: call.params.page()?,
    };
    let found = call.request(|session| session.describe_images(&request))?;
    let images = found.items.iter().map(image);
    Ok(Fields::new().list("imagesSet", images).maybe("nextToken", found.next_token))
}

pub(super) fn create_image(call: &Call<'_>) -> Answer {
    let request = CreateImage {
        instance_id: call.params.required("InstanceId")?.to_owned(),
        name: call.params.required("Name")?.to_owned(),
        description: call.params.owned("Description"),
        no_reboot: call.params.is_set("NoReboot")?,
        block_devices: call.params.block_devices()?,
        tags: call.params.tag_specifications()?,
    };
    let id = call.request(|session| session.create_image(&request))?;
    Ok(Fields::new().text("imageId", id))
}

pub(super) fn copy_image(call: &Call<'_>) -> Answer {
    let request = CopyImage {
        source_image_id: call.params.required("SourceImageId")?.to_owned(),
        source_region: call.params.required("SourceRegion")?.to_owned(),
        name: call.params.required("Name")?.to_owned(),
        description: call.params.owned("Description"),
        encrypted: call.params.is_set("Encrypted")?,
        kms_key_id: call.params.owned("KmsKeyId"),
        copy_tags: call.params.is_set("CopyImageTags")?,
        tags: call.params.tag_specifications()?,
        token: call.client_token(),
    };
    let id = call.request(|session| session.copy_image(&request))?;
    Ok(Fields::new().text("imageId", id))
}

pub(super) fn register_image(_: &Call<'_>) -> Answer {
    Err(CloudError::new(
        "UnsupportedOperation",
        "The sandbox makes images of instances (CreateImage) only: its snapshots hold no blocks that an image could be registered from.",
    ))
}

pub(super) fn deregister_image(call: &Call<'_>) -> Answer {
    let id = call.params.required("ImageId")?;
    let delete_snapshots = call.params.is_set("DeleteAssociatedSnapshots")?;
    let deleted = call.request(|session| session.deregister_image(id, delete_snapshots))?;
    let fields = Fields::new().text("return", true);
    if deleted.is_empty() {
        return Ok(fields);
    }
    let results =
        deleted.iter().map(|id| Fields::new().text("snapshotId", id).text("returnCode", "success"));
    Ok(fields.list("deleteSnapshotResultSet", results))
}

fn permissions(permissions: &Permissions) -> impl Iterator<Item = Fields> {
    let of = |name: &'static str, set: &std::collections::BTreeSet<String>| {
        set.iter().map(|item| Fields::new().text(name, item)).collect::<Vec<_>>()
    };
    of("group", &permissions.groups)
        .into_iter()
        .chain(of("userId", &permissions.users))
        .chain(of("organizationArn", &permissions.organizations))
        .chain(of("organizationalUnitArn", &permissions.units))
}

pub(super) fn describe_image_attribute(call: &Call<'_>) -> Answer {
    let id = call.params.required("ImageId")?;
    let attribute = call.params.required("Attribute")?;
    let image = call.request(|session| session.image_attributes(id))?;
    let fields = Fields::new().text("imageId", &image.id);
    let optional = |name, value: Option<&String>| match value {
        Some(value) => Fields::new().attribute(name, value),
        None => Fields::new().group(name, Fields::new()),
    };
    Ok(match attribute {
        "description" => fields.attribute("description", &image.description),
        "launchPermission" => fields.list("launchPermission", permissions(&image.permissions)),
        "productCodes" => fields.list("productCodes", product_codes(&image.product_codes)),
        "blockDeviceMapping" => {
            fields.list("blockDeviceMapping", block_devices(&image.block_devices))
        }
        "sriovNetSupport" => {
            fields.extend(optional("sriovNetSupport", image.sriov_net_support.as_ref()))
        }
        "bootMode" => fields.extend(optional("bootMode", image.boot_mode.as_ref())),
        "imdsSupport" => fields.extend(optional("imdsSupport", image.imds_support.as_ref())),
        "deregistrationProtection" => {
            fields.attribute("deregistrationProtection", &image.deregistration_protection)
        }
        "kernel" => fields.extend(optional("kernel", None)),
        "ramdisk" => fields.extend(optional("ramdisk", None)),
        "tpmSupport" => fields.extend(optional("tpmSupport", None)),
        "uefiData" => fields.extend(optional("uefiData", None)),
        "lastLaunchedTime" => fields.extend(optional("lastLaunchedTime", None)),
        other => return Err(CloudError::invalid_value("Attribute", other)),
    })
}

pub(super) fn modify_image_attribute(call: &Call<'_>) -> Answer {
    let params = call.params;
    let id = params.required("ImageId")?;
    let mut changes = Vec::new();
    if let Some(text) = params.attribute("Description") {
        changes.push(ImageChange::Description(text.to_owned()));
    }
    if let Some(version) = params.attribute("ImdsSupport") {
        changes.push(ImageChange::ImdsSupport(version.to_owned()));
    }
    let codes = params.texts("ProductCode")?;
    if !codes.is_empty() {
        changes.push(ImageChange::ProductCodes(codes));
    }
    let permissions = params.permissions("LaunchPermission")?;
    if permissions != Default::default() {
        changes.push(ImageChange::LaunchPermission(permissions));
    }
    match (params.text("Attribute"), params.any("Value")) {
        (Some("description"), Some(text)) => {
            changes.push(ImageChange::Description(text.to_owned()));
        }
        (Some("imdsSupport"), Some(text)) => {
            changes.push(ImageChange::ImdsSupport(text.to_owned()));
        }
        (Some("description" | "imdsSupport" | "launchPermission" | "productCodes") | None, _) => {}
        (Some(other), _) => return Err(CloudError::invalid_value("Attribute", other)),
    }
    let [change] = changes.as_slice() else {
        return Err(CloudError::combination(if changes.is_empty() {
            "No attributes specified."
        } else {
            "Fields for multiple attribute types specified"
        }));
    };
    call.request(|session| session.modify_image(id, change))?;
    done()
}

pub(super) fn enable_image_deprecation(call: &Call<'_>) -> Answer {
    let id = call.params.required("ImageId")?;
    let text = call.params.required("DeprecateAt")?;
    let at = text.parse().map_err(|_| CloudError::invalid_value("DeprecateAt", text))?;
    call.request(|session| session.deprecate_image(id, Some(at)))?;
    done()
}

pub(super) fn disable_image_deprecation(call: &Call<'_>) -> Answer {
    let id = call.params.required("ImageId")?;
    call.request(|session| session.deprecate_image(id, None))?;
    done()
}

pub(super) fn enable_image_deregistration_protection(call: &Call<'_>) -> Answer {
    let id = call.params.required("ImageId")?;
    let with_cooldown = call.params.is_set("WithCooldown")?;
    let state = call.request(|session| session.protect_image(id, true, with_cooldown))?;
    Ok(Fields::new().text("return", state))
}

pub(super) fn disable_image_deregistration_protection(call: &Call<'_>) -> Answer {
    let id = call.params.required("ImageId")?;
    let state = call.request(|session| session.protect_image(id, false, false))?;
    Ok(Fields::new().text("return", state))
}
