//! What the author wrote, with a span on every node: one tree for HCL, HCL-JSON
//! and legacy JSON.
//!
//! Nothing is evaluated and no option is known here.

mod body;
mod expression;

pub use body::{Attribute, Block, Body, Dialect, Name};
pub use expression::{
    BinaryOperator, ConditionalExpression, Expression, ExpressionKind, ForExpression, ObjectItem,
    Step, TemplatePart, UnaryOperator,
};
