//! From a path to a [`Template`](super::Template): which files belong to it, and what their blocks
//! or fields declare, for HCL and HCL-JSON ([`collect`]) and for legacy JSON ([`legacy`]).

pub(super) mod collect;
mod files;
mod legacy;
mod reader;

pub(crate) use files::read_source;
pub use files::{DIRECTORY_ENDINGS, Loaded, load, load_hcl, load_legacy};
pub(super) use reader::{Content, blocks_of};
