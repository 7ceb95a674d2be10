//! Snapshots. They are records: what a volume held is in the layer that the image names.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::filter::{Field, Filter, Filterable, select};
use super::id::Kind;
use super::page::{Page, Paged};
use super::permission::{PermissionChange, Permissions};
use super::session::Session;
use super::{ACCOUNT, CloudError, Tags};

/// A copy of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// `snap-…`
    pub id: String,
    /// The volume that it was made from.
    pub volume_id: String,
    /// GiB.
    pub size: i64,
    /// Free text.
    pub description: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// With which key.
    pub kms_key_id: Option<String>,
    /// When it was asked for.
    pub started: Timestamp,
    /// Whether it is `completed`; else `pending`.
    pub completed: bool,
    /// When its id is found.
    pub visible_at: Timestamp,
    /// Who may make volumes from it.
    pub permissions: Permissions,
    /// Its tags.
    pub tags: Tags,
}

impl Snapshot {
    /// `pending` or `completed`.
    pub fn state(&self) -> &'static str {
        if self.completed { "completed" } else { "pending" }
    }

    /// `100%` at the end.
    pub fn progress(&self) -> &'static str {
        if self.completed { "100%" } else { "0%" }
    }
}

impl Filterable for Snapshot {
    const FIELDS: &'static [Field<Self>] = &[
        ("snapshot-id", |s| vec![s.id.clone()]),
        ("volume-id", |s| vec![s.volume_id.clone()]),
        ("volume-size", |s| vec![s.size.to_string()]),
        ("description", |s| vec![s.description.clone()]),
        ("encrypted", |s| vec![s.encrypted.to_string()]),
        ("owner-id", |_| vec![ACCOUNT.to_owned()]),
        ("owner-alias", |_| Vec::new()),
        ("progress", |s| vec![s.progress().to_owned()]),
        ("start-time", |s| vec![super::time_text(s.started)]),
        ("status", |s| vec![s.state().to_owned()]),
        ("storage-tier", |_| vec!["standard".to_owned()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

/// What DescribeSnapshots asks.
#[derive(Clone, Debug, Default)]
pub struct DescribeSnapshots {
    /// All when empty.
    pub ids: Vec<String>,
    /// `self` or account ids.
    pub owners: Vec<String>,
    /// Which of them.
    pub filters: Vec<Filter>,
    /// Which part.
    pub page: Page,
}

impl Session<'_> {
    /// All snapshots of the account in this region, of images or left by them.
    pub(crate) fn own_snapshots(&mut self) -> Result<Vec<Snapshot>, CloudError> {
        let mut snapshots: Vec<Snapshot> = self.region.snapshots.values().cloned().collect();
        for image in self.own_images()? {
            snapshots.extend(image.block_devices.into_iter().filter_map(|device| device.snapshot));
        }
        Ok(snapshots)
    }

    /// A snapshot of the account that can be seen already.
    pub(crate) fn snapshot(&mut self, id: &str) -> Result<Snapshot, CloudError> {
        Kind::Snapshot.check(id)?;
        let now = self.now;
        self.own_snapshots()?
            .into_iter()
            .find(|snapshot| snapshot.id == id && snapshot.visible_at <= now)
            .ok_or_else(|| Kind::Snapshot.not_found(id))
    }

    /// A snapshot to change; an image that holds it is written again.
    pub(crate) fn snapshot_mut(&mut self, id: &str) -> Result<&mut Snapshot, CloudError> {
        self.snapshot(id)?;
        if self.region.snapshots.contains_key(id) {
            return self.region.snapshots.get_mut(id).ok_or_else(|| Kind::Snapshot.not_found(id));
        }
        let holder = self.image_of_snapshot(id)?.ok_or_else(|| Kind::Snapshot.not_found(id))?;
        self.image_mut(&holder)?
            .block_devices
            .iter_mut()
            .filter_map(|device| device.snapshot.as_mut())
            .find(|snapshot| snapshot.id == id)
            .ok_or_else(|| Kind::Snapshot.not_found(id))
    }

    /// The image that needs a snapshot.
    fn image_of_snapshot(&mut self, id: &str) -> Result<Option<String>, CloudError> {
        let has = |image: &super::Image| {
            let mut snapshots = image.block_devices.iter().filter_map(|d| d.snapshot.as_ref());
            snapshots.any(|snapshot| snapshot.id == id)
        };
        Ok(self.own_images()?.into_iter().find(has).map(|image| image.id))
    }

    /// DescribeSnapshots. Public snapshots of others are not listed.
    pub fn describe_snapshots(
        &mut self,
        request: &DescribeSnapshots,
    ) -> Result<Paged<Snapshot>, CloudError> {
        let mut snapshots = Vec::new();
        if request.ids.is_empty() {
            let now = self.now;
            snapshots.extend(self.own_snapshots()?.into_iter().filter(|s| s.visible_at <= now));
        }
        for id in &request.ids {
            snapshots.push(self.snapshot(id)?);
        }
        if !request.owners.is_empty()
            && !request.owners.iter().any(|owner| owner == "self" || owner == ACCOUNT)
        {
            snapshots.clear();
        }
        request.page.cut(select(snapshots, &request.filters)?, |snapshot| snapshot.id.clone())
    }

    /// DeleteSnapshot; refused while an image has it.
    pub fn delete_snapshot(&mut self, id: &str) -> Result<(), CloudError> {
        self.snapshot(id)?;
        if let Some(image) = self.image_of_snapshot(id)? {
            return Err(CloudError::new(
                "InvalidSnapshot.InUse",
                format!("The snapshot {id} is currently in use by {image}"),
            ));
        }
        self.region.snapshots.remove(id);
        Ok(())
    }

    /// ModifySnapshotAttribute, createVolumePermission.
    pub fn modify_snapshot_permissions(
        &mut self,
        id: &str,
        change: &PermissionChange,
    ) -> Result<(), CloudError> {
        self.snapshot_mut(id)?.permissions.change(change)
    }
}
