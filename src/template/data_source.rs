//! Data sources: declared like every component, read by whoever the caller names
//! (`packer-core.md` section 4.17, `packer-amazon.md` section 3.5).

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::value::{Kind, Marks, Type, Value, convert};

use super::declaration::Labelled;
use super::dynamic;
use super::evaluate::{Reference, references};
use super::function::Of;
use super::known_plugins::{self, Role};
use super::lookup::{Answer, Lookup, Lookups, Question, Refusal};
use super::schema::{Decoder, Facts, RawOptions, Resolve, Schema, UnknownField};
use super::syntax::{Body, Dialect, Expression, Name};

/// A type of data source.
#[derive(Clone, Copy)]
pub struct DataSourceKind {
    /// The name in templates.
    pub name: &'static str,
    /// Its options.
    pub schema: fn() -> &'static Schema,
    /// What it gives.
    pub outputs: &'static [Output],
    /// Whether what it gives is secret.
    pub sensitive: bool,
    /// Reads the options and says what is to be asked; `None` after errors. Touches nothing.
    pub read: fn(&mut DataReader<'_>) -> Option<Reading>,
}

/// One attribute of what a data source gives.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub of: Of,
}

impl Output {
    /// A text.
    pub const fn text(name: &'static str) -> Self {
        Self { name, of: Of::String }
    }

    /// Texts by name.
    pub const fn texts(name: &'static str) -> Self {
        Self { name, of: Of::Map(&Of::String) }
    }
}

/// What follows from a data source's options.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// The outputs, without asking anybody.
    Known(BTreeMap<String, Value>),
    /// A request to ask.
    Ask(Json),
}

/// Reads the options of one data source.
pub struct DataReader<'a> {
    data: &'a Labelled,
    body: &'a Body,
    resolve: &'a dyn Resolve,
    found: &'a mut Diagnostics,
    facts: Facts,
    unsupported: Option<Refusal>,
}

impl DataReader<'_> {
    /// Reads the options as far as they are known; `None` after errors, which are already reported.
    pub fn decode<T>(
        &mut self,
        schema: &Schema,
        read: impl FnOnce(&RawOptions<'_>, &mut Decoder<'_>) -> Option<T>,
    ) -> Option<T> {
        let (body, header) = (self.body, &self.data.header);
        let decoded = Decoder::decode(self.resolve, body, header, schema, read, &mut *self.found)?;
        self.facts = decoded.facts;
        Some(decoded.options)
    }

    /// Reports something about an option: at its place when it is given, else at the block. Says
    /// nothing of an option that is not known yet.
    pub fn error(&mut self, option: &str, diagnostic: Diagnostic) {
        if !self.facts.late.contains(option) {
            self.found.push(self.facts.at(option, &self.data.header, diagnostic));
        }
    }

    /// Reports that a template is right but asks for what bake cannot do: that is a warning until
    /// the data source is looked up, which fails. An empty `option` stands for the whole block.
    pub fn unsupported(&mut self, option: &str, diagnostic: Diagnostic) {
        let hints = diagnostic.help.clone();
        self.unsupported = Some(Refusal { message: diagnostic.summary.clone(), hints });
        let finding = self.facts.at(option, &self.data.header, diagnostic);
        self.found.extend(Diagnostics::from(finding).as_warnings());
    }

    /// Whether the template gives an option.
    pub fn is_given(&self, option: &str) -> bool {
        self.facts.spans.contains_key(option)
    }
}

/// A data source that was read.
pub(super) struct Outcome {
    /// An object, with unknown attributes when there is no answer yet.
    pub(super) value: Value,
    /// Its options as they are hashed where the value is not known, and what stands for a secret
    /// that is.
    pub(super) origin: String,
    /// What the options refer to whose values are not in that.
    pub(super) references: Vec<Reference>,
}

/// Checks a data source and reads it as far as `lookups` has an answer. `None` after an error.
pub(super) fn read(
    data: &Labelled,
    kinds: &[DataSourceKind],
    resolve: &dyn Resolve,
    lookups: &Lookups,
    found: &mut Diagnostics,
) -> Option<Outcome> {
    let Some(kind) = kinds.iter().find(|kind| kind.name == data.kind.text) else {
        found.push(unknown_kind(data, kinds));
        return None;
    };
    let mut refused = Diagnostics::new();
    let body = without_dynamic(&data.body, &mut refused);
    let watched =
        Watched { resolve, marks: Cell::new(Marks::NONE), references: RefCell::default() };
    let mut own = Diagnostics::new();
    let mut reader = DataReader {
        data,
        body: &body,
        resolve: &watched,
        found: &mut own,
        facts: Facts::default(),
        unsupported: None,
    };
    let reading = (kind.read)(&mut reader);
    let DataReader { facts, unsupported, .. } = reader;
    let failed = own.has_errors() || refused.has_errors();
    found.extend(own);
    found.extend(refused);
    let reading = reading.filter(|_| !failed)?;
    let options: BTreeMap<_, _> = facts.hashed.iter().collect();
    let asked = json!({ "type": kind.name, "options": options });
    let mut origin = asked.to_string();
    let outputs = if facts.late.is_empty() {
        match reading {
            Reading::Known(outputs) => Some(outputs),
            Reading::Ask(request) => {
                let question = match &unsupported {
                    Some(refusal) => Question::refused(refusal),
                    None => Question::new(kind.name, &request),
                };
                let lookup = Lookup {
                    question,
                    asked_by: format!("data.{}.{}", kind.name, data.name.text),
                    span: data.header.clone(),
                    published: Some(asked),
                };
                match lookups.ask(lookup.clone()) {
                    Some(Answer::Found { value, identity }) => {
                        origin.extend(identity.iter().flat_map(|one| ["\n@", one.as_str()]));
                        Some(attributes(value))
                    }
                    Some(Answer::Refused(refusal)) => {
                        found.push(refusal.diagnostic(&lookup.asked_by, &lookup.span));
                        return None;
                    }
                    None => None,
                }
            }
        }
    } else {
        None
    };
    let seen = watched.marks.get();
    let value = match outputs {
        Some(outputs) => known(kind, outputs, seen, &facts),
        None => unknown(kind, seen),
    };
    Some(Outcome { value, origin, references: watched.references.into_inner() })
}

