//! Pins.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::plan::{Digest, canonical_json};

/// The `type` of questions for a source image.
pub const SOURCE_IMAGE: &str = "source-image";

/// All pins of a directory's templates, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    pub(super) pins: Vec<Pin>,
}

impl Lock {
    /// These pins, each known by its template, name and place.
    pub fn new(mut pins: Vec<Pin>) -> Self {
        pins.sort_by(|a, b| a.key().cmp(&b.key()));
        pins.dedup_by(|a, b| a.key() == b.key());
        Self { pins }
    }

    /// The pins in order.
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }
}

/// A question and what it came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// The template that asks: a file's name, `.` for the whole directory.
    pub template: String,
    /// Who asks: a build for its source image, `data.http.list`, `vault(secret/app, password)`.
    pub name: String,
    /// Where it was asked, if the answer depends on that.
    pub place: Option<Place>,
    /// What is asked, without secrets.
    pub asked: Json,
    /// What it came to.
    pub answer: Pinned,
}

impl Pin {
    /// What tells pins apart.
    pub(super) fn key(&self) -> (&str, &str, &Option<Place>) {
        (&self.template, &self.name, &self.place)
    }

    /// Whether the question is the same, whoever asks.
    pub(super) fn answers(&self, place: Option<&Place>, asked: &Json) -> bool {
        self.place.as_ref() == place && canonical_json(&self.asked) == canonical_json(asked)
    }

    /// Whether it is a source image rather than a look-up of the template.
    pub fn is_source_image(&self) -> bool {
        matches!(self.answer, Pinned::Image(_))
    }

    /// Whether `-update NAME` means it: by its whole name, or a call by the function's.
    pub fn is_named(&self, name: &str) -> bool {
        is_named(&self.name, name)
    }
}

/// Whether `wanted` means what is known by `name`: all of the name, or of a call the function.
pub(super) fn is_named(name: &str, wanted: &str) -> bool {
    name == wanted || name.split_once('(').is_some_and(|(function, _)| function == wanted)
}

/// A region of a cloud. Ids of images differ between regions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The region.
    pub region: String,
    /// Whether it is the sandbox's region of that name rather than AWS's.
    pub sandbox: bool,
}

/// `eu-west-1`, `us-east-1 of the sandbox`.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.region)?;
        if self.sandbox { f.write_str(" of the sandbox") } else { Ok(()) }
    }
}

/// What a question came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Pinned {
    /// A source image.
    Image(ImagePin),
    /// A value that is no secret.
    Value {
        /// It.
        value: Json,
        /// What stands for it in a hash, where that is not the value itself.
        identity: Option<String>,
    },
    /// A version of a secret: `ARN#VERSION` or the like, never anything of the value.
    Version(String),
    /// What was downloaded.
    Download {
        /// Of the body.
        sha256: Digest,
        /// All of it, when it is small: then nobody is asked.
        value: Option<Json>,
    },
}

/// A source image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImagePin {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Such as `x86_64`.
    pub architecture: String,
    /// When it was made, as EC2 writes it.
    pub creation_date: String,
}

/// As many characters of a value are shown.
const SHOWN: usize = 60;

/// For people, on one line.
impl std::fmt::Display for Pinned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Image(image) => write!(f, "{} ({})", image.id, image.name),
            Self::Version(identity) => write!(f, "version {identity}"),
            Self::Download { sha256, .. } => write!(f, "sha256 {sha256}"),
            Self::Value { value, .. } => f.write_str(&of_value(value)),
        }
    }
}

/// An image as an image, anything else as the start of its JSON.
fn of_value(value: &Json) -> String {
    let text = |name: &str| value.get(name).and_then(Json::as_str);
    if let (Some(id), Some(name)) = (text("id"), text("name")) {
        return format!("{id} ({name})");
    }
    let whole = value.to_string();
    let mut shown: String = whole.chars().take(SHOWN).collect();
    if shown.len() < whole.len() {
        shown.push('…');
    }
    shown
}
