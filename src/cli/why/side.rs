//! What a side of a comparison may be.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::git::Checkout;
use crate::aws::{Access, Client, ImageQuery};
use crate::build::builder::amazon_ebs::IMAGE_HASH;
use crate::build::ledger;
use crate::cli::arguments::{TemplateArguments, ValueArguments, WhyArguments};
use crate::cli::inputs::{Inputs, working_directory};
use crate::cli::runtime;
use crate::diagnostic::Diagnostics;
use crate::plan::{Digest, Record, record};
use crate::render::Mask;
use crate::sandbox::cloud::Image;
use crate::sandbox::store::Store;
use crate::template;

/// Lines of the longest ledger that is searched for hashes.
const LEDGER_LINES: usize = 100_000;

/// The records that a side stands for.
#[derive(Debug)]
pub(super) struct Side {
    /// As it was written.
    pub(super) title: String,
    /// One for each build.
    pub(super) records: Vec<Record>,
    /// Whether these are all builds of a template.
    pub(super) is_template: bool,
}

/// Why there is nothing to compare.
pub(super) enum Failure {
    /// What is wrong with a template.
    Found(Diagnostics),
    /// Anything else.
    Said(String),
}

impl From<Diagnostics> for Failure {
    fn from(found: Diagnostics) -> Self {
        Self::Found(found)
    }
}

impl Side {
    /// Finds out what is meant, and reads it. What exists as a file is that file.
    pub(super) fn of(text: &str, arguments: &WhyArguments, mask: &Mask) -> Result<Self, Failure> {
        if Path::new(text).exists() {
            let path = PathBuf::from(text);
            let records = of_template(&path, &path, working_directory()?, arguments, mask)?;
            return Ok(Self { title: text.to_owned(), records, is_template: true });
        }
        if let Some((revision, path)) = text.split_once(':') {
            let records = of_revision(revision, path, arguments, mask)?;
            return Ok(Self { title: text.to_owned(), records, is_template: true });
        }
        let is_hash =
            |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let records = if text.starts_with("ami-") {
            of_image(text, arguments)?
        } else if uuid::Uuid::try_parse(text).is_ok() && text.contains('-') {
            of_run(text)?
        } else if (8..=64).contains(&text.len()) && is_hash(text) {
            of_hash(text)?
        } else {
            return Err(Failure::Said(format!(
                "`{text}` is no file, no `REV:PATH`, no hash of 8 to 64 digits, no id of a run and no id of an image"
            )));
        };
        Ok(Self { title: text.to_owned(), records, is_template: false })
    }
}

/// The builds of the template at `path`, which is called `typed` from a working directory.
fn of_template(
    path: &Path,
    typed: &Path,
    directory: PathBuf,
    arguments: &WhyArguments,
    mask: &Mask,
) -> Result<Vec<Record>, Failure> {
    let mut loaded = template::load(path)?;
    if path != typed {
        // Paths in the template are to read as if bake ran in that directory.
        let is_directory = path.is_dir();
        let root = if is_directory { Some(typed) } else { typed.parent() };
        let root = root.filter(|root| !root.as_os_str().is_empty());
        loaded.template.root = root.unwrap_or(Path::new(".")).to_owned();
    }
    // Variable files are those of the same tree, where it has them.
    let there = |file: &PathBuf| directory.join(file);
    let files = arguments.values.variable_files.iter();
    let variable_files =
        files.map(|file| if there(file).is_file() { there(file) } else { file.clone() }).collect();
    let values = ValueArguments { variables: arguments.values.variables.clone(), variable_files };
    let mut template = TemplateArguments::of(typed.to_owned(), values);
    template.builds.clone_from(&arguments.builds);
    let inputs = Inputs::in_directory(loaded, directory, &template, false, mask)?;
    let prepared = inputs.offline("the hash cannot be known", mask)?;
    Ok(prepared.plans.iter().map(|plan| Record::of(plan, inputs.directory(), typed)).collect())
}

fn of_revision(
    revision: &str,
    path: &str,
    arguments: &WhyArguments,
    mask: &Mask,
) -> Result<Vec<Record>, Failure> {
    let checkout = Checkout::of(revision, &working_directory()?).map_err(Failure::Said)?;
    let directory = checkout.working_directory();
    let typed = checkout.path(path);
    if !directory.join(&typed).exists() {
        let mut text = format!("`{path}` is not in revision `{revision}`");
        if directory.join(path).exists() {
            text += &format!("; from the working directory it is `{revision}:./{path}`");
        }
        return Err(Failure::Said(text));
    }
    of_template(&directory.join(&typed), &typed, directory, arguments, mask)
}

