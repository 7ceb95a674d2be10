//! From a body to typed options.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::sort::{FoundBlock, Given, RawOptions};
use super::weak::weaken;
use super::{OptionType, Schema, Shape};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::template::evaluate::references;
use crate::template::go_template::GoTemplate;
use crate::template::syntax::{Attribute, Body, Dialect, Expression, ExpressionKind};
use crate::value::{Kind, Marks, Type, Value, convert};

/// What a decoder needs from the evaluator, so that this room knows no scopes.
pub trait Resolve {
    /// The value of an expression.
    fn evaluate(&self, expression: &Expression) -> Result<Value, Diagnostics>;

    /// Adds the values of what an expression refers to; secrets are hidden.
    fn with_values(&self, diagnostic: Diagnostic, expression: &Expression) -> Diagnostic;

    /// Renders the Go-template actions in a text. Actions with unknown fields stay as they are: in a
    /// `deferred` text they are filled in later, elsewhere there is a warning. The text is unknown
    /// when it uses something that is yet to be looked up. `None` after an error.
    fn render(
        &self,
        text: &str,
        at: &Span,
        deferred: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<Value>;

    /// Renders a deferred text with the fields that its option documents, such as `Path`.
    fn render_late(
        &self,
        text: &str,
        fields: &BTreeMap<String, Value>,
        unknown: UnknownField,
    ) -> Result<(String, Marks), String>;

    /// A layout-free text of an expression and of the known values it uses: what is hashed where
    /// the value is not known yet or is a secret. `of` is the type that is expected: legacy texts
    /// are weakly typed.
    fn canonical(&self, expression: &Expression, of: &Type) -> String;
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
    /// Whether something is wrong: then there are stand-ins among the options.
    pub failed: bool,
    /// Where each given option stands: its expression, or the header of its block; elements of a
    /// list that is written out, too (`scripts.0`).
    pub spans: BTreeMap<String, Span>,
    /// Hashed options whose value comes from a clock or a random source.
    pub volatile: Vec<(String, Span)>,
    /// Options whose value is not known before the build runs.
    pub late: BTreeSet<String>,
    /// Options that have a stand-in while a template is checked: they wait for a data source, not
    /// for the build, or they are wrong.
    pub unread: BTreeSet<String>,
    /// Texts that came from sensitive values, to be masked in all output.
    pub secrets: BTreeSet<String>,
}

impl Facts {
    /// A diagnostic about an option: it points at the option where it is given, else at `owner`.
    pub fn at(&self, option: &str, owner: &Span, diagnostic: Diagnostic) -> Diagnostic {
        let parent = || self.spans.get(option.rsplit_once('.')?.0);
        diagnostic.at(self.spans.get(option).or_else(parent).unwrap_or(owner), "")
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

    /// Decodes a component's body. Warnings end up in `diagnostics`, errors too; after an error
    /// there is no result.
    pub fn decode<T>(
        resolve: &dyn Resolve,
        body: &Body,
        owner: &Span,
        schema: &Schema,
        read: impl FnOnce(&RawOptions<'_>, &mut Decoder<'_>) -> Option<T>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Decoded<T>> {
        Self::decode_for_checks(resolve, body, owner, schema, read, diagnostics)
            .filter(|decoded| !decoded.facts.failed)
    }

    /// As [`Self::decode`], but with a stand-in for each option that is wrong, so that the others
    /// can still be checked.
    pub fn decode_for_checks<T>(
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
        decoder.facts.failed = decoder.diagnostics.has_errors();
        diagnostics.extend(decoder.diagnostics);
        let facts = decoder.facts;
        options.map(|options| Decoded { options, facts })
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
                for (index, item) in written_items(&attribute.expression).iter().enumerate() {
                    self.facts.spans.insert(format!("{path}.{index}"), item.span.clone());
                }
                match self.attribute::<T>(name, &path, attribute, raw.dialect, hashed) {
                    Some(Some(given)) => given,
                    Some(None) => {
                        // Null is as good as nothing.
                        self.facts.spans.remove(&path);
                        return self.missing(raw, name, path, absent);
                    }
                    None => return self.stand_in(path, absent),
                }
            }
            Some(Given::Blocks(blocks)) => {
                if let Some(first) = blocks.first() {
                    self.facts.spans.insert(path.clone(), first.header.clone());
                }
                match self.blocks_of::<T>(name, blocks) {
                    Some(given) => given,
                    None => return self.stand_in(path, absent),
                }
            }
            None => return self.missing(raw, name, path, absent),
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

    fn missing<T: OptionType>(
        &mut self,
        raw: &RawOptions<'_>,
        name: &'static str,
        path: String,
        absent: Option<T>,
    ) -> Option<T> {
        if absent.is_some() {
            return absent;
        }
        self.diagnostics.push(
            Diagnostic::error("missing-option", format!("`{name}` is required"))
                .at(&raw.owner, format!("`{name}` is not given")),
        );
        self.stand_in(path, absent)
    }

    /// What stands for an option that is wrong, so that the others can be checked.
    fn stand_in<T: OptionType>(&mut self, path: String, absent: Option<T>) -> Option<T> {
        self.facts.unread.insert(path);
        T::from_value(&Value::unknown(Type::Any)).ok().or(absent)
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
        let value = self.render(value, &attribute.expression, T::deferred())?;
        let marks = value.all_marks();
        // A secret by its nature is masked as well, but what is hashed does not depend on it.
        let value = if T::secret() { value.marked(Marks::SENSITIVE) } else { value };
        self.facts.secrets.extend(value.sensitive_texts());
        let value = if dialect == Dialect::Legacy { weaken(value, &of) } else { value };
        let value = match convert(&value, &of) {
            Ok(value) => value,
            Err(error) => {
                let (place, of) = wrong_part(&attribute.expression, &value, &of);
                let finding =
                    Diagnostic::error("wrong-type", format!("wrong type for `{name}`: {error}"))
                        .at(place, format!("{of} is expected"));
                self.diagnostics.push(self.resolve.with_values(finding, &attribute.expression));
                return None;
            }
        };
        if hashed && marks.volatile {
            self.facts.volatile.push((path.to_owned(), span.clone()));
        }
        let late = !value.is_known() || dialect == Dialect::Legacy && waits_for_build(&value);
        if late {
            self.facts.late.insert(path.to_owned());
            if dialect != Dialect::Legacy
                && !references(&attribute.expression).iter().any(|one| one.root == "build")
            {
                self.facts.unread.insert(path.to_owned());
            }
        }
        match T::from_value(&value) {
            Ok(typed) => {
                let form = if late {
                    serde_json::json!({ "late": self.resolve.canonical(&attribute.expression, &of) })
                } else if marks.sensitive {
                    serde_json::json!({ "sensitive": self.resolve.canonical(&attribute.expression, &of) })
                } else {
                    typed.canonical()
                };
                Some(Some((typed, form.into())))
            }
            Err(message) => {
                let finding = Diagnostic::error("wrong-value", format!("wrong value for `{name}`"))
                    .at(span, message);
                self.diagnostics.push(self.resolve.with_values(finding, &attribute.expression));
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
        read: impl Fn(&RawOptions<'_>, &mut Decoder<'a>) -> Option<T>,
    ) -> Option<T> {
        if let [first, second, ..] = blocks {
            self.diagnostics.push(
                Diagnostic::error("duplicate-block", "this block may stand here only once")
                    .at(&second.header, "again here")
                    .also(&first.header, "first here"),
            );
            // Either may be the one that stays: both are decoded for what is wrong in them.
            for block in blocks {
                self.block(block, schema, &read);
            }
            return None;
        }
        self.block(blocks.first()?, schema, &read)
    }

    fn block<T>(
        &mut self,
        block: &FoundBlock<'_>,
        schema: &Schema,
        read: &impl Fn(&RawOptions<'_>, &mut Decoder<'a>) -> Option<T>,
    ) -> Option<T> {
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
    fn render(&mut self, value: Value, written: &Expression, deferred: bool) -> Option<Value> {
        let marks = value.marks;
        let kind = match value.kind {
            Kind::String(text) if text.contains("{{") => {
                let text =
                    self.resolve.render(&text, &written.span, deferred, &mut self.diagnostics)?;
                return Some(text.marked(marks));
            }
            Kind::List(of, all) => Kind::List(of, self.render_all(all, written, deferred)?),
            Kind::Set(of, all) => Kind::Set(of, self.render_all(all, written, deferred)?),
            Kind::Tuple(all) => Kind::Tuple(self.render_all(all, written, deferred)?),
            Kind::Map(of, all) => Kind::Map(of, self.render_named(all, written, deferred)?),
            Kind::Object(all) => Kind::Object(self.render_named(all, written, deferred)?),
            other => other,
        };
        Some(Value { kind, marks })
    }

    fn render_all(
        &mut self,
        all: Vec<Value>,
        written: &Expression,
        deferred: bool,
    ) -> Option<Vec<Value>> {
        let items = written_items(written);
        // Not lazily: every element is checked.
        let rendered: Vec<_> = all
            .into_iter()
            .enumerate()
            .map(|(at, value)| self.render(value, items.get(at).unwrap_or(written), deferred))
            .collect();
        rendered.into_iter().collect()
    }

    fn render_named(
        &mut self,
        all: BTreeMap<String, Value>,
        written: &Expression,
        deferred: bool,
    ) -> Option<BTreeMap<String, Value>> {
        let rendered: Vec<_> = all
            .into_iter()
            .map(|(name, value)| {
                let written = written_entry(written, &name).unwrap_or(written);
                Some((name, self.render(value, written, deferred)?))
            })
            .collect();
        rendered.into_iter().collect()
    }
}

/// Whether a legacy text still asks for what only a running build knows.
fn waits_for_build(value: &Value) -> bool {
    match &value.kind {
        Kind::String(text) => {
            text.contains("{{")
                && GoTemplate::parse(text).is_ok_and(|template| {
                    template.references().functions.iter().any(|one| one.name == "build")
                })
        }
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            all.iter().any(waits_for_build)
        }
        Kind::Map(_, all) | Kind::Object(all) => all.values().any(waits_for_build),
        Kind::Unknown(_) | Kind::Null(_) | Kind::Bool(_) | Kind::Number(_) => false,
    }
}

/// The elements of a list that is written out.
fn written_items(expression: &Expression) -> &[Expression] {
    match &expression.kind {
        ExpressionKind::Tuple(items) => items,
        ExpressionKind::Parenthesis(inner) => written_items(inner),
        _ => &[],
    }
}

/// The value that is written out for a key.
fn written_entry<'e>(expression: &'e Expression, key: &str) -> Option<&'e Expression> {
    match &expression.kind {
        ExpressionKind::Object(items) => items
            .iter()
            .find(|item| matches!(&item.key.kind, ExpressionKind::Literal(name) if name.as_str() == Some(key)))
            .map(|item| &item.value),
        ExpressionKind::Parenthesis(inner) => written_entry(inner, key),
        _ => None,
    }
}

/// The innermost part of an expression whose value has not the type that is expected there.
fn wrong_part<'e>(expression: &'e Expression, value: &Value, of: &Type) -> (&'e Span, Type) {
    let wrong = |part: &'e Expression, value: &Value, of: &Type| {
        convert(value, of).is_err().then(|| wrong_part(part, value, of))
    };
    let inner = match (&value.kind, of) {
        (Kind::Tuple(all) | Kind::List(_, all), Type::List(of) | Type::Set(of)) => {
            let items = written_items(expression);
            items.iter().zip(all).find_map(|(item, value)| wrong(item, value, of))
        }
        (Kind::Object(all) | Kind::Map(_, all), Type::Map(of)) => {
            all.iter().find_map(|(name, value)| wrong(written_entry(expression, name)?, value, of))
        }
        _ => None,
    };
    inner.unwrap_or_else(|| (&expression.span, of.clone()))
}
