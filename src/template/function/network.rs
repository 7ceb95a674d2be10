//! Functions: network.

use super::Function;

pub(super) const FUNCTIONS: &[Function] = &[];
