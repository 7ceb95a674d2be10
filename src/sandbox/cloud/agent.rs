//! Agents of Systems Manager: which instances have one that is connected.
//!
//! A machine's agent registers some time after each boot, if the instance profile lets it. Then it
//! runs commands and serves sessions until the machine goes down. Like the real one it leaves
//! traces on the machine's disk.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::account::Cloud;
use super::instance::{Instance, InstanceState};
use super::{CloudError, time_text};
use crate::sandbox::machine::{Boots, Machine, Task, TaskFile};

/// The version that the sandbox's agent claims. It chooses what it speaks by the client's.
pub const AGENT_VERSION: &str = "3.3.4851.0";

/// What DescribeInstanceInformation says of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentInformation {
    /// `i-…`
    pub instance_id: String,
    /// Whether the service has heard of it lately. It takes minutes to notice a loss, so it is
    /// still true while the machine boots again.
    pub online: bool,
    /// When it was heard of.
    pub last_ping: Timestamp,
    /// Its address, while it has one.
    pub ip: Option<IpAddr>,
    /// `Debian GNU/Linux`
    pub platform: String,
    /// `12`
    pub platform_version: String,
}

/// What a session has of an instance: it does not keep the machine.
#[derive(Clone, Debug)]
pub(crate) struct AgentConnection {
    /// Where its SSH server listens.
    pub(crate) ssh: SocketAddr,
    /// Changes when the agent goes down with its machine.
    pub(crate) boots: watch::Receiver<Boots>,
}

/// Where the agent keeps things of an instance.
pub(super) fn data(instance_id: &str) -> String {
    format!("/var/lib/amazon/ssm/{instance_id}")
}

/// Writes what an agent leaves when it has started.
fn traces(instance_id: &str) -> Task {
    let log = "/var/log/amazon/ssm";
    let time = time_text(Timestamp::now());
    let line = format!("{time} INFO [ssm-agent-worker] amazon-ssm-agent - v{AGENT_VERSION}\n");
    let file = |path: String, content: String| TaskFile { path: path.into(), mode: 0o600, content };
    Task {
        files: vec![
            file(format!("{log}/amazon-ssm-agent.log"), line),
            file(format!("{}/document/state/current/.keep", data(instance_id)), String::new()),
        ],
        program: vec!["/bin/true".to_owned()],
        directory: "/".into(),
        environment: Vec::new(),
        stdout: format!("{log}/errors.log").into(),
        stderr: format!("{log}/errors.log").into(),
        head: 0,
    }
}

/// Whether the agent of the present boot has registered.
pub(super) fn is_connected(instance: &Instance) -> bool {
    instance.machine.as_ref().is_some_and(|machine| {
        let boots = *machine.0.boots().borrow();
        boots.up && instance.agent == Some(boots.count)
    })
}

impl Cloud {
    /// Lets the agent of the present boot register, after its time, if it may.
    pub(super) async fn register(&self, region: &str, id: &str) {
        let machine =
            || self.with_instance(region, id, |instance| instance.machine.clone()).flatten();
        let Some(handle) = machine() else { return };
        let boot = handle.0.boots().borrow().count;
        drop(handle);
        self.pause(self.inner.latency.agent).await;
        let profile = self.with_instance(region, id, |instance| instance.profile.clone());
        let (Some(handle), Some(Some((arn, _)))) = (machine(), profile) else { return };
        let now = *handle.0.boots().borrow();
        if !now.up || now.count != boot || !self.iam().lets_agent_register(&arn) {
            return;
        }
        if let Err(error) = handle.0.run(traces(id), CancellationToken::new()).await {
            tracing::debug!(instance = id, "the agent could not start: {error}");
            return;
        }
        self.with_instance(region, id, |instance| instance.agent = Some(boot));
        self.inner.agents.notify_waiters();
    }

    /// Waits until an instance's agent is connected; `None` when that cannot be any more.
    pub(super) async fn agent(&self, region: &str, id: &str) -> Option<Arc<dyn Machine>> {
        loop {
            let registered = self.inner.agents.notified();
            tokio::pin!(registered);
            registered.as_mut().enable();
            let found = self.with_instance(region, id, |instance| {
                let over = matches!(
                    instance.state,
                    InstanceState::ShuttingDown | InstanceState::Terminated
                );
                let machine = instance.machine.clone().filter(|_| is_connected(instance));
                (over, machine)
            })?;
            match found {
                (true, _) => return None,
                (false, Some(machine)) => return Some(machine.0),
                (false, None) => {}
            }
            tokio::select! {
                () = registered => {}
                () = self.inner.closing.cancelled() => return None,
            }
        }
    }

    /// GetConnectionStatus: whether the agent is connected now.
    pub fn is_agent_connected(&self, region: &str, id: &str) -> bool {
        self.with_instance(region, id, |instance| is_connected(instance)).unwrap_or_default()
    }

    /// The connection to an agent that is connected now.
    pub(crate) fn agent_connection(&self, region: &str, id: &str) -> Option<AgentConnection> {
        self.with_instance(region, id, |instance| {
            let machine = instance.machine.as_ref().filter(|_| is_connected(instance))?;
            Some(AgentConnection { ssh: machine.0.ssh_address(), boots: machine.0.boots() })
        })
        .flatten()
    }

    /// Waits until an agent that went away is connected again; `false` when it never will be.
    pub(crate) async fn agent_returns(&self, region: &str, id: &str) -> bool {
        self.agent(region, id).await.is_some()
    }

    /// DescribeInstanceInformation, without filters.
    pub fn agents(&self, region: &str) -> Result<Vec<AgentInformation>, CloudError> {
        self.request(region, false, |session| {
            let bases = session.bases()?.to_vec();
            let found = session.region.instances.values().filter_map(|instance| {
                instance.agent?;
                let base = bases.iter().find(|base| base.name == instance.root.base);
                let name = base.map(|base| base.os_name.clone()).unwrap_or_default();
                Some(AgentInformation {
                    instance_id: instance.id.clone(),
                    online: match instance.state {
                        InstanceState::Pending | InstanceState::Running => true,
                        InstanceState::Stopping | InstanceState::Stopped => false,
                        InstanceState::ShuttingDown | InstanceState::Terminated => return None,
                    },
                    last_ping: session.now,
                    ip: instance.address.map(|address| address.ip()),
                    platform: name.split(" 1").next().unwrap_or_default().to_owned(),
                    platform_version: base.map(|base| base.os_version.clone()).unwrap_or_default(),
                })
            });
            Ok(found.collect())
        })
    }
}
