//! Values of variables: defaults, environment, files, command line (`packer-core.md` section 1.5).

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span, did_you_mean};
use crate::value::{Kind, Marks, Type, Value, convert};

use super::call_names::calls;
use super::validation;
use crate::template::declaration::{Template, Variable};
use crate::template::evaluate::{Scope, evaluate, parse_quoted_type, parse_type, references};
use crate::template::load::read_source;
use crate::template::syntax::{Dialect, Expression, parse_expression, parse_hcl, parse_hcl_json};

/// Where values come from, besides the defaults.
#[derive(Clone, Debug, Default)]
pub struct VariableInputs {
    /// `-var name=value`, in order.
    pub command_line: Vec<(String, String)>,
    /// Variable files, lowest precedence first.
    pub files: Vec<PathBuf>,
    /// `PKR_VAR_name`, without the prefix.
    pub environment: BTreeMap<String, String>,
    /// Whether values in files for variables that are not declared are worth a warning.
    pub warn_of_undeclared: bool,
}

/// A value as it was given: an expression, or text that is a literal or an expression by type.
enum Given {
    Text(String, Span),
    Expression(Expression),
}

/// Gives every declared variable its value: the `var` object.
pub(in crate::template) fn assign(
    template: &Template,
    inputs: &VariableInputs,
    scope: &Scope<'_>,
    found: &mut Diagnostics,
) -> BTreeMap<String, Value> {
    let mut given = given_values(template, inputs, found);
    let mut values = BTreeMap::new();
    for variable in &template.variables {
        let given = given.remove(&variable.name.text);
        if let Some(value) = value_of(variable, given, scope, found) {
            let marks = if variable.sensitive { Marks::SENSITIVE } else { Marks::NONE };
            let value = mark_leaves(value, marks);
            validation::apply(variable, &value, scope, found);
            values.insert(variable.name.text.clone(), value);
        }
    }
    values
}

fn given_values(
    template: &Template,
    inputs: &VariableInputs,
    found: &mut Diagnostics,
) -> BTreeMap<String, Given> {
    let declared =
        |name: &str| template.variables.iter().any(|variable| variable.name.text == name);
    let names = || template.variables.iter().map(|variable| variable.name.text.as_str());
    let mut given = BTreeMap::new();
    for (name, text) in inputs.environment.iter().filter(|(name, _)| declared(name)) {
        given.insert(name.clone(), literal(&format!("PKR_VAR_{name}"), text));
    }
    for file in &inputs.files {
        let Some(source) = found.take(read_source(file)) else { continue };
        let (body, errors) = match file.extension().and_then(|extension| extension.to_str()) {
            Some("hcl") => parse_hcl(&source),
            Some("json") => parse_hcl_json(&source),
            _ => {
                found.push(
                    Diagnostic::error(
                        "unknown-format",
                        format!("`{}` is no variable file by its name", file.display()),
                    )
                    .help("name it `*.pkrvars.hcl` or `*.pkrvars.json`"),
                );
                continue;
            }
        };
        found.extend(errors);
        for block in &body.blocks {
            found.push(
                Diagnostic::error("block-in-variable-file", "a variable file has no blocks")
                    .at(&block.header, "")
                    .help("declare variables in a `.pkr.hcl` file; write `name = value` here"),
            );
        }
        let values = body.attributes.iter().filter(|one| !declared(&one.name.text));
        let elided = elided(&source, values.map(|one| one.expression.span.range()));
        for attribute in body.attributes {
            let name = &attribute.name;
            if declared(&name.text) {
                given.insert(name.text.clone(), Given::Expression(attribute.expression));
            } else if inputs.warn_of_undeclared {
                found.push(
                    Diagnostic::warning(
                        "undeclared-variable",
                        format!("variable `{}` is not declared", name.text),
                    )
                    .at(&elided.span(&name.span), "has no effect")
                    .maybe_help(did_you_mean(&name.text, names())),
                );
            }
        }
    }
    for (name, text) in &inputs.command_line {
        let value = literal(&format!("-var {name}"), text);
        if declared(name) {
            given.insert(name.clone(), value);
        } else {
            found.push(
                Diagnostic::error(
                    "undeclared-variable",
                    format!("variable `{name}` is not declared"),
                )
                .note(format!("it was given as `-var {name}=…`"))
                .maybe_help(did_you_mean(name, names())),
            );
        }
    }
    given
}

