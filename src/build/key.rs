//! Temporary key pairs, made on this machine: the private half never leaves it.

use super::BuildError;
use crate::communicator::ssh::{KeyPair, KeyType};

/// Makes a key pair. RSA takes a moment, so this runs on a thread of its own.
pub(super) async fn make_key(kind: KeyType, comment: &str) -> Result<KeyPair, BuildError> {
    let comment = comment.to_owned();
    let made = tokio::task::spawn_blocking(move || KeyPair::generate(kind, &comment)).await;
    match made {
        Ok(Ok(key)) => Ok(key),
        Ok(Err(error)) => Err(BuildError::Key(error.to_string())),
        Err(error) => Err(BuildError::Key(error.to_string())),
    }
}
