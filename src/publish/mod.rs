//! What happens to a finished image: post-processors.
//!
//! A post-processor is one file: its options and how a use of it is checked. [`KINDS`] lists
//! them; nothing else knows their names. None of them runs yet, so each plan is unsupported.

#[expect(dead_code, reason = "options are checked; nothing runs them yet")]
mod amazon_import;
mod artifice;
#[expect(dead_code, reason = "options are checked; nothing runs them yet")]
mod checksum;
mod compress;
#[expect(dead_code, reason = "options are checked; nothing runs them yet")]
mod manifest;
#[expect(dead_code, reason = "options are checked; nothing runs them yet")]
mod provenance;
mod shell_local;

#[cfg(test)]
mod tests;

use crate::plan::ComponentKind;

/// All post-processors: their names, options and plans.
pub const KINDS: &[ComponentKind] = &[
    amazon_import::KIND,
    artifice::KIND,
    checksum::KIND,
    compress::KIND,
    manifest::KIND,
    provenance::KIND,
    shell_local::KIND,
];

/// What a post-processor is called in messages about it.
const ROLE: &str = "post-processor";
