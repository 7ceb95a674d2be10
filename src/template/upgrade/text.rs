//! Texts with Go templates as HCL's strings.

use super::super::go_template::{Action, Argument, Call, GoTemplate, Piece};
use super::call::{Place, call_of, is_go_only};
use super::rewrite::Rewrite;
use crate::value::{is_identifier, quote};

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text that means itself.
    Text(String),
    /// A Go template that stays one.
    Go(String),
    /// An expression of HCL.
    Expression(String),
}

/// A text in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) parts: Vec<Part>,
}

impl Rewrite<'_> {
    /// A text of the legacy template in parts.
    pub(super) fn text(&self, text: &str, place: Place) -> Text {
        let mut parts = Text::default();
        if !text.contains("{{") {
            parts.push(Part::Text(text.to_owned()));
            return parts;
        }
        let template = match GoTemplate::parse(text) {
            Ok(template) => template,
            Err(error) => {
                self.problem(format!("`{}` is no Go template: {}", shorten(text), error.message));
                parts.push(Part::Go(text.to_owned()));
                return parts;
            }
        };
        let Some(pieces) = template.pieces() else {
            self.note(format!("`{}` stays a Go template", shorten(text)));
            parts.push(Part::Go(text.to_owned()));
            return parts;
        };
        for piece in pieces {
            match piece {
                Piece::Text(text) => parts.push(Part::Text(text)),
                Piece::Action(action) => self.action(text, &action, place, &mut parts),
            }
        }
        parts
    }

    fn action(&self, text: &str, action: &Action, place: Place, parts: &mut Text) {
        let written = text.get(action.range.clone()).unwrap_or_default();
        // Braces that come out of an expression would be taken for a Go template.
        let is_plain = !written.get(2..).unwrap_or_default().contains("{{");
        if let Some(value @ Argument::Call(call)) = &action.value
            && is_plain
            && (place.is_variable() || !is_expected(call))
            && let Some(expression) = self.argument(value, place)
        {
            parts.push(Part::Expression(expression));
            return;
        }
        // What only a Go template can do stays one. What it takes from variables and the like is
        // put in as a literal, which JSON and Go spell in the same way.
        let (mut at, mut end) = (action.range.start, action.range.end);
        if !action.has_fields {
            // The text is trimmed already; what HCL puts in must not be.
            if written.starts_with("{{-") {
                parts.push(Part::Go("{{".to_owned()));
                at += 3;
            }
            if written.ends_with("-}}") {
                end -= 3;
            }
        }
        for call in &action.calls {
            if !is_go_only(&call.name) {
                continue;
            }
            let expression = self.call(call, place).filter(|_| !call.piped);
            let Some(expression) = expression else {
                self.problem(format!(
                    "`{}` in `{}` has no counterpart in HCL",
                    call.name,
                    shorten(written)
                ));
                continue;
            };
            parts.push(Part::Go(text.get(at..call.range.start).unwrap_or_default().to_owned()));
            parts.push(Part::Expression(format!("jsonencode({expression})")));
            at = call.range.end;
        }
        parts.push(Part::Go(text.get(at..end).unwrap_or_default().to_owned()));
        if end < action.range.end {
            parts.push(Part::Go("}}".to_owned()));
        }
        if !action.has_fields && call_of(action).is_none_or(|call| !is_expected(call)) {
            self.note(format!("`{}` stays a Go template", shorten(written)));
        }
    }
}

/// Whether a call stays in an option, and nobody wonders: what HCL has instead is long, or is
/// another value.
fn is_expected(call: &Call) -> bool {
    matches!(call.name.as_str(), "timestamp" | "uuid")
}

impl Text {
    fn push(&mut self, part: Part) {
        match (self.parts.last_mut(), part) {
            (_, Part::Text(text) | Part::Go(text)) if text.is_empty() => {}
            (Some(Part::Text(before)), Part::Text(text))
            | (Some(Part::Go(before)), Part::Go(text)) => before.push_str(&text),
            (_, part) => self.parts.push(part),
        }
    }

    /// Puts text in front.
    pub(super) fn prefixed(mut self, prefix: &str) -> Self {
        match self.parts.first_mut() {
            Some(Part::Text(text)) => text.insert_str(0, prefix),
            _ => self.parts.insert(0, Part::Text(prefix.to_owned())),
        }
        self
    }

