//! `communicator = "none"`: nothing can be run and nothing sent.

/// No way to the instance.
#[derive(Clone, Copy, Debug)]
pub struct None;
