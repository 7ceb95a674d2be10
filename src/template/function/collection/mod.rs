//! Functions on lists, sets, maps and objects.

mod find;
mod list;
mod map;
mod set;

use super::declaration::{Call, Failure};
use crate::value::{Kind, Value, order};

pub(super) use find::FUNCTIONS as FIND;
pub(super) use list::FUNCTIONS as LIST;
pub(super) use map::FUNCTIONS as MAP;
pub(super) use set::FUNCTIONS as SET;

/// The most elements that one call makes.
const LIMIT: usize = 1_000_000;

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

/// Distinct values, to look others up in without comparing with each.
struct Members<'a>(Vec<&'a Value>);

impl<'a> Members<'a> {
    fn new(values: &'a [Value]) -> Self {
        let mut sorted: Vec<&Value> = values.iter().collect();
        sorted.sort_by(|a, b| order(a, b));
        Self(sorted)
    }

    fn contains(&self, value: &Value) -> bool {
        self.0.binary_search_by(|one| order(one, value)).is_ok()
    }
}
