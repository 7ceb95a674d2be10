//! References: names, attributes, indices and splats.

use std::borrow::Cow;

use super::evaluator::{Evaluator, Outcome};
use super::failure::{conversion, described, with_values};
use crate::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::template::syntax::{Expression, ExpressionKind, Name, Step};
use crate::value::{Kind, Marks, Type, Value, convert, count, to_integer};

/// The way so far, for errors.
struct Path<'a> {
    base: &'a Expression,
    /// Steps that were taken.
    taken: &'a [Step],
    /// Whether something on the way is sensitive.
    hidden: bool,
}

impl Path<'_> {
    /// The name of the root when no other than attribute steps were taken, with the names.
    fn names(&self) -> Option<Vec<&str>> {
        let ExpressionKind::Variable(root) = &self.base.kind else { return None };
        let mut names = vec![root.text.as_str()];
        for step in self.taken {
            let Step::Attribute(name) = step else { return None };
            names.push(&name.text);
        }
        Some(names)
    }

    /// What was reached: the text of the way in backticks, where a splat stands for one of many.
    fn shown(&self) -> String {
        let is_splat = |step: &Step| matches!(step, Step::AttributeSplat(_) | Step::FullSplat(_));
        let Some(splat) = self.taken.iter().position(is_splat) else {
            return format!("`{}`", self.text());
        };
        let before = Path { taken: self.taken.get(..splat).unwrap_or_default(), ..*self }.text();
        let until = Path { taken: self.taken.get(..=splat).unwrap_or_default(), ..*self }.text();
        match self.text().strip_prefix(&until).map(str::trim).filter(|rest| !rest.is_empty()) {
            Some(rest) => format!("`{rest}` of an element of `{before}`"),
            None => format!("an element of `{before}`"),
        }
    }

    fn text(&self) -> String {
        let Some(last) = self.taken.last() else { return self.base.span.text().to_owned() };
        let mut span = self.base.span.to(step_span(last));
        if let Step::Index(index) = last {
            // The span of an index is without its brackets.
            let end = index.span.range().end;
            let rest = span.source().text().get(end..).unwrap_or_default();
            let blanks = rest.len() - rest.trim_start().len();
            if rest.trim_start().starts_with(']') {
                span = Span::new(span.source(), span.range().start..end + blanks + 1);
            }
        }
        span.text().to_owned()
    }

    /// The value that was reached, as a note.
    fn note(&self, report: Diagnostic, value: &Value) -> Diagnostic {
        if self.hidden || value.is_null() || matches!(value.kind, Kind::Unknown(_)) {
            return report;
        }
        report.note(format!("{} is {}", self.shown(), value.excerpt(120)))
    }
}

fn step_span(step: &Step) -> &Span {
    match step {
        Step::Attribute(name) => &name.span,
        Step::Index(index) => &index.span,
        Step::AttributeSplat(span) | Step::FullSplat(span) => span,
    }
}

