//! Volumes. They are records: an instance's files are its machine's.

use jiff::Timestamp;

use super::filter::{Field, Filter, Filterable, select};
use super::id::Kind;
use super::page::{Page, Paged};
use super::session::Session;
use super::{CloudError, Tags};

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// `vol-…`
    pub id: String,
    /// GiB.
    pub size: i64,
    /// `gp3`, …
    pub volume_type: String,
    /// Operations a second.
    pub iops: Option<i64>,
    /// MiB a second.
    pub throughput: Option<i64>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// With which key.
    pub kms_key_id: Option<String>,
    /// What it was filled with.
    pub snapshot_id: Option<String>,
    /// Where it lies.
    pub zone: String,
    /// When it was made.
    pub created: Timestamp,
    /// The instance that has it.
    pub attachment: Option<Attachment>,
    /// Its tags.
    pub tags: Tags,
}

/// A volume at an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// `i-…`
    pub instance_id: String,
    /// `/dev/xvda`
    pub device: String,
    /// Whether the volume goes away with the instance.
    pub delete_on_termination: bool,
    /// Since when.
    pub attached: Timestamp,
}

impl Volume {
    /// `in-use` or `available`.
    pub fn state(&self) -> &'static str {
        if self.attachment.is_some() { "in-use" } else { "available" }
    }
}

fn of_attachment(volume: &Volume, value: impl Fn(&Attachment) -> String) -> Vec<String> {
    volume.attachment.iter().map(value).collect()
}

impl Filterable for Volume {
    const FIELDS: &'static [Field<Self>] = &[
        ("volume-id", |v| vec![v.id.clone()]),
        ("size", |v| vec![v.size.to_string()]),
        ("volume-type", |v| vec![v.volume_type.clone()]),
        ("encrypted", |v| vec![v.encrypted.to_string()]),
        ("snapshot-id", |v| v.snapshot_id.iter().cloned().collect()),
        ("availability-zone", |v| vec![v.zone.clone()]),
        ("create-time", |v| vec![super::time_text(v.created)]),
        ("status", |v| vec![v.state().to_owned()]),
        ("attachment.instance-id", |v| of_attachment(v, |a| a.instance_id.clone())),
        ("attachment.device", |v| of_attachment(v, |a| a.device.clone())),
        ("attachment.status", |v| of_attachment(v, |_| "attached".to_owned())),
        ("attachment.attach-time", |v| of_attachment(v, |a| super::time_text(a.attached))),
        ("attachment.delete-on-termination", |v| {
            of_attachment(v, |a| a.delete_on_termination.to_string())
        }),
    ];

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

impl Session<'_> {
    /// DescribeVolumes.
    pub fn describe_volumes(
        &self,
        ids: &[String],
        filters: &[Filter],
        page: &Page,
    ) -> Result<Paged<Volume>, CloudError> {
        for id in ids {
            self.volume(id)?;
        }
        let volumes = self.region.volumes.values();
        let chosen = volumes.filter(|volume| ids.is_empty() || ids.contains(&volume.id)).cloned();
        page.cut(select(chosen, filters)?, |volume| volume.id.clone())
    }

    pub(crate) fn volume(&self, id: &str) -> Result<&Volume, CloudError> {
        Kind::Volume.check(id)?;
        self.region.volumes.get(id).ok_or_else(|| Kind::Volume.not_found(id))
    }

    /// DeleteVolume; refused while an instance has it.
    pub fn delete_volume(&mut self, id: &str) -> Result<(), CloudError> {
        if let Some(attachment) = &self.volume(id)?.attachment {
            return Err(CloudError::new(
                "VolumeInUse",
                format!("Volume {id} is currently attached to {}", attachment.instance_id),
            ));
        }
        self.region.volumes.remove(id);
        Ok(())
    }
}
