//! Bases, content-addressed layers and image records on disk.
//!
//! Several bake processes share one store: a record appears by an atomic
//! rename, a layer before any record that names it, and readers look at the
//! directory each time.
//!
//! ```text
//! bases/NAME/          an imported root file system
//! images/ID.json       an image record
//! instances/ID/        the working directory of a machine that exists now
//! layers/sha256:HEX/   what a machine wrote, as overlayfs has it
//! listings/NAME.json   what a layer or a base holds, path by path
//! shims/               commands for bases that lack them
//! lock                 held shared while references are made, exclusively while things are removed
//! ```

mod base;
mod content;
mod image;
mod import;
mod layer;
mod listing;
mod lock;
mod os_release;
mod record;
mod stamps;
mod tree;

pub use base::HOST;
pub use content::ContentFinding;
pub use record::{ImageRecord, Store};
pub use stamps::{Stamp, Stamps};
