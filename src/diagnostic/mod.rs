//! What bake says about a text: where in it, what is wrong, what to do.
//!
//! No I/O happens here. A [`Diagnostic`] carries the sources it points into, so
//! whoever holds one can render it; nothing has to pass a map of files around.

mod rendering;
mod report;
mod source;
mod suggest;

pub use rendering::{Style, render};
pub use report::{Diagnostic, Diagnostics, Label, Severity};
pub use source::{Position, Source, Span};
pub use suggest::{did_you_mean, similar};
