//! `bake.lock`: what a template's look-ups came to, so that they come to the same another day.
//!
//! A [`Lock`] is a list of [`Pin`]s: each has the question as it may be published, and what it came
//! to. [`Lock::read`] and [`Lock::write`] are the file, `docs/lock.md` its specification. [`Pins`]
//! is what a command may take from it, [`Lock::renewed`] what a new look makes of it. Nobody is
//! asked here: that is `lookup` and the builders. A pin never changes a template hash, which is
//! taken before any look-up.

mod file;
mod pin;
mod pins;
mod renewal;
#[cfg(test)]
mod tests;

pub use file::{LOCK_FILE, beside, label};
pub use pin::{ImagePin, Lock, Pin, Pinned, Place, SOURCE_IMAGE};
pub use pins::{Found, Pins};
pub use renewal::{Change, Scope};
