//! What a command may take from a lock.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::file::{LOCK_FILE, beside, label};
use super::{Lock, Pin, Place};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::read_source;

/// The pins that a run of one template goes by. Cheap to clone; the default are none.
#[derive(Clone, Debug, Default)]
pub struct Pins {
    lock: Option<Arc<Lock>>,
    template: String,
    strict: bool,
    sandbox: bool,
}

/// What a lock says about a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found<'a> {
    /// What it came to.
    Pin(&'a Pin),
    /// Something else was asked by that name when it was pinned.
    Stale(&'a Pin),
    /// Nothing.
    Nothing,
}

impl Pins {
    /// Those of the lock beside `template`, if there is one. With `strict` nothing that is not
    /// pinned may be looked up; `sandbox` says which cloud is asked.
    ///
    /// # Errors
    /// A lock that cannot be read or is not understood; with `strict`, that there is none.
    pub fn of_template(template: &Path, strict: bool, sandbox: bool) -> Result<Self, Diagnostics> {
        let lock = match beside(template) {
            Some(path) if path.exists() => Some(Arc::new(Lock::read(&read_source(&path)?)?)),
            Some(path) if strict => return Err(no_lock(template, &path)),
            None if strict => {
                let summary = "a template from standard input has no `bake.lock`";
                return Err(Diagnostic::error("no-lock", summary).into());
            }
            _ => None,
        };
        Ok(Self { lock, template: label(template), strict, sandbox })
    }

    /// These pins of the template that is called `template`.
    pub fn new(lock: Lock, template: impl Into<String>, strict: bool, sandbox: bool) -> Self {
        Self { lock: Some(Arc::new(lock)), template: template.into(), strict, sandbox }
    }

    /// For the same template and cloud, none: everything is looked up.
    #[must_use]
    pub fn without_lock(&self) -> Self {
        Self { lock: None, strict: false, ..self.clone() }
    }

    /// Whether there is a lock.
    pub fn exist(&self) -> bool {
        self.lock.is_some()
    }

    /// The lock; an empty one where there is none.
    pub fn lock(&self) -> Lock {
        self.lock.as_deref().cloned().unwrap_or_default()
    }

    /// The template that asks, as pins have it.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// Whether nothing else may be looked up.
    pub fn are_strict(&self) -> bool {
        self.strict
    }

    /// A region of the cloud that is asked.
    pub fn place(&self, region: impl Into<String>) -> Place {
        Place { region: region.into(), sandbox: self.sandbox }
    }

    /// What the lock says about a question of `name`. A pin of the same question by another name, or
    /// of another template, is as good.
    pub fn find(&self, name: &str, place: Option<&Place>, asked: &Json) -> Found<'_> {
        let Some(lock) = &self.lock else { return Found::Nothing };
        let own = |pin: &&Pin| pin.template == self.template && pin.name == name;
        let fitting = lock.pins.iter().filter(|pin| pin.answers(place, asked));
        let best = fitting.max_by_key(|pin| {
            (pin.template == self.template && pin.name == name, pin.name == name)
        });
        if let Some(pin) = best {
            return Found::Pin(pin);
        }
        let stale = lock.pins.iter().filter(own).find(|pin| pin.place.as_ref() == place);
        stale.map_or(Found::Nothing, Found::Stale)
    }
}

fn no_lock(template: &Path, path: &Path) -> Diagnostics {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new(".")).display();
    let summary = format!("there is no `{LOCK_FILE}` in `{directory}`");
    Diagnostic::error("no-lock", summary)
        .help(format!("`bake lock {}` makes one", template.display()))
        .into()
}
