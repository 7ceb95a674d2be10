//! Tests of SSH.
