//! Why an instance could not be reached or used.

/// An error of a communicator.
#[derive(Debug, thiserror::Error)]
pub enum CommunicatorError {
    /// Placeholder until the room is built.
    #[error("{0}")]
    Other(String),
}
