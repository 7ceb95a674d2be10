//! The walk over an expression.

use std::collections::BTreeMap;

use super::budget::{Budget, Exceeded};
use super::failure::{conversion, described, exceeded, with_values};
use super::scope::Scope;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::template::syntax::{Expression, ExpressionKind, ObjectItem};
use crate::value::{Kind, Marks, Type, Value, convert};

/// The value of `expression` in `scope`, or all that is wrong with it.
pub fn evaluate(expression: &Expression, scope: &Scope<'_>) -> Result<Value, Diagnostics> {
    let budget = Budget::new();
    Evaluator { scope, budget: &budget }.evaluate(expression)
}

/// Evaluates within one scope.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'a> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) budget: &'a Budget,
}

pub(super) type Outcome = Result<Value, Diagnostics>;

impl Evaluator<'_> {
    pub(super) fn evaluate(&self, expression: &Expression) -> Outcome {
        self.within(&expression.span, self.budget.enter())?;
        let outcome = self.dispatch(expression);
        self.budget.leave();
        outcome
    }

    fn dispatch(&self, expression: &Expression) -> Outcome {
        match &expression.kind {
            ExpressionKind::Literal(value) => Ok(value.clone()),
            ExpressionKind::Parenthesis(inner) => self.evaluate(inner),
            ExpressionKind::Template(parts) => self.template(parts, &expression.span),
            ExpressionKind::Tuple(elements) => self.tuple(elements, &expression.span),
            ExpressionKind::Object(items) => self.object(items, &expression.span),
            ExpressionKind::Variable(name) => self.variable(name, &expression.span),
            ExpressionKind::Traversal(base, steps) => self.traversal(base, steps, expression),
            ExpressionKind::Call { name, arguments, expand } => {
                self.call(name, arguments, *expand, expression)
            }
            ExpressionKind::Conditional(conditional) => self.conditional(conditional, expression),
            ExpressionKind::Unary(operator, operand) => self.unary(*operator, operand, expression),
            ExpressionKind::Binary(left, operator, right) => {
                self.binary(left, *operator, right, expression)
            }
            ExpressionKind::For(expression_for) => self.for_expression(expression_for, expression),
        }
    }

    /// A result of the budget as an error at `span`.
    pub(super) fn within<T>(
        &self,
        span: &Span,
        result: Result<T, Exceeded>,
    ) -> Result<T, Diagnostics> {
        result.map_err(|what| exceeded(what, span))
    }

    /// The value of `expression` as an `of`; `what` begins the error if it is none.
    pub(super) fn converted(&self, expression: &Expression, of: &Type, what: &str) -> Outcome {
        let value = self.evaluate(expression)?;
        convert(&value, of).map_err(|error| conversion(&error, what, expression, self.scope).into())
    }

    fn tuple(&self, elements: &[Expression], span: &Span) -> Outcome {
        self.within(span, self.budget.values(elements.len()))?;
        let mut found = Diagnostics::new();
        let values: Vec<Value> =
            elements.iter().filter_map(|element| found.take(self.evaluate(element))).collect();
        found.into_result(Value::tuple(values))
    }

    fn object(&self, items: &[ObjectItem], span: &Span) -> Outcome {
        self.within(span, self.budget.values(items.len()))?;
        let mut found = Diagnostics::new();
        let mut attributes = BTreeMap::new();
        let mut marks = Marks::NONE;
        let mut known = true;
        for item in items {
            let key = found.take(self.key(&item.key));
            let value = found.take(self.evaluate(&item.value));
            if let (Some(key), Some(value)) = (key, value) {
                marks |= key.marks;
                match &key.kind {
                    Kind::String(name) => {
                        attributes.insert(name.to_string(), value);
                    }
                    _ => known = false,
                }
            }
        }
        let value = if known { Value::object(attributes) } else { Value::unknown(Type::Any) };
        found.into_result(value.marked(marks))
    }

    /// A key of an object: a string, or unknown.
    pub(super) fn key(&self, expression: &Expression) -> Outcome {
        let key = self.evaluate(expression)?;
        let key = convert(&key, &Type::String).map_err(|_| {
            let what = described(&key);
            let report = Diagnostic::error(
                "type-mismatch",
                format!("a key has to be a string, but this is {what}"),
            )
            .at(&expression.span, "wrong type");
            with_values(report, &[expression], self.scope)
        })?;
        if key.is_null() {
            return Err(Diagnostic::error("null-key", "a key of an object must not be null")
                .at(&expression.span, "null")
                .into());
        }
        Ok(key)
    }
}
