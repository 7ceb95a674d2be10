//! What is remembered about where a value came from.

use std::ops::{BitOr, BitOrAssign};

/// Marks that a value carries through functions, interpolation and collections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Marks {
    /// Derived from a sensitive variable, local or data source: never printed.
    pub sensitive: bool,
    /// Derived from a clock or a random source: makes an image unrepeatable when it
    /// reaches a hashed option.
    pub volatile: bool,
}

impl Marks {
    /// No marks.
    pub const NONE: Self = Self { sensitive: false, volatile: false };
    /// Only sensitive.
    pub const SENSITIVE: Self = Self { sensitive: true, volatile: false };
    /// Only volatile.
    pub const VOLATILE: Self = Self { sensitive: false, volatile: true };
}

impl BitOr for Marks {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            sensitive: self.sensitive | other.sensitive,
            volatile: self.volatile | other.volatile,
        }
    }
}

impl BitOrAssign for Marks {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}
