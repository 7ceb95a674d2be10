//! The file: JSON, with an entry for each pin.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::pin::SOURCE_IMAGE;
use super::{ImagePin, Lock, Pin, Pinned, Place};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::plan::{Digest, canonical_json};
use crate::template::json::{self, Duplicates, Kind, Node, ParseOptions};

/// The file's name.
pub const LOCK_FILE: &str = "bake.lock";

/// The version that is written, and the only one that is read.
const VERSION: u64 = 1;

/// The cloud of a place that is not AWS.
const SANDBOX: &str = "sandbox";

/// Where the lock of a template lies: in its directory. Standard input has none.
pub fn beside(template: &Path) -> Option<PathBuf> {
    if template.as_os_str() == "-" {
        return None;
    }
    let directory = if template.is_dir() { template } else { template.parent()? };
    Some(directory.join(LOCK_FILE))
}

/// What a template is called in its lock: the file's name, `.` for a directory.
pub fn label(template: &Path) -> String {
    let name = if template.is_dir() { None } else { template.file_name() };
    name.map_or_else(|| ".".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The whole file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    pins: Vec<Record>,
}

/// A pin as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    template: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud: Option<String>,
    asked: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<ImagePin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
}

impl Lock {
    /// The text of the file: the same for the same pins, one after another, a line for each thing
    /// that may change.
    pub fn write(&self) -> String {
        let file = File { version: VERSION, pins: self.pins.iter().map(record).collect() };
        // Texts, lists and maps by text can always be written.
        let text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text + "\n"
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is not understood, at its place; a file of a newer version.
    pub fn read(source: &Arc<Source>) -> Result<Self, Diagnostics> {
        let root = json::parse(source, ParseOptions { duplicates: Duplicates::Refuse })
            .map_err(|found| found.into_iter().map(with_help).collect::<Diagnostics>())?;
        let places = check_version(&root, source)?;
        let file: File = serde_json::from_str(root.span.text())
            .map_err(|error| with_help(misread(&root.span, &error)))?;
        let mut found = Diagnostics::new();
        let mut pins: Vec<Pin> = Vec::new();
        for (at, record) in file.pins.into_iter().enumerate() {
            let place = places.get(at).copied().unwrap_or(&root.span);
            let wrong = |text: String| Diagnostic::error("wrong-lock", text).at(place, "");
            match pin(record) {
                Ok(pin) if pins.iter().any(|other| other.key() == pin.key()) => {
                    found.push(with_help(wrong(format!("`{}` is pinned twice", pin.name))));
                }
                Ok(pin) => pins.push(pin),
                Err(text) => found.push(with_help(wrong(text))),
            }
        }
        found.into_result(Self::new(pins))
    }
}

/// The version comes first, as a newer one may hold anything. Returns the places of the pins.
fn check_version<'n>(root: &'n Node, source: &Arc<Source>) -> Result<Vec<&'n Span>, Diagnostics> {
    let wrong = |text: String, place: &Span| {
        Diagnostics::from(with_help(Diagnostic::error("wrong-lock", text).at(place, "")))
    };
    let Kind::Object(members) = &root.kind else {
        return Err(wrong(format!("a lock is an object, not {}", root.describe()), &root.span));
    };
    let member = |name: &str| members.iter().find(|member| member.key == name);
    let Some(version) = member("version") else {
        return Err(wrong("there is no `version`".to_owned(), &Span::new(source, 0..0)));
    };
    match &version.value.kind {
        Kind::Number(number) if number.parse() == Ok(VERSION) => {}
        Kind::Number(number) if number.parse::<u64>().is_ok_and(|number| number > VERSION) => {
            let text = format!("this lock is of version {number}, made by a newer bake");
            return Err(Diagnostic::error("newer-lock", text)
                .at(&version.value.span, format!("this bake knows version {VERSION}"))
                .help("use a newer bake, or remove the file and run `bake lock`")
                .into());
        }
        _ => return Err(wrong("this is no version of a lock".to_owned(), &version.value.span)),
    }
    Ok(match member("pins").map(|pins| &pins.value.kind) {
        Some(Kind::Array(pins)) => pins.iter().map(|pin| &pin.span).collect(),
        _ => Vec::new(),
    })
}

fn with_help(finding: Diagnostic) -> Diagnostic {
    finding.help("restore the file from version control, or remove it and run `bake lock`")
}

/// What serde says about a text that is JSON, at the place that it means.
fn misread(whole: &Span, error: &serde_json::Error) -> Diagnostic {
    let text = whole.text();
    let before: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = before + error.column().saturating_sub(1);
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    Diagnostic::error("wrong-lock", format!("this lock is not understood: {said}"))
        .at(&whole.slice(at..at + 1), "")
}

fn record(pin: &Pin) -> Record {
    let (mut image, mut identity, mut sha256, mut value) = (None, None, None, None);
    match &pin.answer {
        Pinned::Image(pin) => image = Some(pin.clone()),
        Pinned::Value { value: one, identity: stands } => {
            value = Some(ordered(one));
            identity.clone_from(stands);
        }
        Pinned::Version(one) => identity = Some(one.clone()),
        Pinned::Download { sha256: digest, value: one } => {
            sha256 = Some(digest.hex());
            value = one.as_ref().map(ordered);
        }
    }
    Record {
        template: pin.template.clone(),
        name: pin.name.clone(),
        region: pin.place.as_ref().map(|place| place.region.clone()),
        cloud: pin.place.as_ref().filter(|place| place.sandbox).map(|_| SANDBOX.to_owned()),
        asked: ordered(&pin.asked),
        image,
        identity,
        sha256,
        value,
    }
}

fn pin(record: Record) -> Result<Pin, String> {
    let Record { template, name, region, cloud, asked, image, identity, sha256, value } = record;
    let sandbox = match cloud.as_deref() {
        None => false,
        Some(SANDBOX) => true,
        Some(other) => return Err(format!("`{other}` is no cloud that bake knows")),
    };
    let place = match region {
        Some(region) => Some(Place { region, sandbox }),
        None if sandbox => return Err(format!("`{name}` has a cloud and no region")),
        None => None,
    };
    let answer = match (image, sha256, value, identity) {
        (Some(image), None, None, None) => Pinned::Image(image),
        (None, Some(hex), value, None) => {
            let sha256 = Digest::from_hex(&hex)
                .ok_or_else(|| format!("the `sha256` of `{name}` is not 64 hexadecimal digits"))?;
            let body = value.as_ref().map(|value| value.get("body").and_then(Json::as_str));
            if body.is_some_and(|body| Digest::of(body.unwrap_or_default().as_bytes()) != sha256) {
                return Err(format!("the `body` of `{name}` does not have its `sha256`"));
            }
            Pinned::Download { sha256, value }
        }
        (None, None, Some(value), identity) => Pinned::Value { value, identity },
        (None, None, None, Some(identity)) => Pinned::Version(identity),
        _ => {
            let one = "one of `image`, `value`, `identity` and `sha256`";
            return Err(format!("`{name}` must be pinned to {one}"));
        }
    };
    let wants_image = asked.get("type").and_then(Json::as_str) == Some(SOURCE_IMAGE);
    if wants_image != matches!(answer, Pinned::Image(_)) || (wants_image && place.is_none()) {
        return Err(format!("the pin of `{name}` does not fit what it asks"));
    }
    Ok(Pin { template, name, place, asked, answer })
}

/// The same with the keys of all objects in order.
fn ordered(json: &Json) -> Json {
    serde_json::from_str(&canonical_json(json)).unwrap_or_else(|_| json.clone())
}
