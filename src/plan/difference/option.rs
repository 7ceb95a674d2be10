//! Options that differ.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::form::is_marked;
use super::line::{elements, lines};
use super::{Change, Form};
use crate::plan::canonical_json;

/// A change of an option, with the name under which its place is known.
pub(super) struct Found {
    pub(super) option: String,
    pub(super) change: Change,
}

/// The options that differ between two components.
pub(super) fn options(old: &Map<String, Json>, new: &Map<String, Json>) -> Vec<Found> {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let mut changes = Vec::new();
        compare(name, old.get(name), new.get(name), &mut changes);
        found.extend(changes.into_iter().map(|change| Found { option: name.clone(), change }));
    }
    found
}

fn compare(path: &str, old: Option<&Json>, new: Option<&Json>, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let lines = match (old, new) {
        (Some(old), Some(new)) if is_marked(old) || is_marked(new) => of_late(old, new),
        (Some(Json::Object(old)), Some(Json::Object(new))) => {
            let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for name in names {
                compare(&format!("{path}.{name}"), old.get(name), new.get(name), changes);
            }
            return;
        }
        (Some(Json::Array(old)), Some(Json::Array(new))) if old.len() == new.len() => {
            if old.iter().chain(new).any(Json::is_object) {
                for (at, (old, new)) in old.iter().zip(new).enumerate() {
                    compare(&format!("{path}[{at}]"), Some(old), Some(new), changes);
                }
                return;
            }
            of_elements(old, new)
        }
        (Some(Json::Array(old)), Some(Json::Array(new))) => of_elements(old, new),
        (Some(Json::String(old)), Some(Json::String(new)))
            if old.contains('\n') || new.contains('\n') =>
        {
            lines(old, new)
        }
        _ => Vec::new(),
    };
    let (old, new) = (Form::of(old), Form::of(new));
    changes.push(Change::Option { option: path.to_owned(), old, new, lines });
}

/// The lines of two texts that say how values come about; of secrets, none.
fn of_late(old: &Json, new: &Json) -> Vec<super::Line> {
    match (Form::of(Some(old)), Form::of(Some(new))) {
        (Form::Late(old), Form::Late(new)) if old.contains('\n') || new.contains('\n') => {
            lines(&format!("{old}\n"), &format!("{new}\n"))
        }
        _ => Vec::new(),
    }
}

fn of_elements(old: &[Json], new: &[Json]) -> Vec<super::Line> {
    let texts = |all: &[Json]| -> Vec<String> { all.iter().map(element).collect() };
    elements(&texts(old), &texts(new))
}

/// An element of a list: a text as it is, anything else as JSON.
fn element(one: &Json) -> String {
    match one {
        _ if is_marked(one) => "(sensitive, or not known yet)".to_owned(),
        Json::String(text) => text.clone(),
        other => canonical_json(other),
    }
}
