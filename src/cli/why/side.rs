//! What a side of a comparison may be.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::git::Checkout;
use crate::aws::{Access, AwsError, AwsErrorKind, Client, Tags};
use crate::build::builder::amazon_ebs::{IMAGE_HASH, RECORDS};
use crate::build::ledger;
use crate::cli::arguments::{TemplateArguments, ValueArguments, WhyArguments};
use crate::cli::inputs::{Inputs, working_directory};
use crate::cli::records::Records;
use crate::cli::runtime;
use crate::diagnostic::Diagnostics;
use crate::plan::{Digest, Record};
use crate::render::Mask;
use crate::sandbox::cloud;
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
        let records = Records::new(&arguments.records, arguments.region.as_deref());
        let records = if text.starts_with("ami-") {
            of_image(text, arguments, &records)?
        } else if uuid::Uuid::try_parse(text).is_ok() && text.contains('-') {
            of_run(text, &records)?
        } else if (8..=64).contains(&text.len()) && is_hash(text) {
            of_hash(text, &records)?
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

/// The record of a hash, or of the beginning of one.
fn of_hash(prefix: &str, records: &Records) -> Result<Vec<Record>, Failure> {
    let found = records.find(prefix).map_err(Failure::Said)?;
    let hash = |record: &Record| match record.image_hash() {
        Some(hash) if hash.starts_with(prefix) => hash.to_owned(),
        _ => record.template_hash().to_owned(),
    };
    let hashes: std::collections::BTreeSet<_> = found.iter().map(hash).collect();
    match hashes.len() {
        0 => {
            let text = format!(
                "there is no record of a hash `{prefix}` in {}\n{}",
                records.places(None),
                no_record_help(prefix)
            );
            Err(Failure::Said(text))
        }
        1 => Ok(found),
        count => {
            Err(Failure::Said(format!("{count} hashes begin with `{prefix}`: give more of it")))
        }
    }
}

/// What there is a record of, and where to look else.
fn no_record_help(hash: &str) -> String {
    let whole = match Digest::from_hex(hash) {
        Some(_) => "",
        None => "; in S3 only whole image hashes are found",
    };
    format!(
        "  = note: bake keeps a record of each image that it builds or takes on this machine, and in S3 where `-records` says{whole}\n  = help: give the place with `-records s3://BUCKET/PREFIX`, or compare the templates instead: `bake why REV:PATH PATH`"
    )
}

/// The records of the image hashes that a run's ledger names.
fn of_run(run: &str, kept: &Records) -> Result<Vec<Record>, Failure> {
    let directory = ledger::default_directory()
        .ok_or_else(|| Failure::Said("there is no place for ledgers".to_owned()))?;
    let opened = ["done", "jsonl"]
        .iter()
        .find_map(|end| File::open(directory.join(format!("{run}.{end}"))).ok());
    let Some(file) = opened else {
        let text = format!(
            "there is no run `{run}` in `{}`\n  = note: the ledger of a run stays on the machine that it ran on; `bake runs` lists those of this one",
            directory.display()
        );
        return Err(Failure::Said(text));
    };
    let mut records: Vec<Record> = Vec::new();
    let mut without: Option<String> = None;
    for line in BufReader::new(file).lines().take(LEDGER_LINES).map_while(Result::ok) {
        let Ok(line) = serde_json::from_str::<Json>(&line) else { continue };
        let text = |name: &str| line.get(name).and_then(Json::as_str);
        let Some(hash) = text("image_hash").filter(|hash| Digest::from_hex(hash).is_some()) else {
            continue;
        };
        let Some(record) = kept.load_now(hash, None).map_err(Failure::Said)? else {
            without = Some(hash.to_owned());
            continue;
        };
        // Two builds may have one hash, and its record has the name of one of them.
        let record =
            text("build").map_or_else(|| record.clone(), |build| record.clone().named(build));
        if !records.iter().any(|one| one.build() == record.build()) {
            records.push(record);
        }
    }
    match (records.is_empty(), without) {
        (false, _) => Ok(records),
        (true, Some(hash)) => Err(Failure::Said(format!(
            "run `{run}` had the image hash {hash}, and there is no record of it in {}\n{}",
            kept.places(None),
            no_record_help(&hash)
        ))),
        (true, None) => Err(Failure::Said(format!(
            "run `{run}` names no image hash: it ended before it knew one"
        ))),
    }
}

/// The record of the hash that an image claims.
fn of_image(id: &str, arguments: &WhyArguments, records: &Records) -> Result<Vec<Record>, Failure> {
    let tags = match arguments.sandbox {
        true => tags_in_sandbox(id),
        false => tags_in_cloud(id, arguments.region.clone()),
    };
    let tags = tags.map_err(Failure::Said)?;
    let hash = tags.get(IMAGE_HASH).ok_or_else(|| {
        Failure::Said(format!(
            "{id} has no tag `{IMAGE_HASH}`: bake did not build it, or did not finish it"
        ))
    })?;
    let tag = tags.get(RECORDS).map(String::as_str);
    let found = records.load_now(hash, tag);
    match found.map_err(|why| Failure::Said(format!("{id}: {why}")))? {
        Some(record) => Ok(vec![record]),
        None => Err(Failure::Said(format!(
            "{id} has the image hash {hash}, and there is no record of it in {}; it was built on another machine or by another user\n{}",
            records.places(tag),
            no_record_help(hash)
        ))),
    }
}

fn tags_in_sandbox(id: &str) -> Result<Tags, String> {
    let images = Store::open(Store::default_root()).and_then(|store| store.images());
    let images = images.map_err(|error| error.to_string())?;
    let mut images = images.into_iter().filter_map(|one| cloud::Image::from_record(one).ok());
    let image = images.find(|image| image.id == id);
    let image = image.ok_or_else(|| {
        format!("the sandbox has no image {id}; `bake sandbox images` lists those that it has")
    })?;
    Ok(image.tags)
}

fn tags_in_cloud(id: &str, region: Option<String>) -> Result<Tags, String> {
    let asked = runtime::block_on(async {
        let client = Client::connect(&Access { region, ..Access::default() }).await?;
        let image = client.image(id).await?;
        Ok::<_, AwsError>((client.region().to_owned(), image))
    });
    let asked = asked.map_err(|error| error.to_string())?;
    let (region, image) = asked.map_err(|error| {
        if error.kind == AwsErrorKind::Region {
            return format!("{error}\n  = help: give it with `-region`, AWS_REGION or `region` in the profile; `-sandbox` looks in the sandbox of this machine");
        }
        let hints = error.hints().into_iter().map(|hint| format!("\n  = help: {hint}"));
        hints.fold(error.to_string(), |text, hint| text + &hint)
    })?;
    let image = image.ok_or_else(|| {
        format!(
            "there is no image {id} in {region}\n  = help: `-region` says where else to look, `-sandbox` looks in the sandbox of this machine"
        )
    })?;
    Ok(image.tags)
}
