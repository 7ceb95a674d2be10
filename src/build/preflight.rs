//! What would fail late, refused before anything is made.
//!
//! Source image, network, name, key and agent are looked up by the builder in any case. Here is what
//! only shows later otherwise: the disk that the ledger is on, the time that the credentials have
//! left, and whether the instance type is offered. Whoever may not ask is not stopped.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::clock::timestamp;
use super::{BuildContext, BuildError};
use crate::aws::Client;
use crate::event::Fact;

/// Bytes that have to be free where ledgers are kept: a ledger takes some tens of KiB.
const ROOM: u64 = 1 << 20;

/// Credentials that end sooner are told: launch, image and teardown take minutes.
const SHORT: Duration = Duration::from_secs(15 * 60);

/// Refuses a disk without room for a ledger.
pub(super) fn check_room(directory: &Path) -> io::Result<()> {
    let found = rustix::fs::statvfs(directory)?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    if free >= ROOM {
        return Ok(());
    }
    let text = format!("only {} KiB are free there, and 1024 are needed", free / 1024);
    Err(io::Error::new(io::ErrorKind::StorageFull, text))
}

/// Refuses credentials that have expired, and warns of those that soon will.
pub(super) async fn check_credentials(
    client: &Client,
    context: &BuildContext,
) -> Result<(), BuildError> {
    let Some(expiry) = client.credentials_expire().await else { return Ok(()) };
    let at = timestamp(expiry);
    match expiry.duration_since(context.clock.now()) {
        Err(_) => Err(BuildError::Expired { at }),
        Ok(left) if left < SHORT => {
            let text = format!(
                "the credentials expire at {at}, in {} minutes: unless they are renewed by then, what is made cannot be removed",
                left.as_secs() / 60
            );
            context.events.emit(Fact::Warning { text }).await;
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}

/// Refuses an instance type that is not offered.
pub(super) async fn check_instance_type(
    client: &Client,
    instance_type: &str,
    zone: Option<&str>,
) -> Result<(), BuildError> {
    match client.offers(instance_type, zone).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            let place = zone.unwrap_or(client.region());
            let text = format!("`{instance_type}` is not offered in {place}");
            Err(BuildError::option("instance_type", text)
                .hint("is it spelled right? `aws ec2 describe-instance-type-offerings` lists all"))
        }
        Err(error) => {
            tracing::debug!(%error, "instance types are not looked up");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_with_room_is_no_error_and_one_that_is_not_there_is() {
        check_room(&std::env::temp_dir()).expect("there is room");
        assert!(check_room(Path::new("/nonexistent")).is_err());
    }
}