/// A text without some of its parts: nobody has said whether the value of a variable that is not
/// declared is a secret, and files of values are shared.
struct Elided {
    source: Arc<Source>,
    parts: Vec<Range<usize>>,
}

/// What stands for a part that is left out.
const ELLIPSIS: &str = "…";

fn elided(source: &Arc<Source>, parts: impl Iterator<Item = Range<usize>>) -> Elided {
    let mut parts: Vec<_> = parts.collect();
    parts.sort_by_key(|part| part.start);
    let mut text = String::with_capacity(source.text().len());
    let mut rest = 0;
    for part in &parts {
        text += source.text().get(rest..part.start).unwrap_or_default();
        text += ELLIPSIS;
        // Line numbers stay what they are.
        let lines = source.text().get(part.clone()).unwrap_or_default().matches('\n').count();
        text.extend(std::iter::repeat_n('\n', lines));
        rest = part.end;
    }
    text += source.text().get(rest..).unwrap_or_default();
    Elided { source: Source::new(source.name(), text), parts }
}

impl Elided {
    /// The place of something that is not left out.
    fn span(&self, span: &Span) -> Span {
        let moved = |at: usize| {
            self.parts.iter().take_while(|part| part.end <= at).fold(at, |at, part| {
                let text = span.source().text().get(part.clone()).unwrap_or_default();
                at + ELLIPSIS.len() + text.matches('\n').count() - part.len()
            })
        };
        Span::new(&self.source, moved(span.range().start)..moved(span.range().end))
    }
}

fn literal(name: &str, text: &str) -> Given {
    let source = Source::new(format!("<{name}>"), text);
    Given::Text(text.to_owned(), Span::whole(&source))
}

fn value_of(
    variable: &Variable,
    given: Option<Given>,
    scope: &Scope<'_>,
    found: &mut Diagnostics,
) -> Option<Value> {
    let declared = match &variable.of {
        Some(expression) if variable.dialect == Dialect::Hcl => {
            Some(found.take(parse_type(expression))?)
        }
        Some(expression) => Some(found.take(parse_quoted_type(expression))?),
        None => None,
    };
    let default = match &variable.default {
        Some(expression) => {
            Some(default_of(variable, expression, declared.as_ref(), scope, found)?)
        }
        None => None,
    };
    // Without a type, the default's is the type (`packer-core.md` section 2.3).
    let of = declared.clone().or_else(|| {
        default.as_ref().map(Value::type_of).filter(|of| {
            !matches!(of, Type::Tuple(all) if all.is_empty())
                && !matches!(of, Type::Object(all) if all.is_empty())
        })
    });
    let of = of.unwrap_or(Type::Any);
    let (value, span) = match given {
        None => {
            if default.is_none() {
                found.push(
                    Diagnostic::error(
                        "missing-variable",
                        format!("variable `{}` has no value", variable.name.text),
                    )
                    .at(&variable.header, "has no default")
                    .help(format!(
                        "give it by `-var {0}=…`, a variable file, or PKR_VAR_{0}",
                        variable.name.text
                    )),
                );
            }
            return default;
        }
        Some(Given::Expression(expression)) => {
            let help = "write the value itself; what depends on others is for a `locals` block";
            let summary = "a value in a variable file cannot refer to anything";
            constant(&expression, summary, help, found)?;
            let value = found.take(evaluate(&expression, scope))?;
            (value, expression.span)
        }
        Some(Given::Text(text, span)) => match of {
            Type::String | Type::Number | Type::Bool | Type::Any => (Value::string(text), span),
            _ => {
                let value = expression_text(&span, scope);
                (found.take(value.map_err(|errors| as_written(errors, variable, &of)))?, span)
            }
        },
    };
    converted(variable, &value, &of, &span, found)
}

