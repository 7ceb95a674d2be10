//! What happens after a request: machines go up and down. Images are in `capture`.
//!
//! One task an effect. A task does its work on the machine while it holds the
//! instance's `operation` lock, and changes the state only when it still is
//! what the request made it: a later request may have come in between.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::account::Cloud;
use super::instance::{Instance, InstanceState, MachineHandle, ShutdownBehavior};
use super::session::{Effect, Region};
use crate::sandbox::machine::{Ended, Machine, MachineError, MachineSpec};

/// The tag that says where an instance's SSH server listens when it is not port 22.
const PORT_TAG: &str = "bake:sandbox-ssh-port";

impl Cloud {
    /// Starts the task of an effect.
    pub(super) fn begin(&self, region: String, effect: Effect) {
        let cloud = self.clone();
        self.inner.tasks.spawn(async move {
            match effect {
                Effect::Launch(id) => cloud.launch(&region, &id).await,
                Effect::Stop(id) => cloud.stop(&region, &id).await,
                Effect::Start(id) => cloud.start(&region, &id).await,
                Effect::Reboot(id) => cloud.reboot(&region, &id).await,
                Effect::Register(id) => cloud.register(&region, &id).await,
                Effect::Terminate(id) => cloud.terminate(&region, &id).await,
                Effect::Capture { image_id, instance_id, reboot } => {
                    cloud.create(&region, &image_id, &instance_id, reboot).await;
                }
                Effect::Copy(image_id) => cloud.complete(&region, &image_id, None).await,
            }
        });
    }

    pub(super) fn with_region<R>(
        &self,
        region: &str,
        act: impl FnOnce(&mut Region) -> R,
    ) -> Option<R> {
        self.regions().get_mut(region).map(act)
    }

    pub(super) fn with_instance<R>(
        &self,
        region: &str,
        id: &str,
        act: impl FnOnce(&mut Instance) -> R,
    ) -> Option<R> {
        self.with_region(region, |region| region.instances.get_mut(id).map(act)).flatten()
    }

    /// Waits for the operation lock of an instance; gives its state and machine then.
    pub(super) async fn lock(&self, region: &str, id: &str) -> Option<Locked> {
        let operation = self.with_instance(region, id, |instance| instance.operation.clone())?;
        let guard = operation.lock_owned().await;
        self.with_instance(region, id, |instance| Locked {
            state: instance.state,
            machine: instance.machine.as_ref().map(|handle| handle.0.clone()),
            _guard: guard,
        })
    }

