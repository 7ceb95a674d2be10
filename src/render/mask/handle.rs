//! The secrets of a process, and texts without them.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use super::patterns::is_masked;
use super::searcher::Searcher;

/// What stands in for a secret, as in Packer.
pub(super) const STAND_IN: &str = "<sensitive>";

/// The secrets of a process, shared by everything that prints.
#[derive(Clone, Default)]
pub struct Mask {
    known: Arc<RwLock<Known>>,
}

#[derive(Default)]
struct Known {
    secrets: BTreeSet<String>,
    /// Made when it is needed first, as secrets come in crowds.
    searcher: Option<Arc<Searcher>>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask")
    }
}

impl Mask {
    /// Adds secrets: from now on, each is masked as a whole and line by line, as it is and in all
    /// usual encodings. Those of less than three characters, `true` and `false` are not.
    pub fn add<S: AsRef<str>>(&self, secrets: impl IntoIterator<Item = S>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets {
            let secret = secret.as_ref();
            if is_masked(secret) && !known.secrets.contains(secret) {
                known.secrets.insert(secret.to_owned());
                known.searcher = None;
            }
        }
    }

    /// The text with all secrets replaced.
    pub fn apply(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut rest = 0;
        for range in self.find(text) {
            masked += text.get(rest..range.start).unwrap_or_default();
            masked += STAND_IN;
            rest = range.end;
        }
        masked + text.get(rest..).unwrap_or_default()
    }

    /// Where secrets are in a text, in order and without overlaps; always on character borders.
    pub(in crate::render) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let Some(searcher) = self.searcher() else { return Vec::new() };
        let mut found = searcher.find(text);
        for range in &mut found {
            *range = text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end);
        }
        found
    }

    /// Bytes of the longest secret by itself; zero when there is none.
    pub(in crate::render) fn longest(&self) -> usize {
        self.searcher().map_or(0, |searcher| searcher.longest())
    }

    fn searcher(&self) -> Option<Arc<Searcher>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.secrets.is_empty() || known.searcher.is_some() {
            return known.searcher.clone();
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.searcher.is_none() {
            known.searcher = Searcher::new(&known.secrets).map(Arc::new);
        }
        known.searcher.clone()
    }
}
