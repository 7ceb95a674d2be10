//! What variables and sources are called in HCL.

use std::collections::{BTreeMap, BTreeSet};

use super::super::declaration::{Template, Variable};
use super::super::syntax::ExpressionKind;
use super::text::is_plain_default;
use crate::value::is_identifier;

/// A legacy variable in HCL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::template) struct Declared {
    /// Its name, of the variable and of the local.
    pub(in crate::template) name: String,
    /// Its text in the template; `None` when it must be given.
    pub(super) default: Option<String>,
    /// Whether uses of it refer to a local, because its default is more than a constant.
    pub(super) is_local: bool,
    /// Whether its value is a secret.
    pub(super) sensitive: bool,
}

/// What the variables of a legacy template are called in HCL.
#[derive(Clone, Debug, Default)]
pub(in crate::template) struct Names {
    variables: BTreeMap<String, Declared>,
}

impl Names {
    /// Chooses the names.
    pub(in crate::template) fn of(variables: &[Variable]) -> Self {
        let mut names = Self::default();
        let mut taken = BTreeSet::new();
        // Names that can stay as they are come first, so that no other takes them.
        let (fit, odd): (Vec<_>, Vec<_>) =
            variables.iter().partition(|variable| is_identifier(&variable.name.text));
        for variable in fit.into_iter().chain(odd) {
            let legacy = &variable.name.text;
            let name = unique(&identifier(legacy), &mut taken);
            let default = variable.default.as_ref().map(|default| match &default.kind {
                ExpressionKind::Literal(value) => value.as_str().unwrap_or_default().to_owned(),
                _ => String::new(),
            });
            let is_local = default.as_deref().is_some_and(|text| !is_plain_default(text));
            let sensitive = variable.sensitive;
            names.variables.insert(legacy.clone(), Declared { name, default, is_local, sensitive });
        }
        names
    }

    /// A variable that is declared.
    pub(in crate::template) fn get(&self, legacy: &str) -> Option<&Declared> {
        self.variables.get(legacy)
    }

    /// How HCL refers to a variable, declared or not.
    pub(super) fn reference(&self, legacy: &str) -> String {
        match self.get(legacy) {
            Some(declared) => declared.reference(),
            None => format!("var.{}", identifier(legacy)),
        }
    }

    /// The default of the variable that an expression of HCL is.
    pub(super) fn default_of(&self, reference: &str) -> Option<&str> {
        self.variables
            .values()
            .find(|declared| declared.reference() == reference)
            .and_then(|declared| declared.default.as_deref())
    }

    /// The variables, by their legacy names.
    pub(super) fn all(&self) -> impl Iterator<Item = (&String, &Declared)> {
        self.variables.iter()
    }
}

impl Declared {
    /// How HCL refers to it.
    pub(super) fn reference(&self) -> String {
        format!("{}.{}", if self.is_local { "local" } else { "var" }, self.name)
    }
}

/// A builder in HCL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceName {
    /// The builder's name in the legacy template.
    pub(super) legacy: String,
    /// Its type.
    pub(super) kind: String,
    /// Its label in HCL.
    pub(super) label: String,
}

impl SourceName {
    /// Whether the build has to say what the source is called.
    pub(super) fn is_renamed(&self) -> bool {
        self.label != self.legacy
    }
}

/// What the builders are called. One without a name is called by its type in legacy templates, and
/// so it is in HCL: `{{build_name}}`, `override` and `PACKER_BUILD_NAME` keep what they mean.
pub(super) fn sources(template: &Template) -> Vec<SourceName> {
    let mut taken = BTreeSet::new();
    let labels: Vec<_> =
        template.sources.iter().map(|source| (&source.kind.text, &source.name.text)).collect();
    let mut names = vec![None; labels.len()];
    // Names that can stay as they are come first.
    for fits in [true, false] {
        for ((kind, legacy), name) in labels.iter().zip(&mut names) {
            if is_identifier(legacy) == fits {
                *name = Some(SourceName {
                    legacy: (*legacy).clone(),
                    kind: (*kind).clone(),
                    label: unique(&identifier(legacy), &mut taken),
                });
            }
        }
    }
    names.into_iter().flatten().collect()
}

/// A text as an identifier: what cannot stand in one becomes `_`.
pub(super) fn identifier(text: &str) -> String {
    // `{{` and its like would leave long rows behind.
    let mut name = String::new();
    for c in text.chars() {
        let fits = c.is_alphanumeric() || c == '_' || c == '-';
        match (fits, name.ends_with('_')) {
            (true, _) => name.push(c),
            (false, false) => name.push('_'),
            (false, true) => {}
        }
    }
    let name = if is_identifier(text) { name.as_str() } else { name.trim_matches('_') };
    if is_identifier(name) { name.to_owned() } else { format!("_{name}") }
}

fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !taken.insert(candidate.clone()) {
        candidate = format!("{name}_{number}");
        number += 1;
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_stand_in_a_name_is_replaced() {
        for (text, expected) in [
            ("aws-region_2", "aws-region_2"),
            ("a__b", "a__b"),
            ("my builder (2)", "my_builder_2"),
            ("web-{{user `env`}}", "web-_user_env"),
            ("1st", "_1st"),
            ("größe", "größe"),
            ("", "_"),
        ] {
            assert_eq!(identifier(text), expected, "{text}");
            assert!(is_identifier(&identifier(text)), "{text}");
        }
    }
}
