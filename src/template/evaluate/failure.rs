//! What errors of an evaluation say beyond their place.

use super::budget::Exceeded;
use super::reference::references;
use super::scope::Scope;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::template::syntax::Expression;
use crate::value::{ConversionError, Kind, Value};

/// Values of the references in `expression`, as notes: `var.size is "large"`.
pub(in crate::template) fn with_values(
    mut report: Diagnostic,
    expressions: &[&Expression],
    scope: &Scope<'_>,
) -> Diagnostic {
    let mut said = Vec::new();
    for expression in expressions {
        for reference in references(expression) {
            let Some(mut value) = scope.get(&reference.root) else { continue };
            let mut sensitive = value.marks.sensitive;
            let mut text = reference.root.clone();
            for name in &reference.path {
                let (Kind::Object(all) | Kind::Map(_, all)) = &value.kind else { break };
                let Some(inner) = all.get(name) else { break };
                value = inner;
                sensitive |= value.marks.sensitive;
                text.push('.');
                text.push_str(name);
            }
            if said.contains(&text) || said.len() == 6 {
                continue;
            }
            let shown = match &value.kind {
                _ if sensitive => "(sensitive value)".to_owned(),
                Kind::Unknown(of) => format!("not known yet ({of})"),
                _ => value.excerpt(120),
            };
            report = report.note(format!("`{text}` is {shown}"));
            said.push(text);
        }
    }
    report
}

/// `value` does not convert.
pub(super) fn conversion(
    error: &ConversionError,
    summary: &str,
    expression: &Expression,
    scope: &Scope<'_>,
) -> Diagnostic {
    let report = Diagnostic::error("type-mismatch", format!("{summary}: {error}"))
        .at(&expression.span, kind_label(error));
    with_values(report, &[expression], scope)
}

fn kind_label(error: &ConversionError) -> &'static str {
    if error.path.is_empty() { "wrong type" } else { "wrong type inside" }
}

/// A bound was reached.
pub(super) fn exceeded(what: Exceeded, span: &Span) -> Diagnostics {
    Diagnostic::error("too-large", what)
        .at(span, "here")
        .note("bake bounds what a template may compute, so that a mistake cannot take the machine down")
        .into()
}

/// `a string`, or for an unknown of no type `a value that is not known yet`.
pub(super) fn described(value: &Value) -> String {
    match &value.kind {
        Kind::Null(_) => "null".into(),
        _ => value.type_of().a_noun(),
    }
}
