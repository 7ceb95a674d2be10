//! Findings without secrets.
//!
//! This happens before they are rendered: a renderer cuts long lines, and half a secret cannot be
//! recognised any more.

use std::ops::Range;
use std::sync::Arc;

use super::{Mask, STAND_IN};
use crate::diagnostic::{Diagnostic, Diagnostics, Label, Source, Span};

/// Letters and digits of the shortest part of a secret that is hidden where it is quoted: a
/// message may well quote a bracket or a quotation mark.
const SHORTEST_PART: usize = 2;

impl Mask {
    /// The findings with all secrets replaced: in their words and in the texts they point into.
    #[must_use]
    pub fn findings(&self, found: &Diagnostics) -> Diagnostics {
        let mut texts = Texts { mask: self, known: Vec::new() };
        found.iter().map(|one| texts.finding(one)).collect()
    }
}

/// A text that findings point into, and the same without secrets.
struct Text {
    original: Arc<Source>,
    masked: Arc<Source>,
    /// What was replaced, and where its replacement is.
    replaced: Vec<(Range<usize>, Range<usize>)>,
}

struct Texts<'a> {
    mask: &'a Mask,
    known: Vec<Text>,
}

impl Texts<'_> {
    fn finding(&mut self, found: &Diagnostic) -> Diagnostic {
        let hidden: Vec<String> = found
            .primary
            .iter()
            .chain(&found.secondary)
            .flat_map(|label| self.text_of(label.span.source()).hidden_at(&label.span))
            .collect();
        let words = |text: &String| without_parts(&self.mask.apply(text), &hidden);
        let summary = words(&found.summary);
        let notes = found.notes.iter().map(words).collect();
        let help = found.help.iter().map(words).collect();
        Diagnostic {
            severity: found.severity,
            code: found.code,
            summary,
            primary: found.primary.as_ref().map(|label| self.label(label, &hidden)),
            secondary: found.secondary.iter().map(|label| self.label(label, &hidden)).collect(),
            notes,
            help,
        }
    }

    fn label(&mut self, label: &Label, hidden: &[String]) -> Label {
        let text = without_parts(&self.mask.apply(&label.text), hidden);
        Label { span: self.text_of(label.span.source()).span(&label.span), text }
    }

    fn text_of(&mut self, source: &Arc<Source>) -> &Text {
        let known = self.known.iter().position(|one| Arc::ptr_eq(&one.original, source));
        let index = known.unwrap_or_else(|| {
            self.known.push(Text::new(source, self.mask));
            self.known.len() - 1
        });
        &self.known[index]
    }
}

impl Text {
    fn new(source: &Arc<Source>, mask: &Mask) -> Self {
        let text = source.text();
        let mut masked = String::with_capacity(text.len());
        let mut replaced = Vec::new();
        let mut rest = 0;
        for range in mask.find(text) {
            masked += text.get(rest..range.start).unwrap_or_default();
            let start = masked.len();
            masked += STAND_IN;
            replaced.push((range.clone(), start..masked.len()));
            // Line numbers stay what they are.
            let lines = text.get(range.clone()).unwrap_or_default().matches('\n').count();
            masked.extend(std::iter::repeat_n('\n', lines));
            rest = range.end;
        }
        masked += text.get(rest..).unwrap_or_default();
        let masked = if replaced.is_empty() {
            Arc::clone(source)
        } else {
            Source::new(mask.apply(source.name()), masked)
        };
        Self { original: Arc::clone(source), masked, replaced }
    }

    /// The same place in the text without secrets; at what stands in for one, all of it.
    fn span(&self, span: &Span) -> Span {
        let Range { start, end } = span.range();
        Span::new(&self.masked, self.moved(start, true)..self.moved(end, false))
    }

    fn moved(&self, at: usize, start: bool) -> usize {
        let before = self.replaced.iter().take_while(|(from, _)| from.start < at).last();
        match before {
            None => at,
            Some((from, to)) if at < from.end => {
                if start {
                    to.start
                } else {
                    to.end
                }
            }
            Some((from, to)) => {
                let text = self.original.text();
                let lines = text.get(from.clone()).unwrap_or_default().matches('\n').count();
                at - from.end + to.end + lines
            }
        }
    }

    /// The secrets at a place.
    fn hidden_at(&self, span: &Span) -> Vec<String> {
        let Range { start, end } = span.range();
        let touched = |range: &Range<usize>| range.start <= end && start <= range.end;
        let text = self.original.text();
        self.replaced
            .iter()
            .filter(|(range, _)| touched(range))
            .filter_map(|(range, _)| text.get(range.clone()).map(str::to_owned))
            .collect()
    }
}

