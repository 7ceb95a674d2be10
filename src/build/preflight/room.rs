//! The disk that ledgers are on.

use std::io;
use std::path::Path;

/// Bytes that have to be free where ledgers are kept: a ledger takes some tens of KiB.
const ROOM: u64 = 1 << 20;

/// Refuses a disk without room for a ledger.
///
/// # Errors
/// When there is none, or the directory cannot be looked at.
pub(in crate::build) fn check_room(directory: &Path) -> io::Result<()> {
    let found = rustix::fs::statvfs(directory)?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    if free >= ROOM {
        return Ok(());
    }
    let text = format!("only {} KiB are free there, and 1024 are needed", free / 1024);
    Err(io::Error::new(io::ErrorKind::StorageFull, text))
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
