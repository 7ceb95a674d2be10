//! Functions that make something of lists.

use std::cmp::Ordering;

use super::super::declaration::{
    Call, Failure, Function, Of, Outcome, any, bools, list, number, strings,
};
use super::{LIMIT, like, too_many};
use crate::value::{
    Kind, Marks, Number, Type, Value, bounded, convert, count, divide, floor, order, to_integer,
    unify,
};

pub(in super::super) const FUNCTIONS: &[Function] = &[
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
        "distinct",
        &[list("list")],
        Of::Any,
        "a list without what is there twice",
        distinct,
    ),
    Function::new(
        "flatten",
        &[any("list").shape()],
        Of::Any,
        "a list with the elements of the lists in it",
        flatten,
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
];

fn chunklist(call: &Call<'_>) -> Outcome {
    let elements = call.elements(0)?;
    let size = call.size(1)?;
    let of = call.get(0).map_or(Type::Any, Value::type_of);
    let size = if size == 0 { elements.len().max(1) } else { size };
    let chunks = elements.chunks(size).map(|chunk| like(call, 0, chunk.to_vec())).collect();
    Ok(Value::new(Kind::List(of, chunks)))
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

fn distinct(call: &Call<'_>) -> Outcome {
    let mut sorted: Vec<(usize, &Value)> = call.elements(0)?.iter().enumerate().collect();
    // The order is stable, so the first of equal ones is the one that stays.
    sorted.sort_by(|(_, a), (_, b)| order(a, b));
    sorted.dedup_by(|(_, b), (_, a)| order(a, b) == Ordering::Equal);
    sorted.sort_by_key(|(at, _)| *at);
    Ok(like(call, 0, sorted.into_iter().map(|(_, one)| one.clone()).collect()))
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
    if to_integer(&floor(&steps))
        .is_none_or(|steps| usize::try_from(steps).is_ok_and(|steps| steps > LIMIT))
    {
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
