//! The value of an iterator in place of its name.

use crate::template::syntax::{
    Attribute, Block, Body, ConditionalExpression, Dialect, Expression, ExpressionKind,
    ForExpression, Name, ObjectItem, Step, TemplatePart,
};
use crate::value::{Kind, Type, Value, convert};

use super::KEYWORD;

/// What an iterator stands for in one generated block.
pub(super) struct Iterator<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// What `NAME.key` is.
    pub(super) key: &'a Part,
    /// What `NAME.value` is.
    pub(super) value: &'a Part,
}

/// One of the two things that an iterator has.
pub(super) struct Part {
    /// What it is.
    pub(super) value: Value,
    /// An expression that gives it. It is used in place of a value that is not known before the
    /// build, or that must not be seen in a hashed text.
    pub(super) origin: Expression,
}

impl Part {
    fn object_item(&self, name: &str, of: &Expression) -> ObjectItem {
        let kind = ExpressionKind::Literal(Value::string(name));
        ObjectItem {
            key: Expression { kind, span: of.span.clone() },
            value: Expression { kind: self.kind(&self.value, &[]), span: of.span.clone() },
        }
    }

    /// `value`, which is this part or is reached from it by `steps`.
    fn kind(&self, value: &Value, steps: &[Step]) -> ExpressionKind {
        if value.is_known() && !value.all_marks().sensitive {
            return ExpressionKind::Literal(value.clone());
        }
        if steps.is_empty() {
            return self.origin.kind.clone();
        }
        ExpressionKind::Traversal(Box::new(self.origin.clone()), steps.to_vec())
    }
}

