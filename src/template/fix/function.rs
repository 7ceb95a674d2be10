//! Functions and fields of Go templates in builders.

use super::fixer::{Fixer, builders};

pub(super) const CREATE_TIME: Fixer = Fixer {
    name: "createtime",
    doc: "`{{.CreateTime}}` is `{{timestamp}}`",
    run: |template| {
        builders(template, "").for_each(|builder| builder.each_text(&create_time));
    },
};

pub(super) const CLEAN_IMAGE_NAME: Fixer = Fixer {
    name: "clean-image-name",
    doc: "`clean_ami_name` and `clean_image_name` are `clean_resource_name`",
    run: |template| {
        builders(template, "").for_each(|builder| builder.each_text(&clean_image_name));
    },
};

fn create_time(text: &mut String) {
    in_actions(text, |action| {
        if action.trim() == ".CreateTime" {
            action.replace(".CreateTime", "timestamp")
        } else {
            action.to_owned()
        }
    });
}

fn clean_image_name(text: &mut String) {
    in_actions(text, |action| {
        ["clean_ami_name", "clean_image_name"].iter().fold(action.to_owned(), |action, old| {
            replace_word(&action, old, "clean_resource_name")
        })
    });
}

/// Changes what stands between `{{` and `}}`.
fn in_actions(text: &mut String, change: impl Fn(&str) -> String) {
    let mut changed = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, action)) = rest.split_once("{{") {
        let Some((action, behind)) = action.split_once("}}") else { break };
        changed.push_str(before);
        changed.push_str("{{");
        changed.push_str(&change(action));
        changed.push_str("}}");
        rest = behind;
    }
    changed.push_str(rest);
    *text = changed;
}

/// Replaces a name where it is not part of a longer one.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut replaced = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(word) {
        let inside = before.ends_with(is_part) || behind.starts_with(is_part);
        replaced.push_str(before);
        replaced.push_str(if inside { word } else { by });
        rest = behind;
    }
    replaced + rest
}
