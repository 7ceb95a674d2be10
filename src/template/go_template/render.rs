//! From the syntax tree to text.

use std::collections::{BTreeMap, HashSet};
use std::ops::{Deref, Range};
use std::rc::Rc;

use super::builtin;
use super::format::{self, Buffer};
use super::syntax::{Branch, Command, Node, Nodes, Operand, Pipeline, Term};
use super::{Data, Effect, Functions, RenderError};
use crate::diagnostic::{did_you_mean, similar};

/// Bytes of the longest text that a function may produce, and that a render may add to the
/// template's own length.
pub(super) const LONGEST: usize = 32 << 20;
/// Bytes of all values that may be made or copied in one render.
const PRODUCED: usize = 256 << 20;
/// Nodes and operands that one render may visit.
const STEPS: usize = 2_000_000;
/// How deep templates may call each other, counted in blocks and parentheses.
const DEPTH: usize = 100;

/// A rendered template and what a caller should know about how it came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Actions that use a field that nobody supplied; each stands in the text as it was
    /// written. A place that was rendered several times is listed once.
    pub kept: Vec<KeptField>,
    /// Calls of functions that give something else at the next run.
    pub volatile: Vec<Range<usize>>,
    /// What was looked up: variables, environment, secrets, values of the build.
    pub lookups: Vec<Lookup>,
}

impl Rendered {
    /// The keys that `function` was asked for, such as the variables for `user`.
    pub fn looked_up<'a>(&'a self, function: &'a str) -> impl Iterator<Item = &'a str> {
        self.lookups
            .iter()
            .filter(move |lookup| lookup.function == function)
            .map(|lookup| lookup.key.as_str())
    }
}

/// An action that was kept because of an unknown field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptField {
    /// The bytes of the template that were kept: an action, or a block up to its `{{end}}`.
    pub range: Range<usize>,
    /// The bytes of the field; for a variable's value, where the variable got it.
    pub field: Range<usize>,
    /// The field as written, such as `.Names` or `$x.Names`; all that the action evaluates when
    /// it is there, but nil.
    pub name: String,
    /// A field with a similar name, if there is one.
    pub similar: Option<String>,
}

/// A function asked the caller for something by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The function, such as `user`.
    pub function: String,
    /// Its first argument.
    pub key: String,
    /// The bytes of the call.
    pub range: Range<usize>,
}

/// A value that is cheap to copy: one of the caller's or of the template, or one that was made.
#[derive(Clone, Debug)]
enum Value<'r> {
    Given(&'r Data),
    Made(Rc<Data>),
}

impl<'r> Value<'r> {
    fn made(value: Data) -> Self {
        Value::Made(Rc::new(value))
    }

    /// A part of the value; a copy where the value was made.
    fn part(&self, get: impl for<'d> Fn(&'d Data) -> Option<&'d Data>) -> Option<Value<'r>> {
        match self {
            Value::Given(data) => get(data).map(Value::Given),
            Value::Made(data) => get(data).cloned().map(Value::made),
        }
    }
}

impl Deref for Value<'_> {
    type Target = Data;

    fn deref(&self) -> &Data {
        match self {
            Value::Given(value) => value,
            Value::Made(value) => value,
        }
    }
}

/// A field that nobody supplied.
#[derive(Clone, Debug)]
struct Unknown {
    range: Range<usize>,
    name: String,
    similar: Option<String>,
}

/// Why an evaluation ended early.
enum Stop {
    Unknown(Unknown),
    Failed(RenderError),
}

impl From<RenderError> for Stop {
    fn from(error: RenderError) -> Self {
        Stop::Failed(error)
    }
}

/// What a node asks of the `range` around it.
#[derive(Clone, Copy, PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
}

/// What a template consists of, for the renderer.
pub(super) struct Sources<'r> {
    pub(super) text: &'r str,
    pub(super) root: &'r Nodes,
    pub(super) definitions: &'r BTreeMap<String, Nodes>,
}

pub(super) fn render(
    sources: &Sources<'_>,
    data: &Data,
    functions: &dyn Functions,
) -> Result<Rendered, RenderError> {
    let dot = Value::Given(data);
    let mut renderer = Renderer {
        text: sources.text,
        definitions: sources.definitions,
        functions,
        rendered: Rendered::default(),
        variables: vec![("$", Ok(dot.clone()))],
        noted: HashSet::new(),
        steps: 0,
        produced: 0,
        depth: 0,
    };
    renderer.nodes(sources.root, &dot)?;
    Ok(renderer.rendered)
}

