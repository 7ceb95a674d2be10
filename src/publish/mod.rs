//! What happens to a finished image: post-processors.
//!
//! A post-processor is one file: its options and how a use of it is checked. [`KINDS`] lists
//! them; nothing else knows their names. None of them runs yet.

#[expect(dead_code, reason = "options are checked; nothing runs them yet")]
mod manifest;
mod shell_local;

use crate::plan::ComponentKind;

/// All post-processors: their names, options and plans.
pub const KINDS: &[ComponentKind] = &[manifest::KIND, shell_local::KIND];

/// What a post-processor is called in messages about it.
const ROLE: &str = "post-processor";
