//! The Plan: everything a build will do, as plain data that names every input by content.
//!
//! A [`Plan`] is made of a builder and steps, each a [`Planned`] component: its
//! body with the scope it is evaluated in, the canonical form of its hashed
//! options, and the files it uses as [`Tree`]s. [`identity`] turns that into hashes,
//! [`record`] keeps what they were taken over, and [`difference`] tells why two differ.

mod canonical;
mod check;
mod component;
pub mod difference;
mod digest_cache;
mod fields;
pub mod identity;
pub mod input;
pub mod lock;
mod planned;
mod planning;
mod read;
pub mod record;
mod selection;

pub use crate::template::schema::BuildData;
pub use canonical::canonical_json;
pub use check::{BUILD_LATER, UNKNOWN_TEXT};
pub use component::{Component, ComponentKind, Planner};
pub use difference::{Difference, difference};
pub use digest_cache::DigestCache;
pub use input::{Content, Digest, Entry, Tree};
pub use planned::{Plan, Planned, PostProcessorPlan, StepMeta, StepPlan};
pub use planning::{Kinds, MetaOptions, plan, without_repeats};
pub use read::{
    IGNORE_FILE, ReadError, ReadOptions, read_tree, read_tree_with, remember_digests_in,
};
pub use record::{Record, RecordError};
pub use selection::Selection;