impl Evaluator<'_> {
    pub(super) fn variable(&self, name: &Name, span: &Span) -> Outcome {
        match self.scope.get(&name.text) {
            Some(value) => {
                self.within(span, self.budget.values(size(value)))?;
                Ok(value.clone())
            }
            None => Err(self.unknown_name(name).into()),
        }
    }

    fn unknown_name(&self, name: &Name) -> Diagnostic {
        let names = self.scope.names();
        let report = Diagnostic::error("unknown-name", format!("unknown name `{}`", name.text))
            .at(&name.span, "not known here");
        if let Some(help) = known_elsewhere(&name.text) {
            return report.help(help);
        }
        match did_you_mean(&name.text, names.iter().copied()) {
            Some(help) => report.help(help),
            None => report.help(format!(
                "a variable is `var.{0}`, a local is `local.{0}`, text is `\"{0}\"`",
                name.text
            )),
        }
    }

    pub(super) fn traversal(
        &self,
        base: &Expression,
        steps: &[Step],
        whole: &Expression,
    ) -> Outcome {
        let start = match &base.kind {
            ExpressionKind::Variable(name) => match self.scope.get(&name.text) {
                Some(value) => Cow::Borrowed(value),
                None => return Err(self.unknown_name(name).into()),
            },
            _ => Cow::Owned(self.evaluate(base)?),
        };
        let mut path = Path { base, taken: &[], hidden: false };
        let mut marks = Marks::NONE;
        let value = self.walk(start, steps, 0, &mut path, &mut marks)?;
        if let Cow::Borrowed(value) = &value {
            self.within(&whole.span, self.budget.values(size(value)))?;
        }
        Ok(value.into_owned().marked(marks))
    }

    /// Takes the `steps` from `from` on.
    fn walk<'v, 's>(
        &self,
        mut value: Cow<'v, Value>,
        steps: &'s [Step],
        from: usize,
        path: &mut Path<'s>,
        marks: &mut Marks,
    ) -> Result<Cow<'v, Value>, Diagnostics> {
        let mut at = from;
        while let Some(step) = steps.get(at) {
            path.taken = steps.get(..at).unwrap_or_default();
            *marks |= value.marks;
            path.hidden |= marks.sensitive;
            at += 1;
            value = match step {
                Step::Attribute(name) => self.attribute(value, name, path)?,
                Step::Index(index) => self.index(value, index, path, marks)?,
                Step::AttributeSplat(span) => {
                    let rest = steps.get(at..).unwrap_or_default();
                    let length = rest.iter().take_while(|step| belongs_to_splat(step)).count();
                    let inner = steps.get(..at + length).unwrap_or_default();
                    let value = self.splat(value, inner, at, span, path)?;
                    at += length;
                    Cow::Owned(value)
                }
                Step::FullSplat(span) => {
                    return self.splat(value, steps, at, span, path).map(Cow::Owned);
                }
            };
        }
        Ok(value)
    }

    /// The steps from `from` on for each element; null has none, anything else is one.
    fn splat<'s>(
        &self,
        value: Cow<'_, Value>,
        steps: &'s [Step],
        from: usize,
        span: &Span,
        path: &mut Path<'s>,
    ) -> Outcome {
        let elements = match &value.kind {
            Kind::Null(_) => return Ok(Value::tuple(Vec::new())),
            Kind::Unknown(_) => return Ok(Value::unknown(Type::Any).marked(value.all_marks())),
            Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => all.as_slice(),
            _ => std::slice::from_ref(&*value),
        };
        self.within(span, self.budget.values(elements.len()))?;
        let mut results = Vec::with_capacity(elements.len());
        for element in elements {
            let mut marks = Marks::NONE;
            let result = self.walk(Cow::Borrowed(element), steps, from, path, &mut marks)?;
            self.within(span, self.budget.values(size(&result)))?;
            results.push(result.into_owned().marked(marks));
        }
        Ok(Value::tuple(results))
    }

    fn attribute<'v>(
        &self,
        value: Cow<'v, Value>,
        name: &Name,
        path: &Path<'_>,
    ) -> Result<Cow<'v, Value>, Diagnostics> {
        let found = match &value.kind {
            Kind::Object(all) | Kind::Map(_, all) => match all.get(&name.text) {
                Some(_) => true,
                None => return Err(no_attribute(&value, name, path).into()),
            },
            Kind::Unknown(Type::Object(all)) => match all.get(&name.text) {
                Some(attribute) => {
                    return Ok(Cow::Owned(Value::unknown(attribute.of.clone())));
                }
                None => return Err(no_attribute(&value, name, path).into()),
            },
            Kind::Unknown(Type::Map(of)) => return Ok(Cow::Owned(Value::unknown((**of).clone()))),
            Kind::Unknown(Type::Any) => return Ok(Cow::Owned(Value::unknown(Type::Any))),
            _ => false,
        };
        if !found {
            return Err(no_attributes(&value, name, path).into());
        }
        let missing = || Value::unknown(Type::Any);
        Ok(match value {
            Cow::Borrowed(Value { kind: Kind::Object(all) | Kind::Map(_, all), .. }) => {
                all.get(&name.text).map_or_else(|| Cow::Owned(missing()), Cow::Borrowed)
            }
            Cow::Owned(Value { kind: Kind::Object(mut all) | Kind::Map(_, mut all), .. }) => {
                Cow::Owned(all.remove(&name.text).unwrap_or_else(missing))
            }
            _ => Cow::Owned(missing()),
        })
    }

    fn index<'v>(
        &self,
        value: Cow<'v, Value>,
        index: &Expression,
        path: &Path<'_>,
        marks: &mut Marks,
    ) -> Result<Cow<'v, Value>, Diagnostics> {
        let key = self.evaluate(index)?;
        *marks |= key.all_marks();
        if key.is_null() {
            return Err(Diagnostic::error("null-index", "an index must not be null")
                .at(&index.span, "null")
                .into());
        }
        let by_position = match &value.kind {
            Kind::List(..) | Kind::Tuple(_) | Kind::Unknown(Type::List(_) | Type::Tuple(_)) => true,
            Kind::Map(..) | Kind::Object(_) | Kind::Unknown(Type::Map(_) | Type::Object(_)) => {
                false
            }
            Kind::Unknown(Type::Any) => return Ok(Cow::Owned(Value::unknown(Type::Any))),
            _ => {
                let what = described(&value);
                let report =
                    Diagnostic::error("not-indexable", format!("{what} has no elements to index"))
                        .at(&index.span, "")
                        .also(&path.base.span, format!("{} is {what}", path.shown()));
                let report = match value.kind {
                    Kind::Set(..) | Kind::Unknown(Type::Set(_)) => {
                        report.help("elements of a set have no order: convert it with `tolist`")
                    }
                    _ => report,
                };
                return Err(path.note(report, &value).into());
            }
        };
        let of = if by_position { Type::Number } else { Type::String };
        let key = convert(&key, &of)
            .map_err(|error| conversion(&error, "this index does not fit", index, self.scope))?;
        let element = match (&value.kind, &key.kind) {
            (Kind::List(of, _) | Kind::Map(of, _), Kind::Unknown(_)) => {
                return Ok(Cow::Owned(Value::unknown(of.clone())));
            }
            (Kind::Unknown(Type::List(of) | Type::Map(of)), _) => {
                return Ok(Cow::Owned(Value::unknown((**of).clone())));
            }
            (Kind::Unknown(Type::Tuple(all)), Kind::Number(number)) => {
                let of = to_integer(number)
                    .and_then(|at| usize::try_from(at).ok())
                    .and_then(|at| all.get(at));
                match of {
                    Some(of) => return Ok(Cow::Owned(Value::unknown(of.clone()))),
                    None => None,
                }
            }
            (Kind::Unknown(Type::Object(all)), Kind::String(name)) => match all.get(&**name) {
                Some(attribute) => return Ok(Cow::Owned(Value::unknown(attribute.of.clone()))),
                None => None,
            },
            (_, Kind::Unknown(_)) => return Ok(Cow::Owned(Value::unknown(Type::Any))),
            (Kind::List(_, all) | Kind::Tuple(all), Kind::Number(number)) => to_integer(number)
                .and_then(|at| usize::try_from(at).ok())
                .and_then(|at| all.get(at)),
            (Kind::Map(_, all) | Kind::Object(all), Kind::String(name)) => all.get(&**name),
            _ => None,
        };
        if element.is_none() {
            return Err(self.no_element(&value, &key, index, path).into());
        }
        match value {
            Cow::Borrowed(value) => Ok(element_of(value, &key)
                .map_or_else(|| Cow::Owned(Value::unknown(Type::Any)), Cow::Borrowed)),
            Cow::Owned(_) => Ok(Cow::Owned(element.cloned().unwrap_or_else(Value::null))),
        }
    }

    fn no_element(
        &self,
        value: &Value,
        key: &Value,
        index: &Expression,
        path: &Path<'_>,
    ) -> Diagnostic {
        let text = path.shown();
        let shown = if key.marks.sensitive { "(sensitive value)".into() } else { key.excerpt(60) };
        let (summary, label, help) = match &value.kind {
            Kind::List(_, all) | Kind::Tuple(all) => (
                format!("there is no element {shown} in {text}"),
                match all.len() {
                    0 => format!("{text} is empty"),
                    length => format!("{text} has {}, counted from 0", count(length, "element")),
                },
                None,
            ),
            Kind::Map(_, all) | Kind::Object(all) => (
                format!("{text} has no element {shown}"),
                "not there".into(),
                key.as_str()
                    .filter(|_| !path.hidden)
                    .and_then(|name| did_you_mean(name, all.keys().map(String::as_str))),
            ),
            _ => (format!("{text} has no element {shown}"), "not there".into(), None),
        };
        let report =
            Diagnostic::error("unknown-element", summary).at(&index.span, label).maybe_help(help);
        with_values(path.note(report, value), &[index], self.scope)
    }
}

