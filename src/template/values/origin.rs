//! Where a value comes from, as text: what is hashed in its place while it is not known, or where
//! it is a secret.

use std::collections::BTreeMap;

use crate::diagnostic::Span;
use crate::value::{Kind, Value, json_text};

use crate::template::evaluate::{Reference, canonical, references};
use crate::template::lookup::Lookups;
use crate::template::syntax::Expression;

/// A local or a data source that depends on a look-up.
#[derive(Clone, Debug)]
pub(in crate::template) struct Origin {
    /// How its value comes about, without layout.
    pub(in crate::template) text: String,
    /// What it refers to.
    pub(in crate::template) references: Vec<Reference>,
}

/// Locals and data sources that depend on look-ups, by what expressions call them.
pub(in crate::template) type Origins = BTreeMap<String, Origin>;

/// An expression without layout, with a line for each variable, local and data source that it uses
/// and that is known or depends on a look-up.
pub(in crate::template) fn text_of(
    expression: &Expression,
    roots: &BTreeMap<String, Value>,
    origins: &Origins,
    lookups: &Lookups,
) -> String {
    let mut text = own_text(expression, &expression.span, lookups);
    let mut open = references(expression);
    let mut lines: BTreeMap<(String, Vec<String>), Option<String>> = BTreeMap::new();
    while let Some(reference) = open.pop() {
        let Some(name) = name_of(&reference) else { continue };
        if lines.contains_key(&name) {
            continue;
        }
        let title = title_of(&name);
        let line = match value_of(&name, roots) {
            Some(value) if !value.all_marks().sensitive && value.is_known() => {
                json_text(value).map(|json| format!("{title}={json}"))
            }
            _ => origins.get(&title).map(|origin| {
                open.extend(origin.references.iter().cloned());
                format!("{title}:{}", origin.text)
            }),
        };
        lines.insert(name, line);
    }
    for line in lines.into_values().flatten() {
        text.push('\n');
        text += &line;
    }
    text
}

/// An expression without layout, and what stands for the secrets that are looked up where it is
/// written.
pub(in crate::template) fn own_text(
    expression: &Expression,
    written: &Span,
    lookups: &Lookups,
) -> String {
    let identities = lookups.identities_within(written);
    identities.iter().fold(canonical(expression), |text, one| text + "\n@" + one)
}

/// The variable, local or data source that a reference is about.
fn name_of(reference: &Reference) -> Option<(String, Vec<String>)> {
    let length = match reference.root.as_str() {
        "var" | "local" => 1,
        "data" => 2,
        _ => return None,
    };
    Some((reference.root.clone(), reference.path.get(..length)?.to_vec()))
}

fn title_of((root, path): &(String, Vec<String>)) -> String {
    format!("{root}.{}", path.join("."))
}

fn value_of<'v>(
    (root, path): &(String, Vec<String>),
    roots: &'v BTreeMap<String, Value>,
) -> Option<&'v Value> {
    path.iter().try_fold(roots.get(root)?, |value, name| match &value.kind {
        Kind::Object(all) => all.get(name),
        _ => None,
    })
}
