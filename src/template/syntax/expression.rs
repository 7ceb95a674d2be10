//! Expressions.

use super::Name;
use crate::diagnostic::Span;
use crate::value::Value;

/// An expression with its place.
#[derive(Clone, Debug)]
pub struct Expression {
    /// What it is.
    pub kind: ExpressionKind,
    /// Where it stands.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Clone, Debug)]
pub enum ExpressionKind {
    /// Null, a truth value, a number, or text without any template sequence.
    Literal(Value),
    /// Text with interpolations or directives. Heredocs are already dedented, strip marks applied.
    Template(Vec<TemplatePart>),
    /// `[a, b]`.
    Tuple(Vec<Expression>),
    /// `{ a = b }`.
    Object(Vec<ObjectItem>),
    /// A bare name: the root of a reference, such as `var`.
    Variable(Name),
    /// Something followed by `.name`, `[index]`, `.*`, `[*]`.
    Traversal(Box<Expression>, Vec<Step>),
    /// `name(arguments)`; with `expand` the last argument is spread (`...`).
    Call {
        /// The function, with `::` between namespaces.
        name: Name,
        /// The arguments.
        arguments: Vec<Expression>,
        /// Whether the last one is followed by `...`.
        expand: bool,
    },
    /// `( … )`; matters as an object key.
    Parenthesis(Box<Expression>),
    /// `a ? b : c`.
    Conditional(Box<ConditionalExpression>),
    /// `-a`, `!a`.
    Unary(UnaryOperator, Box<Expression>),
    /// `a + b` and the like.
    Binary(Box<Expression>, BinaryOperator, Box<Expression>),
    /// `[for … : …]`, `{for … : … => …}`.
    For(Box<ForExpression>),
}

/// A part of a string template.
#[derive(Clone, Debug)]
pub enum TemplatePart {
    /// Text as it is.
    Text(String, Span),
    /// `${ … }`.
    Interpolation(Expression),
    /// `%{ if … }`.
    If {
        /// The condition.
        condition: Expression,
        /// When it holds.
        then: Vec<TemplatePart>,
        /// When it does not.
        otherwise: Vec<TemplatePart>,
    },
    /// `%{ for … in … }`.
    For {
        /// Name for the key or index.
        key: Option<Name>,
        /// Name for the element.
        value: Name,
        /// What is iterated.
        collection: Expression,
        /// The repeated part.
        body: Vec<TemplatePart>,
    },
}

/// `key = value` in an object expression.
#[derive(Clone, Debug)]
pub struct ObjectItem {
    /// The key; a bare name is a `Literal` string here, `(name)` a `Parenthesis`.
    pub key: Expression,
    /// The value.
    pub value: Expression,
}

/// One step of a traversal.
#[derive(Clone, Debug)]
pub enum Step {
    /// `.name`.
    Attribute(Name),
    /// `[expression]`, also `.0`.
    Index(Expression),
    /// `.*`.
    AttributeSplat(Span),
    /// `[*]`.
    FullSplat(Span),
}

/// `condition ? then : otherwise`.
#[derive(Clone, Debug)]
pub struct ConditionalExpression {
    /// What is asked.
    pub condition: Expression,
    /// When it holds.
    pub then: Expression,
    /// When it does not.
    pub otherwise: Expression,
}

/// A `for` expression.
#[derive(Clone, Debug)]
pub struct ForExpression {
    /// Name for the key or index.
    pub key: Option<Name>,
    /// Name for the element.
    pub value: Name,
    /// What is iterated.
    pub collection: Expression,
    /// For an object result, the expression of the key.
    pub result_key: Option<Expression>,
    /// The expression of the element.
    pub result: Expression,
    /// `…` after the element: group by key.
    pub group: bool,
    /// `if …`.
    pub condition: Option<Expression>,
}

/// Operators with one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `-`
    Negate,
    /// `!`
    Not,
}

/// Operators with two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the operators")]
pub enum BinaryOperator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    And,
    Or,
}
