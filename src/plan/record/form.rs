//! The record itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Places, RecordError, text};
use crate::plan::identity::{
    SCHEME, image_recipe, image_recipe_hash, recipe_hash, template_recipe,
};
use crate::plan::{Digest, Plan};

/// Bytes of the largest record that is read.
pub const LARGEST: usize = 64 << 20;

/// Version of the file's form; the hashes have their scheme.
pub(super) const FORMAT: u32 = 1;

/// What a template hash, and an image hash if it is known, were taken over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    scheme: u32,
    build: String,
    /// The template as it was named, absolute.
    template: String,
    template_hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_hash: Option<String>,
    recipe: Json,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<Json>,
    /// Where the builder stood, the steps and the error-cleanup step.
    #[serde(default)]
    places: Vec<Places>,
    /// Small text files by digest.
    #[serde(default)]
    texts: BTreeMap<String, String>,
}

/// What has to be known of a record before the rest can be understood.
#[derive(Deserialize)]
struct Versions {
    format: u32,
    scheme: u32,
}

impl Record {
    /// Of a plan whose source image is not known. Relative paths start at `directory`; `template` is
    /// the path of the template from there. Files that are small texts are read; one that cannot be
    /// read, or has changed since it was planned, is left out.
    pub fn of(plan: &Plan, directory: &Path, template: &Path) -> Self {
        let recipe = template_recipe(plan);
        let of_components = plan.all_components().flat_map(|one| &one.secrets);
        let secrets: BTreeSet<_> =
            of_components.chain(&*plan.secrets).map(String::as_str).collect();
        Self {
            format: FORMAT,
            scheme: SCHEME,
            build: plan.name.clone(),
            template: directory.join(template).display().to_string(),
            template_hash: recipe_hash(&recipe).hex(),
            image_hash: None,
            recipe,
            image: None,
            places: plan.components().map(|one| Places::of(one, directory)).collect(),
            texts: text::of(plan.components(), &secrets),
        }
    }

    /// The same with the source image that was found in place of the `selectors`, and so with an
    /// image hash.
    #[must_use]
    pub fn with_source_image(mut self, plan: &Plan, selectors: &[&str], found: &Json) -> Self {
        let image = image_recipe(plan, selectors, found);
        self.image_hash = Some(image_recipe_hash(&image).hex());
        self.image = Some(image);
        self
    }

    /// Reads what [`Self::write`] wrote, and checks that its inputs give its hashes.
    ///
    /// # Errors
    /// Anything that is no record of this format and scheme, or does not fit its hashes.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > LARGEST {
            return Err(RecordError::TooLarge);
        }
        let Versions { format, scheme } = serde_json::from_slice(bytes)?;
        if format != FORMAT {
            return Err(RecordError::Format { found: format });
        }
        if scheme != SCHEME {
            return Err(RecordError::Scheme { found: scheme });
        }
        let record: Self = serde_json::from_slice(bytes)?;
        check_shape(&record.recipe)?;
        check_hash("template hash", &record.template_hash, &recipe_hash(&record.recipe))?;
        match (&record.image_hash, &record.image) {
            (Some(hash), Some(image)) => {
                check_shape(image)?;
                check_hash("image hash", hash, &image_recipe_hash(image))?;
            }
            (None, None) => {}
            _ => return Err(RecordError::Shape("an image hash and its recipe belong together")),
        }
        for (digest, text) in &record.texts {
            check_hash("file digest", digest, &Digest::of(text.as_bytes()))?;
        }
        Ok(record)
    }

    /// The record as a file has it.
    pub fn write(&self) -> Vec<u8> {
        // Maps with keys that are text, and plain values, can always be written.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Name of the build, such as `amazon-ebs.app`.
    pub fn build(&self) -> &str {
        &self.build
    }

    /// Of recipes that no template has, with the texts of files.
    #[cfg(test)]
    pub(crate) fn of_recipes(recipe: Json, image: Option<Json>, texts: &[&str]) -> Self {
        let text = |text: &&str| (Digest::of(text.as_bytes()).hex(), (*text).to_owned());
        Self {
            format: FORMAT,
            scheme: SCHEME,
            build: "vm.a".to_owned(),
            template: "/t/a.pkr.hcl".to_owned(),
            template_hash: recipe_hash(&recipe).hex(),
            image_hash: image.as_ref().map(|image| image_recipe_hash(image).hex()),
            recipe,
            image,
            places: Vec::new(),
            texts: texts.iter().map(text).collect(),
        }
    }

    /// The same record under another build name.
    #[must_use]
    pub fn named(mut self, build: &str) -> Self {
        build.clone_into(&mut self.build);
        self
    }

    /// Where the template was, absolute: a file or a directory.
    pub fn template(&self) -> &Path {
        Path::new(&self.template)
    }

    /// The template hash, 64 hexadecimal digits.
    pub fn template_hash(&self) -> &str {
        &self.template_hash
    }

    /// The image hash, if the source image is known.
    pub fn image_hash(&self) -> Option<&str> {
        self.image_hash.as_deref()
    }

    /// The template hash, and the image hash if it is known.
    pub fn hashes(&self) -> (&str, Option<&str>) {
        (self.template_hash(), self.image_hash())
    }

    /// What the template hash was taken over.
    pub fn recipe(&self) -> &Json {
        &self.recipe
    }

    /// What the image hash was taken over.
    pub fn image_recipe(&self) -> Option<&Json> {
        self.image.as_ref()
    }

    /// Where the components stood: the builder, the steps, the error-cleanup step.
    pub fn places(&self) -> &[Places] {
        &self.places
    }

    /// The text of a file by its digest, if it was kept.
    pub fn text(&self, digest: &str) -> Option<&str> {
        self.texts.get(digest).map(String::as_str)
    }
}

