//! One type for several.

use std::collections::BTreeMap;

use super::{Attribute, Type};

/// The type that values of all `types` can be converted to, as a conditional or a list needs it.
/// `None` when there is none; [`Type::Any`] when one of them is not known yet.
pub fn unify(types: &[Type]) -> Option<Type> {
    let Some((first, rest)) = types.split_first() else { return Some(Type::Any) };
    if rest.iter().all(|one| one == first) {
        return Some(first.clone());
    }
    if types.contains(&Type::Any) {
        return Some(Type::Any);
    }
    if types.iter().all(Type::is_primitive) {
        return types.contains(&Type::String).then_some(Type::String);
    }
    let sequences = types.iter().all(|one| matches!(one, Type::List(_) | Type::Tuple(_)));
    let sets = types.iter().all(|one| matches!(one, Type::Set(_) | Type::Tuple(_) | Type::List(_)));
    let named = types.iter().all(|one| matches!(one, Type::Map(_) | Type::Object(_)));
    if types.iter().all(|one| matches!(one, Type::Tuple(_))) {
        return unify_tuples(types);
    }
    if types.iter().all(|one| matches!(one, Type::Object(_))) {
        return unify_objects(types);
    }
    let inside = || unify(&element_types(types));
    if sequences {
        return Some(Type::List(Box::new(inside()?)));
    }
    if sets {
        return Some(Type::Set(Box::new(inside()?)));
    }
    if named {
        return Some(Type::Map(Box::new(inside()?)));
    }
    None
}

fn unify_tuples(types: &[Type]) -> Option<Type> {
    let all: Vec<&Vec<Type>> = types
        .iter()
        .filter_map(|one| if let Type::Tuple(elements) = one { Some(elements) } else { None })
        .collect();
    let length = all.first()?.len();
    if all.iter().any(|one| one.len() != length) {
        return Some(Type::List(Box::new(unify(&element_types(types))?)));
    }
    let mut unified = Vec::with_capacity(length);
    for at in 0..length {
        let column: Vec<Type> = all.iter().filter_map(|one| one.get(at).cloned()).collect();
        unified.push(unify(&column)?);
    }
    Some(Type::Tuple(unified))
}

fn unify_objects(types: &[Type]) -> Option<Type> {
    let all: Vec<&BTreeMap<String, Attribute>> = types
        .iter()
        .filter_map(|one| if let Type::Object(attributes) = one { Some(attributes) } else { None })
        .collect();
    let first = all.first()?;
    if all.iter().any(|one| !one.keys().eq(first.keys())) {
        return Some(Type::Map(Box::new(unify(&element_types(types))?)));
    }
    let mut unified = BTreeMap::new();
    for name in first.keys() {
        let column: Vec<Type> = all
            .iter()
            .filter_map(|one| one.get(name).map(|attribute| attribute.of.clone()))
            .collect();
        unified.insert(name.clone(), Attribute::required(unify(&column)?));
    }
    Some(Type::Object(unified))
}

fn element_types(types: &[Type]) -> Vec<Type> {
    types
        .iter()
        .flat_map(|one| match one {
            Type::List(of) | Type::Set(of) | Type::Map(of) => vec![(**of).clone()],
            Type::Tuple(all) => all.clone(),
            Type::Object(all) => all.values().map(|one| one.of.clone()).collect(),
            _ => Vec::new(),
        })
        .collect()
}

impl Type {
    /// Whether it is bool, number or string.
    pub fn is_primitive(&self) -> bool {
        matches!(self, Type::Bool | Type::Number | Type::String)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(of: Type) -> Type {
        Type::List(Box::new(of))
    }

    #[test]
    fn primitives_meet_in_string_if_one_of_them_is_one() {
        assert_eq!(unify(&[Type::Number, Type::String]), Some(Type::String));
        assert_eq!(unify(&[Type::Bool, Type::String, Type::Number]), Some(Type::String));
        assert_eq!(unify(&[Type::Bool, Type::Number]), None);
        assert_eq!(unify(&[Type::Any, Type::Number]), Some(Type::Any));
    }

    #[test]
    fn tuples_of_different_lengths_meet_in_a_list() {
        let one = Type::Tuple(vec![Type::Number]);
        let two = Type::Tuple(vec![Type::Number, Type::String]);
        assert_eq!(unify(&[one.clone(), two.clone()]), Some(list(Type::String)));
        assert_eq!(unify(&[two.clone(), list(Type::String)]), Some(list(Type::String)));
        assert_eq!(unify(&[one, Type::Bool]), None);
    }

    #[test]
    fn objects_with_different_attributes_meet_in_a_map() {
        let a = Type::Object(BTreeMap::from([("a".to_owned(), Attribute::required(Type::Number))]));
        let b = Type::Object(BTreeMap::from([("b".to_owned(), Attribute::required(Type::String))]));
        assert_eq!(unify(&[a, b]), Some(Type::Map(Box::new(Type::String))));
    }
}
