//! bake turns a Packer template into a machine image.
//!
//! Data flows one way, left to right, once:
//!
//! ```text
//!  text ──load──▶ Template ──evaluate──▶ Plan ──hash──▶ identity ──run──▶ Image ──publish──▶ …
//!  files          spanned AST            pure data      sha256           effects
//! ```
//!
//! The rooms below are listed lowest first; a room imports only rooms above it
//! in this list. `docs/architecture.md` says what each is for.

pub mod diagnostic;
pub mod directories;
pub mod value;

pub mod template;

pub mod plan;

pub mod content;

pub mod event;

pub mod communicator;

pub mod provision;

pub mod aws;
pub mod lookup;

pub mod build;

pub mod publish;

pub mod render;

pub mod sandbox;

pub mod cli;
