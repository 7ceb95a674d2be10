//! Secrets never reach a terminal.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

/// What stands in for a secret, as in Packer.
const STAND_IN: &str = "<sensitive>";

/// Secrets shorter than this are not masked: replacing every `1` would hide the log and
/// still give the value away.
const SHORTEST: usize = 3;

/// The secrets of a run, shared by everything that prints.
#[derive(Clone, Debug, Default)]
pub struct Mask {
    secrets: Arc<RwLock<Vec<String>>>,
}

impl Mask {
    /// Adds secrets: each as a whole and, when it has several, each of its lines.
    pub fn add<'a>(&self, secrets: impl IntoIterator<Item = &'a String>) {
        let mut known = self.secrets.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut all: BTreeSet<String> = known.drain(..).collect();
        for secret in secrets {
            let parts = std::iter::once(secret.as_str()).chain(secret.lines());
            all.extend(parts.filter(|part| part.len() >= SHORTEST).map(str::to_owned));
        }
        known.extend(all);
        // The longest first, so that a secret inside another does not spoil it.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// The text with all secrets replaced.
    pub fn apply(&self, text: &str) -> String {
        let known = self.secrets.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret, STAND_IN) } else { text }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_their_lines_are_replaced() {
        let mask = Mask::default();
        mask.add(&["hunter2".to_owned(), "first line\nsecond line".to_owned(), "x".to_owned()]);
        assert_eq!(
            mask.apply("pw=hunter2 then second line, x stays"),
            "pw=<sensitive> then <sensitive>, x stays"
        );
    }

    #[test]
    fn a_secret_inside_another_does_not_spoil_it() {
        let mask = Mask::default();
        mask.add(&["abc".to_owned(), "abcdef".to_owned()]);
        assert_eq!(mask.apply("abcdef abc"), "<sensitive> <sensitive>");
    }
}
