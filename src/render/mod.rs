//! Events to text: the only code, with the command line itself, that writes to a terminal.
//!
//! [`narrative`] makes texts of events, one place for all renderers, with what [`lines`] says a
//! fact reads like; [`console`] prints them and, on a terminal, keeps a progress line for each
//! build below them; [`machine_readable`] prints them as rows for programs. Whatever is printed
//! goes through a [`Mask`], which takes the secrets out.

#[cfg(test)]
#[path = "../../tests/it/support/canary.rs"]
mod canary;
mod console;
mod duration;
mod lines;
mod machine_readable;
mod mask;
mod narrative;
mod progress;
#[cfg(test)]
mod secrets_tests;

pub use console::{Console, Settings};
pub use duration::{long, short};
pub use machine_readable::{MachineReadable, row};
pub use mask::Mask;
pub use narrative::Summary;
