//! StopInstances, StartInstances, RebootInstances, TerminateInstances.

use super::CloudError;
use super::instance::InstanceState;
use super::session::{Effect, Session};

/// An instance whose state a call changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// `i-…`
    pub instance_id: String,
    /// Before.
    pub previous: InstanceState,
    /// After.
    pub current: InstanceState,
}

/// What StopInstances, StartInstances, RebootInstances and TerminateInstances ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// To `stopped`.
    Stop,
    /// To `running`.
    Start,
    /// Down and up.
    Reboot,
    /// To `terminated`.
    Terminate,
}

impl Session<'_> {
    /// Stops, starts, reboots or terminates; all of them or none.
    pub fn power(&mut self, ids: &[String], power: Power) -> Result<Vec<StateChange>, CloudError> {
        if ids.is_empty() {
            return Err(CloudError::missing("InstanceId"));
        }
        ids.iter().map(|id| self.power_one(id, power)).collect()
    }

    fn power_one(&mut self, id: &str, power: Power) -> Result<StateChange, CloudError> {
        use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
        let now = self.now;
        let instance = self.instance_mut(id)?;
        let previous = instance.state;
        let forbidden = match power {
            Power::Stop if instance.disable_api_stop => Some(("stopped", "disableApiStop")),
            Power::Terminate if instance.disable_api_termination => {
                Some(("terminated", "disableApiTermination"))
            }
            _ => None,
        };
        if let Some((done, attribute)) = forbidden {
            return Err(CloudError::new(
                "OperationNotPermitted",
                format!(
                    "The instance '{id}' may not be {done}. Modify its '{attribute}' instance attribute and try again."
                ),
            ));
        }
        if power == Power::Stop && instance.spot_request_id.is_some() {
            return Err(CloudError::new(
                "UnsupportedOperation",
                format!(
                    "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests."
                ),
            ));
        }
        let wrong_state = |done: &str| {
            Err(CloudError::new(
                "IncorrectInstanceState",
                format!("The instance '{id}' is not in a state from which it can be {done}."),
            ))
        };
        let effect: Option<fn(String) -> Effect> = match (power, previous) {
            (Power::Stop, Running) => {
                instance.state = Stopping;
                Some(Effect::Stop)
            }
            (Power::Stop, Stopping | Stopped) => None,
            (Power::Stop, Pending | ShuttingDown | Terminated) => return wrong_state("stopped"),
            (Power::Start, Stopped) => {
                instance.state = Pending;
                instance.launched = now;
                instance.state_reason = None;
                instance.transition_reason.clear();
                Some(Effect::Start)
            }
            (Power::Start, Pending | Running) => None,
            (Power::Start, Stopping | ShuttingDown | Terminated) => return wrong_state("started"),
            (Power::Reboot, Running) => Some(Effect::Reboot),
            (Power::Reboot, _) => return wrong_state("rebooted"),
            (Power::Terminate, ShuttingDown | Terminated) => None,
            (Power::Terminate, _) => {
                instance.state = ShuttingDown;
                Some(Effect::Terminate)
            }
        };
        if matches!(instance.state, Stopping | ShuttingDown) && effect.is_some() {
            instance.transition_reason =
                format!("User initiated ({})", now.strftime("%Y-%m-%d %H:%M:%S GMT"));
            instance.state_reason = Some((
                "Client.UserInitiatedShutdown".to_owned(),
                "Client.UserInitiatedShutdown: User initiated shutdown".to_owned(),
            ));
        }
        let current = instance.state;
        self.effects.extend(effect.map(|effect| effect(id.to_owned())));
        Ok(StateChange { instance_id: id.to_owned(), previous, current })
    }
}
