//! Where two recipes differ.

use serde_json::Value as Json;

/// Lines of the longest answer.
const LONGEST: usize = 10;

/// What differs between two recipes, a line each.
pub(super) fn differences(before: &Json, after: &Json) -> Vec<String> {
    let mut lines = Vec::new();
    walk("", before, after, &mut lines);
    let more = lines.len().saturating_sub(LONGEST);
    lines.truncate(LONGEST);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn walk(path: &str, before: &Json, after: &Json, lines: &mut Vec<String>) {
    match (before, after) {
        (Json::Object(old), Json::Object(new)) => {
            let names: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let part = |all: &serde_json::Map<String, Json>| {
                    all.get(name).cloned().unwrap_or(Json::Null)
                };
                walk(&path, &part(old), &part(new), lines);
            }
        }
        (Json::Array(old), Json::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                walk(&format!("{path}[{at}]"), old, new, lines);
            }
        }
        (old, new) if old == new => {}
        (old, new) => lines.push(format!("{path}: {old} before, {new} after")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_place_that_differs_is_named() {
        let before = json!({ "steps": [{ "options": { "inline": ["a"], "x": 1 } }], "same": 1 });
        let after = json!({ "steps": [{ "options": { "inline": ["b"] } }], "same": 1 });
        insta::assert_snapshot!(differences(&before, &after).join("\n"), @r#"
        steps[0].options.inline[0]: "a" before, "b" after
        steps[0].options.x: 1 before, null after
        "#);
    }
}
