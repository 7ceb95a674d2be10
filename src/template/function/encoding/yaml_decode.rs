//! YAML to values.
//!
//! Keys are texts: `yes: 1` has the key `true`. `<<` merges maps in the order of the text, so that
//! keys before it are replaced and keys after it replace. Of repeated keys the last one counts.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::VALUES;
use super::yaml_scalar::{core, scalar};
use crate::value::{Kind, Type, Value, convert};

/// How deep values may lie in one another, as in JSON.
const DEPTH: usize = crate::template::json::MAX_DEPTH;

/// What is wrong with a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Error {
    pub(super) message: String,
    /// From 1.
    pub(super) line: usize,
    /// From 1.
    pub(super) column: usize,
}

impl Error {
    fn at(mark: &Marker, message: impl Into<String>) -> Self {
        Self { message: message.into(), line: mark.line(), column: mark.col() + 1 }
    }
}

/// The value of a text that has one document, or none, which is null.
pub(super) fn decode(text: &str) -> Result<Value, Error> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| Error::at(error.marker(), error.info().to_owned()))?;
        builder.event(event, &span.start)?;
    }
    Ok(builder.document.unwrap_or_else(Value::null))
}

/// A value, how deep it is, and how many values it is made of.
#[derive(Clone)]
struct Built {
    value: Value,
    depth: usize,
    count: usize,
}

#[derive(Default)]
struct Builder {
    /// Lists and maps that have begun, outermost first.
    open: Vec<Open>,
    /// What anchors stand for; nothing while inside of it.
    anchors: HashMap<usize, Option<Built>>,
    document: Option<Value>,
    documents: usize,
    made: usize,
}

struct Open {
    kind: OpenKind,
    anchor: usize,
    depth: usize,
    count: usize,
}

enum OpenKind {
    List(Vec<Value>),
    Map { entries: BTreeMap<String, Value>, key: Option<Key> },
}

enum Key {
    Name(String),
    Merge,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, mark: &Marker) -> Result<(), Error> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Error::at(mark, "only one document can be decoded"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                if self.is_key_next() {
                    return self.key(&text, style, anchor, tag.as_deref(), mark);
                }
                let value = scalar(&text, style, tag.as_deref())
                    .map_err(|message| Error::at(mark, message))?;
                self.complete(Built { value, depth: 0, count: 1 }, 1, anchor, mark)?;
            }
            Event::Alias(anchor) => {
                if self.is_key_next() {
                    return Err(Error::at(mark, "only texts can be keys"));
                }
                match self.anchors.get(&anchor) {
                    Some(Some(built)) => {
                        let built = built.clone();
                        let count = built.count;
                        self.complete(built, count, 0, mark)?;
                    }
                    Some(None) => {
                        return Err(Error::at(mark, "an alias stands inside of its own anchor"));
                    }
                    None => return Err(Error::at(mark, "an alias has no anchor before it")),
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(OpenKind::List(Vec::new()), anchor, tag.as_deref(), "seq", mark)?;
            }
            Event::MappingStart(anchor, tag) => {
                let kind = OpenKind::Map { entries: BTreeMap::new(), key: None };
                self.begin(kind, anchor, tag.as_deref(), "map", mark)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let value = match open.kind {
                    OpenKind::List(elements) => Value::tuple(elements),
                    OpenKind::Map { entries, .. } => Value::object(entries),
                };
                let built = Built { value, depth: open.depth + 1, count: open.count + 1 };
                self.complete(built, 1, open.anchor, mark)?;
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn is_key_next(&self) -> bool {
        matches!(self.open.last(), Some(Open { kind: OpenKind::Map { key: None, .. }, .. }))
    }

    fn begin(
        &mut self,
        kind: OpenKind,
        anchor: usize,
        tag: Option<&Tag>,
        expected: &str,
        mark: &Marker,
    ) -> Result<(), Error> {
        if self.is_key_next() {
            return Err(Error::at(mark, "only texts can be keys"));
        }
        if tag.is_some_and(|tag| core(tag) != Some(expected)) {
            let what = if expected == "seq" { "a list" } else { "a map" };
            return Err(Error::at(mark, format!("{what} cannot have this tag")));
        }
        if self.open.len() >= DEPTH {
            return Err(too_deep(mark));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, None);
        }
        self.open.push(Open { kind, anchor, depth: 0, count: 0 });
        Ok(())
    }

    fn key(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        mark: &Marker,
    ) -> Result<(), Error> {
        let merges = match tag {
            None => text == "<<",
            Some(tag) => core(tag) == Some("merge"),
        };
        let name = if merges {
            Key::Merge
        } else {
            let value = scalar(text, style, tag).map_err(|message| Error::at(mark, message))?;
            if value.is_null() {
                return Err(Error::at(mark, "a key must not be null"));
            }
            if anchor > 0 {
                let built = Built { value: value.clone(), depth: 0, count: 1 };
                self.anchors.insert(anchor, Some(built));
            }
            match convert(&value, &Type::String) {
                Ok(Value { kind: Kind::String(text), .. }) => Key::Name(text.to_string()),
                _ => return Err(Error::at(mark, "only texts can be keys")),
            }
        };
        if let Some(Open { kind: OpenKind::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(name);
        }
        Ok(())
    }

    /// Puts a value where it belongs, which makes `new` values more.
    fn complete(
        &mut self,
        built: Built,
        new: usize,
        anchor: usize,
        mark: &Marker,
    ) -> Result<(), Error> {
        // What an anchor keeps is a copy.
        let kept = if anchor > 0 { built.count } else { 0 };
        self.made = self.made.saturating_add(new).saturating_add(kept);
        if self.made > VALUES {
            return Err(Error::at(
                mark,
                format!("there are more than {VALUES} values, aliases replaced"),
            ));
        }
        if built.depth + self.open.len() > DEPTH {
            return Err(too_deep(mark));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, Some(built.clone()));
        }
        let Some(open) = self.open.last_mut() else {
            self.document = Some(built.value);
            return Ok(());
        };
        open.depth = open.depth.max(built.depth);
        open.count = open.count.saturating_add(built.count);
        match &mut open.kind {
            OpenKind::List(elements) => elements.push(built.value),
            OpenKind::Map { entries, key } => match key.take() {
                Some(Key::Name(name)) => {
                    entries.insert(name, built.value);
                }
                Some(Key::Merge) => merge(entries, built.value, mark)?,
                None => {}
            },
        }
        Ok(())
    }
}

fn too_deep(mark: &Marker) -> Error {
    Error::at(mark, format!("values lie more than {DEPTH} deep in one another"))
}

fn merge(entries: &mut BTreeMap<String, Value>, value: Value, mark: &Marker) -> Result<(), Error> {
    match value.kind {
        Kind::Object(all) => entries.extend(all),
        Kind::Tuple(maps) => {
            for map in maps {
                match map.kind {
                    Kind::Object(all) => entries.extend(all),
                    _ => return Err(Error::at(mark, "`<<` merges only maps")),
                }
            }
        }
        _ => return Err(Error::at(mark, "`<<` merges only maps")),
    }
    Ok(())
}