/// The object or map has no such attribute.
fn no_attribute(value: &Value, name: &Name, path: &Path<'_>) -> Diagnostic {
    let names: Vec<&str> = match &value.kind {
        Kind::Object(all) | Kind::Map(_, all) => all.keys().map(String::as_str).collect(),
        Kind::Unknown(Type::Object(all)) => all.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let names = if path.hidden { Vec::new() } else { names };
    let near = did_you_mean(&name.text, names.iter().copied());
    let (code, summary, help) = match path.names().as_deref() {
        Some(["var"]) => (
            "unknown-variable",
            format!("unknown variable `{}`", name.text),
            Some(format!("declare it with `variable \"{}\" {{}}`", name.text)),
        ),
        Some(["local"]) => (
            "unknown-local",
            format!("unknown local `{}`", name.text),
            Some(format!("declare it in a `locals` block: `{} = …`", name.text)),
        ),
        Some(["data", rest @ ..]) if rest.len() < 2 => {
            let way = [rest, &[name.text.as_str()]].concat().join(".");
            ("unknown-data-source", format!("unknown data source `{way}`"), None)
        }
        _ => {
            let what = match value.kind {
                Kind::Map(..) => "key",
                _ => "attribute",
            };
            let summary = format!("{} has no {what} `{}`", path.shown(), name.text);
            ("unknown-attribute", summary, None)
        }
    };
    let label = if matches!(code, "unknown-attribute") { "not there" } else { "not declared" };
    let mut report = Diagnostic::error(code, summary).at(&name.span, label);
    if near.is_none() && !names.is_empty() {
        report = report.note(format!("there is {}", listed(&names)));
    }
    report.maybe_help(near.or(help))
}

/// The value is nothing that has attributes.
fn no_attributes(value: &Value, name: &Name, path: &Path<'_>) -> Diagnostic {
    let what = described(value);
    let report =
        Diagnostic::error("unknown-attribute", format!("{what} has no attribute `{}`", name.text))
            .at(&name.span, "not there")
            .also(&path.base.span, format!("{} is {what}", path.shown()));
    let report = match value.kind {
        Kind::List(..) | Kind::Tuple(_) | Kind::Set(..) => report.help(format!(
            "take one element with `[0]`, or the attribute of each with `[*].{}`",
            name.text
        )),
        _ => report,
    };
    path.note(report, value)
}

fn element_of<'v>(value: &'v Value, key: &Value) -> Option<&'v Value> {
    match (&value.kind, &key.kind) {
        (Kind::List(_, all) | Kind::Tuple(all), Kind::Number(number)) => {
            all.get(usize::try_from(to_integer(number)?).ok()?)
        }
        (Kind::Map(_, all) | Kind::Object(all), Kind::String(name)) => all.get(&**name),
        _ => None,
    }
}

