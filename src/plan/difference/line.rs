//! Lines that differ.

use serde::Serialize;

use super::sequence::common;

/// Whether a line was or is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// Only in the old text.
    Old,
    /// Only in the new text.
    New,
}

/// A line, or an element of a list, that only one of two texts has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Which of the two.
    pub side: Sign,
    /// Its number in that text, from one.
    pub line: usize,
    /// What it says, with its end where the other one differs in that alone.
    pub text: String,
}

/// The lines that differ between two texts.
pub(super) fn lines(old: &str, new: &str) -> Vec<Line> {
    let old: Vec<_> = old.split_inclusive('\n').collect();
    let new: Vec<_> = new.split_inclusive('\n').collect();
    let mut lines = elements(&old, &new);
    for line in &mut lines {
        if let Some(text) = line.text.strip_suffix('\n') {
            line.text.truncate(text.len());
        } else {
            line.text += " (no line end)";
        }
    }
    lines
}

/// The elements that differ between two lists.
pub(super) fn elements<T: AsRef<str> + PartialEq>(old: &[T], new: &[T]) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut one, mut other) = (0, 0);
    let ends = std::iter::once((old.len(), new.len()));
    for (old_same, new_same) in common(old, new).into_iter().chain(ends) {
        let parts = [(Sign::Old, old, one..old_same), (Sign::New, new, other..new_same)];
        for (side, all, range) in parts {
            let start = range.start;
            let texts = all.get(range).unwrap_or(&[]).iter().enumerate();
            lines.extend(texts.map(|(at, text)| Line {
                side,
                line: start + at + 1,
                text: text.as_ref().to_owned(),
            }));
        }
        (one, other) = (old_same + 1, new_same + 1);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> String {
        let sign = |side| if side == Sign::Old { '-' } else { '+' };
        let lines = lines(old, new);
        lines.iter().map(|one| format!("{}{} {}\n", sign(one.side), one.line, one.text)).collect()
    }

    #[test]
    fn lines_have_the_numbers_of_their_text() {
        assert_eq!(shown("a\nb\nc\n", "a\nB\nx\nc\n"), "-2 b\n+2 B\n+3 x\n");
        assert_eq!(shown("a\nb\n", "b\n"), "-1 a\n");
        assert_eq!(shown("", "a\n"), "+1 a\n");
        assert_eq!(shown("a", "a\n"), "-1 a (no line end)\n+1 a\n");
        assert_eq!(shown("a\n", "a\n"), "");
    }
}
