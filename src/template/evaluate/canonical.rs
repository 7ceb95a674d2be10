//! An expression as text that does not depend on how it was laid out.

use crate::template::syntax::{
    Expression, ExpressionKind, ForExpression, Step, TemplatePart, UnaryOperator,
};
use crate::value::{Kind, Value, quote};

/// `expression` without regard to blanks, comments, spelling of strings, redundant parentheses and
/// the order of an object's items: for hashing what cannot be evaluated before the build runs.
pub fn canonical(expression: &Expression) -> String {
    let mut text = String::new();
    write(expression, &mut text);
    text
}

fn write(expression: &Expression, text: &mut String) {
    match &expression.kind {
        ExpressionKind::Literal(value) => write_value(value, text),
        ExpressionKind::Template(parts) => {
            // `"${x}"` is `x`, and all that JSON can write for it.
            if let [TemplatePart::Interpolation(only)] = parts.as_slice() {
                return write(only, text);
            }
            text.push('"');
            write_parts(parts, text);
            text.push('"');
        }
        ExpressionKind::Tuple(all) => {
            text.push('[');
            list(all, text);
            text.push(']');
        }
        ExpressionKind::Object(items) => {
            let mut written: Vec<(String, String)> = Vec::with_capacity(items.len());
            for item in items {
                let key = match item.key.kind {
                    ExpressionKind::Literal(_) | ExpressionKind::Template(_) => {
                        canonical(&item.key)
                    }
                    // A bare name would be that name, not what it stands for.
                    _ => format!("({})", canonical(&item.key)),
                };
                let value = canonical(&item.value);
                // Of equal keys the last one counts.
                written.retain(|(other, _)| *other != key);
                written.push((key, value));
            }
            // Keys that are computed may collide at run time, where order decides.
            if items.iter().all(|item| matches!(item.key.kind, ExpressionKind::Literal(_))) {
                written.sort();
            }
            text.push('{');
            for (at, (key, value)) in written.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(key);
                text.push('=');
                text.push_str(value);
            }
            text.push('}');
        }
        ExpressionKind::Variable(name) => text.push_str(&name.text),
        ExpressionKind::Traversal(base, steps) => {
            write(base, text);
            for step in steps {
                match step {
                    Step::Attribute(name) => {
                        text.push('.');
                        text.push_str(&name.text);
                    }
                    Step::Index(index) => {
                        text.push('[');
                        write(index, text);
                        text.push(']');
                    }
                    Step::AttributeSplat(_) => text.push_str(".*"),
                    Step::FullSplat(_) => text.push_str("[*]"),
                }
            }
        }
        ExpressionKind::Call { name, arguments, expand } => {
            text.push_str(&name.text);
            text.push('(');
            list(arguments, text);
            if *expand {
                text.push_str("...");
            }
            text.push(')');
        }
        // Every operation is written with parentheses, so those of the author say nothing more.
        ExpressionKind::Parenthesis(inner) => write(inner, text),
        ExpressionKind::Conditional(conditional) => {
            text.push('(');
            write(&conditional.condition, text);
            text.push('?');
            write(&conditional.then, text);
            text.push(':');
            write(&conditional.otherwise, text);
            text.push(')');
        }
        ExpressionKind::Unary(operator, operand) => {
            text.push_str(match operator {
                UnaryOperator::Negate => "(-",
                UnaryOperator::Not => "(!",
            });
            write(operand, text);
            text.push(')');
        }
        ExpressionKind::Binary(left, operator, right) => {
            text.push('(');
            write(left, text);
            text.push_str(operator.sign());
            write(right, text);
            text.push(')');
        }
        ExpressionKind::For(expression) => write_for(expression, text),
    }
}

/// A value as the expression that makes it: what a `dynamic` block puts in place of its iterator
/// reads as if it had been written.
fn write_value(value: &Value, text: &mut String) {
    match &value.kind {
        // Hashed texts can be read.
        _ if value.marks.sensitive => text.push_str("(sensitive value)"),
        Kind::String(string) => text.push_str(&quote(string)),
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            text.push('[');
            for (at, one) in all.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_value(one, text);
            }
            text.push(']');
        }
        Kind::Map(_, all) | Kind::Object(all) => {
            let mut items: Vec<_> = all.iter().map(|(name, one)| (quote(name), one)).collect();
            items.sort_by(|(a, _), (b, _)| a.cmp(b));
            text.push('{');
            for (at, (name, one)) in items.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&name);
                text.push('=');
                write_value(one, text);
            }
            text.push('}');
        }
        _ => text.push_str(&value.to_string()),
    }
}

fn list(all: &[Expression], text: &mut String) {
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write(one, text);
    }
}

fn write_for(expression: &ForExpression, text: &mut String) {
    let (open, close) = if expression.result_key.is_some() { ("{", "}") } else { ("[", "]") };
    text.push_str(open);
    text.push_str("for ");
    if let Some(key) = &expression.key {
        text.push_str(&key.text);
        text.push(',');
    }
    text.push_str(&expression.value.text);
    text.push_str(" in ");
    write(&expression.collection, text);
    text.push(':');
    if let Some(key) = &expression.result_key {
        write(key, text);
        text.push_str("=>");
    }
    write(&expression.result, text);
    if expression.group {
        text.push_str("...");
    }
    if let Some(condition) = &expression.condition {
        text.push_str(" if ");
        write(condition, text);
    }
    text.push_str(close);
}

fn write_parts(parts: &[TemplatePart], text: &mut String) {
    for part in parts {
        match part {
            TemplatePart::Text(plain, _) => {
                let quoted = quote(plain);
                let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                text.push_str(inner.unwrap_or(&quoted));
            }
            TemplatePart::Interpolation(expression) => {
                text.push_str("${");
                write(expression, text);
                text.push('}');
            }
            TemplatePart::If { condition, then, otherwise } => {
                text.push_str("%{if ");
                write(condition, text);
                text.push('}');
                write_parts(then, text);
                if !otherwise.is_empty() {
                    text.push_str("%{else}");
                    write_parts(otherwise, text);
                }
                text.push_str("%{endif}");
            }
            TemplatePart::For { key, value, collection, body } => {
                text.push_str("%{for ");
                if let Some(key) = key {
                    text.push_str(&key.text);
                    text.push(',');
                }
                text.push_str(&value.text);
                text.push_str(" in ");
                write(collection, text);
                text.push('}');
                write_parts(body, text);
                text.push_str("%{endfor}");
            }
        }
    }
}
