//! Functions: numeric.

use super::Function;

pub(super) const FUNCTIONS: &[Function] = &[];
