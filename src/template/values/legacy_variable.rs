//! Values of legacy variables: texts that are Go templates and may use each other.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span, did_you_mean};
use crate::value::Marks;

use super::text::UserVariable;
use super::variable::VariableInputs;
use crate::template::declaration::Template;
use crate::template::go_template::GoTemplate;
use crate::template::json;
use crate::template::load::read_source;
use crate::template::syntax::ExpressionKind;

/// Renders the text of a legacy variable; the last argument answers `user`.
pub(in crate::template) type RenderVariable<'a> =
    &'a dyn Fn(&str, &Span, AskVariable<'_>) -> Result<UserVariable, Diagnostic>;

/// Gives the value of another variable, or says what is wrong with it.
pub(in crate::template) type AskVariable<'a> = &'a dyn Fn(&str) -> Result<UserVariable, String>;

/// Gives every legacy variable its text. Values may use `env` and `user`, in any order.
pub(in crate::template) fn assign_legacy(
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
    let sensitive = template.variables.iter().filter(|variable| variable.sensitive);
    let reader = Reader {
        texts,
        sensitive: sensitive.map(|variable| variable.name.text.as_str()).collect(),
        render,
        done: RefCell::default(),
    };
    let mut circles = BTreeSet::new();
    for name in reader.texts.keys() {
        let trouble = RefCell::new(Trouble::Own);
        let Err(finding) = reader.value(name, &[name], &trouble) else { continue };
        match trouble.into_inner() {
            Trouble::Own => found.push(finding),
            // Told of that one.
            Trouble::Others => {}
            Trouble::Circle(circle) => {
                if circle.contains(name) && circles.insert(circle) {
                    found.push(finding);
                }
            }
        }
    }
    reader.done.into_inner()
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

/// Whether a text is made of a clock or a random value.
fn is_volatile(text: &str) -> bool {
    // What cannot be read is reported where it is rendered.
    GoTemplate::parse(text).is_ok_and(|parsed| {
        let functions = parsed.references().functions;
        functions
            .iter()
            .any(|one| matches!(one.name.as_str(), "timestamp" | "isotime" | "strftime" | "uuid"))
    })
}

/// Reads the variables, each once.
struct Reader<'a> {
    texts: BTreeMap<String, (String, Span)>,
    /// Those that are declared to be secrets.
    sensitive: BTreeSet<&'a str>,
    render: RenderVariable<'a>,
    done: RefCell<BTreeMap<String, UserVariable>>,
}

/// How many variables may be between a variable and one that it uses, as in Packer.
const MAX_DEPTH: usize = 100;

impl Reader<'_> {
    /// The rendered text of a variable; `open` are those that wait for it, itself the last.
    fn value(
        &self,
        name: &str,
        open: &[&str],
        trouble: &RefCell<Trouble>,
    ) -> Result<UserVariable, Diagnostic> {
        if let Some(done) = self.done.borrow().get(name) {
            return Ok(done.clone());
        }
        let (text, span) = match self.texts.get(name) {
            Some((text, span)) => (text.as_str(), Some(span)),
            None => ("", None),
        };
        let mut value = match span.filter(|_| text.contains("{{")) {
            Some(span) => (self.render)(text, span, &|used| self.used(used, open, trouble))?,
            None => UserVariable {
                text: text.to_owned(),
                marks: Marks::NONE,
                is_known: true,
                looked_up: None,
            },
        };
        let sensitive = self.sensitive.contains(name);
        value.marks |= Marks { sensitive, volatile: is_volatile(text) };
        self.done.borrow_mut().insert(name.to_owned(), value.clone());
        Ok(value)
    }

    /// The value of a variable that the last one of `open` uses.
    fn used(
        &self,
        used: &str,
        open: &[&str],
        trouble: &RefCell<Trouble>,
    ) -> Result<UserVariable, String> {
        if let Some(first) = open.iter().position(|one| *one == used) {
            let circle = open.iter().skip(first).map(|one| (*one).to_owned()).collect();
            trouble.replace(Trouble::Circle(circle));
            return Err(format!("variables use each other: {} → {used}", open.join(" → ")));
        }
        if !self.texts.contains_key(used) {
            let hint = did_you_mean(used, self.texts.keys().map(String::as_str));
            let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
            return Err(format!("variable `{used}` is not declared{hint}"));
        }
        if open.len() > MAX_DEPTH {
            return Err(format!("variables use each other more than {MAX_DEPTH} levels deep"));
        }
        let open: Vec<_> = open.iter().copied().chain([used]).collect();
        self.value(used, &open, trouble).map_err(|finding| {
            if matches!(*trouble.borrow(), Trouble::Own) {
                trouble.replace(Trouble::Others);
            }
            finding.summary
        })
    }
}
