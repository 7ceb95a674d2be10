//! Snapshots.

use super::call::{Answer, Call, done};
use super::tags::tag_set;
use super::xml::Fields;
use crate::sandbox::cloud::{ACCOUNT, CloudError, DescribeSnapshots, Snapshot, time_text};

fn snapshot(snapshot: &Snapshot) -> Fields {
    let fields = Fields::new()
        .text("snapshotId", &snapshot.id)
        .text("volumeId", &snapshot.volume_id)
        .text("status", snapshot.state())
        .text("startTime", time_text(snapshot.started))
        .text("progress", snapshot.progress())
        .text("ownerId", ACCOUNT)
        .text("volumeSize", snapshot.size)
        .text("description", &snapshot.description)
        .text("encrypted", snapshot.encrypted)
        .maybe("kmsKeyId", snapshot.kms_key_id.as_ref())
        .text("storageTier", "standard");
    tag_set(fields, &snapshot.tags)
}

pub(super) fn describe_snapshots(call: &Call<'_>) -> Answer {
    let request = DescribeSnapshots {
        ids: call.params.texts("SnapshotId")?,
        owners: call.params.texts("Owner")?,
        filters: call.params.filters()?,
        page: call.params.page()?,
    };
    let found = call.request(|session| session.describe_snapshots(&request))?;
    let snapshots = found.items.iter().map(snapshot);
    Ok(Fields::new().list("snapshotSet", snapshots).maybe("nextToken", found.next_token))
}

pub(super) fn delete_snapshot(call: &Call<'_>) -> Answer {
    let id = call.params.required("SnapshotId")?;
    call.request(|session| session.delete_snapshot(id))?;
    done()
}

pub(super) fn modify_snapshot_attribute(call: &Call<'_>) -> Answer {
    let id = call.params.required("SnapshotId")?;
    if let Some(other) =
        call.params.text("Attribute").filter(|name| *name != "createVolumePermission")
    {
        return Err(CloudError::invalid_value("Attribute", other));
    }
    let change = call.params.permissions("CreateVolumePermission")?;
    call.request(|session| session.modify_snapshot_permissions(id, &change))?;
    done()
}

pub(super) fn describe_snapshot_attribute(call: &Call<'_>) -> Answer {
    let id = call.params.required("SnapshotId")?.to_owned();
    let attribute = call.params.required("Attribute")?;
    let request = DescribeSnapshots { ids: vec![id.clone()], ..DescribeSnapshots::default() };
    let found = call.request(|session| session.describe_snapshots(&request))?;
    let fields = Fields::new().text("snapshotId", &id);
    let permissions = found.items.first().map(|snapshot| snapshot.permissions.clone());
    match (attribute, permissions.unwrap_or_default()) {
        ("createVolumePermission", permissions) => {
            let users = permissions.users.iter().map(|user| Fields::new().text("userId", user));
            let groups = permissions.groups.iter().map(|group| Fields::new().text("group", group));
            Ok(fields.list("createVolumePermission", users.chain(groups)))
        }
        ("productCodes", _) => Ok(fields.group("productCodes", Fields::new())),
        (other, _) => Err(CloudError::invalid_value("Attribute", other)),
    }
}
