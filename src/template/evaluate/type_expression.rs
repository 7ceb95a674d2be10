//! Type constraints as a template writes them.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span, did_you_mean};
use crate::template::syntax::{Expression, ExpressionKind, parse_expression};
use crate::value::{Attribute, Kind, Type, Value, convert};

const PRIMITIVES: [&str; 4] = ["any", "bool", "number", "string"];
const CONSTRUCTORS: [&str; 5] = ["list", "map", "object", "set", "tuple"];

/// The type that `expression` spells: `list(string)`, `object({ a = optional(number, 1) })`. A
/// quoted type is an error with a hint; [`parse_quoted_type`] is for JSON, where it is quoted.
pub fn parse_type(expression: &Expression) -> Result<Type, Diagnostics> {
    parse(expression).map_err(|report| (*report).into())
}

fn parse(expression: &Expression) -> Result<Type, Box<Diagnostic>> {
    match &expression.kind {
        ExpressionKind::Parenthesis(inner) => parse(inner),
        ExpressionKind::Variable(name) => match name.text.as_str() {
            "any" => Ok(Type::Any),
            "bool" => Ok(Type::Bool),
            "number" => Ok(Type::Number),
            "string" => Ok(Type::String),
            "list" | "set" | "map" => Err(hinted(
                &expression.span,
                format!("`{}` needs the type of its elements", name.text),
                format!("write `{}(string)`, or `{}(any)`", name.text, name.text),
            )),
            "object" => Err(hinted(
                &expression.span,
                "`object` needs its attributes",
                "write `object({ name = string })`",
            )),
            "tuple" => Err(hinted(
                &expression.span,
                "`tuple` needs the types of its elements",
                "write `tuple([string, number])`",
            )),
            other => Err(unknown(other, &expression.span)),
        },
        ExpressionKind::Call { name, arguments, expand: false } => {
            call(&name.text, &name.span, arguments, expression)
        }
        ExpressionKind::Literal(Value { kind: Kind::String(text), .. }) => Err(hinted(
            &expression.span,
            "a type is written without quotes",
            format!("write `{text}`"),
        )),
        _ => Err(hinted(
            &expression.span,
            "this is not a type",
            "types are `string`, `number`, `bool`, `any`, `list(…)`, `set(…)`, `map(…)`, `object({ … })` and `tuple([ … ])`",
        )),
    }
}

fn call(
    name: &str,
    name_span: &Span,
    arguments: &[Expression],
    whole: &Expression,
) -> Result<Type, Box<Diagnostic>> {
    if PRIMITIVES.contains(&name) {
        return Err(hinted(
            &whole.span,
            format!("`{name}` takes no argument"),
            format!("write `{name}`"),
        ));
    }
    if name == "optional" {
        return Err(hinted(
            &whole.span,
            "`optional` stands only for an attribute of an object type",
            "write `object({ name = optional(string) })`",
        ));
    }
    if !CONSTRUCTORS.contains(&name) {
        return Err(unknown(name, name_span));
    }
    let [argument] = arguments else {
        return Err(invalid(&whole.span, format!("`{name}` takes one argument")));
    };
    match (name, &argument.kind) {
        ("list", _) => Ok(Type::List(Box::new(parse(argument)?))),
        ("set", _) => Ok(Type::Set(Box::new(parse(argument)?))),
        ("map", _) => Ok(Type::Map(Box::new(parse(argument)?))),
        ("tuple", ExpressionKind::Tuple(elements)) => {
            Ok(Type::Tuple(elements.iter().map(parse).collect::<Result<_, _>>()?))
        }
        ("tuple", _) => Err(hinted(
            &argument.span,
            "`tuple` takes a list of types",
            "write `tuple([string, number])`",
        )),
        (_, ExpressionKind::Object(items)) => {
            let mut attributes = BTreeMap::new();
            for item in items {
                let ExpressionKind::Literal(Value { kind: Kind::String(name), .. }) =
                    &item.key.kind
                else {
                    return Err(invalid(&item.key.span, "a name of an attribute is a plain word"));
                };
                attributes.insert(name.to_string(), attribute(&item.value)?);
            }
            Ok(Type::Object(attributes))
        }
        _ => Err(hinted(
            &argument.span,
            "`object` takes a map of names to types",
            "write `object({ name = string })`",
        )),
    }
}

