//! Block devices.

use crate::aws::BlockDevice;
use crate::plan::{Planner, UNKNOWN_TEXT};

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

/// What EC2 provisions: operations a second, from and to, and at most for each GiB.
fn provisioned(kind: Option<&str>) -> Option<(i32, i32, i32)> {
    match kind {
        Some("io1") => Some((100, 64_000, 50)),
        Some("io2") => Some((100, 256_000, 1_000)),
        Some("gp3") => Some((3_000, 80_000, 500)),
        _ => None,
    }
}

impl BlockDeviceOptions {
    /// Reports what is wrong with the devices of an option.
    pub fn check_all<'a>(
        option: &str,
        devices: impl IntoIterator<Item = &'a Self>,
        planner: &mut Planner<'_>,
    ) {
        let mut seen = std::collections::BTreeSet::new();
        for (index, device) in devices.into_iter().enumerate() {
            let at = |name: &str| format!("{option}.{index}.{name}");
            device.check(&at, option, planner);
            let name = device.device_name.as_str();
            if !planner.is_late(&at("device_name")) && !seen.insert(name) && !name.is_empty() {
                planner.wrong(&at("device_name"), format!("`{name}` is mapped twice"), "");
            }
        }
    }

    fn check(&self, at: &dyn Fn(&str) -> String, block: &str, planner: &mut Planner<'_>) {
        let mut wrong = |name: &str, message: &str| {
            let path = at(name);
            let path = if planner.is_given(&path) { path } else { block.to_owned() };
            planner.wrong(&path, format!("`{name}`: {message}"), "");
        };
        if self.device_name.is_empty() {
            wrong("device_name", "a device needs a name");
        }
        if self.encrypted == Some(false)
            && self.kms_key_id.as_ref().is_some_and(|key| !key.is_empty())
        {
            wrong("kms_key_id", "a volume that is not encrypted has no key");
        }
        let kind = self.volume_type.as_deref().filter(|kind| !kind.is_empty());
        if let Some(kind) = kind.filter(|kind| !TYPES.contains(kind) && *kind != UNKNOWN_TEXT) {
            wrong("volume_type", &format!("`{kind}` is no volume type ({})", TYPES.join(", ")));
        }
        let size = self.volume_size.unwrap_or_default();
        if size < 0 {
            wrong("volume_size", "must be at least 1 GiB");
        }
        // 0 is as good as nothing, here and below.
        let iops = self.iops.filter(|iops| *iops != 0);
        if let (Some(iops), Some((least, most, per_gib))) = (iops, provisioned(kind)) {
            if !(least..=most).contains(&iops) {
                wrong(
                    "iops",
                    &format!("must be from {least} to {most} for {}", kind.unwrap_or("")),
                );
            }
            // Every gp3 volume has its least, however small.
            if size > 0 && iops > least && iops > size.saturating_mul(per_gib) {
                wrong("iops", &format!("at most {per_gib} for each GiB of `volume_size`"));
            }
        }
        let throughput = self.throughput.filter(|throughput| *throughput != 0);
        if throughput.is_some() && kind != Some("gp3") && kind != Some(UNKNOWN_TEXT) {
            wrong("throughput", "can only be set with `volume_type` gp3");
        }
        if throughput.is_some_and(|throughput| !(125..=2_000).contains(&throughput)) {
            wrong("throughput", "must be from 125 to 2000");
        }
        if iops.is_some() && provisioned(kind).is_none() && kind != Some(UNKNOWN_TEXT) {
            let text = "`iops` has no effect without `volume_type` io1, io2 or gp3";
            planner.warn("no-effect", &at("iops"), text, "");
        }
    }

    /// The device as EC2 gets it.
    pub fn device(&self) -> BlockDevice {
        let text = |option: &Option<String>| option.clone().filter(|text| !text.is_empty());
        let kind = self.volume_type.as_deref();
        let is_ephemeral = |name: &String| name.starts_with("ephemeral");
        BlockDevice {
            device_name: self.device_name.clone(),
            no_device: self.no_device,
            virtual_name: self.virtual_name.clone().filter(is_ephemeral),
            delete_on_termination: self.delete_on_termination,
            encrypted: self.encrypted,
            kms_key_id: text(&self.kms_key_id),
            iops: self.iops.filter(|iops| *iops != 0 && provisioned(kind).is_some()),
            throughput: self.throughput.filter(|throughput| *throughput != 0),
            volume_size: self.volume_size.filter(|size| *size != 0),
            volume_type: text(&self.volume_type),
            snapshot_id: text(&self.snapshot_id),
        }
    }
}
