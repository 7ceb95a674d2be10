//! From a pending instance to a connected one.

use std::net::Ipv6Addr;
use std::sync::Arc;

use tokio::time::sleep;

use super::launch::Launched;
use super::run::Run;
use super::settings::{AddressKind, Communication, PasswordSettings};
use crate::aws::Instance;
use crate::aws::wait::{Ending, Look, Polling, wait};
use crate::build::{BuildError, Way};
use crate::communicator::ssm::{self, PortForward};
use crate::communicator::{Communicator, Dial};
use crate::event::{Fact, ResourceKind};
use crate::template::schema::Secret;

/// A connected instance.
pub(super) struct Reached {
    pub(super) instance: Instance,
    pub(super) communicator: Option<Arc<dyn Communicator>>,
    pub(super) host: Option<String>,
    /// The password, over WinRM.
    pub(super) password: Option<Secret>,
}

impl Run<'_> {
    /// Waits for an address, connects as soon as there is one, and watches meanwhile whether the
    /// instance stays alive.
    pub(super) async fn reach(&self, launched: &Launched) -> Result<Reached, BuildError> {
        let id = &launched.instance.id;
        let events = &self.context.events;
        events
            .emit(Fact::WaitStarted {
                kind: ResourceKind::Instance,
                id: id.clone(),
                state: "running",
            })
            .await;
        let mut password = None;
        let (instance, host, way) = match &self.build.communication {
            Communication::Nothing => {
                let instance = self.running(id).await?;
                return Ok(Reached { instance, communicator: None, host: None, password });
            }
            Communication::Ssm { pause, bucket } => {
                let depot = bucket.as_ref().map(|bucket| self.depot(bucket)).transpose()?;
                let instance = self.running(id).await?;
                self.interruptible(sleep(*pause)).await?;
                let client = Box::new(self.client.clone());
                (instance, id.clone(), Way::Ssm { instance: id.clone(), client, depot })
            }
            Communication::Ssh { port, host, address, login, .. } => {
                let (instance, host) = self.host(launched, host.as_ref(), *address).await?;
                let way = Way::Ssh {
                    host: host.clone(),
                    port: *port,
                    login: login.clone(),
                    dial: self.session(id, *port, *address),
                    private_key: launched.key.as_ref().map(|key| key.private.clone()),
                };
                (instance, host, way)
            }
            Communication::WinRm { port, host, address, login, password: settings, .. } => {
                let (instance, host) = self.host(launched, host.as_ref(), *address).await?;
                let mut login = login.clone();
                if let PasswordSettings::Asked { key_file, limit } = settings {
                    let found = self.windows_password(launched, key_file.as_deref(), *limit);
                    login.password = Some(found.await?);
                }
                password.clone_from(&login.password);
                let dial = self.session(id, *port, *address);
                let way = Way::WinRm { host: host.clone(), port: *port, login, dial };
                (instance, host, way)
            }
        };
        let communicator = tokio::select! {
            biased;
            connected = self.context.connect_to(way) => connected?,
            // Ends only with an error: the instance must not go away while it is connected to.
            ended = self.watch(id) => return Err(ended),
        };
        Ok(Reached { instance, communicator: Some(communicator), host: Some(host), password })
    }

    /// Waits until it is known where to connect to.
    async fn host(
        &self,
        launched: &Launched,
        given: Option<&String>,
        address: AddressKind,
    ) -> Result<(Instance, String), BuildError> {
        let id = &launched.instance.id;
        match (given, address) {
            (Some(host), _) => Ok((launched.instance.clone(), host.clone())),
            (None, AddressKind::SessionManager { pause }) => {
                let instance = self.running(id).await?;
                self.interruptible(sleep(pause)).await?;
                Ok((instance, id.clone()))
            }
            (None, address) => {
                self.instance_until(id, "running", |one| {
                    address.of(one).map(|host| (one.clone(), host))
                })
                .await
            }
        }
    }

    /// The instance once it runs.
    async fn running(&self, id: &str) -> Result<Instance, BuildError> {
        let found = |one: &Instance| (one.state == "running").then(|| one.clone());
        self.instance_until(id, "running", found).await
    }

    /// Streams through Session Manager, when they are asked for.
    fn session(&self, id: &str, port: u16, address: AddressKind) -> Option<Arc<dyn Dial>> {
        let AddressKind::SessionManager { .. } = address else { return None };
        Some(Arc::new(PortForward::new(
            Arc::new(self.client.clone()),
            id,
            port,
            ssm::Settings::default(),
            self.context.cancel.stop().clone(),
        )))
    }

    /// Waits until `found` finds in the instance what it looks for.
    async fn instance_until<T>(
        &self,
        id: &str,
        wanted: &'static str,
        found: impl Fn(&Instance) -> Option<T>,
    ) -> Result<T, BuildError> {
        let running = self.build.waits.running;
        let look = || async {
            let Some(instance) = self.client.instance(id).await? else {
                return Ok(Look::Pending { state: "not found yet".to_owned(), progress: 0 });
            };
            self.resources.seen(ResourceKind::Instance, id);
            if let Some(found) = found(&instance) {
                return Ok(Look::Done(Ok(found)));
            }
            Ok(match instance.state.as_str() {
                "pending" => Look::Pending { state: instance.state, progress: 0 },
                "running" => Look::Done(Err(())),
                _ => Look::Hopeless { state: instance.state, reason: instance.state_reason },
            })
        };
        let ending = wait(
            running,
            self.context.cancel.stop(),
            |state| self.state_changed(ResourceKind::Instance, id, state),
            look,
        );
        match self.ended(ResourceKind::Instance, id, wanted, ending.await?)? {
            Ok(found) => Ok(found),
            Err(()) => {
                Err(BuildError::NoAddress { id: id.to_owned(), wanted: self.address_name() })
            }
        }
    }

    /// Tells the states of the instance; returns when it has ended or cannot be watched.
    pub(super) async fn watch(&self, id: &str) -> BuildError {
        let polling = Polling::seconds(5, 30 * 24 * 3600);
        let look = || async {
            Ok(match self.client.instance(id).await? {
                None => Look::<()>::Pending { state: "not found yet".to_owned(), progress: 0 },
                Some(instance) => {
                    self.resources.seen(ResourceKind::Instance, id);
                    match instance.state.as_str() {
                        "pending" | "running" => {
                            Look::Pending { state: instance.state, progress: 0 }
                        }
                        _ => {
                            Look::Hopeless { state: instance.state, reason: instance.state_reason }
                        }
                    }
                }
            })
        };
        let ending = wait(
            polling,
            self.context.cancel.stop(),
            |state| self.state_changed(ResourceKind::Instance, id, state),
            look,
        );
        match ending.await {
            Ok(ending) => match self.ended(ResourceKind::Instance, id, "running", ending) {
                Ok(()) => BuildError::Cancelled,
                Err(error) => error,
            },
            Err(error) => error.into(),
        }
    }

    fn address_name(&self) -> &'static str {
        match &self.build.communication {
            Communication::Ssh { address, .. } | Communication::WinRm { address, .. } => {
                address.name()
            }
            Communication::Nothing | Communication::Ssm { .. } => "address",
        }
    }

    /// Waits for something that may be dropped half way.
    pub(super) async fn interruptible<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, BuildError> {
        tokio::select! {
            biased;
            () = self.context.cancel.stop().cancelled() => Err(BuildError::Cancelled),
            done = work => Ok(done),
        }
    }

    pub(super) fn state_changed(&self, kind: ResourceKind, id: &str, state: &str) {
        self.context.events.emit_lossy(Fact::StateChanged {
            kind,
            id: id.to_owned(),
            state: state.to_owned(),
        });
    }

    /// The four ends of a wait as a result.
    pub(super) fn ended<T>(
        &self,
        kind: ResourceKind,
        id: &str,
        wanted: &'static str,
        ending: Ending<T>,
    ) -> Result<T, BuildError> {
        let kind_name = crate::build::kind_name(kind);
        let id = id.to_owned();
        match ending {
            Ending::Done(value) => Ok(value),
            Ending::Hopeless { state, reason } => {
                Err(BuildError::Hopeless { kind_name, id, state, reason })
            }
            Ending::DeadlinePassed { state, after } => {
                Err(BuildError::Deadline { kind_name, id, wanted, state, after })
            }
            Ending::Cancelled => Err(BuildError::Cancelled),
        }
    }
}

