//! Types that several calls share.

use aws_config::retry::RetryConfig;
use aws_sdk_ec2::config::Builder;
use aws_sdk_ec2::types;

/// A filter of a Describe call: the resource must match one of the values. `*` and `?` are
/// wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The filter's name, such as `tag:Name` or `root-device-type`.
    pub name: String,
    /// The accepted values.
    pub values: Vec<String>,
}

impl Filter {
    /// A filter for one value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), values: vec![value.into()] }
    }

    pub(super) fn to_sdk(&self) -> types::Filter {
        types::Filter::builder().name(&self.name).set_values(Some(self.values.clone())).build()
    }
}

/// For a call that is not repeated.
pub(super) fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

/// Filters as the SDK wants them: none at all rather than an empty list.
pub(super) fn filters(filters: &[Filter]) -> Option<Vec<types::Filter>> {
    (!filters.is_empty()).then(|| filters.iter().map(Filter::to_sdk).collect())
}

/// Values as the SDK wants them: none at all rather than an empty list.
pub(super) fn list(values: &[String]) -> Option<Vec<String>> {
    (!values.is_empty()).then(|| values.to_vec())
}

/// A block device of a launch or an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockDevice {
    /// Device name, such as `/dev/xvda`.
    pub device_name: String,
    /// Suppresses the image's own mapping of that device.
    pub no_device: bool,
    /// `ephemeral0` and so on, for instance store volumes.
    pub virtual_name: Option<String>,
    /// Whether the volume goes with the instance.
    pub delete_on_termination: bool,
    /// Whether it is encrypted; the snapshot's or account's default when `None`.
    pub encrypted: Option<bool>,
    /// KMS key id, alias or ARN.
    pub kms_key_id: Option<String>,
    /// I/O operations a second.
    pub iops: Option<i32>,
    /// MiB a second.
    pub throughput: Option<i32>,
    /// GiB.
    pub volume_size: Option<i32>,
    /// `gp3`, `io2`, …
    pub volume_type: Option<String>,
    /// The snapshot to start from.
    pub snapshot_id: Option<String>,
}

impl BlockDevice {
    pub(super) fn to_sdk(&self) -> types::BlockDeviceMapping {
        let mapping = types::BlockDeviceMapping::builder().device_name(&self.device_name);
        if self.no_device {
            return mapping.no_device("").build();
        }
        if let Some(name) = &self.virtual_name {
            return mapping.virtual_name(name).build();
        }
        mapping
            .ebs(
                types::EbsBlockDevice::builder()
                    .delete_on_termination(self.delete_on_termination)
                    .set_encrypted(self.encrypted)
                    .set_kms_key_id(self.kms_key_id.clone())
                    .set_iops(self.iops)
                    .set_throughput(self.throughput)
                    .set_volume_size(self.volume_size)
                    .set_volume_type(self.volume_type.as_deref().map(types::VolumeType::from))
                    .set_snapshot_id(self.snapshot_id.clone())
                    .build(),
            )
            .build()
    }
}

/// Block devices as the SDK wants them: none at all rather than an empty list.
pub(super) fn devices(devices: &[BlockDevice]) -> Option<Vec<types::BlockDeviceMapping>> {
    (!devices.is_empty()).then(|| devices.iter().map(BlockDevice::to_sdk).collect())
}
