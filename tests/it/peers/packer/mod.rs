//! Packer 1.6.6 (Debian's package `packer`) beside bake: which templates each accepts, and what
//! expressions come to.
//!
//! 1.6.6 is older than the Packer that bake stands in for, so they differ here and there. Each
//! difference is in `fixtures/peers/packer-differences.txt` with its reason. One that is not there
//! fails the test, and so does one that is there and is none.

mod console;
mod differences;
mod program;
mod validate;
