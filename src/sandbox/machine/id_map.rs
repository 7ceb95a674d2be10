//! User and group ids of a user namespace.

use super::MachineError;
use super::failure::Tried;

/// Each id is itself on the host, so that files belong to whom they say. The
/// second is for hosts that are containers with fewer ids themselves.
const MAPS: [&str; 2] = ["0 0 4000000\n", "0 0 65536\n"];

/// Maps the ids of a process that has just made a user namespace.
pub(super) fn write(process: u32) -> Result<(), MachineError> {
    for file in ["uid_map", "gid_map"] {
        let path = format!("/proc/{process}/{file}");
        let mut result = Ok(());
        for map in MAPS {
            result = std::fs::write(&path, map);
            if result.is_ok() {
                break;
            }
        }
        result.tried(|| format!("write {path}"))?;
    }
    Ok(())
}
