//! From a `dynamic` block to the blocks that it stands for.

use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::template::evaluate::references;
use crate::template::load::Content;
use crate::template::syntax::{Block, Dialect, Expression, ExpressionKind, Name, Step};
use crate::value::{Kind, Marks, Type, Value, convert};

use super::substitute::{Iterator, Part};

/// The block type that makes others.
pub(in crate::template) const KEYWORD: &str = "dynamic";

/// The blocks that `block`, a `dynamic` one, stands for. Nested `dynamic` blocks stay.
/// Errors end up in `found`; then there may be fewer blocks.
pub(in crate::template) fn expand(
    block: &Block,
    evaluate: &dyn Fn(&Expression) -> Result<Value, Diagnostics>,
    found: &mut Diagnostics,
) -> Vec<Block> {
    let Some(kind) = block.labels.first() else {
        found.push(
            Diagnostic::error("wrong-labels", "a `dynamic` block needs the type of its blocks")
                .at(&block.header, "has no label")
                .help("write `dynamic \"TYPE\" {`"),
        );
        return Vec::new();
    };
    let mut own = Diagnostics::new();
    let content = Content::of(
        &block.body,
        Some(&["for_each", "iterator", "labels"]),
        &[("content", 0)],
        &mut own,
    );
    let for_each = content.required("for_each", &block.header, &mut own);
    let body = match content.blocks.as_slice() {
        [only] => Some(&only.body),
        [] => {
            own.push(
                Diagnostic::error("missing-block", "a `dynamic` block needs a `content` block")
                    .at(&block.header, "has no `content`"),
            );
            None
        }
        [first, second, ..] => {
            own.push(
                Diagnostic::error("duplicate-block", "a `dynamic` block has one `content` block")
                    .at(&second.header, "again here")
                    .also(&first.header, "first here"),
            );
            None
        }
    };
    let name = match content.attribute("iterator") {
        Some(expression) => iterator_name(expression, block.body.dialect, &mut own),
        None => Some(kind.text.clone()),
    };
    let failed = own.has_errors();
    found.extend(own);
    let (Some(for_each), Some(body), Some(name), false) = (for_each, body, name, failed) else {
        return Vec::new();
    };
    let Some(collection) = found.take(evaluate(for_each)) else { return Vec::new() };
    let Some(elements) = found.take(elements(collection, for_each)) else { return Vec::new() };
    let labels = content.attribute("labels");
    elements
        .iter()
        .filter_map(|(key, value)| {
            let iterator = Iterator { name: &name, key, value };
            let labels = match labels {
                Some(labels) => found.take(block_labels(&iterator.expression(labels), evaluate))?,
                None => Vec::new(),
            };
            Some(Block {
                kind: kind.clone(),
                labels,
                body: iterator.body(body),
                header: block.header.clone(),
            })
        })
        .collect()
}

/// The name that `iterator` gives: written bare, in JSON as a string.
fn iterator_name(
    expression: &Expression,
    dialect: Dialect,
    found: &mut Diagnostics,
) -> Option<String> {
    let finding = Diagnostic::error("wrong-iterator", "`iterator` must be a name")
        .at(&expression.span, "not a name");
    match &expression.kind {
        ExpressionKind::Variable(name) => return Some(name.text.clone()),
        ExpressionKind::Literal(value) => match value.as_str() {
            // JSON has no bare names.
            Some(text) if dialect == Dialect::HclJson => return Some(text.to_owned()),
            Some(text) => found.push(finding.help(format!("write `iterator = {text}`"))),
            None => found.push(finding),
        },
        _ => found.push(finding),
    }
    None
}

