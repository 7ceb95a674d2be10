//! Equality and order.

use std::cmp::Ordering;

use super::{Kind, Type, Value};

/// `a == b` as HCL has it: values of different types are different, whatever they hold.
/// `None` when it depends on something unknown.
pub fn equals(a: &Value, b: &Value) -> Option<bool> {
    match (&a.kind, &b.kind) {
        (Kind::Null(_), Kind::Null(_)) => Some(true),
        (Kind::Unknown(_), _) | (_, Kind::Unknown(_)) => {
            // What is unknown may still turn out to be null, so only types can tell.
            let (left, right) = (a.type_of(), b.type_of());
            if a.is_null() || b.is_null() || could_be_same(&left, &right) {
                None
            } else {
                Some(false)
            }
        }
        (Kind::Null(_), _) | (_, Kind::Null(_)) => Some(false),
        (Kind::Bool(a), Kind::Bool(b)) => Some(a == b),
        (Kind::Number(a), Kind::Number(b)) => Some(a == b),
        (Kind::String(a), Kind::String(b)) => Some(a == b),
        (Kind::List(s, a), Kind::List(t, b)) if s == t => all_equal(a.iter(), b.iter()),
        (Kind::Set(s, a), Kind::Set(t, b)) if s == t => all_equal(a.iter(), b.iter()),
        (Kind::Tuple(a), Kind::Tuple(b)) => all_equal(a.iter(), b.iter()),
        (Kind::Map(s, a), Kind::Map(t, b)) if s == t => {
            if a.keys().eq(b.keys()) {
                all_equal(a.values(), b.values())
            } else {
                Some(false)
            }
        }
        (Kind::Object(a), Kind::Object(b)) => {
            if a.keys().eq(b.keys()) {
                all_equal(a.values(), b.values())
            } else {
                Some(false)
            }
        }
        _ => Some(false),
    }
}

fn all_equal<'a>(
    a: impl ExactSizeIterator<Item = &'a Value>,
    b: impl ExactSizeIterator<Item = &'a Value>,
) -> Option<bool> {
    if a.len() != b.len() {
        return Some(false);
    }
    let mut result = Some(true);
    for (a, b) in a.zip(b) {
        match equals(a, b) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => result = None,
        }
    }
    result
}

fn could_be_same(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::List(a), Type::List(b))
        | (Type::Set(a), Type::Set(b))
        | (Type::Map(a), Type::Map(b)) => could_be_same(a, b),
        (Type::Tuple(a), Type::Tuple(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| could_be_same(a, b))
        }
        (Type::Object(a), Type::Object(b)) => {
            a.keys().eq(b.keys())
                && a.values().zip(b.values()).all(|(a, b)| could_be_same(&a.of, &b.of))
        }
        (a, b) => a == b,
    }
}

/// The order that elements of a set are kept in: `false` before `true`, numbers by size, texts by
/// their bytes, null last; anything else by its parts.
pub fn order(a: &Value, b: &Value) -> Ordering {
    match (&a.kind, &b.kind) {
        (Kind::Bool(a), Kind::Bool(b)) => a.cmp(b),
        (Kind::Number(a), Kind::Number(b)) => a.cmp(b),
        (Kind::String(a), Kind::String(b)) => a.cmp(b),
        (
            Kind::List(_, a) | Kind::Set(_, a) | Kind::Tuple(a),
            Kind::List(_, b) | Kind::Set(_, b) | Kind::Tuple(b),
        ) => all_in_order(a, b),
        (Kind::Map(_, a) | Kind::Object(a), Kind::Map(_, b) | Kind::Object(b)) => {
            for ((name, one), (other_name, other)) in a.iter().zip(b) {
                let order = name.cmp(other_name).then_with(|| order(one, other));
                if order != Ordering::Equal {
                    return order;
                }
            }
            a.len().cmp(&b.len())
        }
        _ => rank(a).cmp(&rank(b)),
    }
}

fn all_in_order(a: &[Value], b: &[Value]) -> Ordering {
    for (a, b) in a.iter().zip(b) {
        let order = order(a, b);
        if order != Ordering::Equal {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

fn rank(value: &Value) -> u8 {
    match value.kind {
        Kind::Bool(_) => 0,
        Kind::Number(_) => 1,
        Kind::String(_) => 2,
        Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => 3,
        Kind::Map(..) | Kind::Object(_) => 4,
        Kind::Null(_) => 5,
        Kind::Unknown(_) => 6,
    }
}

/// A set of `elements`, which all must be of type `of` already. Marks of elements become marks
/// of the set, because an element of a set cannot be told apart from its value. With an unknown
/// element the whole set is unknown: two elements may turn out to be one.
pub fn make_set(of: Type, elements: Vec<Value>) -> Value {
    let mut marks = super::Marks::NONE;
    let mut known = true;
    let mut elements: Vec<Value> = elements
        .into_iter()
        .map(|element| {
            marks |= element.all_marks();
            known &= element.is_known();
            element.without_marks()
        })
        .collect();
    if !known {
        return Value::unknown(Type::Set(Box::new(of))).marked(marks);
    }
    elements.sort_by(order);
    elements.dedup_by(|a, b| order(a, b) == Ordering::Equal);
    Value::new(Kind::Set(of, elements)).marked(marks)
}

#[cfg(test)]
mod tests {
    use super::super::Marks;
    use super::*;

    #[test]
    fn values_of_different_types_differ() {
        assert_eq!(equals(&Value::number(1), &Value::string("1")), Some(false));
        assert_eq!(equals(&Value::null(), &Value::new(Kind::Null(Type::String))), Some(true));
        assert_eq!(equals(&Value::unknown(Type::Any), &Value::number(1)), None);
        assert_eq!(equals(&Value::unknown(Type::String), &Value::number(1)), Some(false));
        assert_eq!(equals(&Value::unknown(Type::String), &Value::null()), None);
        let part_known = Value::tuple(vec![Value::unknown(Type::Any), Value::number(1)]);
        let other = Value::tuple(vec![Value::number(0), Value::number(2)]);
        assert_eq!(equals(&part_known, &other), Some(false));
    }

    #[test]
    fn sets_are_sorted_and_take_over_marks() {
        let elements = vec![
            Value::string("b"),
            Value::string("a").marked(Marks::SENSITIVE),
            Value::string("b"),
        ];
        let set = make_set(Type::String, elements);
        assert_eq!(set.marks, Marks::SENSITIVE);
        assert_eq!(set.without_marks().to_string(), "[\"a\", \"b\"]");
    }
}
