//! Operators.

use bigdecimal::Zero;

use super::evaluator::{Evaluator, Outcome};
use super::failure::with_values;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::syntax::{BinaryOperator, Expression, UnaryOperator};
use crate::value::{Kind, Marks, Number, Type, Value, bounded, divide, equals, remainder};

impl Evaluator<'_> {
    pub(super) fn unary(
        &self,
        operator: UnaryOperator,
        operand: &Expression,
        whole: &Expression,
    ) -> Outcome {
        let (of, sign) = match operator {
            UnaryOperator::Negate => (Type::Number, "-"),
            UnaryOperator::Not => (Type::Bool, "!"),
        };
        let value = self.operand(operand, &of, sign)?;
        let marks = value.marks;
        let result = match value.kind {
            Kind::Number(number) => Value::number(-number),
            Kind::Bool(value) => Value::bool(!value),
            Kind::Unknown(_) => Value::unknown(of),
            _ => return Err(self.not_an_operand(operand, whole)),
        };
        Ok(result.marked(marks))
    }

    pub(super) fn binary(
        &self,
        left: &Expression,
        operator: BinaryOperator,
        right: &Expression,
        whole: &Expression,
    ) -> Outcome {
        match operator {
            BinaryOperator::Equal | BinaryOperator::NotEqual => {
                let mut found = Diagnostics::new();
                let values = (found.take(self.evaluate(left)), found.take(self.evaluate(right)));
                let (Some(left), Some(right)) = values else { return Err(found) };
                let marks = left.all_marks() | right.all_marks();
                let result = match equals(&left, &right) {
                    Some(equal) => Value::bool(equal == (operator == BinaryOperator::Equal)),
                    None => Value::unknown(Type::Bool),
                };
                Ok(result.marked(marks))
            }
            BinaryOperator::And | BinaryOperator::Or => self.logical(left, operator, right, whole),
            _ => self.arithmetic(left, operator, right, whole),
        }
    }

    /// `&&` and `||`: the right side is not looked at when the left one decides, and decides
    /// itself when the left one is unknown.
    fn logical(
        &self,
        left: &Expression,
        operator: BinaryOperator,
        right: &Expression,
        whole: &Expression,
    ) -> Outcome {
        let decides = operator == BinaryOperator::Or;
        let sign = operator.sign();
        let first = match self.operand(left, &Type::Bool, sign) {
            Ok(value) if value.kind == Kind::Bool(decides) => return Ok(value),
            Ok(value) => value,
            Err(mut found) => {
                found.take(self.operand(right, &Type::Bool, sign));
                return Err(found);
            }
        };
        let second = self.operand(right, &Type::Bool, sign)?;
        let marks = first.marks | second.marks;
        let result = match (&first.kind, &second.kind) {
            (_, Kind::Bool(value)) if *value == decides => Value::bool(decides),
            (Kind::Unknown(_), _) | (_, Kind::Unknown(_)) => Value::unknown(Type::Bool),
            (Kind::Bool(_), Kind::Bool(_)) => Value::bool(!decides),
            _ => return Err(self.not_an_operand(left, whole)),
        };
        Ok(result.marked(marks))
    }

    fn arithmetic(
        &self,
        left: &Expression,
        operator: BinaryOperator,
        right: &Expression,
        whole: &Expression,
    ) -> Outcome {
        let mut found = Diagnostics::new();
        let sign = operator.sign();
        let first = found.take(self.operand(left, &Type::Number, sign));
        let second = found.take(self.operand(right, &Type::Number, sign));
        let (Some(first), Some(second)) = (first, second) else { return Err(found) };
        let marks: Marks = first.marks | second.marks;
        let (a, b) = match (&first.kind, &second.kind) {
            (Kind::Number(a), Kind::Number(b)) => (a, b),
            (Kind::Unknown(_), _) | (_, Kind::Unknown(_)) => {
                let of = if operator.compares() { Type::Bool } else { Type::Number };
                return Ok(Value::unknown(of).marked(marks));
            }
            _ => return Err(self.not_an_operand(left, whole)),
        };
        let number: Option<Number> = match operator {
            BinaryOperator::Less => return Ok(Value::bool(a < b).marked(marks)),
            BinaryOperator::LessOrEqual => return Ok(Value::bool(a <= b).marked(marks)),
            BinaryOperator::Greater => return Ok(Value::bool(a > b).marked(marks)),
            BinaryOperator::GreaterOrEqual => return Ok(Value::bool(a >= b).marked(marks)),
            BinaryOperator::Add => bounded(a + b),
            BinaryOperator::Subtract => bounded(a - b),
            BinaryOperator::Multiply => bounded(a * b),
            BinaryOperator::Divide | BinaryOperator::Remainder if b.is_zero() => {
                let report = Diagnostic::error("division-by-zero", "division by zero")
                    .at(&whole.span, "")
                    .also(&right.span, "this is zero");
                return Err(with_values(report, &[left, right], self.scope).into());
            }
            BinaryOperator::Divide => divide(a, b),
            _ => remainder(a, b),
        };
        match number {
            Some(number) => Ok(Value::number(number).marked(marks)),
            None => {
                let report = Diagnostic::error("number-range", "the result is out of range")
                    .at(&whole.span, "too large or too small")
                    .note("numbers lie within 10^±4096");
                Err(with_values(report, &[left, right], self.scope).into())
            }
        }
    }

    /// An operand of type `of`, not null.
    fn operand(&self, expression: &Expression, of: &Type, sign: &str) -> Outcome {
        let what = format!("`{sign}` takes {}s", of.noun());
        let value = self.converted(expression, of, &what)?;
        if value.is_null() {
            let report = Diagnostic::error("null-operand", format!("`{sign}` does not take null"))
                .at(&expression.span, "null");
            return Err(with_values(report, &[expression], self.scope).into());
        }
        Ok(value)
    }

    fn not_an_operand(&self, operand: &Expression, whole: &Expression) -> Diagnostics {
        let report = Diagnostic::error("type-mismatch", "this operator does not take such a value")
            .at(&whole.span, "");
        with_values(report, &[operand], self.scope).into()
    }
}

impl BinaryOperator {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            BinaryOperator::Equal => "==",
            BinaryOperator::NotEqual => "!=",
            BinaryOperator::Less => "<",
            BinaryOperator::LessOrEqual => "<=",
            BinaryOperator::Greater => ">",
            BinaryOperator::GreaterOrEqual => ">=",
            BinaryOperator::Add => "+",
            BinaryOperator::Subtract => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::Remainder => "%",
            BinaryOperator::And => "&&",
            BinaryOperator::Or => "||",
        }
    }

    fn compares(self) -> bool {
        matches!(
            self,
            BinaryOperator::Less
                | BinaryOperator::LessOrEqual
                | BinaryOperator::Greater
                | BinaryOperator::GreaterOrEqual
        )
    }
}
