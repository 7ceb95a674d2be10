//! Where a value comes from, as text: what is hashed in its place while it is not known, or where
//! it is a secret.

use std::collections::{BTreeMap, BTreeSet};

use crate::value::{Kind, Value, json_text};

use super::evaluate::{Reference, canonical, references};
use super::go_template::{Data, GoTemplate};
use super::lookup::Lookups;
use super::syntax::{Expression, ExpressionKind};
use super::text::UserVariable;

/// A local or a data source that depends on a look-up.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// How its value comes about, without layout.
    pub(super) text: String,
    /// What it refers to.
    pub(super) references: Vec<Reference>,
}

/// Locals and data sources that depend on look-ups, by what expressions call them.
pub(super) type Origins = BTreeMap<String, Origin>;

/// An expression without layout, with a line for each variable, local and data source that it uses
/// and that is known or depends on a look-up.
pub(super) fn text_of(
    expression: &Expression,
    roots: &BTreeMap<String, Value>,
    origins: &Origins,
    lookups: &Lookups,
) -> String {
    let mut text = own_text(expression, lookups);
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

/// A line for each legacy variable in the texts of an expression that depends on a look-up.
pub(super) fn lines_of_users(
    expression: &Expression,
    users: &BTreeMap<String, UserVariable>,
) -> String {
    if users.values().all(|user| user.origin.is_none()) {
        return String::new();
    }
    let mut names = BTreeSet::new();
    collect_users(expression, &mut names);
    let origin = |name: &String| users.get(name)?.origin.as_ref();
    let lines = names.iter().filter_map(|name| Some(format!("\nuser.{name}:{}", origin(name)?)));
    lines.collect()
}

/// The variables that the Go templates in a legacy expression name.
fn collect_users(expression: &Expression, names: &mut BTreeSet<String>) {
    match &expression.kind {
        ExpressionKind::Literal(value) => {
            let text = value.as_str().filter(|text| text.contains("{{")).unwrap_or_default();
            let Ok(template) = GoTemplate::parse(text) else { return };
            for function in template.references().functions {
                if let ("user", [Some(Data::String(name))]) =
                    (function.name.as_str(), function.arguments.as_slice())
                {
                    names.insert(name.clone());
                }
            }
        }
        ExpressionKind::Tuple(all) => all.iter().for_each(|one| collect_users(one, names)),
        ExpressionKind::Object(items) => {
            for item in items {
                collect_users(&item.key, names);
                collect_users(&item.value, names);
            }
        }
        _ => {}
    }
}

/// An expression without layout, and what stands for the secrets that it looks up.
pub(super) fn own_text(expression: &Expression, lookups: &Lookups) -> String {
    let identities: BTreeSet<String> = lookups.identities_within(&expression.span);
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
