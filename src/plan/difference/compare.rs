//! Two records side by side.

use serde_json::{Map, Value as Json};

use super::option::options;
use super::step::pairs;
use super::tree::{Trees, files};
use super::{Change, Difference, Part};
use crate::plan::record::{Places, Record};

/// The inputs that differ between two records.
///
/// Where both have an image hash, these are the inputs of the image; else those of the template,
/// for one of them does not know the source image nor what was looked up.
pub fn difference(old: &Record, new: &Record) -> Vec<Difference> {
    match (old.image_recipe(), new.image_recipe()) {
        (Some(old_recipe), Some(new_recipe)) => compare((old, old_recipe), (new, new_recipe)),
        _ => of_templates(old, new),
    }
}

/// The inputs that differ between the templates of two records, whatever their images were taken
/// over.
pub fn of_templates(old: &Record, new: &Record) -> Vec<Difference> {
    compare((old, old.recipe()), (new, new.recipe()))
}

/// A component of one of the two.
#[derive(Clone, Copy)]
struct Component<'a> {
    record: &'a Record,
    form: &'a Json,
    places: Option<&'a Places>,
}

impl<'a> Component<'a> {
    fn kind(self) -> &'a str {
        self.form.get("type").and_then(Json::as_str).unwrap_or_default()
    }

    fn object(self, name: &str) -> Option<&'a Map<String, Json>> {
        self.form.get(name)?.as_object()
    }

    fn trees(self) -> Trees<'a> {
        Trees { record: self.record, trees: self.object("files"), places: self.places }
    }

    fn at(self) -> Option<String> {
        self.places.map(|places| places.at.clone()).filter(|at| !at.is_empty())
    }

    /// Where an option stands, or else the component.
    fn place_of(self, option: &str) -> Option<String> {
        let known = self.places.and_then(|places| places.options.get(option));
        known.cloned().or_else(|| self.at())
    }
}

fn compare(old: (&Record, &Json), new: (&Record, &Json)) -> Vec<Difference> {
    let mut found = Vec::new();
    let empty = Map::new();
    let source = |recipe: &Json| recipe.get("source_image").and_then(Json::as_object).cloned();
    let (before, after) = (source(old.1), source(new.1));
    for one in options(before.as_ref().unwrap_or(&empty), after.as_ref().unwrap_or(&empty)) {
        let (part, change) = (Part::SourceImage, one.change);
        found.push(Difference { part, change, old_place: None, new_place: None });
    }
    let (old, new) = (parts(old.0, old.1), parts(new.0, new.1));
    if let (Some(old), Some(new)) = (old.builder, new.builder) {
        let kind = new.kind().to_owned();
        if old.kind() != kind {
            let change = Change::Type { old: old.kind().to_owned(), new: kind.clone() };
            let part = Part::Builder { kind: kind.clone() };
            found.push(Difference { part, change, old_place: old.at(), new_place: new.at() });
        }
        changes(&Part::Builder { kind }, old, new, &mut found);
    }
    steps(&old.steps, &new.steps, &mut found);
    let cleanup = |one: Component<'_>| Part::ErrorCleanup { kind: one.kind().to_owned() };
    match (old.cleanup, new.cleanup) {
        (None, None) => {}
        (Some(old), Some(new)) if old.kind() == new.kind() => {
            changes(&cleanup(new), old, new, &mut found);
        }
        (old, new) => {
            found.extend(old.map(|one| removed(cleanup(one), one)));
            found.extend(new.map(|one| added(cleanup(one), one)));
        }
    }
    found
}

/// The components of a recipe.
struct Parts<'a> {
    builder: Option<Component<'a>>,
    steps: Vec<Component<'a>>,
    cleanup: Option<Component<'a>>,
}

fn parts<'a>(record: &'a Record, recipe: &'a Json) -> Parts<'a> {
    let component = |form, at: usize| Component { record, form, places: record.places().get(at) };
    let all = recipe.get("steps").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let mut steps: Vec<_> =
        all.iter().enumerate().map(|(at, form)| component(form, at + 1)).collect();
    let is_cleanup = |one: &Component<'_>| one.form.get("on_error") == Some(&Json::Bool(true));
    let cleanup = steps.pop_if(|one| is_cleanup(one));
    let builder = recipe.get("builder").map(|form| component(form, 0));
    Parts { builder, steps, cleanup }
}

fn steps(old: &[Component<'_>], new: &[Component<'_>], found: &mut Vec<Difference>) {
    let forms =
        |all: &[Component<'_>]| -> Vec<Json> { all.iter().map(|one| one.form.clone()).collect() };
    let part =
        |one: Component<'_>, at: usize| Part::Step { number: at + 1, kind: one.kind().to_owned() };
    for pair in pairs(&forms(old), &forms(new)) {
        let before = pair.old.and_then(|at| Some((at, *old.get(at)?)));
        let after = pair.new.and_then(|at| Some((at, *new.get(at)?)));
        match (before, after) {
            (Some((from, before)), Some((at, after))) => {
                let part = part(after, at);
                if pair.moved {
                    found.push(Difference {
                        part: part.clone(),
                        change: Change::Moved { from: from + 1 },
                        old_place: before.at(),
                        new_place: after.at(),
                    });
                }
                changes(&part, before, after, found);
            }
            (Some((at, before)), None) => found.push(removed(part(before, at), before)),
            (None, Some((at, after))) => found.push(added(part(after, at), after)),
            (None, None) => {}
        }
    }
}

fn removed(part: Part, old: Component<'_>) -> Difference {
    Difference { part, change: Change::Removed, old_place: old.at(), new_place: None }
}

fn added(part: Part, new: Component<'_>) -> Difference {
    Difference { part, change: Change::Added, old_place: None, new_place: new.at() }
}

/// What differs inside of a component.
fn changes(part: &Part, old: Component<'_>, new: Component<'_>, found: &mut Vec<Difference>) {
    let empty = Map::new();
    let (before, after) = (old.object("options"), new.object("options"));
    for one in options(before.unwrap_or(&empty), after.unwrap_or(&empty)) {
        found.push(Difference {
            part: part.clone(),
            change: one.change,
            old_place: old.place_of(&one.option),
            new_place: new.place_of(&one.option),
        });
    }
    found.extend(files(&old.trees(), &new.trees()).into_iter().map(|change| Difference {
        part: part.clone(),
        change,
        old_place: old.at(),
        new_place: new.at(),
    }));
}
