//! `validation` blocks of variables (`packer-core.md` section 2.3).

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::value::{Kind, Type, Value, convert};

use crate::template::declaration::{Validation, Variable};
use crate::template::evaluate::{Scope, evaluate, references};
use crate::template::syntax::{Expression, ExpressionKind, Name};

/// Checks what can be checked without a value: what the condition refers to, and that the message
/// is a whole sentence.
pub(in crate::template) fn check(
    variable: &Name,
    validation: &Validation,
    found: &mut Diagnostics,
) {
    let name = variable.text.as_str();
    let own = format!("var.{name}");
    let condition = &validation.condition;
    let all = references(condition);
    for other in all
        .iter()
        .filter(|one| one.root != "var" || one.path.first().map(String::as_str) != Some(name))
    {
        found.push(
            Diagnostic::error("wrong-reference", "a validation can only use its own variable")
                .at(&other.span, format!("not `{own}`")),
        );
    }
    if all.is_empty() {
        found.push(
            Diagnostic::error("wrong-condition", format!("a condition must be about `{own}`"))
                .at(&condition.span, "does not refer to the variable"),
        );
    }
    message(&validation.error_message, found);
}

/// A constant text that reads as a sentence.
fn message(expression: &Expression, found: &mut Diagnostics) {
    let mut wrong = |what: &str| {
        found.push(
            Diagnostic::error("wrong-message", format!("an `error_message` must {what}"))
                .at(&expression.span, "")
                .help("write a whole sentence, such as \"The name must be short.\""),
        );
    };
    let ExpressionKind::Literal(Value { kind: Kind::String(text), .. }) = &expression.kind else {
        return wrong("be a constant text");
    };
    let Some(first) = text.chars().next() else {
        return wrong("not be empty");
    };
    if first.is_alphabetic() && !first.is_uppercase() {
        return wrong("begin with an upper-case letter");
    }
    if !text.ends_with(['.', '?', '!']) {
        wrong("end with `.`, `?` or `!`");
    }
}

/// Tests the final value of a variable.
pub(in crate::template) fn apply(
    variable: &Variable,
    value: &Value,
    scope: &Scope<'_>,
    found: &mut Diagnostics,
) {
    let name = &variable.name.text;
    for validation in &variable.validations {
        let own = BTreeMap::from([(name.clone(), value.clone())]);
        let scope = scope.child().with("var", Value::object(own)).with_files_of_working_directory();
        let span = &validation.condition.span;
        let Some(outcome) = found.take(evaluate(&validation.condition, &scope)) else { continue };
        let wrong = |summary: String, label: &str| {
            Diagnostic::error("wrong-condition", summary).at(span, label)
        };
        match convert(&outcome, &Type::Bool).map(|outcome| outcome.kind) {
            Ok(Kind::Bool(true) | Kind::Unknown(_)) => {}
            Ok(Kind::Bool(_)) => {
                let message = found.take(evaluate(&validation.error_message, &scope));
                let message = message.as_ref().and_then(Value::as_str).unwrap_or_default();
                let finding = Diagnostic::error(
                    "invalid-variable",
                    format!("invalid value for variable `{name}`: {message}"),
                )
                .at(span, "this is false")
                .also(&variable.header, "declared here");
                found.push(finding.note(format!("`var.{name}` is {}", value.excerpt(120))));
            }
            Ok(_) => found.push(wrong(
                "a condition must be true or false, not null".to_owned(),
                "this is null",
            )),
            Err(error) => {
                found.push(wrong(format!("a condition must be true or false: {error}"), ""));
            }
        }
    }
}
