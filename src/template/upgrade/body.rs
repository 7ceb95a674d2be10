//! The options of a component.

use super::super::schema::{OptionSpec, Schema, Shape};
use super::super::syntax::{Attribute, Body, Expression, ExpressionKind, ObjectItem};
use super::call::Place;
use super::convert::literal_text;
use super::document::{Block, Contents, Out};
use super::rewrite::Rewrite;
use crate::value::{Kind, Type, Value};

impl Rewrite<'_> {
    /// The options of a component in HCL: arguments and blocks as its schema says, or by their form
    /// where there is none.
    pub(super) fn options(&self, body: &Body, schema: Option<&Schema>, place: Place) -> Contents {
        let mut contents = Contents::default();
        for attribute in &body.attributes {
            let spec = schema.and_then(|schema| spec_of(schema, &attribute.name.text));
            if schema.is_some() && spec.is_none() {
                self.problem(format!(
                    "`{}` is no option here and is kept as it is",
                    attribute.name.text
                ));
            }
            self.option(attribute, spec, place, &mut contents);
        }
        contents
    }

    fn option(
        &self,
        attribute: &Attribute,
        spec: Option<&OptionSpec>,
        place: Place,
        contents: &mut Contents,
    ) {
        let expression = &attribute.expression;
        if is_null(expression) {
            return;
        }
        let name = spec.map_or(attribute.name.text.as_str(), |spec| spec.name);
        let shape = spec.map(|spec| &spec.shape);
        let blocks = match shape {
            Some(Shape::Attribute(_)) => None,
            Some(Shape::Block { .. }) => objects(expression),
            None => blocks_by_form(expression),
        };
        if let Some(blocks) = blocks {
            let schema = match shape {
                Some(Shape::Block { schema, .. }) => Some(schema()),
                _ => None,
            };
            for items in blocks {
                let body = as_body(items, expression);
                contents.blocks.push(Block {
                    contents: self.options(&body, schema, place),
                    ..Block::new(name)
                });
            }
            if name == "source_ami_filter" {
                self.note(
                    "source_ami_filter stays a block: as a data source it would be looked up \
                     before the template hash is known"
                        .to_owned(),
                );
            }
            return;
        }
        let of = match shape {
            Some(Shape::Attribute(of)) => Some(of),
            _ => None,
        };
        let value = match (literal_text(expression), of) {
            (Some(text), Some(Type::String) | None) => {
                let parts = self.text(text, place);
                Out::Plain(parts.heredoc().unwrap_or_else(|| parts.spell()))
            }
            _ => self.value(expression, of, place),
        };
        contents.arguments.push((name.to_owned(), value));
    }

    /// Options as an object, for `override`: blocks are objects there, or lists of them.
    pub(super) fn options_object(
        &self,
        items: &[ObjectItem],
        schema: Option<&Schema>,
        place: Place,
    ) -> Out {
        let mut all = Vec::new();
        for item in items {
            let Some(written) = literal_text(&item.key) else { continue };
            let spec = schema.and_then(|schema| spec_of(schema, written));
            let name = spec.map_or(written, |spec| spec.name);
            let value = match spec.map(|spec| &spec.shape) {
                Some(Shape::Block { schema, .. }) => {
                    let blocks = objects(&item.value).unwrap_or_default();
                    let schema = schema();
                    let mut blocks: Vec<_> = blocks
                        .into_iter()
                        .map(|items| self.options_object(items, Some(schema), place))
                        .collect();
                    if let (1, Some(only)) = (blocks.len(), blocks.pop()) {
                        only
                    } else {
                        self.value(&item.value, None, place)
                    }
                }
                Some(Shape::Attribute(of)) => self.value(&item.value, Some(of), place),
                None => self.value(&item.value, None, place),
            };
            all.push((name.to_owned(), value));
        }
        Out::Object(all)
    }
}

/// Names of legacy options may be written in any case.
fn spec_of<'s>(schema: &'s Schema, name: &str) -> Option<&'s OptionSpec> {
    schema.options.iter().find(|spec| spec.name.eq_ignore_ascii_case(name))
}

fn is_null(expression: &Expression) -> bool {
    matches!(&expression.kind, ExpressionKind::Literal(Value { kind: Kind::Null(_), .. }))
}

/// The objects that stand for blocks: one, or those of a list.
fn objects(expression: &Expression) -> Option<Vec<&[ObjectItem]>> {
    match &expression.kind {
        ExpressionKind::Object(items) => Some(vec![items]),
        ExpressionKind::Tuple(all) => {
            let all: Option<Vec<_>> = all.iter().map(objects).collect();
            all.map(|all| all.into_iter().flatten().collect())
        }
        _ => None,
    }
}

/// Without a schema, an object with objects or lists in it is a block, and so is each object of a
/// list; an object of texts and numbers is a map.
fn blocks_by_form(expression: &Expression) -> Option<Vec<&[ObjectItem]>> {
    let is_scalar = |one: &Expression| matches!(one.kind, ExpressionKind::Literal(_));
    match &expression.kind {
        ExpressionKind::Object(items) if items.iter().all(|item| is_scalar(&item.value)) => None,
        ExpressionKind::Tuple(all) if all.is_empty() => None,
        _ => objects(expression),
    }
}

fn as_body(items: &[ObjectItem], whole: &Expression) -> Body {
    let object =
        Expression { kind: ExpressionKind::Object(items.to_vec()), span: whole.span.clone() };
    Body::of_object(&object, super::super::syntax::Dialect::Legacy).unwrap_or_else(|| Body {
        attributes: Vec::new(),
        blocks: Vec::new(),
        dialect: super::super::syntax::Dialect::Legacy,
        span: whole.span.clone(),
    })
}
