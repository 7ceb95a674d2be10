//! What the file tree of an image holds, its digest, and how two trees differ. Pure: whoever can
//! read a tree makes a [`FileTree`] of it.
//!
//! An image is a stack of layers over a [`Base`]. Each layer is listed by itself, as overlayfs has
//! it; [`FileTree::over`] puts the lists together to what a user sees of the layers, and
//! [`FileTree::content_digest`] is the digest of that. `docs/reproducibility.md` is the
//! specification.

mod base;
mod cause;
mod difference;
mod entry;
mod path;
mod tree;

pub use base::{Base, ImageContent};
pub use cause::{Cause, of_bytes, of_path};
pub use difference::{Difference, differences};
pub use entry::{Entry, Node};
pub use path::{escape, unescape};
pub use tree::FileTree;
