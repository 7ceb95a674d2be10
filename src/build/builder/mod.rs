//! Builders: each is its options and a run over the engine.

pub mod amazon_ebs;
pub mod file;
pub mod null;
