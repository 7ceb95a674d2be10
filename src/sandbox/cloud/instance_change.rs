//! ModifyInstanceAttribute.

use super::CloudError;
use super::instance::{InstanceState, ShutdownBehavior};
use super::session::Session;

/// What ModifyInstanceAttribute changes.
#[derive(Clone, Debug)]
pub enum InstanceChange {
    /// `instanceType`; stopped instances only.
    InstanceType(String),
    /// `instanceInitiatedShutdownBehavior`
    ShutdownBehavior(ShutdownBehavior),
    /// `userData`, in base64; stopped instances only.
    UserData(String),
    /// `disableApiTermination`
    DisableApiTermination(bool),
    /// `disableApiStop`
    DisableApiStop(bool),
    /// `enaSupport`; stopped instances only.
    EnaSupport(bool),
    /// `sriovNetSupport`; stopped instances only.
    SriovNetSupport(String),
    /// `ebsOptimized`; stopped instances only.
    EbsOptimized(bool),
    /// `sourceDestCheck`
    SourceDestCheck(bool),
    /// `groupSet`
    Groups(Vec<String>),
    /// `blockDeviceMapping`: device name and DeleteOnTermination.
    DeleteOnTermination(Vec<(String, bool)>),
}

impl Session<'_> {
    /// ModifyInstanceAttribute.
    pub fn modify_instance(&mut self, id: &str, change: InstanceChange) -> Result<(), CloudError> {
        if let InstanceChange::Groups(ids) = &change {
            for group in ids {
                self.group(group)?;
            }
        }
        if let InstanceChange::InstanceType(name) = &change {
            super::instance_type::find(name)?;
        }
        let instance = self.instance_mut(id)?;
        let needs_stop = matches!(
            change,
            InstanceChange::InstanceType(_)
                | InstanceChange::UserData(_)
                | InstanceChange::EnaSupport(_)
                | InstanceChange::SriovNetSupport(_)
                | InstanceChange::EbsOptimized(_)
        );
        if needs_stop && instance.state != InstanceState::Stopped {
            return Err(CloudError::new(
                "IncorrectInstanceState",
                format!("The instance '{id}' is not in the 'stopped' state."),
            ));
        }
        match change {
            InstanceChange::InstanceType(name) => instance.instance_type = name,
            InstanceChange::ShutdownBehavior(behavior) => instance.on_shutdown = behavior,
            InstanceChange::UserData(data) => instance.user_data = Some(data),
            InstanceChange::DisableApiTermination(on) => instance.disable_api_termination = on,
            InstanceChange::DisableApiStop(on) => instance.disable_api_stop = on,
            InstanceChange::EnaSupport(on) => instance.ena_support = on,
            InstanceChange::SriovNetSupport(value) if value == "simple" => {
                instance.sriov_net_support = Some(value);
            }
            InstanceChange::SriovNetSupport(value) => {
                return Err(CloudError::invalid_value("SriovNetSupport", &value));
            }
            InstanceChange::EbsOptimized(on) => instance.ebs_optimized = on,
            InstanceChange::SourceDestCheck(on) => instance.source_dest_check = on,
            InstanceChange::Groups(ids) => instance.group_ids = ids,
            InstanceChange::DeleteOnTermination(changes) => {
                for (device, on) in changes {
                    let known = instance.volumes.iter_mut().find(|v| v.device == device);
                    let volume = known.ok_or_else(|| {
                        CloudError::new(
                            "InvalidInstanceAttributeValue",
                            format!("No device is currently mapped at {device}"),
                        )
                    })?;
                    volume.delete_on_termination = on;
                }
            }
        }
        let attached: Vec<(String, bool)> = instance
            .volumes
            .iter()
            .map(|volume| (volume.volume_id.clone(), volume.delete_on_termination))
            .collect();
        for (volume_id, on) in attached {
            let volume = self.region.volumes.get_mut(&volume_id);
            if let Some(attachment) = volume.and_then(|volume| volume.attachment.as_mut()) {
                attachment.delete_on_termination = on;
            }
        }
        Ok(())
    }
}
