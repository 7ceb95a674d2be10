//! A service of our own.
