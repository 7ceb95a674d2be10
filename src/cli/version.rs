//! `bake version`.

use crate::template::PACKER_VERSION;

use super::Exit;
use super::outcome::print;

/// Prints bake's version, and the version of Packer whose templates it reads.
pub(super) fn run() -> Exit {
    let own = env!("CARGO_PKG_VERSION");
    print(&format!("bake v{own} (reads templates as Packer v{PACKER_VERSION} does)\n"));
    Exit::Done
}
