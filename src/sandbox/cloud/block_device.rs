//! Block device mappings, as a request writes them and as an image or an instance has them.

use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;
use super::{CloudError, id};

/// A mapping in a request: what is not given is taken from the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingRequest {
    /// `/dev/xvda`
    pub device: String,
    /// Leaves out a device of the image.
    pub no_device: bool,
    /// `ephemeral0`, …: accepted, no type on offer has instance stores.
    pub virtual_name: Option<String>,
    /// Whether the volume goes away with the instance.
    pub delete_on_termination: Option<bool>,
    /// GiB.
    pub size: Option<i64>,
    /// `gp3`, …
    pub volume_type: Option<String>,
    /// Operations a second.
    pub iops: Option<i64>,
    /// MiB a second.
    pub throughput: Option<i64>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// With which key.
    pub kms_key_id: Option<String>,
    /// What it is filled with.
    pub snapshot_id: Option<String>,
}

/// A volume as an image describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDevice {
    /// `/dev/xvda`
    pub device: String,
    /// Whether the volume goes away with the instance.
    pub delete_on_termination: bool,
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
    /// What it is filled with; an empty volume has none.
    pub snapshot: Option<Snapshot>,
}

const VOLUME_TYPES: [&str; 7] = ["gp2", "gp3", "io1", "io2", "sc1", "st1", "standard"];

impl BlockDevice {
    /// An empty volume.
    pub(crate) fn empty(device: &str, size: i64) -> Self {
        Self {
            device: device.to_owned(),
            delete_on_termination: true,
            size,
            volume_type: "gp2".to_owned(),
            iops: None,
            throughput: None,
            encrypted: false,
            kms_key_id: None,
            snapshot: None,
        }
    }

    fn apply(&mut self, request: &MappingRequest) -> Result<(), CloudError> {
        if let Some(volume_type) = &request.volume_type {
            if !VOLUME_TYPES.contains(&volume_type.as_str()) {
                return Err(CloudError::invalid(format!(
                    "Invalid value '{volume_type}' for volumeType."
                )));
            }
            self.volume_type.clone_from(volume_type);
        }
        if let Some(size) = request.size {
            if !(1..=65_536).contains(&size) {
                return Err(CloudError::invalid(format!("Invalid volume size: {size}")));
            }
            if let Some(snapshot) = self.snapshot.as_ref().filter(|snapshot| size < snapshot.size) {
                return Err(CloudError::new(
                    "InvalidBlockDeviceMapping",
                    format!(
                        "Volume of size {size}GB is smaller than snapshot '{}', expect size >= {}GB",
                        snapshot.id, snapshot.size
                    ),
                ));
            }
            self.size = size;
        }
        if request.kms_key_id.is_some() && request.encrypted == Some(false) {
            return Err(CloudError::combination(
                "The parameter KmsKeyId requires the parameter Encrypted to be set.",
            ));
        }
        self.iops = request.iops.or(self.iops);
        self.throughput = request.throughput.or(self.throughput);
        if self.throughput.is_some() && self.volume_type != "gp3" {
            return Err(CloudError::combination(format!(
                "The parameter Throughput is not supported for {} volumes.",
                self.volume_type
            )));
        }
        // EC2 states the baseline of gp3 when nothing is asked for.
        if self.volume_type == "gp3" {
            self.iops = self.iops.or(Some(3000));
            self.throughput = self.throughput.or(Some(125));
        }
        self.delete_on_termination =
            request.delete_on_termination.unwrap_or(self.delete_on_termination);
        self.encrypted |= request.encrypted == Some(true) || request.kms_key_id.is_some();
        self.kms_key_id = request.kms_key_id.clone().or(self.kms_key_id.take());
        Ok(())
    }
}

