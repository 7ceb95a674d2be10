//! String templates.

use super::evaluator::{Evaluator, Outcome};
use super::failure::with_values;
use super::for_expression::Iteration;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::template::syntax::{Expression, TemplatePart};
use crate::value::{Kind, Marks, Type, Value, convert};

/// The text so far, as far as it is known.
struct Text {
    text: String,
    known: bool,
    marks: Marks,
}

impl Evaluator<'_> {
    pub(super) fn template(&self, parts: &[TemplatePart], span: &Span) -> Outcome {
        // `"${x}"` is `x` itself, of whatever type.
        if let [TemplatePart::Interpolation(only)] = parts {
            return self.evaluate(only);
        }
        let mut text = Text { text: String::new(), known: true, marks: Marks::NONE };
        let mut found = Diagnostics::new();
        self.parts(parts, span, &mut text, &mut found);
        let value =
            if text.known { Value::string(text.text) } else { Value::unknown(Type::String) };
        found.into_result(value.marked(text.marks))
    }

    fn parts(&self, parts: &[TemplatePart], span: &Span, text: &mut Text, found: &mut Diagnostics) {
        for part in parts {
            match part {
                TemplatePart::Text(plain, _) => self.append(plain, span, text, found),
                TemplatePart::Interpolation(expression) => {
                    if let Some(value) = found.take(self.evaluate(expression)) {
                        self.interpolate(&value, expression, span, text, found);
                    }
                }
                TemplatePart::If { condition, then, otherwise } => {
                    let Some(value) = found.take(self.condition(condition)) else { continue };
                    text.marks |= value.marks;
                    match value.kind {
                        Kind::Bool(true) => self.parts(then, span, text, found),
                        Kind::Bool(false) => self.parts(otherwise, span, text, found),
                        _ => {
                            // Either text may come out, so the marks of both count.
                            text.known = false;
                            self.parts(then, span, text, found);
                            self.parts(otherwise, span, text, found);
                        }
                    }
                }
                TemplatePart::For { key, value, collection, body } => {
                    let Some((iteration, marks)) = found.take(self.iteration(collection)) else {
                        continue;
                    };
                    text.marks |= marks;
                    let Iteration::Pairs(pairs) = iteration else {
                        text.known = false;
                        continue;
                    };
                    for pair in pairs {
                        let scope = self.bound(key.as_ref(), value, pair);
                        let inner = Evaluator { scope: &scope, budget: self.budget };
                        let before = found.len();
                        inner.parts(body, span, text, found);
                        if found.len() > before {
                            break;
                        }
                    }
                }
            }
        }
    }

    fn append(&self, more: &str, span: &Span, text: &mut Text, found: &mut Diagnostics) {
        if found.take(self.within(span, self.budget.text(more.len()))).is_some() && text.known {
            text.text.push_str(more);
        }
    }

    fn interpolate(
        &self,
        value: &Value,
        expression: &Expression,
        span: &Span,
        text: &mut Text,
        found: &mut Diagnostics,
    ) {
        text.marks |= value.all_marks();
        let report = if value.is_null() {
            Diagnostic::error("null-in-template", "a null value cannot be part of a string")
                .at(&expression.span, "null")
                .help("give it a default with `coalesce`, or leave it out with `%{ if … }`")
        } else {
            match convert(value, &Type::String).map(|converted| converted.kind) {
                Ok(Kind::String(more)) => {
                    self.append(&more, span, text, found);
                    return;
                }
                Ok(_) => {
                    text.known = false;
                    return;
                }
                Err(_) => {
                    let what = value.type_of();
                    let help = match what {
                        Type::List(_) | Type::Set(_) | Type::Tuple(_) => {
                            "join its elements with `join`, or encode it with `jsonencode`"
                        }
                        _ => "take one of its attributes, or encode it with `jsonencode`",
                    };
                    Diagnostic::error(
                        "type-mismatch",
                        format!("{} cannot be part of a string", what.a_noun()),
                    )
                    .at(&expression.span, format!("this is {}", what.a_noun()))
                    .help(help)
                }
            }
        };
        found.push(with_values(report, &[expression], self.scope));
    }
}