fn records_directory() -> Result<PathBuf, Failure> {
    let none = "there is no place for records: set HOME or XDG_STATE_HOME";
    record::default_directory().ok_or_else(|| Failure::Said(none.to_owned()))
}

/// The record of a hash, or of the beginning of one.
fn of_hash(prefix: &str) -> Result<Vec<Record>, Failure> {
    let directory = records_directory()?;
    let found =
        Record::find(&directory, prefix).map_err(|error| Failure::Said(error.to_string()))?;
    let hash = |record: &Record| match record.image_hash() {
        Some(hash) if hash.starts_with(prefix) => hash.to_owned(),
        _ => record.template_hash().to_owned(),
    };
    let hashes: std::collections::BTreeSet<_> = found.iter().map(hash).collect();
    match hashes.len() {
        0 => Err(Failure::Said(format!(
            "there is no record of a hash `{prefix}` in `{}`; bake keeps one of each image that was built or taken on this machine",
            directory.display()
        ))),
        1 => Ok(found),
        count => {
            Err(Failure::Said(format!("{count} hashes begin with `{prefix}`: give more of it")))
        }
    }
}

/// The records of the image hashes that a run's ledger names.
fn of_run(run: &str) -> Result<Vec<Record>, Failure> {
    let directory = ledger::default_directory()
        .ok_or_else(|| Failure::Said("there is no place for ledgers".to_owned()))?;
    let opened = ["done", "jsonl"]
        .iter()
        .find_map(|end| File::open(directory.join(format!("{run}.{end}"))).ok());
    let Some(file) = opened else {
        let text = format!("there is no run `{run}` in `{}`", directory.display());
        return Err(Failure::Said(text));
    };
    let mut records: Vec<Record> = Vec::new();
    for line in BufReader::new(file).lines().take(LEDGER_LINES).map_while(Result::ok) {
        let Ok(line) = serde_json::from_str::<Json>(&line) else { continue };
        let text = |name: &str| line.get(name).and_then(Json::as_str);
        let Some(hash) = text("image_hash").filter(|hash| Digest::from_hex(hash).is_some()) else {
            continue;
        };
        let Some(record) = load(hash)? else { continue };
        // Two builds may have one hash, and its record has the name of one of them.
        let record =
            text("build").map_or_else(|| record.clone(), |build| record.clone().named(build));
        if !records.iter().any(|one| one.build() == record.build()) {
            records.push(record);
        }
    }
    if records.is_empty() {
        return Err(Failure::Said(format!(
            "the ledger of run `{run}` names no image hash that there is a record of"
        )));
    }
    Ok(records)
}

fn load(hash: &str) -> Result<Option<Record>, Failure> {
    Record::load(hash).map_err(|error| Failure::Said(format!("the record of {hash}: {error}")))
}

/// The record of the hash that an image claims.
fn of_image(id: &str, arguments: &WhyArguments) -> Result<Vec<Record>, Failure> {
    let hash = match arguments.sandbox {
        true => hash_in_sandbox(id),
        false => hash_in_cloud(id, arguments.region.clone()),
    };
    let hash = hash.map_err(Failure::Said)?;
    match load(&hash)? {
        Some(record) => Ok(vec![record]),
        None => Err(Failure::Said(format!(
            "{id} has the image hash {hash}, and there is no record of it in `{}`; it was built on another machine or by another user",
            records_directory()?.display()
        ))),
    }
}

fn no_hash(id: &str) -> String {
    format!("{id} has no tag `{IMAGE_HASH}`: bake did not build it, or did not finish")
}

fn hash_in_sandbox(id: &str) -> Result<String, String> {
    let images = Store::open(Store::default_root()).and_then(|store| store.images());
    let images = images.map_err(|error| error.to_string())?;
    let mut images = images.into_iter().filter_map(|record| Image::from_record(record).ok());
    let image = images.find(|image| image.id == id);
    let image = image.ok_or_else(|| format!("the sandbox has no image {id}"))?;
    image.tags.get(IMAGE_HASH).cloned().ok_or_else(|| no_hash(id))
}

fn hash_in_cloud(id: &str, region: Option<String>) -> Result<String, String> {
    let asked = runtime::block_on(async {
        let client = Client::connect(&Access { region, ..Access::default() }).await?;
        let query = ImageQuery {
            ids: vec![id.to_owned()],
            include_deprecated: true,
            ..ImageQuery::default()
        };
        client.describe_images(&query).await
    });
    let images = asked.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    let image = images.into_iter().next();
    let image = image.ok_or_else(|| {
        format!("there is no image {id} in this region; -region and -sandbox say where to look")
    })?;
    image.tags.get(IMAGE_HASH).cloned().ok_or_else(|| no_hash(id))
}