/// The text without what it quotes of `hidden`: a parser names the word that it stumbled over, and
/// a function shows the start of what it cannot use.
fn without_parts(text: &str, hidden: &[String]) -> String {
    if hidden.is_empty() {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['`', '"']) {
        let (before, quoted) = rest.split_at(at);
        shown += before;
        let mark = if quoted.starts_with('`') { '`' } else { '"' };
        shown.push(mark);
        rest = quoted.strip_prefix(mark).unwrap_or_default();
        let end = end_of_quoted(rest, mark);
        let (part, after) = rest.split_at(end);
        if is_part(part, hidden) {
            shown += STAND_IN;
        } else {
            shown += part;
        }
        rest = after.strip_prefix(mark).map_or(after, |after| {
            shown.push(mark);
            after
        });
    }
    shown + rest
}

/// Where quoted text ends: at the mark, where it was cut, or with the whole text.
fn end_of_quoted(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !escaped && c == mark || text[at..].starts_with(" …") {
            return at;
        }
        escaped = !escaped && c == '\\' && mark == '"';
    }
    text.len()
}

fn is_part(quoted: &str, hidden: &[String]) -> bool {
    let plain = serde_json::from_str::<String>(&format!("\"{quoted}\""));
    let plain = plain.unwrap_or_default().replace("$${", "${").replace("%%{", "%{");
    let long = quoted.chars().filter(|c| c.is_alphanumeric()).nth(SHORTEST_PART - 1).is_some();
    long && hidden
        .iter()
        .any(|secret| secret.contains(quoted) || !plain.is_empty() && secret.contains(&plain))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::diagnostic::{Style, render};

    fn shown(mask: &Mask, found: Diagnostic) -> String {
        render(&mask.findings(&found.into()), Style::default())
    }

    #[test]
    fn snippets_keep_their_places() {
        let mask = Mask::default();
        mask.add(["hunter2", "-----BEGIN\nABCDEF\n}\n-----END"]);
        let text = "a = \"hunter2\" + b\nkey = <<X\n-----BEGIN\nABCDEF\n}\n-----END\nX\nc = nope\n";
        let source = Source::new("x.hcl", text);
        let at = |part: &str| {
            let start = text.find(part).expect("is there");
            Span::new(&source, start..start + part.len())
        };
        let found = Diagnostic::error("wrong", "`hunt` and hunter2 are wrong, `a` is not")
            .at(&at("\"hunter2\""), "hunter2")
            .also(&at(" b"), "this")
            .also(&at("nope"), "that");
        assert_snapshot!(shown(&mask, found), @r#"
        error[wrong]: `<sensitive>` and <sensitive> are wrong, `a` is not
         --> x.hcl:1:5
          |
        1 | a = "<sensitive>" + b
          |     ^^^^^^^^^^^^^  -- this
          |     |
          |     <sensitive>
        ...
        8 | c = nope
          |     ---- that
        "#);
        let found = Diagnostic::error("wrong", "wrong").at(&at("CDE"), "");
        assert_snapshot!(shown(&mask, found), @"
        error[wrong]: wrong
         --> x.hcl:3:1
          |
        3 | <sensitive>
          | ^^^^^^^^^^^
        ");
    }

    #[test]
    fn quoted_parts_of_secrets_are_hidden() {
        let hidden = ["user:\"pass\"\\n-word".to_owned()];
        for (text, shown) in [
            ("unexpected `pass` in `var.user`", "unexpected `<sensitive>` in `var.user`"),
            (r#""user:\"pass …"#, r#""<sensitive> …"#),
            (r#"is "user:\"pass\"\\n-word", no"#, r#"is "<sensitive>", no"#),
            ("`\"` is never closed", "`\"` is never closed"),
            ("a ` alone", "a ` alone"),
        ] {
            assert_eq!(without_parts(text, &hidden), shown);
        }
    }

    #[test]
    fn a_long_line_is_masked_before_it_is_cut() {
        let secret: String = (0..300).map(|n| char::from(b'A' + n as u8 % 26)).collect();
        let mask = Mask::default();
        mask.add([&secret]);
        let text = format!("{}= \"{secret}\" + nope + {secret}", "x".repeat(60));
        let source = Source::new("x.hcl", text.clone());
        let start = text.find("nope").expect("is there");
        let found =
            Diagnostic::error("wrong", "wrong").at(&Span::new(&source, start..start + 4), "");
        let shown = shown(&mask, found);
        assert!(!shown.contains("ABC") && shown.contains("<sensitive>"), "{shown}");
    }
}
