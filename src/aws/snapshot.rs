//! Snapshots.

use aws_sdk_ec2::types;
use futures::FutureExt as _;

use super::pages::{described, page_size};
use super::query::{filters, list};
use super::tag::from_sdk;
use super::{AwsError, Client, Filter, Tags};

/// A snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// `pending`, `completed`, `error`, …
    pub state: String,
    /// Percent done while it is pending.
    pub progress: Option<u64>,
    /// The volume it was taken from.
    pub volume_id: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Client {
    /// Own snapshots with these ids and filters.
    pub async fn describe_snapshots(
        &self,
        ids: &[String],
        by: &[Filter],
    ) -> Result<Vec<Snapshot>, AwsError> {
        let call = || self.ec2.describe_snapshots().owner_ids("self");
        let snapshots =
            described!(self, "DescribeSnapshots", call(), set_snapshot_ids(ids), by, snapshots)?;
        Ok(snapshots
            .into_iter()
            .filter_map(|snapshot| {
                Some(Snapshot {
                    id: snapshot.snapshot_id?,
                    state: snapshot
                        .state
                        .map(|state| state.as_str().to_owned())
                        .unwrap_or_default(),
                    progress: snapshot
                        .progress
                        .and_then(|percent| percent.trim_end_matches('%').parse().ok()),
                    volume_id: snapshot.volume_id,
                    tags: from_sdk(snapshot.tags),
                })
            })
            .collect())
    }

    /// Deletes a snapshot; fails with `InvalidSnapshot.InUse` while an image uses it.
    pub async fn delete_snapshot(&self, id: &str) -> Result<(), AwsError> {
        self.ec2
            .delete_snapshot()
            .snapshot_id(id)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "DeleteSnapshot", Some(id), error))?;
        Ok(())
    }

    /// Lets accounts, or everybody with the group `all`, make volumes of a snapshot.
    pub async fn share_snapshot(
        &self,
        id: &str,
        users: &[String],
        groups: &[String],
    ) -> Result<(), AwsError> {
        let permissions = users
            .iter()
            .map(|user| types::CreateVolumePermission::builder().user_id(user).build())
            .chain(groups.iter().map(|group| {
                types::CreateVolumePermission::builder()
                    .group(types::PermissionGroup::from(group.as_str()))
                    .build()
            }))
            .collect();
        self.ec2
            .modify_snapshot_attribute()
            .snapshot_id(id)
            .attribute(types::SnapshotAttributeName::CreateVolumePermission)
            .create_volume_permission(
                types::CreateVolumePermissionModifications::builder()
                    .set_add(Some(permissions))
                    .build(),
            )
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "ModifySnapshotAttribute", Some(id), error))?;
        Ok(())
    }
}
