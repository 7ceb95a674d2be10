//! What a new look makes of a lock.

use super::pin::is_named;
use super::{Lock, Pin};

/// What is asked anew although there is a pin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Nothing.
    #[default]
    Nothing,
    /// Everything.
    All,
    /// What is called so.
    Named(String),
}

impl Scope {
    /// Whether what is known by `name` is asked anew.
    pub fn holds(&self, name: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Named(wanted) => is_named(name, wanted),
        }
    }
}

/// A difference between two locks.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// There was no pin.
    New(Pin),
    /// It was another: the question, what it came to, or both.
    Changed {
        /// As it was.
        old: Box<Pin>,
        /// As it is.
        new: Box<Pin>,
    },
    /// Nothing asks it any more.
    Dropped(Pin),
}

impl Change {
    /// The pin that it is about.
    pub fn pin(&self) -> &Pin {
        match self {
            Self::New(pin) | Self::Dropped(pin) => pin,
            Self::Changed { new, .. } => new,
        }
    }
}

impl Lock {
    /// The lock with the pins that `template` has now, and what has changed. Pins of other templates
    /// stay, and so do those of other regions as long as something of their name is asked. Unless
    /// the `whole` template was looked at, what was not met stays, too.
    #[must_use]
    pub fn renewed(&self, template: &str, whole: bool, now: Vec<Pin>) -> (Self, Vec<Change>) {
        let mut changes = Vec::new();
        let mut kept = Vec::new();
        for old in &self.pins {
            let own = old.template == template;
            if own && now.iter().any(|pin| pin.key() == old.key()) {
                continue;
            }
            if own && whole && now.iter().all(|pin| pin.name != old.name) {
                changes.push(Change::Dropped(old.clone()));
            } else {
                kept.push(old.clone());
            }
        }
        let now = Self::new(now);
        for new in now.pins {
            match self.pins.iter().find(|old| old.key() == new.key()) {
                Some(old) if *old == new => {}
                Some(old) => {
                    let (old, new) = (Box::new(old.clone()), Box::new(new.clone()));
                    changes.push(Change::Changed { old, new });
                }
                None => changes.push(Change::New(new.clone())),
            }
            kept.push(new);
        }
        changes.sort_by(|a, b| a.pin().key().cmp(&b.pin().key()));
        (Self::new(kept), changes)
    }
}
