//! Fields of Go templates: those that an option does not have are worth a warning.

use super::Planner;
use crate::diagnostic::{Diagnostic, Span, similar};
use crate::template::BUILD_KEYS;
use crate::template::go_template::GoTemplate;
use crate::template::syntax::{Body, Dialect, Expression, ExpressionKind};
use crate::value::{Kind, Value};

impl Planner<'_> {
    /// Warns of fields in the texts of an option that nobody fills in: neither the option itself,
    /// by `fields`, nor the running build. Packer makes `<no value>` of them.
    pub fn check_fields(&mut self, option: &str, fields: &[&str]) {
        let has_actions = |form: &serde_json::Value| form.to_string().contains("{{");
        if !self.evaluated(option).is_some_and(has_actions) {
            return;
        }
        let mut texts = Vec::new();
        self.texts_of(option, &mut texts);
        for (text, at) in texts {
            for (field, name) in fields_of(&text) {
                if fields.contains(&name.as_str()) || BUILD_KEYS.contains(&name.as_str()) {
                    continue;
                }
                let known = fields.iter().chain(BUILD_KEYS).copied();
                let similar = similar(&name, known).map(|one| format!("did you mean `.{one}`?"));
                let mut finding = Diagnostic::warning(
                    "unknown-field",
                    format!("`{}` is no field of `{option}`", field.text),
                )
                .at(&field.place(&at), "")
                .note("Packer puts `<no value>` in its place");
                if !fields.is_empty() {
                    let list: Vec<_> = fields.iter().map(|one| format!("`.{one}`")).collect();
                    finding = finding.note(format!(
                        "its own fields are {}; the build's are there, too, such as `.ID`",
                        list.join(", ")
                    ));
                }
                let finding = match similar {
                    Some(similar) => finding.help(similar),
                    None => finding.help(format!(
                        "where another program is to read it, write {{{{`{{{{{}}}}}`}}}}",
                        field.text
                    )),
                };
                self.report(finding);
            }
        }
    }

    /// The texts of an option with Go templates in them, and where they are written.
    fn texts_of(&self, option: &str, texts: &mut Vec<(String, Span)>) {
        let (body, resolve) = self.written_body();
        let is_named = |name: &str| match body.dialect {
            Dialect::Legacy => name.eq_ignore_ascii_case(option),
            Dialect::Hcl | Dialect::HclJson => name == option,
        };
        let mut add = |body: &Body, is_wanted: &dyn Fn(&str) -> bool| {
            for attribute in body.attributes.iter().filter(|one| is_wanted(&one.name.text)) {
                // What cannot be evaluated has been reported.
                if let Ok(value) = resolve.evaluate(&attribute.expression) {
                    collect(&value, &attribute.expression, texts);
                }
            }
        };
        add(body, &is_named);
        for block in body.blocks.iter().filter(|one| is_named(&one.kind.text)) {
            add(&block.body, &|_| true);
        }
    }
}

/// Collects texts with actions; `written` is what they are written as.
fn collect(value: &Value, written: &Expression, texts: &mut Vec<(String, Span)>) {
    if value.marks.sensitive {
        return;
    }
    match &value.kind {
        Kind::String(text) if text.contains("{{") => {
            texts.push((text.as_ref().to_owned(), written.span.clone()));
        }
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            for (index, one) in all.iter().enumerate() {
                collect(one, element(written, index).unwrap_or(written), texts);
            }
        }
        Kind::Map(_, all) | Kind::Object(all) => {
            for (name, one) in all {
                collect(one, entry(written, name).unwrap_or(written), texts);
            }
        }
        _ => {}
    }
}

fn element(written: &Expression, index: usize) -> Option<&Expression> {
    match &written.kind {
        ExpressionKind::Tuple(all) => all.get(index),
        ExpressionKind::Parenthesis(inner) => element(inner, index),
        _ => None,
    }
}

fn entry<'e>(written: &'e Expression, name: &str) -> Option<&'e Expression> {
    let is_it = |key: &Expression| matches!(&key.kind, ExpressionKind::Literal(key) if key.as_str() == Some(name));
    match &written.kind {
        ExpressionKind::Object(items) => {
            items.iter().find(|item| is_it(&item.key)).map(|item| &item.value)
        }
        ExpressionKind::Parenthesis(inner) => entry(inner, name),
        _ => None,
    }
}

/// A field as a text has it.
struct Field {
    /// As it is written: `.Names`.
    text: String,
    /// How many of the same name come before it.
    before: usize,
}

/// The fields of what the caller supplies, each with its first name.
fn fields_of(text: &str) -> Vec<(Field, String)> {
    // What cannot be read has been reported.
    let Ok(template) = GoTemplate::parse(text) else { return Vec::new() };
    let fields = template.references().fields;
    fields
        .iter()
        .filter(|field| field.of_root)
        .filter_map(|field| {
            let written = text.get(field.range.clone())?.to_owned();
            let before =
                places(text, &written).take_while(|place| *place < field.range.start).count();
            let name = field.path.first()?.clone();
            Some((Field { text: written, before }, name))
        })
        .collect()
}

impl Field {
    /// Where it stands in the file: a text need not be in there as it is, for there are escapes,
    /// indents and interpolations.
    fn place(&self, at: &Span) -> Span {
        match places(at.text(), &self.text).nth(self.before) {
            Some(start) => at.slice(start..start + self.text.len()),
            None => at.clone(),
        }
    }
}

/// Where a field is named in a text, longer names that begin alike left out.
fn places<'t>(text: &'t str, field: &'t str) -> impl Iterator<Item = usize> + 't {
    text.match_indices(field).map(|(start, _)| start).filter(move |start| {
        let rest = text.get(start + field.len()..).unwrap_or_default();
        !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}