    /// The text, when there is nothing in it that is evaluated by HCL.
    pub(super) fn constant(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) | Part::Go(text) => Some(text.as_str()),
                Part::Expression(_) => None,
            })
            .collect()
    }

    /// Whether nothing in it is evaluated by anybody.
    pub(super) fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// Whether it may turn out to be empty.
    pub(super) fn may_be_empty(&self) -> bool {
        !self.parts.iter().any(|part| matches!(part, Part::Text(_)))
    }

    /// Whether there may be a comma in it once it is evaluated.
    pub(super) fn may_have_commas(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Text(text) | Part::Go(text) => text.contains(','),
            Part::Expression(expression) => {
                !matches!(expression.as_str(), "source.name" | "source.type" | "packer.version")
            }
        })
    }

    /// Whether there are commas that only come to light once a Go template is rendered.
    pub(super) fn has_hidden_commas(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Text(_) => false,
            Part::Go(text) => text.contains(','),
            Part::Expression(expression) => expression.starts_with("jsonencode("),
        })
    }

    /// The texts between the commas that are written.
    pub(super) fn split_at_commas(&self) -> Vec<Self> {
        let mut all = vec![Self::default()];
        for part in &self.parts {
            let Part::Text(text) = part else {
                all.last_mut().into_iter().for_each(|last| last.push(part.clone()));
                continue;
            };
            for (at, piece) in text.split(',').enumerate() {
                if at > 0 {
                    all.push(Self::default());
                }
                all.last_mut().into_iter().for_each(|last| last.push(Part::Text(piece.to_owned())));
            }
        }
        all
    }

    /// The expression, when the text is nothing else.
    pub(super) fn expression(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Expression(expression)] => Some(expression),
            _ => None,
        }
    }

    /// As an expression of HCL.
    pub(super) fn spell(&self) -> String {
        if let Some(expression) = self.expression() {
            return expression.to_owned();
        }
        let mut quoted = String::from("\"");
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Text(text) | Part::Go(text) => {
                    let interpolated = matches!(parts.peek(), Some(Part::Expression(_)));
                    let rest = if interpolated { text.trim_end_matches('$') } else { text };
                    quoted.push_str(inside(&quote(rest)));
                    if let Some(dollars) = text.strip_prefix(rest).filter(|end| !end.is_empty()) {
                        // In front of `${` they would take its meaning away.
                        quoted.push_str(&format!("${{{}}}", quote(dollars)));
                    }
                }
                Part::Expression(expression) => {
                    quoted.push_str("${");
                    quoted.push_str(expression);
                    quoted.push('}');
                }
            }
        }
        quoted.push('"');
        quoted
    }

    /// As a heredoc, when that says the same and is easier to read: texts of several lines.
    pub(super) fn heredoc(&self) -> Option<String> {
        let constant = self.constant()?;
        let lines = constant.strip_suffix('\n')?;
        let readable = |c: char| !c.is_control() || c == '\n' || c == '\t';
        if !lines.contains('\n') || !constant.chars().all(readable) {
            return None;
        }
        let mark = ["EOT", "END", "HEREDOC"]
            .into_iter()
            .find(|mark| lines.split('\n').all(|line| line.trim() != *mark))?;
        let escaped = lines.replace("${", "$${").replace("%{", "%%{");
        Some(format!("<<{mark}\n{escaped}\n{mark}"))
    }
}

fn inside(quoted: &str) -> &str {
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(quoted)
}

/// Whether a variable's default can stand in its block: nothing in it calls for HCL but `env`.
pub(super) fn is_plain_default(text: &str) -> bool {
    let names = super::Names::default();
    let rewrite = Rewrite::new(&names);
    let text = rewrite.text(text, Place::Default);
    text.parts.iter().all(|part| match part {
        Part::Expression(expression) => is_env(expression),
        Part::Text(_) | Part::Go(_) => true,
    }) && !rewrite.has_problems()
}

/// Whether an expression is `env("…")`, the only function that a default may call.
pub(super) fn is_env(expression: &str) -> bool {
    expression.starts_with("env(\"") && expression.ends_with("\")")
}

/// A key of an object.
pub(super) fn key(text: &str) -> String {
    if is_identifier(text) { text.to_owned() } else { quote(text) }
}

/// The beginning of a text, on one line, for messages.
pub(super) fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    let line = text.replace(['\n', '\r', '\t'], " ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
