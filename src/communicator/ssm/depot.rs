//! A place between this machine and the instance, for files that are too large for a session.

use std::fs::File;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::sessions::SessionError;
use crate::communicator::CommunicatorError;
use crate::plan::Digest;
use crate::template::schema::Secret;

/// What was wanted, when a bucket did not do it.
pub(super) const MOVE_LARGE: &str = "move large files";

/// The name of a new object.
pub(super) fn name() -> String {
    format!("bake-{:032x}", rand::random::<u128>())
}

/// An error of the bucket.
pub(super) fn trouble(instance: &str, error: SessionError) -> CommunicatorError {
    error.of(instance, MOVE_LARGE)
}

/// Deletes an object that the instance cannot put any more. What cannot be deleted now is up to
/// whoever recorded that it was made.
pub(super) async fn delete(depot: &Arc<dyn Depot>, object: String) {
    if let Err(error) = depot.delete(object).await {
        tracing::debug!(%error, "an object stays in the bucket for now");
    }
}

/// A bucket through which files go. Objects have names that nobody can guess, and are there only
/// while they are moved. Each call makes its own attempts against passing trouble.
pub trait Depot: Send + Sync {
    /// Puts a file there. Its size and digest are what the bucket is told.
    fn put(
        &self,
        name: String,
        file: File,
        size: u64,
        digest: Digest,
    ) -> BoxFuture<'_, Result<(), SessionError>>;

    /// Fetches an object, piece by piece.
    fn get(
        &self,
        name: String,
        pieces: mpsc::Sender<Vec<u8>>,
    ) -> BoxFuture<'_, Result<(), SessionError>>;

    /// A URL with which whoever has it can read an object, for an hour at most.
    fn read_url(&self, name: String) -> BoxFuture<'_, Result<Secret, SessionError>>;

    /// A URL with which whoever has it can write an object, for an hour at most.
    fn write_url(&self, name: String) -> BoxFuture<'_, Result<Secret, SessionError>>;

    /// Deletes an object, if it is there.
    fn delete(&self, name: String) -> BoxFuture<'_, Result<(), SessionError>>;
}