/// After `.*` come attributes and old-style `.0` indices; `[0]` is for the list of results.
fn belongs_to_splat(step: &Step) -> bool {
    match step {
        Step::Attribute(_) => true,
        Step::Index(index) => {
            let before = index.span.source().text().get(..index.span.range().start);
            before.is_some_and(|before| before.trim_end().ends_with('.'))
        }
        _ => false,
    }
}

/// How many values there are in `value`.
pub(super) fn size(value: &Value) -> usize {
    1 + match &value.kind {
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => all.iter().map(size).sum(),
        Kind::Map(_, all) | Kind::Object(all) => all.values().map(size).sum(),
        _ => 0,
    }
}

fn listed(names: &[&str]) -> String {
    let mut text: Vec<String> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
    if names.len() > 8 {
        text.push(format!("and {} more", names.len() - 8));
    }
    text.join(", ")
}

/// Where a name has a meaning that has none here, or what stands for a name of Terraform's.
fn known_elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "source" => "`source` is known in `source` blocks, provisioners and post-processors",
        "build" => "`build` is known in provisioners and post-processors",
        "each" => {
            "in the `content` of a `dynamic` block the element goes by the name of the block, or that of its `iterator`"
        }
        "count" => "there is no `count` here; use `for` or a `dynamic` block",
        "data" => "a data source is declared by `data \"TYPE\" \"NAME\" { … }`",
        "terraform" | "module" | "resource" => "this is a name of Terraform's, not of Packer's",
        _ => return None,
    })
}