fn attributes(value: &Value) -> BTreeMap<String, Value> {
    match &value.kind {
        Kind::Object(all) | Kind::Map(_, all) => all.clone(),
        _ => BTreeMap::new(),
    }
}

/// Outputs with the marks that they have by their kind, and of the options that went into them.
fn known(
    kind: &DataSourceKind,
    mut outputs: BTreeMap<String, Value>,
    seen: Marks,
    facts: &Facts,
) -> Value {
    let attributes = kind.outputs.iter().map(|output| {
        let of = output.of.to_type();
        let value = outputs.remove(output.name).and_then(|value| convert(&value, &of).ok());
        let value = value.unwrap_or_else(Value::null);
        // A server may send back what it was asked with.
        let sensitive = kind.sensitive
            || facts.secrets.iter().any(|secret| !secret.is_empty() && holds(&value, secret));
        let marks = Marks { sensitive, volatile: seen.volatile };
        (output.name.to_owned(), value.marked(marks))
    });
    Value::object(attributes.collect())
}

fn unknown(kind: &DataSourceKind, seen: Marks) -> Value {
    let marks = Marks { sensitive: kind.sensitive, ..Marks::NONE } | seen;
    let attributes = kind
        .outputs
        .iter()
        .map(|output| (output.name.to_owned(), Value::unknown(output.of.to_type()).marked(marks)));
    Value::object(attributes.collect())
}

fn holds(value: &Value, secret: &str) -> bool {
    match &value.kind {
        Kind::String(text) => text.contains(secret),
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            all.iter().any(|one| holds(one, secret))
        }
        Kind::Map(_, all) | Kind::Object(all) => {
            all.iter().any(|(name, one)| name.contains(secret) || holds(one, secret))
        }
        _ => false,
    }
}

fn unknown_kind(data: &Labelled, kinds: &[DataSourceKind]) -> Diagnostic {
    let names = kinds.iter().map(|kind| kind.name);
    let known: Vec<_> = names.clone().collect();
    let finding = Diagnostic::error(
        "unknown-component",
        format!("there is no data source `{}`", data.kind.text),
    )
    .at(&data.kind.span, "not known to bake");
    if let Some(known) = known_plugins::known(Role::DataSource, &data.kind.text) {
        return finding.note(known.note).help(known.help);
    }
    match did_you_mean(&data.kind.text, names) {
        Some(hint) => finding.help(hint),
        None => finding.note(format!("known: {}", known.join(", "))),
    }
}

/// A body without `dynamic` blocks, which are errors.
fn without_dynamic<'b>(body: &'b Body, found: &mut Diagnostics) -> Cow<'b, Body> {
    let is_dynamic = |name: &Name| name.text == dynamic::KEYWORD;
    let blocks = body.blocks.iter().filter(|block| is_dynamic(&block.kind));
    let mut places: Vec<&Span> = blocks.map(|block| &block.header).collect();
    if body.dialect == Dialect::HclJson {
        let names = body.attributes.iter().map(|attribute| &attribute.name);
        places.extend(names.filter(|name| is_dynamic(name)).map(|name| &name.span));
    }
    if places.is_empty() {
        return Cow::Borrowed(body);
    }
    for place in places {
        found.push(
            Diagnostic::error("unknown-block", "a data source has no `dynamic` blocks")
                .at(place, "write the blocks out"),
        );
    }
    let mut rest = body.clone();
    rest.blocks.retain(|block| !is_dynamic(&block.kind));
    rest.attributes.retain(|attribute| !is_dynamic(&attribute.name));
    Cow::Owned(rest)
}

/// Remembers the marks of everything that was evaluated, and what those refer to that are hashed as
/// they are written.
struct Watched<'a> {
    resolve: &'a dyn Resolve,
    marks: Cell<Marks>,
    references: RefCell<Vec<Reference>>,
}

impl Resolve for Watched<'_> {
    fn evaluate(&self, expression: &Expression) -> Result<Value, Diagnostics> {
        let value = self.resolve.evaluate(expression)?;
        let marks = value.all_marks();
        self.marks.set(self.marks.get() | marks);
        if marks.sensitive || !value.is_known() {
            self.references.borrow_mut().extend(references(expression));
        }
        Ok(value)
    }

    fn render(
        &self,
        text: &str,
        at: &Span,
        deferred: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<Value> {
        let value = self.resolve.render(text, at, deferred, diagnostics)?;
        self.marks.set(self.marks.get() | value.marks);
        Some(value)
    }

    fn render_late(
        &self,
        text: &str,
        fields: &BTreeMap<String, Value>,
        unknown: UnknownField,
    ) -> Result<(String, Marks), String> {
        self.resolve.render_late(text, fields, unknown)
    }

    fn with_values(&self, diagnostic: Diagnostic, expression: &Expression) -> Diagnostic {
        self.resolve.with_values(diagnostic, expression)
    }

    fn canonical(&self, expression: &Expression, of: &Type) -> String {
        self.resolve.canonical(expression, of)
    }
}
