//! `communicator = "none"`: nothing can be run and nothing sent.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::{Chunk, Command, Communicator, CommunicatorError, Exit, Upload, UploadReport};

/// No way to the instance. Where Packer reports success for a command that it never ran, every
/// call here is an error.
#[derive(Clone, Copy, Debug)]
pub struct None;

impl Communicator for None {
    fn exec<'a>(
        &'a self,
        _command: Command,
        _output: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async { Err(CommunicatorError::NoWay { wanted: "run commands" }) }.boxed()
    }

    fn upload<'a>(
        &'a self,
        _upload: &'a Upload,
        _progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
        async { Err(CommunicatorError::NoWay { wanted: "upload files" }) }.boxed()
    }

    fn disconnect(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_is_refused_rather_than_passed_over() {
        let (output, _chunks) = mpsc::channel(1);
        let error = None.exec(Command::new("true"), output).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the communicator is `none`: there is no way to run commands"
        );
        assert!(!error.hints().is_empty());
    }
}
