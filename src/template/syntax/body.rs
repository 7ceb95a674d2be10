//! Bodies: attributes and blocks.

use super::{Expression, ExpressionKind};
use crate::diagnostic::Span;

/// The spelling a body was written in; it decides how options are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// HCL native syntax: blocks are blocks, types are strict.
    Hcl,
    /// HCL in JSON: an object may be an attribute or a block, the schema decides; strings
    /// are HCL templates; types are strict.
    HclJson,
    /// Legacy JSON: objects as in HCL-JSON, weak types, keys in any case, strings are Go templates.
    Legacy,
}

/// A name with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The text, decoded.
    pub text: String,
    /// Where it stands, without quotes.
    pub span: Span,
}

/// The inside of a file or block.
#[derive(Clone, Debug)]
pub struct Body {
    /// `name = expression`, in written order. In the JSON dialects also what may turn out to be
    /// blocks. Repeated names are kept.
    pub attributes: Vec<Attribute>,
    /// `kind "label" { … }`, in written order; empty in the JSON dialects.
    pub blocks: Vec<Block>,
    /// How it was written.
    pub dialect: Dialect,
    /// The whole body.
    pub span: Span,
}

/// `name = expression`.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// The name.
    pub name: Name,
    /// The right side.
    pub expression: Expression,
    /// The whole.
    pub span: Span,
}

/// `kind "label" { … }`.
#[derive(Clone, Debug)]
pub struct Block {
    /// The block's type, such as `source`.
    pub kind: Name,
    /// Its labels.
    pub labels: Vec<Name>,
    /// What it holds.
    pub body: Body,
    /// `kind "label"`, without the body: what diagnostics about the whole block point at.
    pub header: Span,
}

impl Body {
    /// What stands in an object of the JSON dialects, as a body; `None` when `expression` is no
    /// object or has a key that is not plain text.
    pub fn of_object(expression: &Expression, dialect: Dialect) -> Option<Self> {
        let ExpressionKind::Object(items) = &expression.kind else { return None };
        let attributes: Option<Vec<_>> = items
            .iter()
            .map(|item| {
                let ExpressionKind::Literal(key) = &item.key.kind else { return None };
                Some(Attribute {
                    name: Name { text: key.as_str()?.to_owned(), span: item.key.span.clone() },
                    expression: item.value.clone(),
                    span: item.key.span.to(&item.value.span),
                })
            })
            .collect();
        Some(Self {
            attributes: attributes?,
            blocks: Vec::new(),
            dialect,
            span: expression.span.clone(),
        })
    }

    /// Takes the arguments of the given names out: those first, then all the rest.
    pub fn split(self, names: &[&str]) -> (Self, Self) {
        let (taken, attributes): (Vec<_>, Vec<_>) =
            self.attributes.into_iter().partition(|one| names.contains(&one.name.text.as_str()));
        let taken = Self {
            attributes: taken,
            blocks: Vec::new(),
            dialect: self.dialect,
            span: self.span.clone(),
        };
        (taken, Self { attributes, ..self })
    }
}
