//! Expressions: operators, conditionals, traversals and single values.

use std::ops::Range;

use super::bracket::too_deep;
use super::parser::{Fault, Parsed, Parser, fault};
use super::token::{Bracket, Kind};
use crate::diagnostic::Diagnostic;
use crate::template::syntax::{
    BinaryOperator, ConditionalExpression, Expression, ExpressionKind, Step, UnaryOperator,
};
use crate::value::{Value, parse_number};

/// How many operators may stand in a row.
const OPERATORS: usize = 128;

impl Parser<'_> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        let outer = std::mem::take(&mut self.operators);
        let mut count = 0;
        let condition = self.binary(0, &mut count)?;
        self.operators += count;
        if self.operators > OPERATORS {
            let at = self.end().saturating_sub(1)..self.end();
            return fault(at.start, too_deep().at(&self.span(&at), "here"));
        }
        self.operators = self.operators.max(outer);
        if self.take(Kind::Question).is_none() {
            return Ok(condition);
        }
        self.nested(|parser| {
            let then = parser.expression()?;
            if parser.take(Kind::Colon).is_none() {
                let help = "a conditional is written `condition ? value : other`";
                return Err(parser.unexpected("`:`", Some(help)));
            }
            let otherwise = parser.expression()?;
            let span = condition.span.to(&otherwise.span);
            let parts = ConditionalExpression { condition, then, otherwise };
            Ok(Expression { kind: ExpressionKind::Conditional(Box::new(parts)), span })
        })
    }

    /// Operands with operators between them that bind at least as strongly as `least`.
    fn binary(&mut self, least: u8, count: &mut usize) -> Parsed<Expression> {
        let mut left = self.operand()?;
        while let Some((operator, strength)) = self.operator() {
            if strength < least {
                break;
            }
            let sign = self.next();
            *count += 1;
            self.missing_operand(&sign)?;
            if *count > OPERATORS {
                return fault(sign.start, too_deep().at(&self.span(&sign), "here"));
            }
            let right = self.binary(strength + 1, count)?;
            let span = left.span.to(&right.span);
            let kind = ExpressionKind::Binary(Box::new(left), operator, Box::new(right));
            left = Expression { kind, span };
        }
        Ok(left)
    }

    /// The operator here and how strongly it binds.
    fn operator(&self) -> Option<(BinaryOperator, u8)> {
        let operator = match self.kind() {
            Kind::Minus => return Some((BinaryOperator::Subtract, 4)),
            Kind::Star => return Some((BinaryOperator::Multiply, 5)),
            Kind::Operator => self.here(),
            _ => return None,
        };
        Some(match operator {
            "||" | "|" => (BinaryOperator::Or, 0),
            "&&" | "&" => (BinaryOperator::And, 1),
            "==" => (BinaryOperator::Equal, 2),
            "!=" => (BinaryOperator::NotEqual, 2),
            "<" => (BinaryOperator::Less, 3),
            ">" => (BinaryOperator::Greater, 3),
            "<=" => (BinaryOperator::LessOrEqual, 3),
            ">=" => (BinaryOperator::GreaterOrEqual, 3),
            "+" => (BinaryOperator::Add, 4),
            "/" => (BinaryOperator::Divide, 5),
            _ => (BinaryOperator::Remainder, 5),
        })
    }

    /// After an operator: an error when nothing follows that it could work on.
    fn missing_operand(&self, sign: &Range<usize>) -> Parsed<()> {
        let ends = matches!(
            self.kind(),
            Kind::Newline
                | Kind::End
                | Kind::Close(_)
                | Kind::Comma
                | Kind::Colon
                | Kind::Question
                | Kind::Equal
        );
        if !ends {
            return Ok(());
        }
        let report =
            Diagnostic::error("syntax", format!("a value is missing after `{}`", self.slice(sign)))
                .at(&self.span(sign), "not followed by a value");
        let on_a_new_line =
            "put the value on the same line, or the whole expression in parentheses".to_owned();
        fault(
            sign.start,
            report.maybe_help((self.kind() == Kind::Newline).then_some(on_a_new_line)),
        )
    }

    /// A value with its signs and traversals.
    fn operand(&mut self) -> Parsed<Expression> {
        let operator = match self.kind() {
            Kind::Minus => UnaryOperator::Negate,
            Kind::Bang => UnaryOperator::Not,
            _ => return self.traversal(),
        };
        self.nested(|parser| {
            let sign = parser.next();
            parser.missing_operand(&sign)?;
            let operand = parser.operand()?;
            let span = parser.span(&sign).to(&operand.span);
            Ok(Expression { kind: ExpressionKind::Unary(operator, Box::new(operand)), span })
        })
    }

    /// A value and what leads into it.
    fn traversal(&mut self) -> Parsed<Expression> {
        let start = self.range().start;
        let base = self.term()?;
        let mut steps = Vec::new();
        loop {
            match self.kind() {
                Kind::Dot => steps.push(self.attribute_step()?),
                Kind::Open(Bracket::Square) => steps.push(self.index_step()?),
                _ => break,
            }
        }
        if steps.is_empty() {
            return Ok(base);
        }
        let span = self.span(&(start..self.end()));
        Ok(Expression { kind: ExpressionKind::Traversal(Box::new(base), steps), span })
    }

    fn attribute_step(&mut self) -> Parsed<Step> {
        let dot = self.next();
        match self.kind() {
            Kind::Name => {
                let name = self.next();
                Ok(Step::Attribute(self.name(&name)))
            }
            Kind::Number => {
                let digits = self.next();
                let span = self.span(&digits);
                let value =
                    parse_number(self.slice(&digits)).map_or_else(Value::null, Value::number);
                Ok(Step::Index(Expression { kind: ExpressionKind::Literal(value), span }))
            }
            Kind::Star => {
                let star = self.next();
                Ok(Step::AttributeSplat(self.span(&(dot.start..star.end))))
            }
            _ => {
                let report = Diagnostic::error("syntax", "a name is missing after `.`")
                    .at(&self.span(&dot), "not followed by a name");
                fault(dot.start, report)
            }
        }
    }

    fn index_step(&mut self) -> Parsed<Step> {
        self.nested(|parser| {
            let open = parser.next();
            let close = Kind::Close(Bracket::Square);
            if parser.kind() == Kind::Star && parser.ahead(1) == close {
                parser.next();
                let end = parser.next().end;
                return Ok(Step::FullSplat(parser.span(&(open.start..end))));
            }
            if parser.kind() == close {
                let report = Diagnostic::error("syntax", "an index is missing in `[]`")
                    .at(&parser.span(&(open.start..parser.range().end)), "empty")
                    .help("write `[0]`, `[\"key\"]`, or `[*]` for all elements");
                return fault(open.start, report);
            }
            let index = parser.expression()?;
            if parser.take(close).is_none() {
                return Err(parser.unexpected("`]`", None));
            }
            Ok(Step::Index(index))
        })
    }

    /// A single value.
    fn term(&mut self) -> Parsed<Expression> {
        let start = self.range().start;
        let kind = match self.kind() {
            Kind::Number => {
                let digits = self.next();
                self.number(&digits)
            }
            Kind::Name => {
                if matches!(self.ahead(1), Kind::Open(Bracket::Round) | Kind::DoubleColon) {
                    self.call()?
                } else {
                    let range = self.next();
                    match self.slice(&range) {
                        "true" => ExpressionKind::Literal(Value::bool(true)),
                        "false" => ExpressionKind::Literal(Value::bool(false)),
                        "null" => ExpressionKind::Literal(Value::null()),
                        _ => ExpressionKind::Variable(self.name(&range)),
                    }
                }
            }
            Kind::Open(Bracket::Round) => self.nested(Self::parenthesis)?,
            Kind::Open(Bracket::Square) => self.nested(Self::tuple)?,
            Kind::Open(Bracket::Brace) => self.nested(Self::object)?,
            Kind::Open(Bracket::Quote | Bracket::Heredoc) => self.nested(Self::template)?,
            // Told by the lexer.
            Kind::Mistake => {
                self.next();
                ExpressionKind::Literal(Value::null())
            }
            _ => return Err(self.no_value()),
        };
        Ok(Expression { kind, span: self.span(&(start..self.end())) })
    }

    fn no_value(&self) -> Fault {
        let follows = self.text.get(self.range().end..).unwrap_or_default();
        let help = match self.kind() {
            Kind::Stray | Kind::Operator if follows.starts_with('{') => {
                Some("`${ … }` belongs inside a string; write the expression by itself")
            }
            Kind::Dot if follows.starts_with(|c: char| c.is_ascii_digit()) => {
                Some("a number begins with a digit: `0.5`")
            }
            Kind::Dot if follows.starts_with(['/', '.']) => Some("text stands in double quotes"),
            Kind::Operator if self.here() == "/" => Some("text stands in double quotes"),
            Kind::Operator if self.here() == "+" => Some("numbers have no `+` in front"),
            Kind::Equal if self.before().ends_with('=') => Some("set a value with one `=`"),
            Kind::Equal => Some("operators that compare are `==`, `!=`, `<`, `<=`, `>` and `>=`"),
            Kind::Comma => Some("remove the comma, or put a value in front of it"),
            Kind::Stray if self.here() == "$" => Some("names have no `$` in front"),
            Kind::Arrow => Some("a key of an object is followed by `=` or `:`"),
            _ => None,
        };
        self.unexpected("an expression", help)
    }

    /// What stands before the token here, without blanks.
    fn before(&self) -> &str {
        self.text.get(..self.range().start).unwrap_or_default().trim_end_matches([' ', '\t'])
    }

    fn number(&mut self, digits: &Range<usize>) -> ExpressionKind {
        match parse_number(self.slice(digits)) {
            Some(number) => ExpressionKind::Literal(Value::number(number)),
            None => {
                let report = Diagnostic::error("number-range", "this number is out of range")
                    .at(&self.span(digits), "too large or too small")
                    .note("numbers lie within 10^±4096 and have at most 5000 digits");
                self.tell(digits.start, report);
                ExpressionKind::Literal(Value::null())
            }
        }
    }

    fn parenthesis(&mut self) -> Parsed<ExpressionKind> {
        self.next();
        let inner = self.expression()?;
        if self.take(Kind::Close(Bracket::Round)).is_none() {
            let help = (self.kind() == Kind::Comma)
                .then_some("a list is written in square brackets: `[a, b]`");
            return Err(self.unexpected("`)`", help));
        }
        Ok(ExpressionKind::Parenthesis(Box::new(inner)))
    }
}