/// The devices of an image (or an instance), changed by the mappings of a request.
pub(crate) fn merge(
    base: &[BlockDevice],
    requests: &[MappingRequest],
    mut snapshot: impl FnMut(&str) -> Result<Snapshot, CloudError>,
) -> Result<Vec<BlockDevice>, CloudError> {
    let mut devices = base.to_vec();
    for (i, request) in requests.iter().enumerate() {
        if request.device.is_empty() {
            return Err(CloudError::missing("DeviceName"));
        }
        if requests.iter().skip(i + 1).any(|other| other.device == request.device) {
            return Err(CloudError::new(
                "InvalidBlockDeviceMapping",
                format!(
                    "The device '{}' is used in more than one block-device mapping",
                    request.device
                ),
            ));
        }
        if request.no_device {
            devices.retain(|device| device.device != request.device);
            continue;
        }
        if request.virtual_name.is_some() {
            continue;
        }
        let known = devices.iter().position(|device| device.device == request.device);
        let mut device = match known {
            Some(index) => devices.remove(index),
            None => BlockDevice::empty(&request.device, 0),
        };
        if let Some(snapshot_id) = &request.snapshot_id {
            id::Kind::Snapshot.check(snapshot_id)?;
            let same = device.snapshot.as_ref().is_some_and(|own| own.id == *snapshot_id);
            if !same {
                let found = snapshot(snapshot_id)?;
                device.size = found.size;
                device.encrypted |= found.encrypted;
                device.snapshot = Some(found);
            }
        }
        if device.size == 0 && request.size.is_none() {
            return Err(CloudError::missing("size or snapshotId"));
        }
        device.apply(request)?;
        devices.insert(known.unwrap_or(devices.len()), device);
    }
    Ok(devices)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_snapshot(id: &str) -> Result<Snapshot, CloudError> {
        Err(id::Kind::Snapshot.not_found(id))
    }

    fn mapping(device: &str) -> MappingRequest {
        MappingRequest { device: device.to_owned(), ..MappingRequest::default() }
    }

    #[test]
    fn a_request_changes_what_it_names() {
        let base = [BlockDevice::empty("/dev/xvda", 8), BlockDevice::empty("/dev/sdb", 20)];
        let requests = [
            MappingRequest {
                size: Some(30),
                volume_type: Some("gp3".into()),
                ..mapping("/dev/xvda")
            },
            MappingRequest { no_device: true, ..mapping("/dev/sdb") },
            MappingRequest {
                size: Some(1),
                delete_on_termination: Some(false),
                ..mapping("/dev/sdf")
            },
        ];
        let merged = merge(&base, &requests, no_snapshot).unwrap_or_default();
        let short: Vec<_> = merged
            .iter()
            .map(|d| (d.device.as_str(), d.size, d.volume_type.as_str(), d.delete_on_termination))
            .collect();
        assert_eq!(short, [("/dev/xvda", 30, "gp3", true), ("/dev/sdf", 1, "gp2", false)]);
    }

    #[test]
    fn bad_mappings_are_refused() {
        let code = |request: MappingRequest| {
            merge(&[], &[request], no_snapshot).map_err(|error| error.code.into_owned()).err()
        };
        let of = |text: &str| Some(text.to_owned());
        assert_eq!(code(mapping("/dev/sdf")), of("MissingParameter"));
        assert_eq!(
            code(MappingRequest {
                snapshot_id: Some("snap-12345678".into()),
                ..mapping("/dev/sdf")
            }),
            of("InvalidSnapshot.NotFound")
        );
        assert_eq!(
            code(MappingRequest {
                size: Some(1),
                volume_type: Some("gp9".into()),
                ..mapping("/dev/sdf")
            }),
            of("InvalidParameterValue")
        );
        assert_eq!(
            code(MappingRequest { size: Some(1), throughput: Some(200), ..mapping("/dev/sdf") }),
            of("InvalidParameterCombination")
        );
        let twice = merge(&[], &[mapping("/dev/sdf"), mapping("/dev/sdf")], no_snapshot);
        assert!(twice.is_err());
    }
}
