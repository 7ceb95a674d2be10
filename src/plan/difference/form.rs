//! What a difference is.

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::Line;

/// An input that differs between an old and a new recipe.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The part of the recipe.
    #[serde(flatten)]
    pub part: Part,
    /// What is different.
    #[serde(flatten)]
    pub change: Change,
    /// Where it stood: `web.pkr.hcl:12`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_place: Option<String>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_place: Option<String>,
}

/// A part of a recipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Part {
    /// The image that is started from.
    SourceImage,
    /// The builder.
    Builder {
        /// Its type.
        kind: String,
    },
    /// A step.
    Step {
        /// From one: in the new recipe, or in the old one if the new one does not have it.
        number: usize,
        /// Its type.
        kind: String,
    },
    /// What runs when a step has failed.
    ErrorCleanup {
        /// Its type.
        kind: String,
    },
}

/// What is different about a part.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The old recipe does not have it.
    Added,
    /// The new recipe does not have it.
    Removed,
    /// It runs at another place among the steps that both have.
    Moved {
        /// Its number in the old recipe.
        from: usize,
    },
    /// It is of another type.
    Type {
        /// The old one.
        old: String,
        /// The new one.
        new: String,
    },
    /// An option.
    Option {
        /// Its name, with dots and indices for what is inside: `launch_block_device_mappings[0].volume_size`.
        option: String,
        /// The old value.
        old: Form,
        /// The new value.
        new: Form,
        /// The lines or elements that differ, of a list or of a text with several lines.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lines: Vec<Line>,
    },
    /// A file of one of its trees, or where a tree goes.
    File {
        /// Its path from the template where that is known, else its name in the recipe.
        file: String,
        /// What is different about it.
        #[serde(flatten)]
        what: FileChange,
        /// The lines that differ, where both texts were kept.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lines: Vec<Line>,
    },
}

/// What is different about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "file_change", rename_all = "snake_case")]
pub enum FileChange {
    /// The old recipe does not have it.
    Added,
    /// The new recipe does not have it.
    Removed,
    /// The same under another name.
    Renamed {
        /// The old name.
        from: String,
    },
    /// Its bytes.
    Changed,
    /// It can be executed now.
    MadeExecutable,
    /// It cannot be executed any more.
    MadeNotExecutable,
    /// What a symbolic link points to.
    Target {
        /// The old target.
        old: String,
        /// The new one.
        new: String,
    },
    /// A file, a directory or a link in place of another of the three.
    Kind {
        /// What it was.
        old: &'static str,
        /// What it is.
        new: &'static str,
    },
    /// The same files arrive otherwise: their contents instead of the directory, or under a name of
    /// another.
    Placed {
        /// The old name of the tree.
        old: String,
        /// The new one.
        new: String,
    },
}

/// A value as it can be shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// It is not given, or with its default.
    Default,
    /// A known value.
    Value(Json),
    /// It comes from a secret.
    Sensitive,
    /// It is only known once the build runs or something was looked up: how it comes about.
    Late(String),
}

impl Form {
    /// Of an option as a recipe has it.
    pub(super) fn of(form: Option<&Json>) -> Self {
        let Some(form) = form else { return Self::Default };
        match single(form) {
            Some(("sensitive" | "secret", _)) => Self::Sensitive,
            Some(("late", Json::String(text))) => Self::Late(text.clone()),
            _ => Self::Value(form.clone()),
        }
    }
}

/// Whether a form is not the value itself.
pub(super) fn is_marked(form: &Json) -> bool {
    !matches!(Form::of(Some(form)), Form::Value(_))
}

/// The only member of an object.
fn single(form: &Json) -> Option<(&str, &Json)> {
    let object = form.as_object().filter(|object| object.len() == 1)?;
    object.iter().next().map(|(name, value)| (name.as_str(), value))
}

impl Serialize for Form {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Default => json!({ "default": true }),
            Self::Value(value) => json!({ "value": value }),
            Self::Sensitive => json!({ "sensitive": true }),
            Self::Late(text) => json!({ "late": text }),
        }
        .serialize(serializer)
    }
}

impl Part {
    /// For people: `step 2 (shell)`.
    pub fn title(&self) -> String {
        match self {
            Self::SourceImage => "source image".to_owned(),
            Self::Builder { kind } => format!("builder {kind}"),
            Self::Step { number, kind } => format!("step {number} ({kind})"),
            Self::ErrorCleanup { kind } => format!("error-cleanup step ({kind})"),
        }
    }
}

impl Difference {
    /// Which input it is about, in one line: `step 2 (shell): inline`.
    pub fn input(&self) -> String {
        let part = self.part.title();
        match &self.change {
            Change::Added | Change::Removed | Change::Moved { .. } | Change::Type { .. } => part,
            Change::Option { option, .. } => format!("{part}: {option}"),
            Change::File { file, .. } => format!("{part}: {file}"),
        }
    }
}