impl Iterator<'_> {
    /// `body` with the iterator replaced.
    pub(super) fn body(&self, body: &Body) -> Body {
        Body {
            attributes: body
                .attributes
                .iter()
                .map(|attribute| {
                    let json_block = body.dialect != Dialect::Hcl && attribute.name.text == KEYWORD;
                    let expression = if json_block {
                        self.json_dynamic(&attribute.expression)
                    } else {
                        self.expression(&attribute.expression)
                    };
                    Attribute { expression, ..attribute.clone() }
                })
                .collect(),
            blocks: body.blocks.iter().map(|block| self.block(block)).collect(),
            dialect: body.dialect,
            span: body.span.clone(),
        }
    }

    fn block(&self, block: &Block) -> Block {
        let shadowed = block.kind.text == KEYWORD && self.is_shadowed_in(block);
        if !shadowed {
            return Block { body: self.body(&block.body), ..block.clone() };
        }
        // Only `for_each` is evaluated outside of the inner block's own iterator.
        let mut body = block.body.clone();
        for attribute in body.attributes.iter_mut().filter(|one| one.name.text == "for_each") {
            attribute.expression = self.expression(&attribute.expression);
        }
        Block { body, ..block.clone() }
    }

    /// Whether a nested `dynamic` block binds the same name.
    fn is_shadowed_in(&self, block: &Block) -> bool {
        let named = block.body.attributes.iter().find(|one| one.name.text == "iterator");
        match named.map(|one| &one.expression.kind) {
            Some(ExpressionKind::Variable(name)) => name.text == self.name,
            Some(_) => false,
            None => block.labels.first().is_some_and(|label| label.text == self.name),
        }
    }

    /// `"dynamic": { "TYPE": { "for_each": …, "content": { … } } }`.
    fn json_dynamic(&self, expression: &Expression) -> Expression {
        let kind = match &expression.kind {
            ExpressionKind::Tuple(all) => {
                ExpressionKind::Tuple(all.iter().map(|one| self.json_dynamic(one)).collect())
            }
            ExpressionKind::Object(types) => ExpressionKind::Object(
                types
                    .iter()
                    .map(|item| ObjectItem {
                        key: item.key.clone(),
                        value: self.json_generators(text(&item.key), &item.value),
                    })
                    .collect(),
            ),
            _ => return self.expression(expression),
        };
        Expression { kind, span: expression.span.clone() }
    }

    fn json_generators(&self, of: Option<&str>, expression: &Expression) -> Expression {
        let kind = match &expression.kind {
            ExpressionKind::Tuple(all) => {
                ExpressionKind::Tuple(all.iter().map(|one| self.json_generators(of, one)).collect())
            }
            ExpressionKind::Object(items) => {
                let named = items.iter().find(|item| text(&item.key) == Some("iterator"));
                let name = named.map_or(of, |item| text(&item.value));
                let shadowed = name == Some(self.name);
                ExpressionKind::Object(
                    items
                        .iter()
                        .map(|item| {
                            if shadowed && text(&item.key) != Some("for_each") {
                                return item.clone();
                            }
                            self.object_item(item)
                        })
                        .collect(),
                )
            }
            _ => return self.expression(expression),
        };
        Expression { kind, span: expression.span.clone() }
    }

    fn object_item(&self, item: &ObjectItem) -> ObjectItem {
        let json_block = text(&item.key) == Some(KEYWORD);
        let value = if json_block && is_json_dynamic(&item.value) {
            self.json_dynamic(&item.value)
        } else {
            self.expression(&item.value)
        };
        ObjectItem { key: self.expression(&item.key), value }
    }

    /// `expression` with the iterator replaced.
    pub(super) fn expression(&self, expression: &Expression) -> Expression {
        let all = |all: &[Expression]| all.iter().map(|one| self.expression(one)).collect();
        let boxed = |one: &Expression| Box::new(self.expression(one));
        let kind = match &expression.kind {
            ExpressionKind::Literal(_) => return expression.clone(),
            ExpressionKind::Template(parts) => ExpressionKind::Template(self.parts(parts)),
            ExpressionKind::Tuple(elements) => ExpressionKind::Tuple(all(elements)),
            ExpressionKind::Object(items) => {
                ExpressionKind::Object(items.iter().map(|item| self.object_item(item)).collect())
            }
            ExpressionKind::Variable(name) if name.text == self.name => {
                return self.replaced(expression, &[], expression);
            }
            ExpressionKind::Variable(_) => return expression.clone(),
            ExpressionKind::Traversal(base, steps) => {
                let steps: Vec<_> = steps.iter().map(|step| self.step(step)).collect();
                match &base.kind {
                    ExpressionKind::Variable(name) if name.text == self.name => {
                        return self.replaced(base, &steps, expression);
                    }
                    _ => ExpressionKind::Traversal(boxed(base), steps),
                }
            }
            ExpressionKind::Call { name, arguments, expand } => ExpressionKind::Call {
                name: name.clone(),
                arguments: all(arguments),
                expand: *expand,
            },
            ExpressionKind::Parenthesis(inner) => ExpressionKind::Parenthesis(boxed(inner)),
            ExpressionKind::Conditional(conditional) => {
                ExpressionKind::Conditional(Box::new(ConditionalExpression {
                    condition: self.expression(&conditional.condition),
                    then: self.expression(&conditional.then),
                    otherwise: self.expression(&conditional.otherwise),
                }))
            }
            ExpressionKind::Unary(operator, operand) => {
                ExpressionKind::Unary(*operator, boxed(operand))
            }
            ExpressionKind::Binary(left, operator, right) => {
                ExpressionKind::Binary(boxed(left), *operator, boxed(right))
            }
            ExpressionKind::For(inner) => ExpressionKind::For(Box::new(self.for_expression(inner))),
        };
        Expression { kind, span: expression.span.clone() }
    }

    fn for_expression(&self, inner: &ForExpression) -> ForExpression {
        let collection = self.expression(&inner.collection);
        if self.is_bound(inner.key.as_ref(), &inner.value) {
            return ForExpression { collection, ..inner.clone() };
        }
        ForExpression {
            key: inner.key.clone(),
            value: inner.value.clone(),
            collection,
            result_key: inner.result_key.as_ref().map(|one| self.expression(one)),
            result: self.expression(&inner.result),
            group: inner.group,
            condition: inner.condition.as_ref().map(|one| self.expression(one)),
        }
    }

    fn is_bound(&self, key: Option<&Name>, value: &Name) -> bool {
        value.text == self.name || key.is_some_and(|key| key.text == self.name)
    }

    fn step(&self, step: &Step) -> Step {
        match step {
            Step::Index(index) => Step::Index(self.expression(index)),
            other => other.clone(),
        }
    }

    fn parts(&self, parts: &[TemplatePart]) -> Vec<TemplatePart> {
        let only = parts.len() == 1;
        parts
            .iter()
            .map(|part| match part {
                TemplatePart::Text(..) => part.clone(),
                TemplatePart::Interpolation(inner) => {
                    let replaced = self.expression(inner);
                    match text_of(&replaced) {
                        // `"${x.value}"` alone has the type of the value.
                        Some(text) if !only => TemplatePart::Text(text, inner.span.clone()),
                        _ => TemplatePart::Interpolation(replaced),
                    }
                }
                TemplatePart::If { condition, then, otherwise } => TemplatePart::If {
                    condition: self.expression(condition),
                    then: self.parts(then),
                    otherwise: self.parts(otherwise),
                },
                TemplatePart::For { key, value, collection, body } => TemplatePart::For {
                    key: key.clone(),
                    value: value.clone(),
                    collection: self.expression(collection),
                    body: if self.is_bound(key.as_ref(), value) {
                        body.clone()
                    } else {
                        self.parts(body)
                    },
                },
            })
            .collect()
    }

    /// The iterator `base` with `steps` after it, as the value or as what gives it.
    fn replaced(&self, base: &Expression, steps: &[Step], whole: &Expression) -> Expression {
        let expression = |kind| Expression { kind, span: whole.span.clone() };
        let part = match steps.first() {
            Some(Step::Attribute(name)) if name.text == "key" => self.key,
            Some(Step::Attribute(name)) if name.text == "value" => self.value,
            _ => {
                // The whole iterator, or a mistake that the evaluator reports.
                let items =
                    vec![self.key.object_item("key", base), self.value.object_item("value", base)];
                let object = ExpressionKind::Object(items);
                if steps.is_empty() {
                    return expression(object);
                }
                let base = Expression { kind: object, span: base.span.clone() };
                return expression(ExpressionKind::Traversal(Box::new(base), steps.to_vec()));
            }
        };
        let mut value = &part.value;
        let mut taken = 1;
        while let (Some(Step::Attribute(name)), Kind::Object(all) | Kind::Map(_, all)) =
            (steps.get(taken), &value.kind)
            && !value.marks.sensitive
            && let Some(inner) = all.get(&name.text)
        {
            value = inner;
            taken += 1;
        }
        let (followed, rest) = steps.split_at(taken);
        let span = match followed.last() {
            Some(Step::Attribute(name)) => base.span.to(&name.span),
            _ => base.span.clone(),
        };
        let kind = part.kind(value, followed.get(1..).unwrap_or_default());
        if rest.is_empty() {
            return expression(kind);
        }
        let base = Expression { kind, span };
        expression(ExpressionKind::Traversal(Box::new(base), rest.to_vec()))
    }
}

