//! Which functions an expression calls.

use crate::template::syntax::{Expression, ExpressionKind, Name, Step, TemplatePart};

/// The names of all functions that `expression` calls, in written order.
pub(in crate::template) fn calls(expression: &Expression) -> Vec<&Name> {
    let mut found = Vec::new();
    expression_calls(expression, &mut found);
    found
}

fn expression_calls<'a>(expression: &'a Expression, found: &mut Vec<&'a Name>) {
    let mut each = |one: &'a Expression| expression_calls(one, found);
    match &expression.kind {
        ExpressionKind::Literal(_) | ExpressionKind::Variable(_) => {}
        ExpressionKind::Template(parts) => part_calls(parts, found),
        ExpressionKind::Tuple(all) => all.iter().for_each(each),
        ExpressionKind::Object(items) => {
            items.iter().flat_map(|item| [&item.key, &item.value]).for_each(each);
        }
        ExpressionKind::Traversal(base, steps) => {
            each(base);
            for step in steps {
                if let Step::Index(index) = step {
                    each(index);
                }
            }
        }
        ExpressionKind::Call { name, arguments, .. } => {
            found.push(name);
            arguments.iter().for_each(|one| expression_calls(one, found));
        }
        ExpressionKind::Parenthesis(inner) | ExpressionKind::Unary(_, inner) => each(inner),
        ExpressionKind::Conditional(inner) => {
            [&inner.condition, &inner.then, &inner.otherwise].into_iter().for_each(each);
        }
        ExpressionKind::Binary(left, _, right) => {
            each(left);
            each(right);
        }
        ExpressionKind::For(inner) => {
            let optional = [&inner.result_key, &inner.condition];
            [&inner.collection, &inner.result]
                .into_iter()
                .chain(optional.into_iter().flatten())
                .for_each(each);
        }
    }
}

fn part_calls<'a>(parts: &'a [TemplatePart], found: &mut Vec<&'a Name>) {
    for part in parts {
        match part {
            TemplatePart::Text(..) => {}
            TemplatePart::Interpolation(inner) => expression_calls(inner, found),
            TemplatePart::If { condition, then, otherwise } => {
                expression_calls(condition, found);
                part_calls(then, found);
                part_calls(otherwise, found);
            }
            TemplatePart::For { collection, body, .. } => {
                expression_calls(collection, found);
                part_calls(body, found);
            }
        }
    }
}
