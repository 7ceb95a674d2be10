//! Calls of functions.

use super::evaluator::{Evaluator, Outcome};
use super::failure::{conversion, with_values};
use super::reference::references;
use super::traversal::size;
use super::type_expression::parse_type;
use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::template::function::{self, Body, Call, Function, Known, Parameter, Travel};
use crate::template::syntax::{Expression, Name};
use crate::value::{Kind, Marks, Type, Value, convert, count};

/// An argument that was evaluated, with the expression it came from.
struct Argument<'a> {
    value: Value,
    expression: &'a Expression,
}

/// Arguments of a call.
enum Spread<'a> {
    Known(Vec<Argument<'a>>),
    /// How many there are is not known yet; the marks of those that are there.
    Unknown(Marks),
}

impl Evaluator<'_> {
    pub(super) fn call(
        &self,
        name: &Name,
        arguments: &[Expression],
        expand: bool,
        whole: &Expression,
    ) -> Outcome {
        let Some(function) = function::find(&name.text) else {
            return Err(unknown_function(name).into());
        };
        match function.body {
            Body::Lazy => self.lazy_call(function, arguments, expand, whole),
            Body::Plain(body) => {
                if function.name == "env" && !self.scope.allows_env() {
                    return Err(Diagnostic::error(
                        "env-not-allowed",
                        "`env` can only be called in the default of a variable",
                    )
                    .at(&name.span, "not allowed here")
                    .help("declare a variable with `default = env(\"NAME\")` and use it here")
                    .into());
                }
                if matches!(function.name, "templatefile" | "templatestring")
                    && !self.scope.allows_templatefile()
                {
                    return Err(Diagnostic::error(
                        "templatefile-not-allowed",
                        format!("a template file cannot call `{}`", function.name),
                    )
                    .at(&name.span, "not allowed here")
                    .into());
                }
                let arguments = match self.arguments(arguments, expand)? {
                    Spread::Known(arguments) => arguments,
                    Spread::Unknown(marks) => {
                        return Ok(Value::unknown(function.returns.to_type()).marked(marks));
                    }
                };
                self.check_count(function, arguments.len(), name, whole)?;
                self.plain_call(function, body, arguments, whole)
            }
        }
    }

    /// The arguments, in which a last one with `...` is spread.
    fn arguments<'e>(
        &self,
        expressions: &'e [Expression],
        expand: bool,
    ) -> Result<Spread<'e>, Diagnostics> {
        let mut found = Diagnostics::new();
        let mut arguments: Vec<Argument<'e>> = expressions
            .iter()
            .filter_map(|expression| {
                let value = found.take(self.evaluate(expression))?;
                Some(Argument { value, expression })
            })
            .collect();
        if found.has_errors() {
            return Err(found);
        }
        if !expand {
            return Ok(Spread::Known(arguments));
        }
        let Some(last) = arguments.pop() else { return Ok(Spread::Known(arguments)) };
        let marks = last.value.marks;
        match last.value.kind {
            Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
                self.within(&last.expression.span, self.budget.values(all.len()))?;
                arguments.extend(all.into_iter().map(|value| Argument {
                    value: value.marked(marks),
                    expression: last.expression,
                }));
                Ok(Spread::Known(arguments))
            }
            Kind::Unknown(Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_)) => {
                let others = arguments.iter().map(|argument| argument.value.all_marks());
                Ok(Spread::Unknown(others.fold(marks, |all, one| all | one)))
            }
            kind => {
                let what = Value::new(kind).type_of().a_noun();
                let report = Diagnostic::error(
                    "type-mismatch",
                    format!("only a list can be spread with `...`, but this is {what}"),
                )
                .at(&last.expression.span, "not a list");
                Err(with_values(report, &[last.expression], self.scope).into())
            }
        }
    }

    fn check_count(
        &self,
        function: &Function,
        given: usize,
        name: &Name,
        whole: &Expression,
    ) -> Result<(), Diagnostics> {
        let least = function.parameters.len();
        if given >= least && (given == least || function.variadic.is_some()) {
            return Ok(());
        }
        let wanted = match (least, &function.variadic) {
            (least, Some(_)) => format!("at least {}", count(least, "argument")),
            (0, None) => "no arguments".to_owned(),
            (least, None) => count(least, "argument"),
        };
        let missing =
            function.parameters.get(given).map(|one| format!("`{}` is missing", one.name));
        Err(Diagnostic::error(
            "wrong-arguments",
            format!("`{}` takes {wanted}, not {given}", name.text),
        )
        .at(&whole.span, missing.unwrap_or_default())
        .note(format!("{}: {}", function.signature(), function.doc))
        .into())
    }

    fn plain_call(
        &self,
        function: &Function,
        body: fn(&Call<'_>) -> Result<Value, function::Failure>,
        arguments: Vec<Argument<'_>>,
        whole: &Expression,
    ) -> Outcome {
        let mut found = Diagnostics::new();
        let mut marks = Marks::NONE;
        let mut known = true;
        let mut values = Vec::with_capacity(arguments.len());
        let mut sensitive = Vec::with_capacity(arguments.len());
        for (at, argument) in arguments.iter().enumerate() {
            let Some(parameter) = function.parameters.get(at).or(function.variadic.as_ref()) else {
                continue;
            };
            sensitive.push(argument.value.all_marks().sensitive);
            let Some(value) = found.take(self.argument(function, parameter, argument)) else {
                continue;
            };
            known &= match parameter.known {
                Known::All => value.is_known(),
                Known::Shape => !matches!(value.kind, Kind::Unknown(_)),
                Known::Nothing => true,
            };
            values.push(match function.travel {
                Travel::All => {
                    marks |= value.all_marks();
                    value.without_marks()
                }
                Travel::Inside => {
                    marks |= value.marks;
                    Value::new(value.kind)
                }
                Travel::Own => value,
            });
        }
        if found.has_errors() {
            return Err(found);
        }
        if !known {
            // What is inside an argument may have been asked for, so all its marks count.
            let marks = arguments.iter().fold(marks, |marks, one| marks | one.value.all_marks());
            return Ok(Value::unknown(function.returns.to_type()).marked(marks));
        }
        let call = Call {
            arguments: &values,
            sensitive: &sensitive,
            scope: self.scope,
            span: &whole.span,
        };
        let value =
            body(&call).map_err(|failure| self.failed(function, failure, &arguments, whole))?;
        self.within(&whole.span, self.budget.values(size(&value)))?;
        if let Some(text) = value.as_str() {
            self.within(&whole.span, self.budget.text(text.len()))?;
        }
        Ok(value.marked(marks))
    }

    fn argument(
        &self,
        function: &Function,
        parameter: &Parameter,
        argument: &Argument<'_>,
    ) -> Outcome {
        if argument.value.is_null() && !parameter.nullable {
            let report = Diagnostic::error(
                "null-argument",
                format!("`{}` of `{}` must not be null", parameter.name, function.name),
            )
            .at(&argument.expression.span, "null");
            return Err(with_values(report, &[argument.expression], self.scope).into());
        }
        let of = parameter.of.to_type();
        convert(&argument.value, &of).map_err(|error| {
            let what = format!("`{}` of `{}` does not fit", parameter.name, function.name);
            conversion(&error, &what, argument.expression, self.scope)
                .note(format!("{}: {}", function.signature(), function.doc))
                .into()
        })
    }

    fn failed(
        &self,
        function: &Function,
        failure: function::Failure,
        arguments: &[Argument<'_>],
        whole: &Expression,
    ) -> Diagnostics {
        let blamed = failure.argument.and_then(|at| arguments.get(at)).map(|one| one.expression);
        let span = blamed.map_or(&whole.span, |expression| &expression.span);
        // What is wrong inside a template file is told at its place there.
        if failure.inner.has_errors() {
            let label = format!("`{}` renders it here", function.name);
            let inner = failure.inner.into_iter();
            return inner.map(|report| report.also(span, &*label)).collect();
        }
        let report = Diagnostic::error(
            "function-failed",
            format!("`{}`: {}", function.name, failure.message),
        )
        .at(span, "")
        .maybe_help(failure.help);
        let involved: Vec<&Expression> = match blamed {
            Some(expression) => vec![expression],
            None => arguments.iter().map(|argument| argument.expression).collect(),
        };
        with_values(report, &involved, self.scope).into()
    }

    /// `try`, `can` and `convert`, which look at their arguments' expressions.
    fn lazy_call(
        &self,
        function: &Function,
        arguments: &[Expression],
        expand: bool,
        whole: &Expression,
    ) -> Outcome {
        let wrong = |wanted: &str| {
            Diagnostics::from(
                Diagnostic::error("wrong-arguments", format!("`{}` takes {wanted}", function.name))
                    .at(&whole.span, "")
                    .note(format!("{}: {}", function.signature(), function.doc)),
            )
        };
        if expand {
            return Err(wrong("no `...`"));
        }
        match (function.name, arguments) {
            ("try", [_, ..]) => self.try_each(arguments, whole),
            ("try", []) => Err(wrong("at least one argument")),
            ("can", [expression]) => {
                if self.depends_on_unknown(expression) {
                    return Ok(Value::unknown(Type::Bool));
                }
                Ok(Value::bool(self.evaluate(expression).is_ok()))
            }
            ("can", _) => Err(wrong("one argument")),
            (_, [value, of]) => {
                let of = parse_type(of)?;
                self.converted(value, &of, "this does not convert")
            }
            _ => Err(wrong("a value and a type")),
        }
    }

    fn try_each(&self, arguments: &[Expression], whole: &Expression) -> Outcome {
        let mut reasons = Vec::new();
        for expression in arguments {
            if self.depends_on_unknown(expression) {
                // Whether it succeeds can only be said once it is known.
                let marks =
                    self.evaluate(expression).map_or(Marks::NONE, |value| value.all_marks());
                return Ok(Value::unknown(Type::Any).marked(marks));
            }
            match self.evaluate(expression) {
                Ok(value) => return Ok(value),
                Err(found) => {
                    reasons.extend(found.into_iter().next().map(|report| (expression, report)));
                }
            }
        }
        let mut report = Diagnostic::error("try-failed", "no argument of `try` succeeded")
            .at(&whole.span, "all failed");
        for (expression, reason) in reasons {
            let span = reason.primary.as_ref().map_or(&expression.span, |label| &label.span);
            report = report.also(span, reason.summary.clone());
        }
        Err(report.into())
    }

    /// Whether a name in `expression` stands for something that is not wholly known.
    fn depends_on_unknown(&self, expression: &Expression) -> bool {
        references(expression).iter().any(|reference| {
            let Some(mut value) = self.scope.get(&reference.root) else { return false };
            for name in &reference.path {
                let inner = match &value.kind {
                    Kind::Object(all) | Kind::Map(_, all) => all.get(name),
                    Kind::Unknown(_) => return true,
                    _ => return false,
                };
                match inner {
                    Some(inner) => value = inner,
                    None => return false,
                }
            }
            !value.is_known()
        })
    }
}

fn unknown_function(name: &Name) -> Diagnostic {
    let names = function::all().map(|function| function.name);
    let report = Diagnostic::error("unknown-function", format!("unknown function `{}`", name.text))
        .at(&name.span, "not a function");
    match function::instead_of(&name.text) {
        Some(instead) => report.help(instead),
        None => report.maybe_help(did_you_mean(&name.text, names)),
    }
}