struct Renderer<'r> {
    text: &'r str,
    definitions: &'r BTreeMap<String, Nodes>,
    functions: &'r dyn Functions,
    rendered: Rendered,
    /// The variables in scope, the innermost last. One may stand for an unknown field.
    variables: Vec<(&'r str, Result<Value<'r>, Unknown>)>,
    /// What was noted already, by place and name: `range` visits places again and again.
    noted: HashSet<(usize, String)>,
    steps: usize,
    produced: usize,
    depth: usize,
}

impl<'r> Renderer<'r> {
    fn step(&mut self, range: &Range<usize>) -> Result<(), RenderError> {
        self.steps += 1;
        if self.steps > STEPS {
            return Err(RenderError::new(format!("gave up after {STEPS} steps"), range));
        }
        Ok(())
    }

    fn deeper(&mut self, range: &Range<usize>) -> Result<(), RenderError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(RenderError::new(
                format!("templates call each other more than {DEPTH} levels deep"),
                range,
            ));
        }
        Ok(())
    }

    /// Accounts for a value that was made.
    fn produce(&mut self, value: &Data, range: &Range<usize>) -> Result<(), RenderError> {
        self.produced = self.produced.saturating_add(value.weight());
        if self.produced > PRODUCED {
            return Err(RenderError::new(
                format!("more than {PRODUCED} bytes of values were made"),
                range,
            ));
        }
        Ok(())
    }

    /// Accounts for a part of a value, which may be a copy.
    fn copied(&mut self, part: &Value<'r>, range: &Range<usize>) -> Result<(), RenderError> {
        match part {
            Value::Given(_) => Ok(()),
            Value::Made(copy) => self.produce(copy, range),
        }
    }

    fn write(&mut self, text: &str, range: &Range<usize>) -> Result<(), RenderError> {
        let longest = LONGEST + self.text.len();
        if text.len() > longest.saturating_sub(self.rendered.text.len()) {
            return Err(RenderError::new(builtin::too_long(longest), range));
        }
        self.rendered.text.push_str(text);
        Ok(())
    }

    fn source(&self, range: &Range<usize>) -> &'r str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// Leaves an action in the text as it was written.
    fn keep(&mut self, range: &Range<usize>, unknown: Unknown) -> Result<(), RenderError> {
        self.write(self.source(range), range)?;
        let kept = KeptField {
            range: range.clone(),
            field: unknown.range,
            name: unknown.name,
            similar: unknown.similar,
        };
        if self.noted.insert((range.start, kept.name.clone())) {
            self.rendered.kept.push(kept);
        }
        Ok(())
    }

    fn nodes(&mut self, nodes: &'r Nodes, dot: &Value<'r>) -> Result<Flow, RenderError> {
        for node in nodes {
            let flow = self.node(node, dot)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &'r Node, dot: &Value<'r>) -> Result<Flow, RenderError> {
        match node {
            Node::Text(range) => {
                self.step(range)?;
                self.write(self.source(range), range)?;
                Ok(Flow::Next)
            }
            Node::Action { range, pipeline } => {
                self.step(range)?;
                match self.action(pipeline, dot) {
                    Ok(()) => {}
                    Err(Stop::Unknown(unknown)) => self.keep(range, unknown)?,
                    Err(Stop::Failed(error)) => return Err(error),
                }
                Ok(Flow::Next)
            }
            Node::If { range, branches, otherwise } => {
                self.block(range, |renderer| renderer.branches(branches, otherwise, dot, false))
            }
            Node::With { range, branches, otherwise } => {
                self.block(range, |renderer| renderer.branches(branches, otherwise, dot, true))
            }
            Node::Range { range, pipeline, body, otherwise } => {
                self.block(range, |renderer| renderer.range(pipeline, body, otherwise, dot))
            }
            Node::Template { range, name, pipeline } => self.block(range, |renderer| {
                renderer.template(range, name, pipeline.as_ref(), dot)?;
                Ok(Flow::Next)
            }),
            Node::Break => Ok(Flow::Break),
            Node::Continue => Ok(Flow::Continue),
        }
    }

    /// Runs a block in a scope of its own; one that depends on an unknown field is kept.
    fn block(
        &mut self,
        range: &Range<usize>,
        run: impl FnOnce(&mut Self) -> Result<Flow, Stop>,
    ) -> Result<Flow, RenderError> {
        self.step(range)?;
        self.deeper(range)?;
        let scope = self.variables.len();
        let result = run(self);
        self.variables.truncate(scope);
        self.depth -= 1;
        match result {
            Ok(flow) => Ok(flow),
            Err(Stop::Unknown(unknown)) => self.keep(range, unknown).map(|()| Flow::Next),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn action(&mut self, pipeline: &'r Pipeline, dot: &Value<'r>) -> Result<(), Stop> {
        let value = self.pipeline(pipeline, dot)?;
        if !pipeline.variables.is_empty() {
            return Ok(());
        }
        match &*value {
            Data::Nil => Err(Stop::Unknown(Unknown {
                range: pipeline.range.clone(),
                name: self.source(&pipeline.range).to_owned(),
                similar: None,
            })),
            Data::String(text) => Ok(self.write(text, &pipeline.range)?),
            other => {
                let mut buffer = Buffer::new(LONGEST);
                format::print_value(&mut buffer, other);
                let text = buffer
                    .finish()
                    .ok_or_else(|| RenderError::new(builtin::too_long(LONGEST), &pipeline.range))?;
                Ok(self.write(&text, &pipeline.range)?)
            }
        }
    }

    fn branches(
        &mut self,
        branches: &'r [Branch],
        otherwise: &'r Nodes,
        dot: &Value<'r>,
        rebinds: bool,
    ) -> Result<Flow, Stop> {
        for branch in branches {
            let value = self.pipeline(&branch.condition, dot)?;
            if value.is_true() {
                return Ok(self.nodes(&branch.body, if rebinds { &value } else { dot })?);
            }
        }
        Ok(self.nodes(otherwise, dot)?)
    }

    fn range(
        &mut self,
        pipeline: &'r Pipeline,
        body: &'r Nodes,
        otherwise: &'r Nodes,
        dot: &Value<'r>,
    ) -> Result<Flow, Stop> {
        let value = self.commands(pipeline, dot)?;
        // With `=` the names stand for existing variables; each round sets them.
        if !pipeline.assigns {
            for name in &pipeline.variables {
                self.variables.push((name, Ok(Value::made(Data::Nil))));
            }
        }
        let rounds = match &*value {
            Data::Nil => 0,
            Data::List(items) => items.len(),
            Data::Map(fields) => fields.len(),
            Data::Integer(_) if pipeline.variables.len() > 1 => {
                return Err(fail("a number gives only one variable to `range`", pipeline));
            }
            Data::Integer(count) => usize::try_from(*count).unwrap_or(0),
            other => {
                return Err(fail(
                    format!("`range` takes a list, a map or an integer, not {}", other.kind()),
                    pipeline,
                ));
            }
        };
        // Maps have no positions; their keys are listed once.
        let keys: Vec<String> = match &*value {
            Data::Map(fields) => fields.keys().cloned().collect(),
            _ => Vec::new(),
        };
        for round in 0..rounds {
            self.step(&pipeline.range)?;
            let (key, item) = self.item(&value, &keys, round, pipeline)?;
            match pipeline.variables.as_slice() {
                [] => {}
                [only] => self.assign(only, Ok(item.clone())),
                [first, second, ..] => {
                    self.assign(first, Ok(key));
                    self.assign(second, Ok(item.clone()));
                }
            }
            let scope = self.variables.len();
            let flow = self.nodes(body, &item)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        if rounds == 0 { Ok(self.nodes(otherwise, dot)?) } else { Ok(Flow::Next) }
    }

    /// The key and the element of a round of `range`.
    fn item(
        &mut self,
        value: &Value<'r>,
        keys: &[String],
        round: usize,
        pipeline: &Pipeline,
    ) -> Result<(Value<'r>, Value<'r>), RenderError> {
        let number = Value::made(Data::Integer(i64::try_from(round).unwrap_or(i64::MAX)));
        if let Data::Integer(_) = **value {
            return Ok((number.clone(), number));
        }
        let key = keys.get(round);
        let item = value.part(|data| match data {
            Data::List(items) => items.get(round),
            Data::Map(fields) => fields.get(key?),
            _ => None,
        });
        let item = item.unwrap_or_else(|| Value::made(Data::Nil));
        self.copied(&item, &pipeline.range)?;
        Ok((key.map_or(number, |key| Value::made(Data::String(key.clone()))), item))
    }

    fn template(
        &mut self,
        range: &Range<usize>,
        name: &str,
        pipeline: Option<&'r Pipeline>,
        dot: &Value<'r>,
    ) -> Result<(), Stop> {
        let Some(nodes) = self.definitions.get(name) else {
            let known = self.definitions.keys().map(String::as_str);
            let error = RenderError::new(format!("template `{name}` is not defined"), range);
            return Err(error.maybe_help(did_you_mean(name, known)).into());
        };
        let value = match pipeline {
            Some(pipeline) => self.pipeline(pipeline, dot)?,
            None => Value::made(Data::Nil),
        };
        let outside = std::mem::replace(&mut self.variables, vec![("$", Ok(value.clone()))]);
        let result = self.nodes(nodes, &value);
        self.variables = outside;
        result?;
        Ok(())
    }

    fn assign(&mut self, name: &str, value: Result<Value<'r>, Unknown>) {
        if let Some((_, slot)) = self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            *slot = value;
        }
    }

    /// Evaluates a pipeline and sets its variables.
    fn pipeline(&mut self, pipeline: &'r Pipeline, dot: &Value<'r>) -> Result<Value<'r>, Stop> {
        let result = self.commands(pipeline, dot);
        if let Some(name) = pipeline.variables.first() {
            let value = match &result {
                Ok(value) => Ok(value.clone()),
                Err(Stop::Unknown(unknown)) => Err(unknown.clone()),
                Err(Stop::Failed(_)) => return result,
            };
            if pipeline.assigns {
                self.assign(name, value);
            } else {
                self.variables.push((name, value));
            }
        }
        result
    }

    fn commands(&mut self, pipeline: &'r Pipeline, dot: &Value<'r>) -> Result<Value<'r>, Stop> {
        let mut piped = None;
        for command in &pipeline.commands {
            piped = Some(self.command(command, dot, piped)?);
        }
        Ok(piped.unwrap_or_else(|| Value::made(Data::Nil)))
    }

    fn command(
        &mut self,
        command: &'r Command,
        dot: &Value<'r>,
        piped: Option<Value<'r>>,
    ) -> Result<Value<'r>, Stop> {
        let first = &command.first;
        if let (Term::Function(name), []) = (&first.term, first.fields.as_slice()) {
            return self.function(name, command, dot, piped);
        }
        if let Term::Nil = first.term {
            return Err(RenderError::new("`nil` is not a command", &first.range).into());
        }
        let value = self.operand(first, dot)?;
        if !command.arguments.is_empty() || piped.is_some() {
            return Err(RenderError::new(
                format!("`{}` is not a function and takes no arguments", self.source(&first.range)),
                &command.range,
            )
            .into());
        }
        Ok(value)
    }

    fn operand(&mut self, operand: &'r Operand, dot: &Value<'r>) -> Result<Value<'r>, Stop> {
        self.step(&operand.range)?;
        let mut value = match &operand.term {
            Term::Dot => dot.clone(),
            Term::Nil => Value::made(Data::Nil),
            Term::Literal(literal) => Value::Given(literal),
            Term::Variable(name) => self.variable(name, operand)?,
            Term::Function(name) => self.call(name, &[], &operand.range)?,
            Term::Parentheses(inner) => {
                self.deeper(&operand.range)?;
                let value = self.pipeline(inner, dot);
                self.depth -= 1;
                value?
            }
        };
        for field in &operand.fields {
            let found = value.part(|data| match data {
                Data::Map(fields) => fields.get(&field.name),
                _ => None,
            });
            let Some(found) = found else {
                let similar = match &*value {
                    Data::Map(fields) => similar(&field.name, fields.keys().map(String::as_str)),
                    _ => None,
                };
                let range = operand.range.start..field.range.end;
                return Err(Stop::Unknown(Unknown {
                    name: self.source(&range).to_owned(),
                    similar: similar.map(str::to_owned),
                    range,
                }));
            };
            self.copied(&found, &field.range)?;
            value = found;
        }
        Ok(value)
    }

    fn variable(&self, name: &str, operand: &Operand) -> Result<Value<'r>, Stop> {
        match self.variables.iter().rev().find(|(known, _)| *known == name) {
            Some((_, Ok(value))) => Ok(value.clone()),
            Some((_, Err(unknown))) => Err(Stop::Unknown(unknown.clone())),
            None => {
                let message = format!("undefined variable `{name}`");
                Err(RenderError::new(message, &operand.range).into())
            }
        }
    }

    fn function(
        &mut self,
        name: &'r str,
        command: &'r Command,
        dot: &Value<'r>,
        piped: Option<Value<'r>>,
    ) -> Result<Value<'r>, Stop> {
        self.step(&command.range)?;
        if matches!(name, "and" | "or") {
            return self.choose(name, command, dot, piped);
        }
        let mut arguments = Vec::with_capacity(command.arguments.len() + 1);
        for argument in &command.arguments {
            let value = self.operand(argument, dot)?;
            arguments.push(self.argument(value, &argument.range)?);
        }
        if let Some(value) = piped {
            arguments.push(self.argument(value, &command.range)?);
        }
        self.call(name, &arguments, &command.range)
    }

    /// A value as functions take it, which needs a copy where it is used elsewhere, too.
    fn argument(&mut self, value: Value<'r>, range: &Range<usize>) -> Result<Data, RenderError> {
        match value {
            Value::Given(data) => {
                self.produce(data, range)?;
                Ok(data.clone())
            }
            Value::Made(data) => match Rc::try_unwrap(data) {
                Ok(data) => Ok(data),
                Err(shared) => {
                    self.produce(&shared, range)?;
                    Ok((*shared).clone())
                }
            },
        }
    }

    /// `and` and `or` give the argument that decides, and evaluate none behind it. An unknown
    /// field decides nothing for `or` as long as another argument follows.
    fn choose(
        &mut self,
        name: &str,
        command: &'r Command,
        dot: &Value<'r>,
        piped: Option<Value<'r>>,
    ) -> Result<Value<'r>, Stop> {
        let count = command.arguments.len() + usize::from(piped.is_some());
        let mut last = None;
        for (index, argument) in command.arguments.iter().enumerate() {
            let value = match self.operand(argument, dot) {
                Err(Stop::Unknown(_)) if name == "or" && index + 1 < count => continue,
                value => value?,
            };
            if value.is_true() == (name == "or") {
                return Ok(value);
            }
            last = Some(value);
        }
        piped.or(last).ok_or_else(|| {
            let message = format!("`{name}` takes at least 1 argument");
            RenderError::new(message, &command.range).into()
        })
    }

    fn call(
        &mut self,
        name: &str,
        arguments: &[Data],
        range: &Range<usize>,
    ) -> Result<Value<'r>, Stop> {
        let result = if builtin::NAMES.contains(&name) {
            builtin::call(name, arguments, LONGEST)
        } else {
            match self.functions.call(name, arguments) {
                Some(result) => {
                    self.note(name, arguments, range);
                    result
                }
                None => Err(format!("`{name}` is not a function")),
            }
        };
        let value = result.map_err(|message| RenderError::new(message, range))?;
        self.produce(&value, range)?;
        Ok(Value::made(value))
    }

    /// Remembers what a call of the caller's functions depended on.
    fn note(&mut self, name: &str, arguments: &[Data], range: &Range<usize>) {
        match self.functions.effect(name) {
            Effect::Pure => {}
            Effect::Volatile => {
                if self.noted.insert((range.start, String::new())) {
                    self.rendered.volatile.push(range.clone());
                }
            }
            Effect::Lookup => {
                let key = match arguments.first() {
                    Some(Data::String(key)) => key.clone(),
                    _ => return,
                };
                let lookup = Lookup { function: name.to_owned(), key, range: range.clone() };
                if self.noted.insert((range.start, lookup.key.clone())) {
                    self.rendered.lookups.push(lookup);
                }
            }
        }
    }
}

fn fail(message: impl Into<String>, pipeline: &Pipeline) -> Stop {
    Stop::Failed(RenderError::new(message, &pipeline.range))
}
