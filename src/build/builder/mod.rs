//! Builders: each is its options and a run over the engine.

pub mod amazon;
pub mod amazon_chroot;
pub mod amazon_ebs;
pub mod amazon_ebssurrogate;
pub mod amazon_ebsvolume;
pub mod amazon_instance;
pub mod file;
pub mod null;

#[cfg(test)]
mod tests;
