//! What checks of options say again and again.

use super::Planner;
use crate::diagnostic::{Diagnostic, did_you_mean};

/// What stands for a text that is not known while a template is checked.
pub const UNKNOWN_TEXT: &str = "<unknown>";

/// Why a builder cannot use what only a running build knows.
pub const BUILD_LATER: &str = "`build` is known in provisioners and post-processors only";

impl Planner<'_> {
    /// Reports a wrong option; an empty `help` is left out.
    pub fn wrong(&mut self, option: &str, message: impl Into<String>, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.error(option, Diagnostic::error("wrong-option", message).maybe_help(help));
    }

    /// Warns of an option that is taken but does not do what its name says.
    pub fn warn(
        &mut self,
        code: &'static str,
        option: &str,
        message: impl Into<String>,
        help: &str,
    ) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.error(option, Diagnostic::warning(code, message).maybe_help(help));
    }

    /// Reports that bake cannot do yet what an option asks for; an empty `help` is left out.
    pub fn not_yet(&mut self, option: &str, help: &str) {
        let name = last(option);
        self.not_yet_because(option, format!("`{name}` is not supported yet"), help);
    }

    /// The same in words of its own.
    pub fn not_yet_because(&mut self, option: &str, message: impl Into<String>, help: &str) {
        let help = (!help.is_empty()).then(|| help.to_owned());
        self.unsupported(option, Diagnostic::error("unsupported-option", message).maybe_help(help));
    }

    /// Two options that exclude each other; the second one is pointed at.
    pub fn exclusive(&mut self, one: &str, other: &str) {
        if self.asks_for(one) && self.asks_for(other) {
            let text = format!("`{}` and `{}` exclude each other", last(one), last(other));
            self.wrong(other, text, "give one of them");
        }
    }

    /// Reports options that use what only a running build knows; those in `allowed` may.
    pub fn refuse_late(&mut self, allowed: &[&str], help: &str) {
        let first = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
        let is_allowed = |path: &str| allowed.contains(&first(path).as_str());
        let late: Vec<_> = self.late().iter().filter(|path| !is_allowed(path)).cloned().collect();
        for option in late {
            let text = format!("`{}` is not known before the build runs", last(&option));
            self.error(&option, Diagnostic::error("late-option", text).help(help));
        }
    }

    /// An option whose value is one of a few words. An empty one is as good as none.
    pub fn one_of(&mut self, option: &str, value: Option<&str>, allowed: &[&str]) {
        let known =
            |value: &&str| allowed.contains(value) || value.is_empty() || *value == UNKNOWN_TEXT;
        let Some(value) = value.filter(|value| !known(value)) else { return };
        let help = did_you_mean(value, allowed.iter().copied())
            .unwrap_or_else(|| format!("one of {}", allowed.join(", ")));
        self.wrong(option, format!("`{}` cannot be `{value}`", last(option)), &help);
    }
}

/// The name of an option without those of the blocks around it.
fn last(option: &str) -> &str {
    option.rsplit('.').next().unwrap_or(option)
}
