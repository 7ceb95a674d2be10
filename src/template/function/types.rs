//! Functions on types and marks, and those that catch errors.

use super::declaration::{Call, Failure, Function, Of, Outcome, any};
use crate::value::{Kind, Type, Value, convert};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::lazy(
        "can",
        &[any("expression")],
        "whether an expression can be evaluated without error",
    ),
    Function::lazy("convert", &[any("value"), any("type")], "converts a value to a type"),
    Function::lazy("try", &[any("expressions")], "the first of its arguments that has no error"),
    Function::new(
        "issensitive",
        &[any("value").nullable().unknown()],
        Of::Bool,
        "whether a value is sensitive as a whole",
        |call| Ok(Value::bool(call.get(0).is_some_and(|value| value.marks.sensitive))),
    )
    .own_marks(),
    Function::new(
        "nonsensitive",
        &[any("value").nullable().unknown()],
        Of::Any,
        "a value that may be printed, though it came from a sensitive one",
        |call| Ok(remarked(call, false)),
    )
    .own_marks(),
    Function::new(
        "sensitive",
        &[any("value").nullable().unknown()],
        Of::Any,
        "a value that is never printed",
        |call| Ok(remarked(call, true)),
    )
    .own_marks(),
    Function::new("tobool", &[any("value").nullable()], Of::Bool, "converts to bool", |call| {
        converted(call, &Type::Bool)
    }),
    Function::new(
        "tolist",
        &[any("value").nullable().shape()],
        Of::List(&Of::Any),
        "converts to a list, all elements to one type",
        |call| converted(call, &Type::List(Box::new(Type::Any))),
    )
    .inside(),
    Function::new(
        "tomap",
        &[any("value").nullable().shape()],
        Of::Map(&Of::Any),
        "converts to a map, all values to one type",
        |call| converted(call, &Type::Map(Box::new(Type::Any))),
    )
    .inside(),
    Function::new(
        "tonumber",
        &[any("value").nullable()],
        Of::Number,
        "converts to number",
        |call| converted(call, &Type::Number),
    ),
    Function::new(
        "toset",
        &[any("value").nullable().shape()],
        Of::Set(&Of::Any),
        "converts to a set, all elements to one type",
        |call| converted(call, &Type::Set(Box::new(Type::Any))),
    )
    .inside(),
    Function::new(
        "tostring",
        &[any("value").nullable()],
        Of::String,
        "converts to string",
        |call| converted(call, &Type::String),
    ),
    Function::new(
        "type",
        &[any("value").nullable().unknown()],
        Of::String,
        "the type of a value, as a template spells it",
        |call| Ok(Value::string(call.get(0).map_or(Type::Any, Value::type_of).to_string())),
    ),
];

fn converted(call: &Call<'_>, of: &Type) -> Outcome {
    let value = call.get(0).cloned().unwrap_or_else(Value::null);
    convert(&value, of).map_err(|error| {
        // The marks of the whole were taken off for the call.
        if call.is_sensitive(0) {
            Failure::of(0, format!("this sensitive value is not {}", of.a_noun()))
        } else {
            Failure::of(0, error.to_string())
        }
    })
}

/// The argument, sensitive or not, inside and out.
fn remarked(call: &Call<'_>, sensitive: bool) -> Value {
    let mut value = call.get(0).cloned().unwrap_or_else(Value::null);
    if sensitive {
        value.marks.sensitive = true;
    } else {
        unmark(&mut value);
    }
    value
}

fn unmark(value: &mut Value) {
    value.marks.sensitive = false;
    match &mut value.kind {
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            all.iter_mut().for_each(unmark);
        }
        Kind::Map(_, all) | Kind::Object(all) => all.values_mut().for_each(unmark),
        _ => {}
    }
}
