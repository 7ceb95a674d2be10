//! A machine in the hands of a build: connected to, provisioned, let go. The same for every
//! builder, however it came by the machine.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

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

/// Ends a connection: a courtesy to the far side, which may not answer any more. Whoever is in a
/// hurry does not wait for it. Gives whether it ended in good order.
pub(super) async fn hang_up(
    communicator: Option<Arc<dyn Communicator>>,
    patience: Duration,
    hurry: &CancellationToken,
) -> bool {
    let Some(communicator) = communicator else { return true };
    tokio::select! {
        biased;
        () = hurry.cancelled() => false,
        ended = timeout(patience, communicator.disconnect()) => ended.is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use tokio::sync::mpsc;

    use super::*;
    use crate::communicator::{Chunk, Command, CommunicatorError, Exit, Upload, UploadReport};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Its far side never says goodbye.
    struct Silent;

    impl Communicator for Silent {
        fn exec<'a>(
            &'a self,
            _command: Command,
            _output: mpsc::Sender<Chunk>,
        ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
            unreachable!("nothing is run")
        }

        fn upload<'a>(
            &'a self,
            _upload: &'a Upload,
            _progress: &'a (dyn Fn(u64) + Send + Sync),
        ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
            unreachable!("nothing is uploaded")
        }

        fn disconnect(&self) -> BoxFuture<'_, ()> {
            std::future::pending().boxed()
        }
    }

    #[tokio::test]
    async fn nobody_in_a_hurry_waits_for_a_goodbye() {
        let hurry = CancellationToken::new();
        let silent = || Some(Arc::new(Silent) as Arc<dyn Communicator>);
        assert!(!hang_up(silent(), Duration::from_millis(1), &hurry).await);
        assert!(hang_up(Some(Arc::new(crate::communicator::None)), PATIENCE, &hurry).await);
        let hanging =
            async { tokio::join!(hang_up(silent(), PATIENCE, &hurry), async { hurry.cancel() }) };
        let (ended, ()) = timeout(PATIENCE / 2, hanging).await.unwrap();
        assert!(!ended);
    }
}