/// A default: a constant, in which only `env` may be called.
fn default_of(
    variable: &Variable,
    expression: &Expression,
    of: Option<&Type>,
    scope: &Scope<'_>,
    found: &mut Diagnostics,
) -> Option<Value> {
    let help = "use a `locals` block for values that depend on others";
    constant(expression, "a default cannot refer to anything", help, found)?;
    if let Some(call) = calls(expression).into_iter().find(|call| call.text != "env") {
        found.push(
            Diagnostic::error("not-constant", "a default can only call `env`")
                .at(&call.span, "not allowed here")
                .help("use a `locals` block for values that are computed"),
        );
        return None;
    }
    let scope = scope.child().allow_env();
    let value = found.take(evaluate(expression, &scope))?;
    match of {
        Some(of) => converted(variable, &value, of, &expression.span, found),
        None => Some(value),
    }
}

/// An error when an expression refers to something.
fn constant(
    expression: &Expression,
    summary: &str,
    help: &str,
    found: &mut Diagnostics,
) -> Option<()> {
    let references = references(expression);
    let Some(reference) = references.first() else { return Some(()) };
    found.push(
        Diagnostic::error("not-constant", summary)
            .at(&reference.span, "must be a constant")
            .help(help),
    );
    None
}

/// The value of text from the command line or the environment that is an HCL expression.
fn expression_text(span: &Span, scope: &Scope<'_>) -> Result<Value, Diagnostics> {
    let expression = parse_expression(span.source(), None)?;
    let mut found = Diagnostics::new();
    constant(&expression, "this is no constant", "write the value itself", &mut found);
    found.into_result(())?;
    evaluate(&expression, scope)
}

/// Says of what form a text has to be that is no good expression.
fn as_written(errors: Diagnostics, variable: &Variable, of: &Type) -> Diagnostics {
    let form = match of {
        Type::Map(_) | Type::Object(_) => "{ name = \"value\" }",
        _ => "[\"a\", \"b\"]",
    };
    errors
        .into_iter()
        .map(|mut error| {
            error.help = vec![format!(
                "`{}` is of the type {of}: write it as in HCL, such as `{form}`",
                variable.name.text
            )];
            error
        })
        .collect()
}

fn converted(
    variable: &Variable,
    value: &Value,
    of: &Type,
    span: &Span,
    found: &mut Diagnostics,
) -> Option<Value> {
    // An error shows what does not fit.
    let marks = if variable.sensitive { Marks::SENSITIVE } else { Marks::NONE };
    convert(&mark_leaves(value.clone(), marks), of)
        .map_err(|error| {
            let finding = Diagnostic::error(
                "wrong-type",
                format!("wrong type for variable `{}`: {error}", variable.name.text),
            )
            .at(span, "");
            found.push(match &variable.of {
                Some(of) => finding.also(&of.span, "declared here"),
                None => finding.note(format!("its default has the type {of}")),
            });
        })
        .ok()
}

/// Puts a mark on every leaf, so that it travels with each part.
pub(in crate::template) fn mark_leaves(value: Value, marks: Marks) -> Value {
    if marks == Marks::NONE {
        return value;
    }
    let Value { kind, marks: own } = value;
    let each = |all: Vec<Value>| all.into_iter().map(|one| mark_leaves(one, marks)).collect();
    let named = |all: BTreeMap<String, Value>| {
        all.into_iter().map(|(name, one)| (name, mark_leaves(one, marks))).collect()
    };
    let kind = match kind {
        Kind::List(of, all) => Kind::List(of, each(all)),
        Kind::Set(of, all) => Kind::Set(of, each(all)),
        Kind::Tuple(all) => Kind::Tuple(each(all)),
        Kind::Map(of, all) => Kind::Map(of, named(all)),
        Kind::Object(all) => Kind::Object(named(all)),
        leaf => leaf,
    };
    Value { kind, marks: own | marks }
}
