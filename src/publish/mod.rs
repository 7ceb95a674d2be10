//! What happens to a finished image: post-processors.

use crate::plan::ComponentKind;

/// All post-processors: their names, options and plans.
pub const KINDS: &[ComponentKind] = &[];
