//! What is said of a function, and what it gets.

use std::fmt;

use crate::diagnostic::{Diagnostics, Span};
use crate::template::evaluate::{FunctionContext, Scope};
use crate::value::{Kind, Number, Type, Value, floor, to_integer};

/// A function.
#[derive(Debug)]
pub struct Function {
    /// Its name in templates.
    pub name: &'static str,
    /// Its parameters in order.
    pub parameters: &'static [Parameter],
    /// A parameter that may come any number of times after the others.
    pub variadic: Option<Parameter>,
    /// What it gives.
    pub returns: Of,
    /// What it does, in a sentence.
    pub doc: &'static str,
    pub(crate) travel: Travel,
    pub(crate) body: Body,
}

/// A parameter of a function.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name, for messages.
    pub name: &'static str,
    /// What arguments are converted to.
    pub of: Of,
    /// Whether it takes null.
    pub(crate) nullable: bool,
    /// What of an argument has to be known before the function can be called.
    pub(crate) known: Known,
}

/// A type that can stand in a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of types")]
pub enum Of {
    Any,
    Bool,
    Number,
    String,
    List(&'static Of),
    Set(&'static Of),
    Map(&'static Of),
}

/// How marks of arguments get to the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Travel {
    /// The result gets all marks, also those inside of arguments.
    All,
    /// The result gets the marks of the arguments themselves; those inside travel with the values
    /// that carry them.
    Inside,
    /// The function does it.
    Own,
}

/// How much of an argument has to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// All of it.
    All,
    /// Itself, but not what is inside.
    Shape,
    /// Nothing.
    Nothing,
}

/// What a function does.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    /// Gets values.
    Plain(fn(&Call<'_>) -> Result<Value, Failure>),
    /// Gets expressions: the evaluator knows it.
    Lazy,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Body::Plain(_) => "Plain",
            Body::Lazy => "Lazy",
        })
    }
}

impl Function {
    pub(crate) const fn new(
        name: &'static str,
        parameters: &'static [Parameter],
        returns: Of,
        doc: &'static str,
        body: fn(&Call<'_>) -> Result<Value, Failure>,
    ) -> Self {
        let body = Body::Plain(body);
        Self { name, parameters, variadic: None, returns, doc, travel: Travel::All, body }
    }

    /// A function that the evaluator itself carries out.
    pub(crate) const fn lazy(
        name: &'static str,
        parameters: &'static [Parameter],
        doc: &'static str,
    ) -> Self {
        let (returns, travel, body) = (Of::Any, Travel::Own, Body::Lazy);
        Self { name, parameters, variadic: None, returns, doc, travel, body }
    }

    pub(crate) const fn variadic(mut self, parameter: Parameter) -> Self {
        self.variadic = Some(parameter);
        self
    }

    /// Parts of arguments become parts of the result, with their marks.
    pub(crate) const fn inside(mut self) -> Self {
        self.travel = Travel::Inside;
        self
    }

    /// The function looks after marks itself.
    pub(crate) const fn own_marks(mut self) -> Self {
        self.travel = Travel::Own;
        self
    }

    /// How it is called: `substr(text, offset, length)`.
    pub fn signature(&self) -> String {
        let mut parts: Vec<String> =
            self.parameters.iter().map(|one| format!("{}: {}", one.name, one.of)).collect();
        if let Some(more) = &self.variadic {
            parts.push(format!("{}: {}...", more.name, more.of));
        }
        format!("{}({})", self.name, parts.join(", "))
    }
}

impl Parameter {
    const fn new(name: &'static str, of: Of) -> Self {
        Self { name, of, nullable: false, known: Known::All }
    }

    /// It also takes null.
    pub(crate) const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// What is inside of it may be unknown.
    pub(crate) const fn shape(mut self) -> Self {
        self.known = Known::Shape;
        self
    }

