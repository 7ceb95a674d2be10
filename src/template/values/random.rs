//! Random bytes that do not depend on what else was evaluated: a template is evaluated again when
//! look-ups have found something, and must not ask for something else then.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::diagnostic::Span;

/// Bytes from a seed.
pub(in crate::template) struct Random {
    seed: [u8; 16],
    /// How often each place has asked.
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Random {
    pub(in crate::template) fn new(seed: [u8; 16]) -> Self {
        Self { seed, counts: Mutex::default() }
    }

    /// Others at each call; in order of the calls from one place.
    pub(in crate::template) fn at(&self, place: &Span) -> [u8; 16] {
        let range = place.range();
        self.of(format!("{}:{}-{}", place.source().name(), range.start, range.end))
    }

    /// Others at each call.
    pub(in crate::template) fn next(&self) -> [u8; 16] {
        self.of(String::new())
    }

    fn of(&self, place: String) -> [u8; 16] {
        let mut hasher = Sha256::new();
        hasher.update(self.seed);
        hasher.update(&place);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(place).or_default();
        hasher.update(count.to_be_bytes());
        *count += 1;
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hasher.finalize()).for_each(|(to, from)| *to = from);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;

    #[test]
    fn bytes_depend_on_the_place_and_not_on_what_came_before() {
        let source = Source::new("a", "one two");
        let (one, two) = (Span::new(&source, 0..3), Span::new(&source, 4..7));
        let first = Random::new([7; 16]);
        let (a, b, again) = (first.at(&one), first.at(&two), first.at(&one));
        assert!(a != b && a != again);
        let second = Random::new([7; 16]);
        assert_eq!((second.at(&two), second.at(&one), second.at(&one)), (b, a, again));
        assert_ne!(Random::new([8; 16]).at(&one), a);
    }
}
