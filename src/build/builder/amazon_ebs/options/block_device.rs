//! Block devices.

use crate::aws::BlockDevice;

crate::options! {
    /// A block device of the instance or the image.
    pub struct BlockDeviceOptions {
        /// Device name, such as `/dev/xvda`.
        hashed device_name: String,
        /// Whether the volume goes with the instance.
        hashed delete_on_termination: bool = false,
        /// Whether the volume is encrypted.
        hashed encrypted: Option<bool>,
        /// KMS key id, alias or ARN.
        hashed kms_key_id: Option<String>,
        /// I/O operations a second; for io1, io2 and gp3.
        hashed iops: Option<i32>,
        /// MiB a second; for gp3.
        hashed throughput: Option<i32>,
        /// GiB.
        hashed volume_size: Option<i32>,
        /// `gp3`, `io2` and so on.
        hashed volume_type: Option<String>,
        /// Snapshot to start from.
        hashed snapshot_id: Option<String>,
        /// Suppresses the device.
        hashed no_device: bool = false,
        /// `ephemeral0` and so on, for instance store volumes.
        hashed virtual_name: Option<String>,
    }
}

/// Volume types of EC2.
const TYPES: &[&str] = &["standard", "gp2", "gp3", "io1", "io2", "st1", "sc1"];

impl BlockDeviceOptions {
    /// What is wrong with it: the option, and why.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.device_name.is_empty() {
            found.push(("device_name", "a device needs a name".to_owned()));
        }
        if self.encrypted == Some(false) && self.kms_key_id.is_some() {
            found.push(("kms_key_id", "a volume that is not encrypted has no key".to_owned()));
        }
        let kind = self.volume_type.as_deref();
        if let Some(kind) = kind.filter(|kind| !TYPES.contains(kind)) {
            let known = TYPES.join(", ");
            found.push(("volume_type", format!("`{kind}` is no volume type ({known})")));
        }
        if let Some(iops) = self.iops {
            match kind {
                Some("io1" | "io2" | "gp3") if iops > 0 => {}
                Some("io1" | "io2" | "gp3") => {
                    found.push(("iops", "must be positive".to_owned()));
                }
                _ => found.push((
                    "iops",
                    "can only be set with `volume_type` io1, io2 or gp3".to_owned(),
                )),
            }
            let per_gib = match kind {
                Some("io1") => 50,
                Some("io2") => 1000,
                Some("gp3") => 500,
                _ => i32::MAX,
            };
            if let Some(size) = self.volume_size
                && iops > size.saturating_mul(per_gib)
                && iops > 3000
            {
                let text = format!("at most {per_gib} for each GiB of `volume_size`");
                found.push(("iops", text));
            }
        }
        if self.throughput.is_some() && kind != Some("gp3") {
            found.push(("throughput", "can only be set with `volume_type` gp3".to_owned()));
        }
        if self.throughput.is_some_and(|throughput| throughput < 125) {
            found.push(("throughput", "must be at least 125".to_owned()));
        }
        if self.volume_size.is_some_and(|size| size < 1) {
            found.push(("volume_size", "must be at least 1 GiB".to_owned()));
        }
        found
    }

    /// The device as EC2 gets it.
    pub(super) fn device(&self) -> BlockDevice {
        let is_ephemeral = |name: &String| name.starts_with("ephemeral");
        BlockDevice {
            device_name: self.device_name.clone(),
            no_device: self.no_device,
            virtual_name: self.virtual_name.clone().filter(is_ephemeral),
            delete_on_termination: self.delete_on_termination,
            encrypted: self.encrypted,
            kms_key_id: self.kms_key_id.clone(),
            iops: self.iops,
            throughput: self.throughput,
            volume_size: self.volume_size,
            volume_type: self.volume_type.clone(),
            snapshot_id: self.snapshot_id.clone(),
        }
    }
}
