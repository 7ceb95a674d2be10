//! Functions that find something in lists, maps and arguments.

use super::super::declaration::{Call, Failure, Function, Of, Outcome, any, list, number};
use super::{Members, like};
use crate::value::{Kind, Type, Value, convert, count, equals, unify};

pub(in super::super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "coalesce",
        &[],
        Of::Any,
        "the first argument that is neither null nor an empty string",
        coalesce,
    )
    .variadic(any("values").nullable().shape())
    .inside(),
    Function::new(
        "coalescelist",
        &[],
        Of::Any,
        "the first argument that is not empty",
        coalescelist,
    )
    .variadic(any("lists").nullable().shape())
    .inside(),
    Function::new(
        "contains",
        &[any("list"), any("value").nullable()],
        Of::Bool,
        "whether a list or set holds a value",
        contains,
    ),
    Function::new(
        "element",
        &[any("list").shape(), number("index")],
        Of::Any,
        "an element of a list; counting goes on at the beginning after its end",
        element,
    )
    .inside(),
    Function::new(
        "index",
        &[any("list"), any("value")],
        Of::Number,
        "the position of a value in a list",
        index,
    ),
    Function::new(
        "length",
        &[any("value").shape()],
        Of::Number,
        "how many elements, or characters, there are",
        length,
    )
    .inside(),
    Function::new(
        "matchkeys",
        &[list("values"), list("keys"), list("searchset")],
        Of::List(&Of::Any),
        "the values whose keys are in a set",
        matchkeys,
    ),
    Function::new(
        "one",
        &[any("list").shape()],
        Of::Any,
        "the only element of a list; null when it is empty",
        one,
    )
    .inside(),
];

fn coalesce(call: &Call<'_>) -> Outcome {
    let types: Vec<Type> = call.arguments.iter().filter_map(Value::own_type).collect();
    let Some(of) = unify(&types) else {
        return Err(Failure::new("all arguments have to be of one type"));
    };
    for (at, value) in call.arguments.iter().enumerate() {
        let value = convert(value, &of).map_err(|error| Failure::of(at, error.to_string()))?;
        if !value.is_null() && value.as_str() != Some("") {
            return Ok(value);
        }
    }
    Err(Failure::new("no argument is neither null nor an empty string"))
}

fn coalescelist(call: &Call<'_>) -> Outcome {
    for (at, value) in call.arguments.iter().enumerate() {
        if !value.is_null() && !call.elements(at)?.is_empty() {
            return Ok(value.clone());
        }
    }
    Err(Failure::new("all arguments are empty"))
}

fn contains(call: &Call<'_>) -> Outcome {
    let Some(wanted) = call.get(1) else { return Ok(Value::bool(false)) };
    let found = call.elements(0)?.iter().any(|one| equals(one, wanted) == Some(true));
    Ok(Value::bool(found))
}

fn element(call: &Call<'_>) -> Outcome {
    let elements = call.elements(0)?;
    let at = call.integer(1)?;
    let length = i64::try_from(elements.len()).unwrap_or(i64::MAX);
    if length == 0 {
        return Err(Failure::of(0, "an empty list has no elements"));
    }
    let at = usize::try_from(at.rem_euclid(length)).unwrap_or_default();
    Ok(elements.get(at).cloned().unwrap_or_else(Value::null))
}

fn index(call: &Call<'_>) -> Outcome {
    let Some(wanted) = call.get(1) else { return Ok(Value::null()) };
    let elements = call.elements(0)?;
    if elements.is_empty() {
        return Err(Failure::of(0, "an empty list has no elements"));
    }
    match elements.iter().position(|one| equals(one, wanted) == Some(true)) {
        Some(at) => Ok(Value::number(u64::try_from(at).unwrap_or(u64::MAX))),
        None => Err(Failure::of(1, format!("{} is not in the list", call.shown(1)))),
    }
}

fn length(call: &Call<'_>) -> Outcome {
    use unicode_segmentation::UnicodeSegmentation;
    let length = match call.get(0).map(|value| &value.kind) {
        Some(Kind::String(text)) => text.graphemes(true).count(),
        Some(Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all)) => all.len(),
        Some(Kind::Map(_, all) | Kind::Object(all)) => all.len(),
        other => {
            let what =
                other.map_or_else(String::new, |kind| Value::new(kind.clone()).type_of().a_noun());
            return Err(Failure::of(
                0,
                format!("a list, a map or a string is required, but this is {what}"),
            ));
        }
    };
    Ok(Value::number(u64::try_from(length).unwrap_or(u64::MAX)))
}

fn matchkeys(call: &Call<'_>) -> Outcome {
    let (values, keys, wanted) = (call.elements(0)?, call.elements(1)?, call.elements(2)?);
    if values.len() != keys.len() {
        return Err(Failure::of(
            1,
            format!("there are {}, but {}", count(values.len(), "value"), count(keys.len(), "key")),
        ));
    }
    let wanted = Members::new(wanted);
    let kept = values
        .iter()
        .zip(keys)
        .filter(|(_, key)| wanted.contains(key))
        .map(|(value, _)| value.clone());
    let kept = kept.collect::<Vec<_>>();
    Ok(like(call, 0, kept))
}

fn one(call: &Call<'_>) -> Outcome {
    match call.get(0).map(|value| &value.kind) {
        Some(Kind::List(of, all) | Kind::Set(of, all)) if all.is_empty() => {
            return Ok(Value::new(Kind::Null(of.clone())));
        }
        _ => {}
    }
    match call.elements(0)? {
        [] => Ok(Value::null()),
        [only] => Ok(only.clone()),
        all => Err(Failure::of(
            0,
            format!("a list of at most one element is required, but this has {}", all.len()),
        )),
    }
}