    /// It may be unknown.
    pub(crate) const fn unknown(mut self) -> Self {
        self.known = Known::Nothing;
        self
    }
}

pub(crate) const fn any(name: &'static str) -> Parameter {
    Parameter::new(name, Of::Any)
}

pub(crate) const fn string(name: &'static str) -> Parameter {
    Parameter::new(name, Of::String)
}

pub(crate) const fn number(name: &'static str) -> Parameter {
    Parameter::new(name, Of::Number)
}

pub(crate) const fn strings(name: &'static str) -> Parameter {
    Parameter::new(name, Of::List(&Of::String))
}

pub(crate) const fn list(name: &'static str) -> Parameter {
    Parameter::new(name, Of::List(&Of::Any))
}

pub(crate) const fn bools(name: &'static str) -> Parameter {
    Parameter::new(name, Of::List(&Of::Bool))
}

impl Of {
    /// The type.
    pub fn to_type(self) -> Type {
        match self {
            Of::Any => Type::Any,
            Of::Bool => Type::Bool,
            Of::Number => Type::Number,
            Of::String => Type::String,
            Of::List(of) => Type::List(Box::new(of.to_type())),
            Of::Set(of) => Type::Set(Box::new(of.to_type())),
            Of::Map(of) => Type::Map(Box::new(of.to_type())),
        }
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_type().fmt(f)
    }
}

/// Arguments of one call: converted, and as known as their parameters ask for.
pub(crate) struct Call<'a> {
    pub(crate) arguments: &'a [Value],
    /// Which arguments are sensitive, or hold something that is.
    pub(crate) sensitive: &'a [bool],
    pub(crate) scope: &'a Scope<'a>,
    /// Where the call stands.
    pub(crate) span: &'a Span,
}

/// What a call may see of the machine and the moment.
pub(crate) struct CallContext<'a> {
    context: &'a FunctionContext,
    span: &'a Span,
}

impl CallContext<'_> {
    /// Sixteen fresh random bytes. They depend on the place of the call and not on what was
    /// evaluated before, so that evaluating again, with more known, gives the same ones.
    pub(crate) fn random(&self) -> [u8; 16] {
        self.context.random(self.span)
    }
}

impl std::ops::Deref for CallContext<'_> {
    type Target = FunctionContext;

    fn deref(&self) -> &FunctionContext {
        self.context
    }
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The argument it is about.
    pub(crate) argument: Option<usize>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    /// What was found in a file that the function evaluated.
    pub(crate) inner: Diagnostics,
}

pub(crate) type Outcome = Result<Value, Failure>;

impl Failure {
    /// A failure because of argument `at`, counted from zero.
    pub(crate) fn of(at: usize, message: impl Into<String>) -> Self {
        Self { argument: Some(at), ..Self::new(message) }
    }

    /// A failure of the whole call.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { argument: None, message: message.into(), help: None, inner: Diagnostics::new() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl<'a> Call<'a> {
    pub(crate) fn context(&self) -> CallContext<'a> {
        CallContext { context: self.scope.context(), span: self.span }
    }

    pub(crate) fn get(&self, at: usize) -> Option<&'a Value> {
        self.arguments.get(at)
    }

    /// Argument `at`, a string by its parameter.
    pub(crate) fn text(&self, at: usize) -> &'a str {
        self.get(at).and_then(Value::as_str).unwrap_or_default()
    }

    /// Argument `at`, a number by its parameter.
    pub(crate) fn number(&self, at: usize) -> Number {
        match self.get(at).map(|value| &value.kind) {
            Some(Kind::Number(number)) => number.clone(),
            _ => Number::default(),
        }
    }

    /// Argument `at`, a number by its parameter, that has to be whole.
    pub(crate) fn integer(&self, at: usize) -> Result<i64, Failure> {
        let number = self.number(at);
        to_integer(&number).ok_or_else(|| {
            if floor(&number) == number {
                return Failure::of(at, "this whole number is too large");
            }
            Failure::of(at, format!("a whole number is required, but this is {}", self.shown(at)))
        })
    }

    /// Argument `at`, a whole number that counts something.
    pub(crate) fn size(&self, at: usize) -> Result<usize, Failure> {
        usize::try_from(self.integer(at)?).map_err(|_| {
            let given = self.shown(at);
            Failure::of(at, format!("a number of at least zero is required, but this is {given}"))
        })
    }

    /// The elements of argument `at`: a list, set or tuple.
    pub(crate) fn elements(&self, at: usize) -> Result<&'a [Value], Failure> {
        match self.get(at).map(|value| &value.kind) {
            Some(Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all)) => Ok(all),
            Some(kind) => {
                let what = Value::new(kind.clone()).type_of().a_noun();
                Err(Failure::of(at, format!("a list is required, but this is {what}")))
            }
            None => Ok(&[]),
        }
    }

    /// Argument `at` as an error may show it.
    pub(crate) fn shown(&self, at: usize) -> String {
        match self.get(at) {
            Some(value) if !self.is_sensitive(at) => value.excerpt(60),
            _ => "(sensitive value)".into(),
        }
    }

    pub(crate) fn is_sensitive(&self, at: usize) -> bool {
        self.sensitive.get(at).copied().unwrap_or(true)
    }

    /// What another program or library says of argument `at`, unless it might quote a secret.
    pub(crate) fn detail(&self, at: usize, detail: impl fmt::Display) -> String {
        if self.is_sensitive(at) { String::new() } else { format!(": {detail}") }
    }
}
