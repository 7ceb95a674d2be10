//! Events to text: the only code, with the command line itself, that writes to a terminal.
//!
//! [`lines`] says what a fact reads like, one place for all renderers; [`console`]
//! prints the lines and, on a terminal, keeps a progress line for each build below them.

mod console;
mod duration;
mod lines;
mod mask;
mod progress;

pub use console::{Console, Settings, Summary};
pub use duration::{long, short};
pub use mask::Mask;
