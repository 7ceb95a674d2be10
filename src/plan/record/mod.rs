//! What an image hash was taken over, kept so that a later difference can be told to the line.
//!
//! A [`Record`] is plain data: the recipe that was hashed, and for people where each part of it
//! stood and the text of its small files. It is kept as
//! `$XDG_STATE_HOME/bake/plans/<image hash>.json` for the user alone, and trusted only as far as
//! its hashes can be computed again from it.

mod error;
mod file;
mod form;
mod input;
mod place;
mod text;

pub use error::RecordError;
pub use file::{Kept, default_directory, kept};
pub use form::{LARGEST, Record};
pub use input::Input;
pub use place::{Places, relative};
