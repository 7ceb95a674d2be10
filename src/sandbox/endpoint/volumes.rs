//! Volumes.

use super::call::{Answer, Call, done};
use super::tags::tag_set;
use super::xml::Fields;
use crate::sandbox::cloud::{Volume, time_text};

fn volume(volume: &Volume) -> Fields {
    let attachments = volume.attachment.iter().map(|attachment| {
        Fields::new()
            .text("volumeId", &volume.id)
            .text("instanceId", &attachment.instance_id)
            .text("device", &attachment.device)
            .text("status", "attached")
            .text("attachTime", time_text(attachment.attached))
            .text("deleteOnTermination", attachment.delete_on_termination)
    });
    let fields = Fields::new()
        .text("volumeId", &volume.id)
        .text("size", volume.size)
        .text("snapshotId", volume.snapshot_id.as_deref().unwrap_or_default())
        .text("availabilityZone", &volume.zone)
        .text("status", volume.state())
        .text("createTime", time_text(volume.created))
        .list("attachmentSet", attachments)
        .text("volumeType", &volume.volume_type)
        .maybe("iops", volume.iops)
        .maybe("throughput", volume.throughput)
        .text("encrypted", volume.encrypted)
        .maybe("kmsKeyId", volume.kms_key_id.as_ref())
        .text("multiAttachEnabled", false);
    tag_set(fields, &volume.tags)
}

pub(super) fn describe_volumes(call: &Call<'_>) -> Answer {
    let ids = call.params.texts("VolumeId")?;
    let (filters, page) = (call.params.filters()?, call.params.page()?);
    let found = call.request(|session| session.describe_volumes(&ids, &filters, &page))?;
    let volumes = found.items.iter().map(volume);
    Ok(Fields::new().list("volumeSet", volumes).maybe("nextToken", found.next_token))
}

pub(super) fn delete_volume(call: &Call<'_>) -> Answer {
    let id = call.params.required("VolumeId")?;
    call.request(|session| session.delete_volume(id))?;
    done()
}
