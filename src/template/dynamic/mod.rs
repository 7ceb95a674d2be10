//! `dynamic "TYPE" { for_each, iterator, labels, content { … } }`: blocks that are made from a
//! collection (`packer-core.md` section 2.6).
//!
//! Each element gives one block of the type, whose body is that of `content` with the iterator's
//! value written into its expressions. So a generated block is one like any other: it is decoded,
//! evaluated again while the build runs, and hashed as if it had been written out.

mod expand;
mod substitute;

pub(super) use expand::{KEYWORD, expand};