/// Whether a recipe has the parts that all have, so that it can be compared.
fn check_shape(recipe: &Json) -> Result<(), RecordError> {
    let component = |one: &Json| {
        let is_object = |name: &str| one.get(name).is_some_and(Json::is_object);
        let trees = one.get("files").and_then(Json::as_object);
        one.get("type").is_some_and(Json::is_string)
            && is_object("options")
            && trees.is_some_and(|trees| trees.values().all(Json::is_object))
    };
    if !recipe.get("builder").is_some_and(component) {
        return Err(RecordError::Shape("its builder is no component"));
    }
    let steps = recipe.get("steps").and_then(Json::as_array);
    if !steps.is_some_and(|steps| steps.iter().all(component)) {
        return Err(RecordError::Shape("its steps are no components"));
    }
    Ok(())
}

fn check_hash(what: &'static str, claimed: &str, computed: &Digest) -> Result<(), RecordError> {
    let computed = computed.hex();
    if claimed == computed {
        return Ok(());
    }
    // What is claimed may be anything, and is shown.
    let claimed = claimed.chars().filter(char::is_ascii_graphic).take(64).collect();
    Err(RecordError::Hash { what, claimed, computed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record() -> Record {
        let recipe = json!({
            "builder": { "type": "vm", "options": { "size": 2 }, "files": {} },
            "steps": [{ "type": "run", "options": {}, "files": { "script": { "": { "file": Digest::of(b"x\n") } } } }],
        });
        let mut image = recipe.clone();
        image["source_image"] = json!({ "id": "ami-1" });
        Record::of_recipes(recipe, Some(image), &["x\n"])
    }

    #[test]
    fn what_is_written_is_read() {
        let record = record();
        assert_eq!(Record::read(&record.write()).unwrap(), record);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let whole = serde_json::to_value(record()).unwrap();
        let with = |change: &dyn Fn(&mut Json)| {
            let mut changed = whole.clone();
            change(&mut changed);
            let bytes = serde_json::to_vec(&changed).unwrap();
            let error = Record::read(&bytes).expect_err("refused").to_string();
            regex::Regex::new("[0-9a-f]{64}").unwrap().replace_all(&error, "[hash]").into_owned()
        };
        let told = [
            with(&|one| one["format"] = json!(2)),
            with(&|one| one["scheme"] = json!(9)),
            with(&|one| one["recipe"]["builder"]["options"]["size"] = json!(3)),
            with(&|one| one["image"]["source_image"]["id"] = json!("ami-2")),
            with(&|one| one["image_hash"] = json!("\u{1b}[31mx")),
            with(&|one| one["recipe"]["steps"] = json!({})),
            with(&|one| one["recipe"]["builder"] = json!([])),
            with(&|one| one["image"] = json!(null)),
            with(&|one| {
                let name = one["texts"].as_object().unwrap().keys().next().unwrap().clone();
                one["texts"][name] = json!("y\n");
            }),
            with(&|one| *one = json!([])),
        ];
        insta::assert_snapshot!(told.join("\n"), @"
        the record has format 2, and this bake reads 1
        the record has hash scheme 9, and this bake has 1
        the record does not fit its template hash: it claims [hash], and its inputs give [hash]
        the record does not fit its image hash: it claims [hash], and its inputs give [hash]
        the record does not fit its image hash: it claims [31mx, and its inputs give [hash]
        the record is no recipe: its steps are no components
        the record is no recipe: its builder is no component
        the record is no recipe: an image hash and its recipe belong together
        the record does not fit its file digest: it claims [hash], and its inputs give [hash]
        the record cannot be read: invalid length 0, expected struct Versions with 2 elements at line 1 column 2
        ");
    }

    #[test]
    fn a_cut_record_is_refused() {
        let bytes = record().write();
        // The last byte is the line's end.
        for length in 0..bytes.len() - 1 {
            assert!(Record::read(&bytes[..length]).is_err(), "{length}");
        }
    }
}
