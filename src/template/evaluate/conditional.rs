//! `condition ? then : otherwise`.

use super::evaluator::{Evaluator, Outcome};
use super::failure::{conversion, with_values};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::syntax::{ConditionalExpression, Expression};
use crate::value::{Kind, Type, Value, convert, unify};

impl Evaluator<'_> {
    /// Both sides are evaluated, because the result has the type that both can have; errors of
    /// the side that is not taken do not count.
    pub(super) fn conditional(
        &self,
        conditional: &ConditionalExpression,
        whole: &Expression,
    ) -> Outcome {
        let condition = self.condition(&conditional.condition)?;
        let then = self.evaluate(&conditional.then);
        let otherwise = self.evaluate(&conditional.otherwise);
        let marks = condition.marks;
        let Kind::Bool(holds) = condition.kind else {
            let mut found = Diagnostics::new();
            let then = found.take(then);
            let otherwise = found.take(otherwise);
            let (Some(then), Some(otherwise)) = (then, otherwise) else { return Err(found) };
            let of = self.result_type(&then, &otherwise, conditional, whole)?;
            let marks = marks | then.all_marks() | otherwise.all_marks();
            return Ok(Value::unknown(of).marked(marks));
        };
        let (taken, other, expression) = if holds {
            (then?, otherwise, &conditional.then)
        } else {
            (otherwise?, then, &conditional.otherwise)
        };
        let Ok(other) = other else { return Ok(taken.marked(marks)) };
        let of = if holds {
            self.result_type(&taken, &other, conditional, whole)?
        } else {
            self.result_type(&other, &taken, conditional, whole)?
        };
        let value = convert(&taken, &of).map_err(|error| {
            conversion(
                &error,
                "the result does not convert to the type of both sides",
                expression,
                self.scope,
            )
        })?;
        Ok(value.marked(marks))
    }

    /// A condition: a truth value, or unknown.
    pub(super) fn condition(&self, expression: &Expression) -> Outcome {
        let value = self.converted(expression, &Type::Bool, "a condition is true or false")?;
        if value.is_null() {
            let report = Diagnostic::error("null-condition", "a condition must not be null")
                .at(&expression.span, "null");
            return Err(with_values(report, &[expression], self.scope).into());
        }
        Ok(value)
    }

    fn result_type(
        &self,
        then: &Value,
        otherwise: &Value,
        conditional: &ConditionalExpression,
        whole: &Expression,
    ) -> Result<Type, Diagnostics> {
        let types: Vec<Type> = [then, otherwise].into_iter().filter_map(Value::own_type).collect();
        unify(&types).ok_or_else(|| {
            let (left, right) = (then.type_of().a_noun(), otherwise.type_of().a_noun());
            Diagnostic::error("inconsistent-types", "both sides of a conditional need one type")
                .at(&whole.span, "")
                .also(&conditional.then.span, format!("this is {left}"))
                .also(&conditional.otherwise.span, format!("this is {right}"))
                .help("convert one side, for instance with `tostring`, `tolist` or `jsonencode`")
                .into()
        })
    }
}
