//! Functions on lists, sets, maps and objects.

use std::collections::BTreeMap;

use super::declaration::{
    Call, Failure, Function, Of, Outcome, any, bools, list, number, string, strings,
};
use crate::value::{
    Kind, Marks, Number, Type, Value, bounded, convert, count, divide, equals, floor, make_set,
    order, to_integer, unify,
};

/// The most elements that one call makes.
const LIMIT: usize = 1_000_000;
/// The same, as numbers count.
const LIMIT_NUMBER: i64 = 1_000_000;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("alltrue", &[bools("list")], Of::Bool, "whether all elements are true", |call| {
        Ok(Value::bool(call.elements(0)?.iter().all(|one| one.kind == Kind::Bool(true))))
    }),
    Function::new("anytrue", &[bools("list")], Of::Bool, "whether an element is true", |call| {
        Ok(Value::bool(call.elements(0)?.iter().any(|one| one.kind == Kind::Bool(true))))
    }),
    Function::new(
        "chunklist",
        &[list("list").shape(), number("size")],
        Of::Any,
        "cuts a list into lists of at most that size; 0 keeps it whole",
        chunklist,
    )
    .inside(),
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
        "compact",
        &[strings("list")],
        Of::List(&Of::String),
        "a list of strings without null and empty ones",
        |call| {
            let kept = call
                .elements(0)?
                .iter()
                .filter(|one| one.as_str().is_some_and(|text| !text.is_empty()));
            Ok(Value::new(Kind::List(Type::String, kept.cloned().collect())))
        },
    ),
    Function::new("concat", &[], Of::Any, "puts lists one after another", concat)
        .variadic(any("lists").shape())
        .inside(),
    Function::new(
        "contains",
        &[any("list"), any("value").nullable()],
        Of::Bool,
        "whether a list or set holds a value",
        contains,
    ),
    Function::new(
        "distinct",
        &[list("list")],
        Of::Any,
        "a list without what is there twice",
        distinct,
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
        "flatten",
        &[any("list").shape()],
        Of::Any,
        "a list with the elements of the lists in it",
        flatten,
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
        "keys",
        &[any("map").shape()],
        Of::List(&Of::String),
        "the keys of a map in order",
        keys,
    )
    .inside(),
    Function::new(
        "length",
        &[any("value").shape()],
        Of::Number,
        "how many elements, or characters, there are",
        length,
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
    Function::new(
        "matchkeys",
        &[list("values"), list("keys"), list("searchset")],
        Of::List(&Of::Any),
        "the values whose keys are in a set",
        matchkeys,
    ),
    Function::new("merge", &[], Of::Any, "puts maps or objects together; later ones win", merge)
        .variadic(any("maps").nullable().shape())
        .inside(),
    Function::new(
        "one",
        &[any("list").shape()],
        Of::Any,
        "the only element of a list; null when it is empty",
        one,
    )
    .inside(),
    Function::new(
        "range",
        &[],
        Of::List(&Of::Number),
        "numbers from a start up to before a limit, by a step",
        range,
    )
    .variadic(number("bounds")),
    Function::new(
        "reverse",
        &[any("list").shape()],
        Of::Any,
        "a list from its end to its beginning",
        reverse,
    )
    .inside(),
    Function::new(
        "setintersection",
        &[any("first")],
        Of::Set(&Of::Any),
        "what is in all sets",
        |call| sets(call, |sets, one| sets.iter().all(|set| set.contains(one))),
    )
    .variadic(any("others")),
    Function::new(
        "setproduct",
        &[],
        Of::Any,
        "all combinations of an element of each list",
        setproduct,
    )
    .variadic(any("lists").shape())
    .inside(),
    Function::new(
        "setsubtract",
        &[any("set"), any("other")],
        Of::Set(&Of::Any),
        "what is in the first set only",
        |call| {
            sets(call, |sets, one| {
                sets.first().is_some_and(|set| set.contains(one))
                    && sets.get(1).is_none_or(|set| !set.contains(one))
            })
        },
    ),
    Function::new(
        "setunion",
        &[any("first")],
        Of::Set(&Of::Any),
        "what is in one of the sets",
        |call| sets(call, |_, _| true),
    )
    .variadic(any("others")),
    Function::new(
        "slice",
        &[any("list").shape(), number("from"), number("to")],
        Of::Any,
        "the elements from an index up to before another",
        slice,
    )
    .inside(),
    Function::new(
        "sort",
        &[strings("list")],
        Of::List(&Of::String),
        "a list of strings in order",
        sort,
    ),
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

fn too_many() -> Failure {
    Failure::new(format!("the result would have more than {LIMIT} elements"))
}

/// A list or a tuple, made of elements of argument `at`.
fn like(call: &Call<'_>, at: usize, elements: Vec<Value>) -> Value {
    match call.get(at).map(|value| &value.kind) {
        Some(Kind::List(of, _) | Kind::Set(of, _)) => Value::new(Kind::List(of.clone(), elements)),
        _ => Value::tuple(elements),
    }
}

fn chunklist(call: &Call<'_>) -> Outcome {
    let elements = call.elements(0)?;
    let size = call.size(1)?;
    let of = call.get(0).map_or(Type::Any, Value::type_of);
    let size = if size == 0 { elements.len().max(1) } else { size };
    let chunks = elements.chunks(size).map(|chunk| like(call, 0, chunk.to_vec())).collect();
    Ok(Value::new(Kind::List(of, chunks)))
}

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

fn concat(call: &Call<'_>) -> Outcome {
    if call.arguments.is_empty() {
        return Err(Failure::new("at least one list is required"));
    }
    let mut elements = Vec::new();
    let mut types = Vec::new();
    let mut lists = true;
    for (at, value) in call.arguments.iter().enumerate() {
        lists &= matches!(value.kind, Kind::List(..));
        types.push(value.type_of());
        elements.extend_from_slice(call.elements(at)?);
        if elements.len() > LIMIT {
            return Err(too_many());
        }
    }
    let tuple = Value::tuple(elements);
    match unify(&types) {
        Some(of @ Type::List(_)) if lists => {
            convert(&tuple, &of).map_err(|error| Failure::new(error.to_string()))
        }
        _ => Ok(tuple),
    }
}

fn contains(call: &Call<'_>) -> Outcome {
    let Some(wanted) = call.get(1) else { return Ok(Value::bool(false)) };
    let found = call.elements(0)?.iter().any(|one| equals(one, wanted) == Some(true));
    Ok(Value::bool(found))
}

fn distinct(call: &Call<'_>) -> Outcome {
    let mut seen: Vec<&Value> = Vec::new();
    let mut kept: Vec<Value> = Vec::new();
    for one in call.elements(0)? {
        let at = seen.binary_search_by(|other| order(other, one));
        if let Err(at) = at {
            seen.insert(at, one);
            kept.push(one.clone());
        }
    }
    Ok(like(call, 0, kept))
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

fn flatten(call: &Call<'_>) -> Outcome {
    fn gather(elements: &[Value], marks: Marks, flat: &mut Vec<Value>) -> Result<(), Failure> {
        for one in elements {
            match &one.kind {
                Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
                    gather(all, marks | one.marks, flat)?;
                }
                _ => flat.push(one.clone().marked(marks)),
            }
            if flat.len() > LIMIT {
                return Err(too_many());
            }
        }
        Ok(())
    }
    let mut flat = Vec::new();
    gather(call.elements(0)?, Marks::NONE, &mut flat)?;
    // An unknown element may be a list, so not even the length is known then.
    let open = |one: &Value| {
        matches!(
            &one.kind,
            Kind::Unknown(Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_))
        )
    };
    if flat.iter().any(open) {
        let marks = flat.iter().fold(Marks::NONE, |marks, one| marks | one.all_marks());
        return Ok(Value::unknown(Type::Any).marked(marks));
    }
    Ok(Value::tuple(flat))
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

fn matchkeys(call: &Call<'_>) -> Outcome {
    let (values, keys, wanted) = (call.elements(0)?, call.elements(1)?, call.elements(2)?);
    if values.len() != keys.len() {
        return Err(Failure::of(
            1,
            format!("there are {}, but {}", count(values.len(), "value"), count(keys.len(), "key")),
        ));
    }
    let kept = values
        .iter()
        .zip(keys)
        .filter(|(_, key)| wanted.iter().any(|one| equals(one, key) == Some(true)))
        .map(|(value, _)| value.clone());
    let kept = kept.collect::<Vec<_>>();
    Ok(like(call, 0, kept))
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

fn range(call: &Call<'_>) -> Outcome {
    let zero = Number::from(0);
    let (start, limit, step) = match call.arguments.len() {
        1 => (zero.clone(), call.number(0), None),
        2 => (call.number(0), call.number(1), None),
        3 => (call.number(0), call.number(1), Some(call.number(2))),
        given => {
            return Err(Failure::new(format!(
                "one, two or three numbers are required, not {given}"
            )));
        }
    };
    let step = step.unwrap_or_else(|| Number::from(if limit < start { -1 } else { 1 }));
    if step == zero {
        return Err(Failure::of(2, "the step must not be zero"));
    }
    let up = step > zero;
    if up != (limit > start) && limit != start {
        return Err(Failure::of(2, "the step leads away from the limit"));
    }
    let steps = divide(&(&limit - &start), &step).ok_or_else(too_many)?;
    if to_integer(&floor(&steps)).is_none_or(|steps| steps > LIMIT_NUMBER) {
        return Err(too_many());
    }
    let mut numbers = Vec::new();
    let mut at = start;
    while if up { at < limit } else { at > limit } {
        numbers.push(Value::number(at.clone()));
        at = bounded(at + &step).ok_or_else(too_many)?;
    }
    Ok(Value::new(Kind::List(Type::Number, numbers)))
}

fn reverse(call: &Call<'_>) -> Outcome {
    Ok(like(call, 0, call.elements(0)?.iter().rev().cloned().collect()))
}

/// A set of those elements of all arguments that `keep` says.
fn sets(call: &Call<'_>, keep: impl Fn(&[Vec<Value>], &Value) -> bool) -> Outcome {
    let mut all = Vec::new();
    for at in 0..call.arguments.len() {
        all.push(call.elements(at)?.to_vec());
    }
    let types: Vec<Type> = call
        .arguments
        .iter()
        .filter_map(|value| match value.type_of() {
            Type::List(of) | Type::Set(of) if *of != Type::Any => Some(*of),
            Type::Tuple(elements) => unify(&elements).filter(|of| *of != Type::Any),
            _ => None,
        })
        .collect();
    let Some(of) = unify(&types) else {
        return Err(Failure::new("all sets have to be of one type"));
    };
    for (at, elements) in all.iter_mut().enumerate() {
        for element in elements.iter_mut() {
            *element = convert(element, &of).map_err(|error| Failure::of(at, error.to_string()))?;
        }
    }
    let kept = all.iter().flatten().filter(|one| keep(&all, one)).cloned().collect();
    Ok(make_set(of, kept))
}

fn setproduct(call: &Call<'_>) -> Outcome {
    if call.arguments.len() < 2 {
        return Err(Failure::new("at least two sets are required"));
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    let mut sets = true;
    let mut cells = 0usize;
    for at in 0..call.arguments.len() {
        let elements = call.elements(at)?;
        sets &= matches!(call.get(at).map(|value| &value.kind), Some(Kind::Set(..)));
        if rows.len().saturating_mul(elements.len()) > LIMIT {
            return Err(too_many());
        }
        rows = rows
            .iter()
            .flat_map(|row| {
                elements.iter().map(|element| {
                    let mut row = row.clone();
                    row.push(element.clone());
                    row
                })
            })
            .collect();
        cells = rows.len().saturating_mul(at + 1);
    }
    if cells > LIMIT {
        return Err(too_many());
    }
    let rows: Vec<Value> = rows.into_iter().map(Value::tuple).collect();
    if !sets {
        return Ok(Value::tuple(rows));
    }
    let of = rows.first().map_or(Type::Any, Value::type_of);
    Ok(make_set(of, rows))
}

fn slice(call: &Call<'_>) -> Outcome {
    let elements = call.elements(0)?;
    if let Some(Kind::Set(..)) = call.get(0).map(|value| &value.kind) {
        return Err(
            Failure::of(0, "elements of a set have no order").help("convert it with `tolist`")
        );
    }
    let (from, to) = (call.size(1)?, call.size(2)?);
    if from > to {
        return Err(Failure::of(1, format!("the start {from} lies after the end {to}")));
    }
    match elements.get(from..to) {
        Some(part) => Ok(like(call, 0, part.to_vec())),
        None => Err(Failure::of(
            2,
            format!(
                "the end {to} lies beyond the {} of the list",
                count(elements.len(), "element")
            ),
        )),
    }
}

fn sort(call: &Call<'_>) -> Outcome {
    let mut elements = call.elements(0)?.to_vec();
    if elements.iter().any(Value::is_null) {
        return Err(Failure::of(0, "an element of the list is null"));
    }
    elements.sort_by(order);
    Ok(Value::new(Kind::List(Type::String, elements)))
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