    /// Takes as long as the settings say, or until the sandbox closes.
    pub(super) async fn pause(&self, time: Duration) {
        if !time.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                () = self.inner.closing.cancelled() => {}
            }
        }
    }

    /// Changes the state when it still is `from`.
    pub(super) fn advance(&self, region: &str, id: &str, from: InstanceState, to: InstanceState) {
        self.with_instance(region, id, |instance| {
            if instance.state == from {
                instance.state = to;
            }
        });
    }

    async fn launch(&self, region: &str, id: &str) {
        let Some(locked) = self.lock(region, id).await else { return };
        if locked.state != InstanceState::Pending {
            return;
        }
        let Some(spec) = self.with_instance(region, id, |instance| spec_of(instance)) else {
            return;
        };
        match self.inner.host.launch(spec).await {
            Ok(machine) => self.up(region, id, &machine),
            Err(error) => {
                self.broken(region, id, "launch", &error);
                self.gone(region, id);
                return;
            }
        }
        drop(locked);
        self.pause(self.inner.latency.running).await;
        self.advance(region, id, InstanceState::Pending, InstanceState::Running);
    }

    /// A machine runs: its address is known, and its end is watched for.
    pub(super) fn up(&self, region: &str, id: &str, machine: &Arc<dyn Machine>) {
        let address = machine.ssh_address();
        self.with_instance(region, id, |instance| {
            instance.machine = Some(MachineHandle(machine.clone()));
            instance.address = Some(address);
            if address.port() != 22 {
                instance.tags.insert(PORT_TAG.to_owned(), address.port().to_string());
            }
        });
        let mut ended = machine.ended();
        let mut boots = machine.boots();
        let cloud = self.clone();
        let (region, id) = (region.to_owned(), id.to_owned());
        self.begin(region.clone(), Effect::Register(id.clone()));
        self.inner.tasks.spawn(async move {
            loop {
                tokio::select! {
                    ended = &mut ended => return cloud.ended(&region, &id, ended).await,
                    // The guest booted again by itself.
                    Ok(()) = boots.changed() => {
                        if boots.borrow_and_update().up {
                            cloud.begin(region.clone(), Effect::Register(id.clone()));
                        }
                    }
                    () = cloud.inner.closing.cancelled() => return,
                }
            }
        });
    }

    /// A machine stopped running. When nobody asked for it, the instance follows.
    async fn ended(&self, region: &str, id: &str, ended: Ended) {
        let (code, text) = match ended {
            Ended::Asked => return,
            Ended::PoweredOff => {
                ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
            }
            Ended::Died => ("Server.InternalError", "The machine's first process died"),
        };
        let next = self.with_instance(region, id, |instance| {
            if !matches!(instance.state, InstanceState::Pending | InstanceState::Running) {
                return None;
            }
            instance.state_reason = Some((code.to_owned(), format!("{code}: {text}")));
            instance.transition_reason.clear();
            // A crash keeps the files, whatever a power-off would do.
            let behavior = match ended {
                Ended::PoweredOff => instance.on_shutdown,
                Ended::Asked | Ended::Died => ShutdownBehavior::Stop,
            };
            instance.state = match behavior {
                ShutdownBehavior::Stop => InstanceState::Stopping,
                ShutdownBehavior::Terminate => InstanceState::ShuttingDown,
            };
            Some(behavior)
        });
        match next.flatten() {
            Some(ShutdownBehavior::Stop) => self.stop(region, id).await,
            Some(ShutdownBehavior::Terminate) => self.terminate(region, id).await,
            None => {}
        }
    }

    async fn stop(&self, region: &str, id: &str) {
        let Some(locked) = self.lock(region, id).await else { return };
        if let Some(machine) = &locked.machine
            && let Err(error) = machine.stop().await
        {
            self.broken(region, id, "stop", &error);
        }
        drop(locked);
        self.pause(self.inner.latency.stopped).await;
        self.advance(region, id, InstanceState::Stopping, InstanceState::Stopped);
    }

    async fn start(&self, region: &str, id: &str) {
        let Some(locked) = self.lock(region, id).await else { return };
        let (InstanceState::Pending, Some(machine)) = (locked.state, &locked.machine) else {
            return;
        };
        if let Err(error) = machine.start().await {
            self.broken(region, id, "start", &error);
            self.advance(region, id, InstanceState::Pending, InstanceState::Stopped);
            return;
        }
        self.up(region, id, machine);
        drop(locked);
        self.pause(self.inner.latency.running).await;
        self.advance(region, id, InstanceState::Pending, InstanceState::Running);
    }

    pub(super) async fn reboot(&self, region: &str, id: &str) {
        let Some(locked) = self.lock(region, id).await else { return };
        let (InstanceState::Running, Some(machine)) = (locked.state, &locked.machine) else {
            return;
        };
        match machine.reboot().await {
            Ok(()) => self.up(region, id, machine),
            Err(error) => {
                self.broken(region, id, "reboot", &error);
                drop(locked);
                self.ended(region, id, Ended::Died).await;
            }
        }
    }

    async fn terminate(&self, region: &str, id: &str) {
        // Whoever waits for its agent waits in vain.
        self.inner.agents.notify_waiters();
        let Some(locked) = self.lock(region, id).await else { return };
        if let Some(machine) = &locked.machine {
            let console = machine.console_output();
            if let Err(error) = machine.terminate().await {
                self.broken(region, id, "terminate", &error);
            }
            self.with_instance(region, id, |instance| {
                instance.console = console;
                instance.machine = None;
            });
        }
        drop(locked);
        self.pause(self.inner.latency.terminated).await;
        self.gone(region, id);
    }

    /// The instance is terminated: its volumes go away or become free.
    fn gone(&self, region: &str, id: &str) {
        self.with_region(region, |region| {
            let Some(instance) = region.instances.get_mut(id) else { return };
            instance.state = InstanceState::Terminated;
            instance.terminated = Some(Timestamp::now());
            instance.address = None;
            instance.volumes.clear();
            region.volumes.retain(|_, volume| {
                let attachment = volume.attachment.as_ref();
                !attachment.is_some_and(|a| a.instance_id == id && a.delete_on_termination)
            });
            for volume in region.volumes.values_mut() {
                volume.attachment.take_if(|attachment| attachment.instance_id == id);
            }
        });
    }

    /// Something failed on this host: the instance says so.
    pub(super) fn broken(&self, region: &str, id: &str, what: &str, error: &MachineError) {
        tracing::warn!(instance = id, "{what} failed: {error}");
        self.with_instance(region, id, |instance| {
            let message = format!("Server.InternalError: {what} failed: {error}");
            instance.state_reason = Some(("Server.InternalError".to_owned(), message));
        });
    }
}

/// An instance that nobody else operates on.
pub(super) struct Locked {
    state: InstanceState,
    pub(super) machine: Option<Arc<dyn Machine>>,
    _guard: tokio::sync::OwnedMutexGuard<()>,
}

fn spec_of(instance: &Instance) -> MachineSpec {
    let user_data = instance.user_data.as_deref();
    MachineSpec {
        id: instance.id.clone(),
        hostname: instance.id.clone(),
        root: instance.root.clone(),
        authorized_keys: instance.public_key.iter().cloned().collect(),
        users: instance.users.clone(),
        make_unknown_users: instance.make_unknown_users,
        // RunInstances refused what cannot be decoded.
        user_data: user_data.and_then(|data| super::launch::decode_user_data(data).ok()),
    }
}
