//! What a user reads.
