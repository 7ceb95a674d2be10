//! Findings about a text, collected and then shown together.

use super::{Source, Span};

/// As many errors, and as many warnings, are told at a time.
const MOST: usize = 100;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look; the build goes on.
    Warning,
    /// The build cannot go on.
    Error,
}

/// A marked place with a few words on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is to see there; may be empty.
    pub text: String,
}

/// One finding: what happened, where, and what to do.
///
/// Wording: a lower-case fragment without full stop, literals in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable kebab-case name, such as `unknown-variable`.
    pub code: &'static str,
    /// What happened, in one sentence.
    pub summary: String,
    /// The place it is about; `None` for findings without a text, such as a missing file.
    pub primary: Option<Label>,
    /// Other places that explain it.
    pub secondary: Vec<Label>,
    /// Facts that help to understand it.
    pub notes: Vec<String>,
    /// What to do next.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// A finding that stops the build.
    pub fn error(code: &'static str, summary: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, summary)
    }

    /// A finding that does not stop the build.
    pub fn warning(code: &'static str, summary: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, summary)
    }

    fn new(severity: Severity, code: &'static str, summary: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            summary: summary.into(),
            primary: None,
            secondary: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Marks the place it is about.
    #[must_use]
    pub fn at(mut self, span: &Span, text: impl Into<String>) -> Self {
        self.primary = Some(Label { span: span.clone(), text: text.into() });
        self
    }

    /// Marks another place that explains it.
    #[must_use]
    pub fn also(mut self, span: &Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span: span.clone(), text: text.into() });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds a next step.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Adds a next step when there is one.
    #[must_use]
    pub fn maybe_help(mut self, text: Option<String>) -> Self {
        self.help.extend(text);
        self
    }
}

/// All findings of a phase, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
}

impl Diagnostics {
    /// No findings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }

    /// Adds all findings of another phase.
    pub fn extend(&mut self, other: Diagnostics) {
        self.found.extend(other.found);
    }

    /// Keeps the value of a success, or the findings of a failure.
    pub fn take<T>(&mut self, result: Result<T, Diagnostics>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(found) => {
                self.extend(found);
                None
            }
        }
    }

    /// The same findings where none of them is a reason to stop.
    #[must_use]
    pub fn as_warnings(mut self) -> Self {
        self.found.iter_mut().for_each(|one| one.severity = Severity::Warning);
        self
    }

    /// Whether one of them stops the build.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|one| one.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// The findings as people read them: those of a file from its top to its end, each once, even
    /// when several builds have come upon it, and [as many as anybody reads](Self::limited). Those without a place stay in front of what follows.
    #[must_use]
    pub fn in_file_order(&self) -> Self {
        let mut files: Vec<Option<*const Source>> = Vec::new();
        let mut found: Vec<((usize, usize), &Diagnostic)> = Vec::new();
        for one in &self.found {
            let place = one.primary.as_ref().map(|label| &label.span);
            let file = place.map(|span| std::sync::Arc::as_ptr(span.source()));
            let number = files.iter().position(|known| *known == file).unwrap_or_else(|| {
                files.push(file);
                files.len() - 1
            });
            found.push(((number, place.map_or(0, |span| span.range().start)), one));
        }
        found.sort_by_key(|(place, _)| *place);
        let mut told: Vec<Diagnostic> = Vec::new();
        // The same ones have the same place.
        for same in found.chunk_by(|(one, _), (other, _)| one == other) {
            let start = told.len();
            for (_, one) in same {
                if told.iter().skip(start).all(|known| known != *one) {
                    told.push((*one).clone());
                }
            }
        }
        told.into_iter().collect::<Self>().limited()
    }

    /// As many as anybody reads: the first hundred errors and the first hundred warnings. What is
    /// left out is counted.
    #[must_use]
    pub fn limited(self) -> Self {
        if self.found.len() <= MOST {
            return self;
        }
        let (mut errors, mut warnings) = (0, 0);
        let mut kept: Vec<_> = self
            .found
            .into_iter()
            .filter(|one| {
                let count =
                    if one.severity == Severity::Error { &mut errors } else { &mut warnings };
                *count += 1;
                *count <= MOST
            })
            .collect();
        let more = |count: usize, one: &str| match count.saturating_sub(MOST) {
            0 => None,
            1 => Some(format!("and 1 more {one}")),
            count => Some(format!("and {count} more {one}s")),
        };
        kept.extend(
            more(warnings, "warning").map(|text| Diagnostic::warning("too-many-warnings", text)),
        );
        kept.extend(more(errors, "error").map(|text| Diagnostic::error("too-many-errors", text)));
        Self { found: kept }
    }

    /// The findings in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.found.iter()
    }

    /// `Ok` with `value` when nothing stops the build, else the findings.
    pub fn into_result<T>(self, value: T) -> Result<T, Diagnostics> {
        if self.has_errors() { Err(self) } else { Ok(value) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { found: vec![diagnostic] }
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(found: I) -> Self {
        Self { found: found.into_iter().collect() }
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;

    #[test]
    fn no_more_findings_are_told_than_anybody_reads() {
        let many = |make: fn(&'static str, String) -> Diagnostic, count: usize| {
            (0..count).map(move |n| make("x", n.to_string()))
        };
        let warnings = many(Diagnostic::warning, 250);
        let all: Diagnostics = warnings.chain(many(Diagnostic::error, 101)).collect();
        let told = all.in_file_order();
        let last: Vec<_> = told.iter().skip(200).map(|one| one.summary.as_str()).collect();
        assert_eq!(last, ["and 150 more warnings", "and 1 more error"]);
        assert_eq!(told.iter().filter(|one| one.severity == Severity::Error).count(), 101);
        let few: Diagnostics = many(Diagnostic::error, 100).collect();
        assert_eq!(few.clone().limited(), few);
    }

    #[test]
    fn findings_are_told_once_and_from_the_top_of_each_file() {
        let (one, other) = (Source::new("a", "0123456789"), Source::new("b", "0123456789"));
        let at = |source, start| {
            let span = Span::new(source, start..start + 1);
            Diagnostic::error("x", "wrong").at(&span, "")
        };
        let places = [at(&one, 7), at(&other, 5), at(&one, 2), at(&one, 7), at(&other, 1)];
        let ordered = places.into_iter().collect::<Diagnostics>().in_file_order();
        let told: Vec<_> = ordered
            .iter()
            .filter_map(|one| one.primary.as_ref().map(|label| label.span.to_string()))
            .collect();
        assert_eq!(told, ["a:1:3", "a:1:8", "b:1:2", "b:1:6"]);
    }
}