fn attribute(expression: &Expression) -> Result<Attribute, Box<Diagnostic>> {
    let ExpressionKind::Call { name, arguments, expand: false } = &expression.kind else {
        return Ok(Attribute::required(parse(expression)?));
    };
    if name.text != "optional" {
        return Ok(Attribute::required(parse(expression)?));
    }
    let (of, default) = match arguments.as_slice() {
        [of] => (parse(of)?, None),
        [of, default] => {
            let of = parse(of)?;
            let value = constant(default)?;
            let value = convert(&value, &of).map_err(|error| {
                invalid(&default.span, format!("this default does not fit `{of}`: {error}"))
            })?;
            (of, (!value.is_null()).then_some(value))
        }
        _ => {
            return Err(hinted(
                &expression.span,
                "`optional` takes a type, and a default if any",
                "write `optional(string)` or `optional(string, \"default\")`",
            ));
        }
    };
    Ok(Attribute { of, optional: true, default })
}

/// A value without references and calls.
fn constant(expression: &Expression) -> Result<Value, Box<Diagnostic>> {
    let not_constant =
        || invalid(&expression.span, "the default of an optional attribute is a constant");
    match &expression.kind {
        ExpressionKind::Literal(value) => Ok(value.clone()),
        ExpressionKind::Parenthesis(inner) => constant(inner),
        ExpressionKind::Tuple(all) => {
            Ok(Value::tuple(all.iter().map(constant).collect::<Result<_, _>>()?))
        }
        ExpressionKind::Object(items) => {
            let mut attributes = BTreeMap::new();
            for item in items {
                let key = constant(&item.key)?;
                let name = key.as_str().ok_or_else(not_constant)?;
                attributes.insert(name.to_owned(), constant(&item.value)?);
            }
            Ok(Value::object(attributes))
        }
        _ => Err(not_constant()),
    }
}

fn unknown(name: &str, span: &Span) -> Box<Diagnostic> {
    let near = did_you_mean(name, PRIMITIVES.into_iter().chain(CONSTRUCTORS));
    let help = near.unwrap_or_else(|| {
            "types are `string`, `number`, `bool`, `any`, `list(…)`, `set(…)`, `map(…)`, `object({ … })` and `tuple([ … ])`".into()
        });
    let report = Diagnostic::error("unknown-type", format!("unknown type `{name}`"));
    Box::new(report.at(span, "not a type").help(help))
}

fn invalid(span: &Span, summary: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::error("invalid-type", summary).at(span, "not a type"))
}

fn hinted(span: &Span, summary: impl Into<String>, help: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::error("invalid-type", summary).at(span, "not a type").help(help))
}

/// The type that a string literal of a JSON template spells: `"list(string)"`.
pub fn parse_quoted_type(expression: &Expression) -> Result<Type, Diagnostics> {
    let ExpressionKind::Literal(Value { kind: Kind::String(text), .. }) = &expression.kind else {
        return Err((*invalid(&expression.span, "a type is a string in JSON")).into());
    };
    let range = expression.span.range();
    let inner = range.start + 1..range.end.saturating_sub(1);
    if expression.span.source().text().get(inner.clone()) == Some(&**text) {
        return parse_type(&parse_expression(expression.span.source(), Some(inner))?);
    }
    // With escapes the string does not stand in the source as it is: all of it is pointed at.
    let decoded = Source::new(expression.span.source().name(), &**text);
    parse_expression(&decoded, None).and_then(|parsed| parse_type(&parsed)).map_err(|errors| {
        let whole = |mut error: Diagnostic| {
            error.secondary.clear();
            error.at(&expression.span, "not a type")
        };
        errors.into_iter().map(whole).collect()
    })
}