/// Keys and values of what is iterated.
fn elements(collection: Value, for_each: &Expression) -> Result<Vec<(Part, Part)>, Diagnostics> {
    let marks = collection.marks;
    let wrong = |what: &str| {
        Diagnostics::from(
            Diagnostic::error("not-iterable", format!("`for_each` cannot be {what}"))
                .at(&for_each.span, format!("this is {what}"))
                .help("`for_each` takes a list, a set, a map or an object"),
        )
    };
    let pairs: Vec<(Value, Value)> = match collection.kind {
        // What a data source will say: one block stands for all while a template is checked.
        Kind::Unknown(_) if !references(for_each).iter().any(|one| one.root == "build") => {
            vec![(Value::unknown(Type::String), Value::unknown(Type::Any))]
        }
        Kind::Unknown(_) => {
            return Err(Diagnostic::error(
                "unknown-value",
                "`for_each` must be known before the build runs",
            )
            .at(&for_each.span, "not known yet")
            .help("which blocks there are cannot depend on what only the build finds out")
            .into());
        }
        Kind::Null(_) => return Err(wrong("null")),
        Kind::Bool(_) => return Err(wrong("a bool")),
        Kind::Number(_) => return Err(wrong("a number")),
        Kind::String(_) => return Err(wrong("a string")),
        Kind::List(_, all) | Kind::Tuple(all) => all
            .into_iter()
            .enumerate()
            .map(|(at, one)| (Value::number(u64::try_from(at).unwrap_or(u64::MAX)), one))
            .collect(),
        Kind::Set(_, all) => return Ok(set_elements(all, marks, for_each)),
        Kind::Map(_, all) | Kind::Object(all) => {
            all.into_iter().map(|(name, one)| (Value::string(name), one)).collect()
        }
    };
    Ok(pairs
        .into_iter()
        .map(|(key, value)| {
            let step = Step::Index(literal(key.clone(), &for_each.span));
            let origin = ExpressionKind::Traversal(Box::new(for_each.clone()), vec![step]);
            let origin = Expression { kind: origin, span: for_each.span.clone() };
            let keys = literal(key.clone(), &for_each.span);
            (Part { value: key, origin: keys }, Part { value: value.marked(marks), origin })
        })
        .collect())
}

/// In a set an element is its own key; `tolist(SET)[N]` gives it again.
fn set_elements(all: Vec<Value>, marks: Marks, for_each: &Expression) -> Vec<(Part, Part)> {
    let span = &for_each.span;
    let list = Expression {
        kind: ExpressionKind::Call {
            name: Name { text: "tolist".to_owned(), span: span.clone() },
            arguments: vec![for_each.clone()],
            expand: false,
        },
        span: span.clone(),
    };
    all.into_iter()
        .enumerate()
        .map(|(at, value)| {
            let at = Value::number(u64::try_from(at).unwrap_or(u64::MAX));
            let step = Step::Index(literal(at, span));
            let kind = ExpressionKind::Traversal(Box::new(list.clone()), vec![step]);
            let origin = Expression { kind, span: span.clone() };
            let value = value.marked(marks);
            (Part { value: value.clone(), origin: origin.clone() }, Part { value, origin })
        })
        .collect()
}

fn literal(value: Value, span: &Span) -> Expression {
    Expression { kind: ExpressionKind::Literal(value), span: span.clone() }
}

/// The labels of a generated block.
fn block_labels(
    expression: &Expression,
    evaluate: &dyn Fn(&Expression) -> Result<Value, Diagnostics>,
) -> Result<Vec<Name>, Diagnostics> {
    let wrong = |what: &str| {
        Diagnostics::from(
            Diagnostic::error("wrong-labels", "`labels` must be a list of known strings")
                .at(&expression.span, what),
        )
    };
    let value = evaluate(expression)?;
    let list = convert(&value, &Type::List(Box::new(Type::String)))
        .map_err(|error| wrong(&error.to_string()))?;
    let Kind::List(_, all) = list.kind else { return Err(wrong("not known yet")) };
    all.iter()
        .map(|one| {
            let text = one.as_str().ok_or_else(|| wrong("one of them is null or not known"))?;
            Ok(Name { text: text.to_owned(), span: expression.span.clone() })
        })
        .collect()
}
