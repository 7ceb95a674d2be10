//! Functions on maps and objects.

use std::collections::BTreeMap;

use super::super::declaration::{Call, Failure, Function, Of, Outcome, any, string, strings};
use super::{LIMIT, too_many};
use crate::value::{Kind, Marks, Type, Value, convert, count};

pub(in super::super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "keys",
        &[any("map").shape()],
        Of::List(&Of::String),
        "the keys of a map in order",
        keys,
    )
    .inside(),
    Function::new(
        "lookup",
        &[any("map").shape(), string("key")],
        Of::Any,
        "the value of a key, or the default when there is none",
        lookup,
    )
    .variadic(any("default").nullable().unknown())
    .inside(),
    Function::new("merge", &[], Of::Any, "puts maps or objects together; later ones win", merge)
        .variadic(any("maps").nullable().shape())
        .inside(),
    Function::new(
        "transpose",
        &[any("map")],
        Of::Map(&Of::List(&Of::String)),
        "turns a map of lists of strings around",
        transpose,
    ),
    Function::new(
        "values",
        &[any("map").shape()],
        Of::Any,
        "the values of a map by the order of keys",
        values,
    )
    .inside(),
    Function::new(
        "zipmap",
        &[strings("keys"), any("values").shape()],
        Of::Any,
        "a map of keys and values",
        zipmap,
    )
    .inside(),
];

fn keys(call: &Call<'_>) -> Outcome {
    let keys = entries(call, 0)?.keys().map(Value::string).collect();
    Ok(match call.get(0).map(|value| &value.kind) {
        Some(Kind::Map(..)) => Value::new(Kind::List(Type::String, keys)),
        _ => Value::tuple(keys),
    })
}

fn values(call: &Call<'_>) -> Outcome {
    let values = entries(call, 0)?.values().cloned().collect();
    Ok(match call.get(0).map(|value| &value.kind) {
        Some(Kind::Map(of, _)) => Value::new(Kind::List(of.clone(), values)),
        _ => Value::tuple(values),
    })
}

fn lookup(call: &Call<'_>) -> Outcome {
    let all = entries(call, 0)?;
    let key = call.text(1);
    if call.arguments.len() > 3 {
        return Err(Failure::of(3, "only one default can be given"));
    }
    if let Some(value) = all.get(key) {
        return Ok(value.clone());
    }
    match call.get(2) {
        Some(default) => match call.get(0).map(|value| &value.kind) {
            Some(Kind::Map(of, _)) => convert(default, of).map_err(|error| {
                Failure::of(2, format!("the default does not fit the map: {error}"))
            }),
            _ => Ok(default.clone()),
        },
        None => Err(Failure::of(1, format!("the map has no key {}", call.shown(1)))
            .help("give a default as the third argument")),
    }
}

fn merge(call: &Call<'_>) -> Outcome {
    let mut merged: BTreeMap<String, Value> = BTreeMap::new();
    let mut element = None;
    let mut maps = true;
    for (at, value) in call.arguments.iter().enumerate() {
        match &value.kind {
            Kind::Null(_) => {}
            Kind::Map(of, all) => {
                maps &= element.replace(of).is_none_or(|other| other == of);
                merged.extend(all.clone());
            }
            _ => {
                maps = false;
                merged.extend(entries(call, at)?.clone());
            }
        }
        if merged.len() > LIMIT {
            return Err(too_many());
        }
    }
    Ok(match element {
        Some(of) if maps => Value::new(Kind::Map(of.clone(), merged)),
        _ => Value::object(merged),
    })
}

fn transpose(call: &Call<'_>) -> Outcome {
    let of = Type::Map(Box::new(Type::List(Box::new(Type::String))));
    let map = call.get(0).cloned().unwrap_or_else(Value::null);
    let map = convert(&map, &of).map_err(|error| Failure::of(0, error.to_string()))?;
    let mut turned: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    if let Kind::Map(_, all) = map.kind {
        for (key, list) in all {
            let Kind::List(_, names) = list.kind else { continue };
            for name in names {
                match name.as_str() {
                    Some(name) => {
                        turned.entry(name.to_owned()).or_default().push(Value::string(&key));
                    }
                    None => return Err(Failure::of(0, "an element of a list is null")),
                }
            }
        }
    }
    let turned = turned
        .into_iter()
        .map(|(name, keys)| (name, Value::new(Kind::List(Type::String, keys))))
        .collect();
    Ok(Value::new(Kind::Map(Type::List(Box::new(Type::String)), turned)))
}

fn zipmap(call: &Call<'_>) -> Outcome {
    let (keys, values) = (call.elements(0)?, call.elements(1)?);
    if keys.len() != values.len() {
        return Err(Failure::of(
            1,
            format!("there are {}, but {}", count(keys.len(), "key"), count(values.len(), "value")),
        ));
    }
    let mut zipped = BTreeMap::new();
    let mut marks = Marks::NONE;
    for (key, value) in keys.iter().zip(values) {
        marks |= key.marks;
        match key.as_str() {
            Some(key) => zipped.insert(key.to_owned(), value.clone()),
            None => return Err(Failure::of(0, "a key is null")),
        };
    }
    let map = match call.get(1).map(|value| &value.kind) {
        Some(Kind::List(of, _)) => Value::new(Kind::Map(of.clone(), zipped)),
        _ => Value::object(zipped),
    };
    Ok(map.marked(marks))
}

/// The entries of argument `at`, a map or object.
fn entries<'a>(call: &Call<'a>, at: usize) -> Result<&'a BTreeMap<String, Value>, Failure> {
    match call.get(at).map(|value| &value.kind) {
        Some(Kind::Map(_, all) | Kind::Object(all)) => Ok(all),
        Some(kind) => {
            let what = Value::new(kind.clone()).type_of().a_noun();
            Err(Failure::of(at, format!("a map is required, but this is {what}")))
        }
        None => Err(Failure::of(at, "a map is required")),
    }
}