/// The text of a literal string.
fn text(expression: &Expression) -> Option<&str> {
    match &expression.kind {
        ExpressionKind::Literal(value) => value.as_str(),
        _ => None,
    }
}

/// A replaced value as plain text of a template.
fn text_of(expression: &Expression) -> Option<String> {
    let ExpressionKind::Literal(value) = &expression.kind else { return None };
    // Marked values stay values, so that their marks are kept.
    if value.marks != crate::value::Marks::NONE
        || !matches!(value.kind, Kind::String(_) | Kind::Number(_) | Kind::Bool(_))
    {
        return None;
    }
    convert(value, &Type::String).ok()?.as_str().map(str::to_owned)
}

/// Whether an object under the key `dynamic` is a generator of blocks, not a value.
fn is_json_dynamic(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Tuple(all) => !all.is_empty() && all.iter().all(is_json_dynamic),
        ExpressionKind::Object(types) => {
            !types.is_empty() && types.iter().all(|item| has_content(&item.value))
        }
        _ => false,
    }
}

fn has_content(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::Tuple(all) => !all.is_empty() && all.iter().all(has_content),
        ExpressionKind::Object(items) => {
            let has = |name| items.iter().any(|item| text(&item.key) == Some(name));
            has("content") && has("for_each")
        }
        _ => false,
    }
}
