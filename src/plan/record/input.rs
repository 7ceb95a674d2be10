//! The inputs of a record, one by one.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{Places, Record};
use crate::plan::{Digest, canonical_json};

/// An input with its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Input {
    /// The part of the recipe and what it is of it: `step 2 (shell): inline`.
    pub input: String,
    /// Of a file its SHA-256; of anything else that of its canonical JSON.
    pub digest: String,
}

impl Record {
    /// Everything that the image hash, or else the template hash, was taken over.
    pub fn inputs(&self) -> Vec<Input> {
        let recipe = self.image_recipe().unwrap_or_else(|| self.recipe());
        let mut found = Vec::new();
        if let Some(source) = recipe.get("source_image") {
            add(&mut found, "source image".to_owned(), source);
        }
        let builder = recipe.get("builder").into_iter();
        let steps = recipe.get("steps").and_then(Json::as_array).into_iter().flatten();
        for (at, component) in builder.chain(steps).enumerate() {
            let kind = component.get("type").and_then(Json::as_str).unwrap_or_default();
            let title = match component.get("on_error") {
                _ if at == 0 => format!("builder {kind}"),
                Some(_) => format!("error-cleanup step ({kind})"),
                None => format!("step {at} ({kind})"),
            };
            of_component(component, &title, self.places().get(at), &mut found);
        }
        found
    }
}

fn of_component(component: &Json, title: &str, places: Option<&Places>, found: &mut Vec<Input>) {
    let object = |name: &str| component.get(name).and_then(Json::as_object);
    if let Some(kind) = component.get("type") {
        add(found, title.to_owned(), kind);
    }
    for (name, form) in object("options").into_iter().flatten() {
        add(found, format!("{title}: {name}"), form);
    }
    for (tree, entries) in object("files").into_iter().flatten() {
        let base = places.and_then(|places| places.files.get(tree)).unwrap_or(tree);
        for (path, entry) in entries.as_object().into_iter().flat_map(Map::iter) {
            let file = match path.as_str() {
                "" => base.clone(),
                path => format!("{}/{path}", base.trim_end_matches('/')),
            };
            let input = format!("{title}: {file}");
            let executable = entry.get("executable").and_then(Json::as_str);
            match entry.get("file").and_then(Json::as_str).or(executable) {
                Some(digest) if executable.is_some() => found.push(Input {
                    input: format!("{input} (executable)"),
                    digest: digest.to_owned(),
                }),
                Some(digest) => found.push(Input { input, digest: digest.to_owned() }),
                None => add(found, input, entry),
            }
        }
    }
}

fn add(found: &mut Vec<Input>, input: String, form: &Json) {
    let digest = Digest::of(canonical_json(form).as_bytes()).hex();
    found.push(Input { input, digest });
}
