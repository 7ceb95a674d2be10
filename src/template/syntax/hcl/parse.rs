//! The parser's entry points.

use std::ops::Range;
use std::sync::Arc;

use super::finding::Findings;
use super::lexer::{Form, lex};
use super::parser::Parser;
use super::place::Place;
use super::token::Kind;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::template::syntax::{Body, Dialect, Expression};

/// The longest text that is parsed.
const LENGTH: usize = 16 << 20;

/// Parses a file of HCL native syntax.
///
/// All errors are found, not only the first: an attribute or block that cannot be parsed is left
/// out of the body that is returned, and the rest is there.
pub fn parse_hcl(source: &Arc<Source>) -> (Body, Diagnostics) {
    let (text, place) = (source.text(), Place::part(source, 0));
    if let Some(report) = too_long(text, &place) {
        let body = Body {
            attributes: Vec::new(),
            blocks: Vec::new(),
            dialect: Dialect::Hcl,
            span: place.span(0..text.len()),
        };
        return (body, report.into());
    }
    let mut parser = Parser::new(text, &place, lex(text, &place, Form::Body));
    let body = parser.outermost();
    (body, parser.into_findings().into_diagnostics())
}

/// Parses one expression: all of `source`, or the part `range` of it. Line ends count nowhere.
///
/// # Errors
/// All that is wrong with it.
pub fn parse_expression(
    source: &Arc<Source>,
    range: Option<Range<usize>>,
) -> Result<Expression, Diagnostics> {
    let range = range.unwrap_or(0..source.text().len());
    let text = source.text().get(range.clone()).unwrap_or_default();
    let place = Place::part(source, range.start);
    if let Some(report) = too_long(text, &place) {
        return Err(report.into());
    }
    let mut parser = Parser::new(text, &place, lex(text, &place, Form::Expression));
    if parser.kind() == Kind::End {
        let findings = parser.into_findings();
        if !findings.is_empty() {
            return Err(findings.into_diagnostics());
        }
        let report = Diagnostic::error("missing-expression", "there is no expression here")
            .at(&place.span(text.len()..text.len()), "empty");
        return Err(report.into());
    }
    let parsed = parser.expression();
    let expression = match parsed {
        Ok(expression) => {
            if parser.kind() != Kind::End {
                let fault = parser.unexpected("the end of the expression", None);
                parser.tell_fault(fault, 0);
            }
            Some(expression)
        }
        Err(fault) => {
            parser.tell_fault(fault, 0);
            None
        }
    };
    outcome(expression, parser.into_findings())
}

/// Parses all of `source` as a string template: a file that `templatefile` reads. Backslashes
/// mean nothing; only `$${` and `%%{` are escapes.
///
/// # Errors
/// All that is wrong with it.
pub fn parse_template(source: &Arc<Source>) -> Result<Expression, Diagnostics> {
    template(source.text(), &Place::part(source, 0))
}

/// Parses `text`, which was decoded from a string in `source`, as a string template. `offsets`
/// has the place in `source` of each byte of `text`, and of its end.
///
/// # Errors
/// All that is wrong with it.
pub fn parse_decoded_template(
    text: &str,
    source: &Arc<Source>,
    offsets: Vec<usize>,
) -> Result<Expression, Diagnostics> {
    template(text, &Place::decoded(source, offsets))
}

fn template(text: &str, place: &Place) -> Result<Expression, Diagnostics> {
    if let Some(report) = too_long(text, place) {
        return Err(report.into());
    }
    let mut parser = Parser::new(text, place, lex(text, place, Form::Template));
    let expression = match parser.bare_template() {
        Ok(expression) => Some(expression),
        Err(fault) => {
            parser.tell_fault(fault, 0);
            None
        }
    };
    outcome(expression, parser.into_findings())
}

fn outcome(expression: Option<Expression>, findings: Findings) -> Result<Expression, Diagnostics> {
    match expression {
        Some(expression) if findings.is_empty() => Ok(expression),
        _ => Err(findings.into_diagnostics()),
    }
}

fn too_long(text: &str, place: &Place) -> Option<Diagnostic> {
    (text.len() > LENGTH).then(|| {
        Diagnostic::error("too-long", "this text is longer than 16 MiB")
            .at(&place.span(0..0), "begins here")
    })
}
