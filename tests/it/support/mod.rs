//! A place to run bake in, and eyes for what it leaves.

pub(crate) mod canary;
mod endpoint;
pub(crate) mod openssh;
mod readable;
mod relay;
mod running;
mod seed;
mod tap;
mod template;
mod web;
mod workspace;

pub(crate) use endpoint::Endpoint;
pub(crate) use readable::readable;
pub(crate) use relay::Relay;
pub(crate) use running::{Outcome, Running};
pub(crate) use seed::Seed;
pub(crate) use tap::{Strike, Tap};
pub(crate) use template::{looking_into, quoted, shell, shell_with, template, template_with};
pub(crate) use web::Web;
pub(crate) use workspace::Workspace;

use std::path::PathBuf;

/// The repository.
pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Whether the slow suites are to run; says so when not.
#[expect(clippy::print_stderr, reason = "whoever reads a test's output has to know")]
pub(crate) fn all_suites(what: &str) -> bool {
    let wanted = std::env::var_os("BAKE_TEST_ALL").is_some();
    if !wanted {
        eprintln!("skipped: {what} (set BAKE_TEST_ALL=1 to run it)");
    }
    wanted
}

/// Whether this process may make namespaces and mounts; says so when not.
#[expect(clippy::print_stderr, reason = "whoever reads a test's output has to know")]
pub(crate) fn root(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: {what} (needs root)");
    }
    root
}
