//! What the author wrote, with a span on every node: one tree for HCL, HCL-JSON
//! and legacy JSON.
//!
//! Nothing is evaluated and no option is known here.

mod body;
mod expression;
mod hcl;
mod hcl_json;

pub use body::{Attribute, Block, Body, Dialect, Name};
pub use expression::{
    BinaryOperator, ConditionalExpression, Expression, ExpressionKind, ForExpression, ObjectItem,
    Step, TemplatePart, UnaryOperator,
};
pub(in crate::template) use hcl::{layout_tokens, token};
pub use hcl::{parse_decoded_template, parse_expression, parse_hcl, parse_template};
pub use hcl_json::{body_from_json, parse_hcl_json};
