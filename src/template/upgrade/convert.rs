//! Weak types of legacy templates to strict ones (`packer-core.md` section 2.10).
//!
//! The rules are those by which the schema's decoder weakens values; here they are applied to what
//! is written, before anything has a value.

use super::super::syntax::{Expression, ExpressionKind, ObjectItem};
use super::call::Place;
use super::document::Out;
use super::rewrite::Rewrite;
use super::text::Text;
use crate::value::{Kind, Type, Value, format_number, parse_number, quote};

/// What Go takes for a true value.
const TRUE: [&str; 6] = ["1", "t", "T", "true", "TRUE", "True"];
/// What Go takes for a false one.
const FALSE: [&str; 7] = ["", "0", "f", "F", "false", "FALSE", "False"];

impl Rewrite<'_> {
    /// A value where `of` is expected; without a type as it is written.
    pub(super) fn value(&self, expression: &Expression, of: Option<&Type>, place: Place) -> Out {
        let of = of.filter(|of| **of != Type::Any);
        match &expression.kind {
            ExpressionKind::Literal(Value { kind: Kind::String(text), .. }) => {
                self.text_value(text, of, place)
            }
            ExpressionKind::Tuple(all) => self.list(expression, all, of, place),
            ExpressionKind::Object(items) => match of {
                Some(Type::List(_) | Type::Set(_)) => {
                    Out::List(vec![self.value(expression, element(of), place)])
                }
                _ => self.object(items, of, place),
            },
            ExpressionKind::Literal(value) => self.scalar(value, of),
            // Legacy templates have no other expressions.
            _ => Out::Plain("null".to_owned()),
        }
    }

    fn list(
        &self,
        expression: &Expression,
        all: &[Expression],
        of: Option<&Type>,
        place: Place,
    ) -> Out {
        if let Some(Type::Map(_)) = of {
            // A list of objects stands for one object; what is repeated counts where it is last.
            let items: Vec<_> = all
                .iter()
                .filter_map(|one| match &one.kind {
                    ExpressionKind::Object(items) => Some(items.as_slice()),
                    _ => None,
                })
                .flatten()
                .cloned()
                .collect();
            return self.object(&items, of, place);
        }
        let element = match of {
            Some(Type::List(_) | Type::Set(_)) => element(of),
            Some(_) => {
                self.problem(format!(
                    "`{}` is a list",
                    super::text::shorten(expression.span.text())
                ));
                None
            }
            None => None,
        };
        Out::List(all.iter().map(|one| self.value(one, element, place)).collect())
    }

    fn object(&self, items: &[ObjectItem], of: Option<&Type>, place: Place) -> Out {
        let element = match of {
            Some(Type::Map(element)) => Some(&**element),
            _ => None,
        };
        let mut all: Vec<(String, Out)> = Vec::new();
        for item in items {
            let Some(name) = literal_text(&item.key) else { continue };
            all.retain(|(known, _)| known != name);
            all.push((name.to_owned(), self.value(&item.value, element, place)));
        }
        Out::Object(all)
    }

    /// A number, a truth value or null.
    fn scalar(&self, value: &Value, of: Option<&Type>) -> Out {
        let plain = |text: &str| Out::Plain(text.to_owned());
        match (&value.kind, of) {
            (Kind::Bool(_) | Kind::Number(_), Some(Type::List(_) | Type::Set(_))) => {
                Out::List(vec![self.scalar(value, element(of))])
            }
            (Kind::Bool(truth), Some(Type::String)) => {
                Out::Plain(quote(if *truth { "1" } else { "0" }))
            }
            (Kind::Bool(truth), Some(Type::Number)) => plain(if *truth { "1" } else { "0" }),
            (Kind::Bool(truth), _) => plain(if *truth { "true" } else { "false" }),
            (Kind::Number(number), Some(Type::String)) => Out::Plain(quote(&format_number(number))),
            (Kind::Number(number), Some(Type::Bool)) => {
                plain(if *number == 0 { "false" } else { "true" })
            }
            (Kind::Number(number), _) => Out::Plain(format_number(number)),
            _ => plain("null"),
        }
    }

    fn text_value(&self, text: &str, of: Option<&Type>, place: Place) -> Out {
        let parts = self.text(text, place);
        match of {
            Some(Type::Bool) => Out::Plain(self.truth(&parts)),
            Some(Type::Number) => Out::Plain(self.number(&parts)),
            Some(Type::List(_) | Type::Set(_)) => self.split(&parts, text, of, place),
            _ => Out::Plain(parts.spell()),
        }
    }

    fn truth(&self, parts: &Text) -> String {
        let known = |text: &str| match text {
            text if TRUE.contains(&text) => Some("true"),
            text if FALSE.contains(&text) => Some("false"),
            _ => None,
        };
        if parts.is_literal() {
            let text = parts.constant().unwrap_or_default();
            return known(&text).map_or_else(|| quote(&text), str::to_owned);
        }
        let spelled = parts.spell();
        // A Go template is rendered before the text is converted; HCL's own rules do for a variable
        // that holds the words HCL knows.
        let default = self.default_of(&spelled);
        if parts.expression().is_none() || matches!(default, Some("true" | "false")) {
            return spelled;
        }
        let words: Vec<_> = TRUE.iter().map(|word| quote(word)).collect();
        format!("contains([{}], {spelled})", words.join(", "))
    }

    fn number(&self, parts: &Text) -> String {
        if parts.is_literal() {
            let text = parts.constant().unwrap_or_default();
            if text.is_empty() {
                return "0".to_owned();
            }
            // What is spelled otherwise (`08`) is left to the conversion.
            return match parse_number(&text) {
                Some(number) if format_number(&number) == text => text,
                _ => quote(&text),
            };
        }
        let spelled = parts.spell();
        match self.default_of(&spelled) {
            // Nothing at all is zero.
            Some("") => format!("{spelled} == \"\" ? 0 : {spelled}"),
            _ => spelled,
        }
    }

    /// A text where a list is expected: its parts between commas.
    fn split(&self, parts: &Text, text: &str, of: Option<&Type>, place: Place) -> Out {
        if parts.is_literal() {
            if text.is_empty() {
                return Out::List(Vec::new());
            }
            return Out::List(
                text.split(',').map(|one| self.text_value(one, element(of), place)).collect(),
            );
        }
        if parts.has_hidden_commas() {
            self.problem(format!(
                "how many elements `{}` has is decided by a Go template",
                super::text::shorten(text)
            ));
            return Out::List(vec![Out::Plain(parts.spell())]);
        }
        if parts.constant().is_some() {
            return Out::List(
                parts.split_at_commas().iter().map(|one| Out::Plain(one.spell())).collect(),
            );
        }
        let spelled = parts.spell();
        if !parts.may_have_commas() {
            return Out::List(vec![Out::Plain(spelled)]);
        }
        Out::Plain(if parts.may_be_empty() {
            format!("{spelled} == \"\" ? [] : split(\",\", {spelled})")
        } else {
            format!("split(\",\", {spelled})")
        })
    }

    /// The default of the variable that an expression is.
    fn default_of(&self, reference: &str) -> Option<&str> {
        self.names.default_of(reference)
    }
}

/// The type of the elements of a list, set or map.
fn element(of: Option<&Type>) -> Option<&Type> {
    match of {
        Some(Type::List(element) | Type::Set(element) | Type::Map(element)) => Some(element),
        _ => None,
    }
}

/// A text that is written as such.
pub(super) fn literal_text(expression: &Expression) -> Option<&str> {
    match &expression.kind {
        ExpressionKind::Literal(value) => value.as_str(),
        _ => None,
    }
}
