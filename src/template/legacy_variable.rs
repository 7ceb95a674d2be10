//! Values of legacy variables: texts that are Go templates and may use each other.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span, did_you_mean};
use crate::value::Marks;

use super::declaration::Template;
use super::go_template::{Data, GoTemplate};
use super::json;
use super::load::read_source;
use super::syntax::ExpressionKind;
use super::text::UserVariable;
use super::variable::VariableInputs;

/// Renders the text of a legacy variable; the last argument answers `user`.
pub(super) type RenderVariable<'a> =
    &'a dyn Fn(&str, &Span, AskVariable<'_>) -> Result<UserVariable, Diagnostic>;

/// Gives the value of another variable, or says what is wrong with it.
pub(super) type AskVariable<'a> = &'a dyn Fn(&str) -> Result<UserVariable, String>;

/// Gives every legacy variable its text. Values may use `env` and `user`, in any order.
pub(super) fn assign_legacy(
    template: &Template,
    inputs: &VariableInputs,
    render: RenderVariable<'_>,
    found: &mut Diagnostics,
) -> BTreeMap<String, UserVariable> {
    let texts = legacy_texts(template, inputs, found);
    for variable in &template.variables {
        let name = &variable.name.text;
        if !texts.contains_key(name) {
            found.push(
                Diagnostic::error("missing-variable", format!("variable `{name}` has no value"))
                    .at(&variable.header, "null makes it required")
                    .help(format!("give it by `-var {name}=…` or a variable file")),
            );
        }
    }
    let mut values = BTreeMap::new();
    let mut circles = BTreeSet::new();
    for name in texts.keys() {
        let trouble = RefCell::new(Trouble::Own);
        match legacy_value(name, &texts, render, &[name], &trouble) {
            Ok(mut value) => {
                value.marks = value.marks | marks_of(name, &texts, template);
                values.insert(name.clone(), value);
            }
            Err(finding) => match trouble.into_inner() {
                Trouble::Own => found.push(finding),
                // Told of that one.
                Trouble::Others => {}
                Trouble::Circle(circle) => {
                    if circle.contains(name) && circles.insert(circle) {
                        found.push(finding);
                    }
                }
            },
        }
    }
    values
}

/// Where the mistake is that a variable has no value for.
enum Trouble {
    /// In its own text.
    Own,
    /// In that of a variable which it uses.
    Others,
    /// These use each other.
    Circle(BTreeSet<String>),
}

/// What a variable is made of: its own text and the variables in it, none of which goes in circles.
fn marks_of(name: &str, texts: &BTreeMap<String, (String, Span)>, template: &Template) -> Marks {
    let sensitive =
        template.variables.iter().any(|variable| variable.name.text == *name && variable.sensitive);
    let mut marks = Marks { sensitive, volatile: false };
    let Some((text, _)) = texts.get(name).filter(|(text, _)| text.contains("{{")) else {
        return marks;
    };
    let Ok(parsed) = GoTemplate::parse(text) else { return marks };
    for function in parsed.references().functions {
        match (function.name.as_str(), function.arguments.as_slice()) {
            ("user", [Some(Data::String(used))]) => marks |= marks_of(used, texts, template),
            ("timestamp" | "isotime" | "strftime" | "uuid", _) => marks.volatile = true,
            _ => {}
        }
    }
    marks
}

/// The texts that were given, with their places: defaults, then files, then the command line.
fn legacy_texts(
    template: &Template,
    inputs: &VariableInputs,
    found: &mut Diagnostics,
) -> BTreeMap<String, (String, Span)> {
    let mut texts = BTreeMap::new();
    for variable in &template.variables {
        if let Some(default) = &variable.default
            && let ExpressionKind::Literal(value) = &default.kind
        {
            let text = value.as_str().unwrap_or_default().to_owned();
            texts.insert(variable.name.text.clone(), (text, default.span.clone()));
        }
    }
    for file in &inputs.files {
        let Some(source) = found.take(read_source(file)) else { continue };
        let Some(node) = found.take(json::parse(
            &source,
            json::ParseOptions { duplicates: json::Duplicates::Refuse },
        )) else {
            continue;
        };
        let json::Kind::Object(members) = node.kind else {
            found.push(
                Diagnostic::error("wrong-type", "a variable file is a JSON object of strings")
                    .at(&node.span, ""),
            );
            continue;
        };
        for member in members {
            if let json::Kind::String(text) = &member.value.kind {
                texts.insert(member.key, (text.value().to_owned(), member.value.span.clone()));
            } else {
                found.push(
                    Diagnostic::error(
                        "wrong-type",
                        format!("variable `{}` must be a string", member.key),
                    )
                    .at(&member.value.span, "write it in quotes"),
                );
            }
        }
    }
    for (name, text) in &inputs.command_line {
        let source = Source::new(format!("<-var {name}>"), text.clone());
        texts.insert(name.clone(), (text.clone(), Span::whole(&source)));
    }
    texts
}

/// The rendered text of a variable; `open` are those that wait for it.
fn legacy_value(
    name: &str,
    texts: &BTreeMap<String, (String, Span)>,
    render: RenderVariable<'_>,
    open: &[&str],
    trouble: &RefCell<Trouble>,
) -> Result<UserVariable, Diagnostic> {
    let plain = |text: &str| UserVariable {
        text: text.to_owned(),
        marks: Marks::NONE,
        is_known: true,
        origin: None,
    };
    let Some((text, span)) = texts.get(name) else { return Ok(plain("")) };
    if !text.contains("{{") {
        return Ok(plain(text));
    }
    let user = |used: &str| {
        if let Some(first) = open.iter().position(|one| *one == used) {
            let circle = open.iter().skip(first).map(|one| (*one).to_owned()).collect();
            trouble.replace(Trouble::Circle(circle));
            return Err(format!("variables use each other: {} → {used}", open.join(" → ")));
        }
        if !texts.contains_key(used) {
            let hint = did_you_mean(used, texts.keys().map(String::as_str));
            let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
            return Err(format!("variable `{used}` is not declared{hint}"));
        }
        let open: Vec<_> = open.iter().copied().chain([used]).collect();
        legacy_value(used, texts, render, &open, trouble).map_err(|finding| {
            if matches!(*trouble.borrow(), Trouble::Own) {
                trouble.replace(Trouble::Others);
            }
            finding.summary
        })
    };
    render(text, span, &user)
}
