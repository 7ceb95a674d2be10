//! Functions on sets.

use super::super::declaration::{Call, Failure, Function, Of, Outcome, any};
use super::{LIMIT, Members, too_many};
use crate::value::{Kind, Type, Value, convert, make_set, unify};

/// The most sets that are compared with each other.
const SETS: usize = 1000;

pub(in super::super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "setintersection",
        &[any("first")],
        Of::Set(&Of::Any),
        "what is in all sets",
        |call| sets(call, |holds| holds.iter().all(|holds| *holds)),
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
        |call| sets(call, |holds| matches!(holds, [true, false])),
    ),
    Function::new(
        "setsymmetricdifference",
        &[any("first")],
        Of::Set(&Of::Any),
        "what is in an odd number of the sets; of two, what is in one only",
        |call| sets(call, |holds| holds.iter().filter(|holds| **holds).count() % 2 == 1),
    )
    .variadic(any("others")),
    Function::new(
        "setunion",
        &[any("first")],
        Of::Set(&Of::Any),
        "what is in one of the sets",
        |call| sets(call, |_| true),
    )
    .variadic(any("others")),
];

/// A set of those elements of all arguments for which `keep` says so; it gets which of the
/// arguments hold the element.
fn sets(call: &Call<'_>, keep: impl Fn(&[bool]) -> bool) -> Outcome {
    if call.arguments.len() > SETS {
        return Err(Failure::new(format!("there are more than {SETS} sets"))
            .help("put the lists together first, with `toset(flatten(…))`"));
    }
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
    let members: Vec<Members<'_>> = all.iter().map(|set| Members::new(set)).collect();
    let kept = all
        .iter()
        .flatten()
        .filter(|one| {
            let holds: Vec<bool> = members.iter().map(|set| set.contains(one)).collect();
            keep(&holds)
        })
        .cloned()
        .collect();
    Ok(make_set(of, kept))
}

fn setproduct(call: &Call<'_>) -> Outcome {
    if call.arguments.len() < 2 {
        return Err(Failure::new("at least two sets are required"));
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    let mut sets = true;
    for at in 0..call.arguments.len() {
        let elements = call.elements(at)?;
        sets &= matches!(call.get(at).map(|value| &value.kind), Some(Kind::Set(..)));
        // The rows of the result count with all that is in them.
        if rows.len().saturating_mul(elements.len()).saturating_mul(at + 1) > LIMIT {
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
    }
    let rows: Vec<Value> = rows.into_iter().map(Value::tuple).collect();
    if !sets {
        return Ok(Value::tuple(rows));
    }
    let of = rows.first().map_or(Type::Any, Value::type_of);
    Ok(make_set(of, rows))
}
