//! Options that are added to a component's own: by a `source` block in a build, by `override`.

use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::template::schema::{Resolve, Schema, Shape};
use crate::template::syntax::{Attribute, Block, Body, Dialect, Expression, ExpressionKind, Name};
use crate::value::{Kind, Value};

/// Adds options that `body` does not have yet; blocks are appended.
pub(super) fn add(body: &mut Body, more: &Body, schema: Option<&Schema>, found: &mut Diagnostics) {
    for attribute in &more.attributes {
        if is_block(schema, &attribute.name.text) {
            insert(body, attribute.clone(), more.dialect, schema);
            continue;
        }
        if let Some(first) = body.attributes.iter().find(|one| one.name.text == attribute.name.text)
        {
            found.push(
                Diagnostic::error(
                    "duplicate-option",
                    format!("`{}` is already set in the source", attribute.name.text),
                )
                .at(&attribute.name.span, "a build can only add options")
                .also(&first.name.span, "set here"),
            );
            continue;
        }
        body.attributes.push(attribute.clone());
    }
    body.blocks.extend(more.blocks.iter().cloned());
}

/// Puts options over those of `body`.
pub(super) fn replace(body: &mut Body, options: Body, schema: Option<&Schema>) {
    let names: Vec<String> = options.attributes.iter().map(|one| one.name.text.clone()).collect();
    // Names of options in legacy JSON may be in any case.
    let dialect = body.dialect;
    let is_replaced = |name: &str| match dialect {
        Dialect::Legacy => names.iter().any(|one| one.eq_ignore_ascii_case(name)),
        Dialect::Hcl | Dialect::HclJson => names.iter().any(|one| one == name),
    };
    body.attributes.retain(|one| !is_replaced(&one.name.text));
    body.blocks.retain(|block| {
        let made = block.labels.first().filter(|_| block.kind.text == "dynamic");
        !is_replaced(&made.unwrap_or(&block.kind).text)
    });
    for option in options.attributes {
        insert(body, option, options.dialect, schema);
    }
}

/// Adds an argument, in native syntax as blocks where the schema says so.
fn insert(body: &mut Body, option: Attribute, dialect: Dialect, schema: Option<&Schema>) {
    if body.dialect == Dialect::Hcl && is_block(schema, &option.name.text) {
        // In an object there are no blocks, so this is read as in JSON.
        let dialect = if dialect == Dialect::Hcl { Dialect::HclJson } else { dialect };
        if let Some(blocks) = blocks(&option.name, &option.expression, dialect) {
            body.blocks.extend(blocks);
            return;
        }
    }
    body.attributes.push(option);
}

fn is_block(schema: Option<&Schema>, name: &str) -> bool {
    schema
        .and_then(|schema| schema.options.iter().find(|option| option.name == name))
        .is_some_and(|option| matches!(option.shape, Shape::Block { .. }))
}

fn blocks(name: &Name, expression: &Expression, dialect: Dialect) -> Option<Vec<Block>> {
    if let ExpressionKind::Tuple(all) = &expression.kind {
        let all: Option<Vec<_>> = all.iter().map(|one| blocks(name, one, dialect)).collect();
        return Some(all?.into_iter().flatten().collect());
    }
    Some(vec![Block {
        kind: name.clone(),
        labels: Vec::new(),
        body: Body::of_object(expression, dialect)?,
        header: name.span.clone(),
    }])
}

/// An object as a body: as it is written, or the value of an expression.
pub(super) fn object(
    expression: &Expression,
    dialect: Dialect,
    resolve: &dyn Resolve,
    found: &mut Diagnostics,
) -> Option<Body> {
    if let Some(body) = Body::of_object(expression, dialect) {
        return Some(body);
    }
    let value = found.take(resolve.evaluate(expression))?;
    let literal = written(value, &expression.span);
    let body = Body::of_object(&literal, dialect);
    if body.is_none() {
        found.push(
            Diagnostic::error("wrong-type", "`override` must be an object of objects")
                .at(&expression.span, "an object is expected"),
        );
    }
    body
}

/// A value as an expression, objects and lists opened.
fn written(value: Value, span: &Span) -> Expression {
    let marks = value.marks;
    let kind = match value.kind {
        Kind::Object(all) | Kind::Map(_, all) => ExpressionKind::Object(
            all.into_iter()
                .map(|(name, one)| crate::template::syntax::ObjectItem {
                    key: Expression {
                        kind: ExpressionKind::Literal(Value::string(name)),
                        span: span.clone(),
                    },
                    value: written(one.marked(marks), span),
                })
                .collect(),
        ),
        Kind::Tuple(all) | Kind::List(_, all) => ExpressionKind::Tuple(
            all.into_iter().map(|one| written(one.marked(marks), span)).collect(),
        ),
        kind => ExpressionKind::Literal(Value { kind, marks }),
    };
    Expression { kind, span: span.clone() }
}
