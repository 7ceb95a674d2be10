//! `[for … : …]`, `{for … : … => …}`, and what iterates like them.

use std::collections::BTreeMap;

use super::evaluator::{Evaluator, Outcome};
use super::failure::{described, with_values};
use super::scope::Scope;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::syntax::{Expression, ForExpression, Name};
use crate::value::{Kind, Marks, Type, Value};

/// What is iterated: pairs of key and element, or not known yet.
pub(super) enum Iteration {
    Pairs(Vec<(Value, Value)>),
    Unknown,
}

impl Evaluator<'_> {
    /// The elements of `expression` in order, with marks of the whole.
    pub(super) fn iteration(
        &self,
        expression: &Expression,
    ) -> Result<(Iteration, Marks), Diagnostics> {
        let collection = self.evaluate(expression)?;
        let marks = collection.marks;
        let pairs = match collection.kind {
            Kind::Unknown(Type::Bool | Type::Number | Type::String)
            | Kind::Null(_)
            | Kind::Bool(_)
            | Kind::Number(_)
            | Kind::String(_) => {
                let what = described(&collection);
                let report =
                    Diagnostic::error("not-iterable", format!("cannot iterate over {what}"))
                        .at(&expression.span, format!("this is {what}"))
                        .help("`for` takes a list, a set, a map or an object");
                return Err(with_values(report, &[expression], self.scope).into());
            }
            Kind::Unknown(_) => return Ok((Iteration::Unknown, marks)),
            Kind::List(_, all) | Kind::Tuple(all) => all
                .into_iter()
                .enumerate()
                .map(|(at, element)| {
                    (Value::number(u64::try_from(at).unwrap_or(u64::MAX)), element)
                })
                .collect(),
            Kind::Set(_, all) => all.into_iter().map(|one| (one.clone(), one)).collect(),
            Kind::Map(_, all) | Kind::Object(all) => {
                all.into_iter().map(|(name, element)| (Value::string(name), element)).collect()
            }
        };
        Ok((Iteration::Pairs(pairs), marks))
    }

    /// A scope with the names of an iteration.
    pub(super) fn bound(
        &self,
        key: Option<&Name>,
        value: &Name,
        pair: (Value, Value),
    ) -> Scope<'_> {
        let mut scope = self.scope.child();
        if let Some(key) = key {
            scope.set(&key.text, pair.0);
        }
        scope.set(&value.text, pair.1);
        scope
    }

    pub(super) fn for_expression(&self, expression: &ForExpression, whole: &Expression) -> Outcome {
        let (iteration, mut marks) = self.iteration(&expression.collection)?;
        let Iteration::Pairs(pairs) = iteration else {
            return Ok(Value::unknown(Type::Any).marked(marks));
        };
        let mut found = Diagnostics::new();
        let mut known = true;
        let mut elements = Vec::new();
        let mut object: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for pair in pairs {
            self.within(&whole.span, self.budget.values(1))?;
            let scope = self.bound(expression.key.as_ref(), &expression.value, pair);
            let inner = Evaluator { scope: &scope, budget: self.budget };
            if let Some(condition) = &expression.condition {
                let Some(value) = found.take(inner.condition(condition)) else { break };
                marks |= value.marks;
                match value.kind {
                    Kind::Bool(true) => {}
                    Kind::Bool(false) => continue,
                    _ => {
                        known = false;
                        continue;
                    }
                }
            }
            let Some(result_key) = &expression.result_key else {
                let Some(element) = found.take(inner.evaluate(&expression.result)) else { break };
                elements.push(element);
                continue;
            };
            let key = found.take(inner.key(result_key));
            let element = found.take(inner.evaluate(&expression.result));
            let (Some(key), Some(element)) = (key, element) else { break };
            marks |= key.marks;
            let Kind::String(name) = key.kind else {
                known = false;
                continue;
            };
            let group = object.entry(name.to_string()).or_default();
            if !group.is_empty() && !expression.group {
                let shown = if marks.sensitive {
                    "a sensitive key".to_owned()
                } else {
                    format!("the key {}", Value::string(&name).excerpt(60))
                };
                let report = Diagnostic::error("duplicate-key", format!("{shown} comes up twice"))
                    .at(&result_key.span, "not unique")
                    .help("write `...` after the value to collect all values of a key in a list");
                return Err(with_values(report, &[&expression.collection], self.scope).into());
            }
            group.push(element);
        }
        let value = if !known {
            Value::unknown(Type::Any)
        } else if expression.result_key.is_none() {
            Value::tuple(elements)
        } else if expression.group {
            Value::object(object.into_iter().map(|(key, all)| (key, Value::tuple(all))).collect())
        } else {
            Value::object(
                object.into_iter().filter_map(|(key, mut all)| Some((key, all.pop()?))).collect(),
            )
        };
        found.into_result(value.marked(marks))
    }
}
