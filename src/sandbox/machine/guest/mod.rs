//! The processes of a machine: what runs in bake's hidden roles, and what they share.

pub(super) mod account;
pub(super) mod first_boot;
pub(super) mod init;
pub(super) mod lifeline;
pub(super) mod mounts;
pub(super) mod namespace;
pub(super) mod stage;
pub(super) mod sudo;
pub(super) mod task;
