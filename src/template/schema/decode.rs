//! From a body to typed options.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::sort::{FoundBlock, Given, RawOptions};
use super::weak::weaken;
use super::{OptionType, Schema, Shape};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::template::evaluate::references;
use crate::template::syntax::{Attribute, Body, Dialect, Expression};
use crate::value::{Kind, Marks, Value, convert, format_number};

/// What a decoder needs from the evaluator, so that this room knows no scopes.
pub trait Resolve {
    /// The value of an expression.
    fn evaluate(&self, expression: &Expression) -> Result<Value, Diagnostics>;

    /// Renders the Go-template actions in a text. Actions with unknown fields stay as they are: in a
    /// `deferred` text they are filled in later, elsewhere there is a warning. `None` after an error.
    fn render(
        &self,
        text: &str,
        at: &Span,
        deferred: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<(String, Marks)>;

    /// Renders a deferred text with the fields that its option documents, such as `Path`.
    fn render_late(
        &self,
        text: &str,
        fields: &BTreeMap<String, Value>,
        unknown: UnknownField,
    ) -> Result<(String, Marks), String>;

    /// A layout-free text of an expression and of the known values it uses: what is hashed where
    /// the value is not known yet or is a secret.
    fn canonical(&self, expression: &Expression) -> String;
}

/// What is only known while a build runs, by Packer's names: `ID`, `Host`, `SourceAMI`, … and our
/// `ImageHash`.
pub type BuildData = BTreeMap<String, Value>;

/// Makes evaluators. Implemented over the template's scopes; kept by components so that options
/// can be read again with what the build has learned since.
pub trait Evaluate: Send + Sync {
    /// An evaluator; without `data`, everything about the build is unknown.
    fn resolve<'a>(&'a self, data: Option<&'a BuildData>) -> Box<dyn Resolve + Send + Sync + 'a>;
}

/// What becomes of a field that nobody knows when a deferred text is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownField {
    /// It is a mistake: a name or a tag with braces in it helps nobody.
    Refuse,
    /// It stays as it is: a script may have templates of its own, as in
    /// `docker ps --format '{{.Names}}'`.
    Keep,
}

/// Options with what was learned while they were decoded.
#[derive(Clone, Debug)]
pub struct Decoded<T> {
    /// The options.
    pub options: T,
    /// The rest.
    pub facts: Facts,
}

/// What was learned while options were decoded. Names of nested options are
/// paths: `metadata_options.0.http_tokens`.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Canonical form of every hashed option that differs from its default.
    pub hashed: serde_json::Map<String, Json>,
    /// The same with the options that are not hashed.
    pub evaluated: serde_json::Map<String, Json>,
    /// Where each given option stands: its expression, or the header of its block.
    pub spans: BTreeMap<String, Span>,
    /// Hashed options whose value comes from a clock or a random source.
    pub volatile: Vec<(String, Span)>,
    /// Options whose value is not known before the build runs.
    pub late: BTreeSet<String>,
    /// Those of them that only wait for a data source, not for the build: a stand-in is in their
    /// place while a template is checked.
    pub unread: BTreeSet<String>,
    /// Texts that came from sensitive values, to be masked in all output.
    pub secrets: BTreeSet<String>,
}

impl Facts {
    /// A diagnostic about an option: it points at the option where it is given, else at `owner`.
    pub fn at(&self, option: &str, owner: &Span, diagnostic: Diagnostic) -> Diagnostic {
        diagnostic.at(self.spans.get(option).unwrap_or(owner), "")
    }
}

/// Canonical forms of the options of one body that differ from their defaults.
#[derive(Debug, Default)]
struct Forms {
    hashed: serde_json::Map<String, Json>,
    all: serde_json::Map<String, Json>,
}

/// The canonical form of one option: as it is hashed, and with everything in it that is not.
#[derive(Debug, Default)]
struct Form {
    hashed: Json,
    all: Json,
}

impl From<Json> for Form {
    fn from(form: Json) -> Self {
        Self { hashed: form.clone(), all: form }
    }
}

/// Decodes bodies and collects what it finds on the way.
pub struct Decoder<'a> {
    pub(super) resolve: &'a dyn Resolve,
    /// Errors and warnings so far.
    pub diagnostics: Diagnostics,
    facts: Facts,
    /// Names around the options that are being decoded, each with the number of blocks seen.
    path: Vec<(String, usize)>,
    /// Options of the bodies that are being decoded, innermost last.
    open: Vec<Forms>,
    /// Canonical forms of the blocks of the option that is being decoded.
    blocks: Vec<Form>,
}