impl AddressKind {
    fn of(self, instance: &Instance) -> Option<String> {
        match self {
            Self::PublicIp => instance.public_ip.clone(),
            Self::PrivateIp => instance.private_ip.clone(),
            Self::PublicDns => instance.public_dns.clone(),
            Self::PrivateDns => instance.private_dns.clone(),
            Self::Ipv6 => {
                instance.ipv6.clone().filter(|address| address.parse::<Ipv6Addr>().is_ok())
            }
            Self::SessionManager { .. } => None,
            // While it is pending the public address may still come.
            Self::Any => instance
                .public_ip
                .clone()
                .or_else(|| instance.private_ip.clone().filter(|_| instance.state == "running")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Any | Self::SessionManager { .. } => "address",
            Self::PublicIp => "public address",
            Self::PrivateIp => "private address",
            Self::PublicDns => "public DNS name",
            Self::PrivateDns => "private DNS name",
            Self::Ipv6 => "IPv6 address",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_address_is_taken_only_when_no_public_one_can_come() {
        let mut instance = Instance {
            state: "pending".to_owned(),
            private_ip: Some("10.0.0.5".to_owned()),
            ..Instance::default()
        };
        assert_eq!(AddressKind::Any.of(&instance), None);
        assert_eq!(AddressKind::PrivateIp.of(&instance).as_deref(), Some("10.0.0.5"));
        instance.state = "running".to_owned();
        assert_eq!(AddressKind::Any.of(&instance).as_deref(), Some("10.0.0.5"));
        instance.public_ip = Some("198.51.100.7".to_owned());
        assert_eq!(AddressKind::Any.of(&instance).as_deref(), Some("198.51.100.7"));
    }
}
