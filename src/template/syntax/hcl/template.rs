//! Templates: strings, heredocs, and texts without quotes.

use std::ops::Range;

use super::parser::{Fault, Parsed, Parser, fault};
use super::text::{Piece, Row, unescape_plain, unescape_quoted};
use super::token::{Bracket, Kind};
use crate::diagnostic::Diagnostic;
use crate::template::syntax::{Expression, ExpressionKind, TemplatePart};
use crate::value::Value;

const DIRECTIVES: &str = "directives are `%{ if … }`, `%{ else }`, `%{ endif }`, `%{ for … in … }` and `%{ endfor }`; `%%{` is a plain `%{`";

/// A directive that waits for its end.
struct Waiting {
    is_if: bool,
    /// Whether its `else` has been.
    otherwise: bool,
    at: Range<usize>,
}

impl Parser<'_> {
    /// A string or a heredoc.
    pub(super) fn template(&mut self) -> Parsed<ExpressionKind> {
        let quoted = self.kind() == Kind::Open(Bracket::Quote);
        let open = self.next();
        let dedents = self.slice(&open).starts_with("<<-");
        let row = self.row(quoted);
        let close = if quoted { Bracket::Quote } else { Bracket::Heredoc };
        if self.take(Kind::Close(close)).is_none() {
            return Err(Fault::Told);
        }
        let mut row = row?;
        if dedents {
            row.dedent();
        }
        Ok(self.kind_of(row))
    }

    /// All of the text, which has no quotes.
    pub(super) fn bare_template(&mut self) -> Parsed<Expression> {
        let row = self.row(false)?;
        let span = self.span(&(0..self.text.len()));
        Ok(Expression { kind: self.kind_of(row), span })
    }

    fn kind_of(&self, row: Row) -> ExpressionKind {
        let mut parts = row.into_parts(self.place);
        match parts.as_mut_slice() {
            [] => ExpressionKind::Literal(Value::string("")),
            [TemplatePart::Text(text, _)] => {
                ExpressionKind::Literal(Value::string(std::mem::take(text)))
            }
            _ => ExpressionKind::Template(parts),
        }
    }

    /// The pieces up to the end of the template. Errors in a sequence are told, and the row is
    /// read to its end.
    fn row(&mut self, quoted: bool) -> Parsed<Row> {
        let mut row = Row::default();
        let mut waiting = Vec::new();
        let mut failed = false;
        loop {
            match self.kind() {
                Kind::Text => {
                    let range = self.next();
                    let raw = self.slice(&range);
                    if quoted {
                        row.text(unescape_quoted(raw), range);
                        continue;
                    }
                    let mut start = range.start;
                    for line in raw.split_inclusive('\n') {
                        row.text(unescape_plain(line), start..start + line.len());
                        start += line.len();
                    }
                }
                Kind::Open(Bracket::Sequence) => {
                    let (start, level) = (self.range().start, self.level());
                    if let Err(fault) = self.sequence(&mut row, &mut waiting) {
                        failed = true;
                        self.tell_fault(fault, start);
                        self.skip_to(level, &[Kind::Close(Bracket::Sequence)]);
                        self.take(Kind::Close(Bracket::Sequence));
                    }
                }
                _ => break,
            }
        }
        if let Some(Waiting { is_if, at, .. }) = waiting.pop()
            && !failed
        {
            let end = if is_if { "endif" } else { "endfor" };
            let report =
                Diagnostic::error("unclosed-directive", format!("this directive has no `{end}`"))
                    .at(&self.span(&at), "begins here")
                    .help(format!("close it with `%{{ {end} }}`"));
            self.tell_fault(Fault::New(Box::new((at.start, report))), at.start);
            failed = true;
        }
        if failed { Err(Fault::Told) } else { Ok(row) }
    }

    fn sequence(&mut self, row: &mut Row, waiting: &mut Vec<Waiting>) -> Parsed<()> {
        let open = self.next();
        let opening = self.slice(&open);
        let strips_before = opening.ends_with('~');
        let piece = if opening.starts_with('$') {
            if self.kind() == Kind::Close(Bracket::Sequence) {
                let report = Diagnostic::error("syntax", "expected an expression, found `}`")
                    .at(&self.span(&(open.start..self.range().end)), "empty")
                    .help("write an expression between the braces, or `$${` for a plain `${`");
                return fault(open.start, report);
            }
            Piece::Interpolation(self.nested(Self::expression)?)
        } else {
            self.directive(&open, waiting)?
        };
        if self.kind() != Kind::Close(Bracket::Sequence) {
            let help = matches!(self.kind(), Kind::Colon)
                .then_some("a conditional is written `condition ? value : other`");
            return Err(self.unexpected("`}`", help));
        }
        let close = self.next();
        row.sequence(piece, strips_before, self.slice(&close).starts_with('~'));
        Ok(())
    }

    /// Behind `%{`.
    fn directive(&mut self, open: &Range<usize>, waiting: &mut Vec<Waiting>) -> Parsed<Piece> {
        let word = if self.kind() == Kind::Name { self.here() } else { "" };
        let here = open.start..if word.is_empty() { open.end } else { self.range().end };
        let last = waiting.last_mut();
        let problem = match (word, last) {
            ("if" | "for", _) => {
                self.deeper(waiting.len() + 1)?;
                let is_if = word == "if";
                waiting.push(Waiting { is_if, otherwise: false, at: here });
                self.next();
                return if is_if {
                    Ok(Piece::If(self.nested(Self::expression)?))
                } else {
                    let (key, value) = self.for_names()?;
                    let collection = self.nested(Self::expression)?;
                    Ok(Piece::For { key, value, collection })
                };
            }
            ("else", Some(Waiting { is_if: true, otherwise, .. })) => {
                if !std::mem::replace(otherwise, true) {
                    self.next();
                    return Ok(Piece::Else);
                }
                "there is an `else` already"
            }
            ("endif", Some(Waiting { is_if: true, .. })) => {
                waiting.pop();
                self.next();
                return Ok(Piece::EndIf);
            }
            ("endfor", Some(Waiting { is_if: false, .. })) => {
                waiting.pop();
                self.next();
                return Ok(Piece::EndFor);
            }
            ("else" | "endif", _) => "there is no `%{ if … }` that this belongs to",
            ("endfor", _) => "there is no `%{ for … }` that this belongs to",
            _ => "this is not a template directive",
        };
        let report = Diagnostic::error("invalid-directive", problem)
            .at(&self.span(&here), "not expected here")
            .help(DIRECTIVES);
        fault(open.start, report)
    }
}
