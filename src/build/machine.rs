//! A machine in the hands of a build: connected to, provisioned, let go. The same for every
//! builder, however it came by the machine.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{BuildContext, BuildError, ConnectRequest, ProvisionRequest, Way};
use crate::communicator::Communicator;
use crate::template::schema::BuildData;

impl BuildContext {
    /// Connects to a machine; an interruption ends the attempt.
    pub(super) async fn connect_to(&self, way: Way) -> Result<Arc<dyn Communicator>, BuildError> {
        let cancel = self.cancel.stop().clone();
        let request = ConnectRequest { way, events: self.events.clone(), cancel };
        tokio::select! {
            biased;
            () = self.cancel.stop().cancelled() => Err(BuildError::Cancelled),
            connected = (self.connect)(request) => connected.map_err(BuildError::Connect),
        }
    }

    /// Runs the provisioners; `readiness` is how long the first of them waits for the machine to be
    /// ready.
    ///
    /// They are not dropped at an interruption: steps end by themselves, and an error-cleanup step
    /// may still want to run. The second signal ends them all.
    pub(super) async fn provision_machine(
        &self,
        communicator: Option<&Arc<dyn Communicator>>,
        data: BuildData,
        readiness: Duration,
    ) -> Result<(), BuildError> {
        let request = ProvisionRequest {
            communicator: communicator.cloned(),
            data,
            readiness,
            events: self.events.clone(),
            cancel: self.cancel.clone(),
        };
        tokio::select! {
            biased;
            done = (self.provision)(request) => done.map_err(BuildError::Provision),
            () = self.cancel.hurry().cancelled() => Err(BuildError::Cancelled),
        }
    }
}

/// Ends a connection: a courtesy to the far side, which may not answer any more.
pub(super) async fn hang_up(communicator: Option<Arc<dyn Communicator>>, patience: Duration) {
    if let Some(communicator) = communicator {
        drop(timeout(patience, communicator.disconnect()).await);
    }
}