impl<'a> Decoder<'a> {
    /// A decoder that evaluates by `resolve`.
    pub fn new(resolve: &'a dyn Resolve) -> Self {
        Self {
            resolve,
            diagnostics: Diagnostics::new(),
            facts: Facts::default(),
            path: Vec::new(),
            open: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// Decodes a component's body. Warnings end up in `diagnostics`, errors too.
    pub fn decode<T>(
        resolve: &dyn Resolve,
        body: &Body,
        owner: &Span,
        schema: &Schema,
        read: impl FnOnce(&RawOptions<'_>, &mut Decoder<'_>) -> Option<T>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Decoded<T>> {
        let mut decoder = Decoder::new(resolve);
        let raw = decoder.sort(schema, body, owner);
        decoder.open.push(Forms::default());
        let options = read(&raw, &mut decoder);
        let forms = decoder.open.pop().unwrap_or_default();
        decoder.facts.hashed = forms.hashed;
        decoder.facts.evaluated = forms.all;
        let failed = decoder.diagnostics.has_errors();
        diagnostics.extend(decoder.diagnostics);
        let facts = decoder.facts;
        options.filter(|_| !failed).map(|options| Decoded { options, facts })
    }

    /// One option; `absent` stands for it when it is left out. `None` after an error.
    pub fn option<T: OptionType>(
        &mut self,
        raw: &RawOptions<'_>,
        name: &'static str,
        hashed: bool,
        absent: Option<T>,
    ) -> Option<T> {
        let path = self.full_path(name);
        let neutral = absent.as_ref().map(T::canonical);
        let (value, form) = match raw.given.get(name) {
            Some(Given::Attribute(attribute)) => {
                self.facts.spans.insert(path.clone(), attribute.expression.span.clone());
                let given = self.attribute::<T>(name, &path, attribute, raw.dialect, hashed)?;
                match given {
                    Some(given) => given,
                    None => {
                        // Null is as good as nothing.
                        self.facts.spans.remove(&path);
                        return self.missing(raw, name, absent);
                    }
                }
            }
            Some(Given::Blocks(blocks)) => {
                if let Some(first) = blocks.first() {
                    self.facts.spans.insert(path, first.header.clone());
                }
                self.blocks_of::<T>(name, blocks)?
            }
            None => return self.missing(raw, name, absent),
        };
        if let Some(open) = self.open.last_mut() {
            if hashed && neutral.as_ref() != Some(&form.hashed) {
                open.hashed.insert(name.to_owned(), form.hashed);
            }
            if neutral.as_ref() != Some(&form.all) {
                open.all.insert(name.to_owned(), form.all);
            }
        }
        Some(value)
    }

    fn missing<T>(
        &mut self,
        raw: &RawOptions<'_>,
        name: &'static str,
        absent: Option<T>,
    ) -> Option<T> {
        if absent.is_none() {
            self.diagnostics.push(
                Diagnostic::error("missing-option", format!("`{name}` is required"))
                    .at(&raw.owner, format!("`{name}` is not given")),
            );
        }
        absent
    }

    /// The value of an attribute and its canonical form; `Some(None)` for null.
    fn attribute<T: OptionType>(
        &mut self,
        name: &str,
        path: &str,
        attribute: &Attribute,
        dialect: Dialect,
        hashed: bool,
    ) -> Option<Option<(T, Form)>> {
        let span = &attribute.expression.span;
        let Shape::Attribute(of) = T::shape() else { return None };
        let value = self.diagnostics.take(self.resolve.evaluate(&attribute.expression))?;
        if value.is_null() {
            return Some(None);
        }
        let value = self.render(value, span, T::deferred())?;
        let value = if dialect == Dialect::Legacy { weaken(value, &of) } else { value };
        let value = match convert(&value, &of) {
            Ok(value) => value,
            Err(error) => {
                self.diagnostics.push(
                    Diagnostic::error("wrong-type", format!("wrong type for `{name}`: {error}"))
                        .at(span, format!("{of} is expected")),
                );
                return None;
            }
        };
        let marks = value.all_marks();
        if marks.sensitive {
            collect_texts(&value, &mut self.facts.secrets);
        }
        if hashed && marks.volatile {
            self.facts.volatile.push((path.to_owned(), span.clone()));
        }
        let late = !value.is_known();
        if late {
            self.facts.late.insert(path.to_owned());
            if !references(&attribute.expression).iter().any(|one| one.root == "build") {
                self.facts.unread.insert(path.to_owned());
            }
        }
        match T::from_value(&value) {
            Ok(typed) => {
                let form = if late {
                    serde_json::json!({ "late": self.resolve.canonical(&attribute.expression) })
                } else if marks.sensitive {
                    serde_json::json!({ "sensitive": self.resolve.canonical(&attribute.expression) })
                } else {
                    typed.canonical()
                };
                Some(Some((typed, form.into())))
            }
            Err(message) => {
                self.diagnostics.push(
                    Diagnostic::error("wrong-value", format!("wrong value for `{name}`"))
                        .at(span, message),
                );
                None
            }
        }
    }

    fn blocks_of<T: OptionType>(
        &mut self,
        name: &'static str,
        blocks: &[FoundBlock<'_>],
    ) -> Option<(T, Form)> {
        let Shape::Block { repeated, .. } = T::shape() else { return None };
        let outer = std::mem::take(&mut self.blocks);
        self.path.push((name.to_owned(), 0));
        let value = T::from_blocks(blocks, self);
        self.path.pop();
        let mut forms = std::mem::replace(&mut self.blocks, outer);
        let form = if repeated {
            let (hashed, all) = forms.into_iter().map(|form| (form.hashed, form.all)).unzip();
            Form { hashed: Json::Array(hashed), all: Json::Array(all) }
        } else {
            forms.pop().unwrap_or_default()
        };
        value.map(|value| (value, form))
    }

    /// Decodes the only block of an option.
    pub fn single_block<T>(
        &mut self,
        blocks: &[FoundBlock<'_>],
        schema: &Schema,
        read: impl FnOnce(&RawOptions<'_>, &mut Decoder<'a>) -> Option<T>,
    ) -> Option<T> {
        let [block] = blocks else {
            if let [first, second, ..] = blocks {
                self.diagnostics.push(
                    Diagnostic::error("duplicate-block", "this block may stand here only once")
                        .at(&second.header, "again here")
                        .also(&first.header, "first here"),
                );
            }
            return None;
        };
        let raw = self.sort(schema, &block.body, &block.header);
        self.open.push(Forms::default());
        let value = read(&raw, self);
        let forms = self.open.pop().unwrap_or_default();
        self.blocks.push(Form { hashed: Json::Object(forms.hashed), all: Json::Object(forms.all) });
        if let Some((_, seen)) = self.path.last_mut() {
            *seen += 1;
        }
        value
    }

    fn full_path(&self, name: &str) -> String {
        let mut path = String::new();
        for (name, index) in &self.path {
            path += &format!("{name}.{index}.");
        }
        path + name
    }

    /// Renders the Go templates in all texts of a value.
    fn render(&mut self, value: Value, at: &Span, deferred: bool) -> Option<Value> {
        let marks = value.marks;
        let kind = match value.kind {
            Kind::String(text) if text.contains("{{") => {
                let (text, more) =
                    self.resolve.render(&text, at, deferred, &mut self.diagnostics)?;
                return Some(Value::string(text).marked(marks | more));
            }
            Kind::List(of, all) => Kind::List(of, self.render_all(all, at, deferred)?),
            Kind::Set(of, all) => Kind::Set(of, self.render_all(all, at, deferred)?),
            Kind::Tuple(all) => Kind::Tuple(self.render_all(all, at, deferred)?),
            Kind::Map(of, all) => Kind::Map(of, self.render_named(all, at, deferred)?),
            Kind::Object(all) => Kind::Object(self.render_named(all, at, deferred)?),
            other => other,
        };
        Some(Value { kind, marks })
    }

    fn render_all(&mut self, all: Vec<Value>, at: &Span, deferred: bool) -> Option<Vec<Value>> {
        all.into_iter().map(|value| self.render(value, at, deferred)).collect()
    }

    fn render_named(
        &mut self,
        all: BTreeMap<String, Value>,
        at: &Span,
        deferred: bool,
    ) -> Option<BTreeMap<String, Value>> {
        all.into_iter()
            .map(|(name, value)| Some((name, self.render(value, at, deferred)?)))
            .collect()
    }
}

/// All texts in a value, for masking.
fn collect_texts(value: &Value, texts: &mut BTreeSet<String>) {
    match &value.kind {
        Kind::String(text) => {
            texts.insert(text.as_ref().to_owned());
        }
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            all.iter().for_each(|one| collect_texts(one, texts));
        }
        Kind::Map(_, all) | Kind::Object(all) => {
            all.values().for_each(|one| collect_texts(one, texts));
        }
        Kind::Number(number) => {
            texts.insert(format_number(number));
        }
        Kind::Unknown(_) | Kind::Null(_) | Kind::Bool(_) => {}
    }
}
