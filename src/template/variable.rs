//! Values of variables: defaults, environment, files, command line (`packer-core.md` section 1.5).

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span, did_you_mean};
use crate::value::{Kind, Marks, Type, Value, convert};

use super::declaration::{Template, Variable};
use super::evaluate::{Scope, evaluate, parse_quoted_type, parse_type, references};
use super::json;
use super::load::read_source;
use super::syntax::{Dialect, Expression, ExpressionKind, parse_expression, parse_hcl, parse_hcl_json};
use super::text::UserVariable;

/// Where values come from, besides the defaults.
#[derive(Clone, Debug, Default)]
pub struct VariableInputs {
    /// `-var name=value`, in order.
    pub command_line: Vec<(String, String)>,
    /// Variable files, lowest precedence first.
    pub files: Vec<PathBuf>,
    /// `PKR_VAR_name`, without the prefix.
    pub environment: BTreeMap<String, String>,
    /// Whether variable files may set variables that are not declared without a warning.
    pub undeclared_is_silent: bool,
}

/// A value as it was given: an expression, or text that is a literal or an expression by type.
enum Given {
    Text(String, Span),
    Expression(Expression),
}

/// Gives every declared variable its value: the `var` object.
pub(super) fn assign(
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
            validate(variable, &value, scope, found);
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
        for attribute in body.attributes {
            let name = &attribute.name;
            if declared(&name.text) {
                given.insert(name.text.clone(), Given::Expression(attribute.expression));
            } else if !inputs.undeclared_is_silent {
                found.push(
                    Diagnostic::warning(
                        "undeclared-variable",
                        format!("variable `{}` is not declared", name.text),
                    )
                    .at(&name.span, "has no effect")
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
            let value = found.take(evaluate(&expression, scope))?;
            (value, expression.span)
        }
        Some(Given::Text(text, span)) => match of {
            Type::String | Type::Number | Type::Bool | Type::Any => (Value::string(text), span),
            _ => {
                let expression = found.take(parse_expression(span.source(), None))?;
                (found.take(evaluate(&expression, scope))?, span)
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
    if let Some(reference) = references(expression).first() {
        found.push(
            Diagnostic::error("not-constant", "a default cannot refer to anything")
                .at(&reference.span, "must be a constant")
                .help("use a `locals` block for values that depend on others"),
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

fn converted(
    variable: &Variable,
    value: &Value,
    of: &Type,
    span: &Span,
    found: &mut Diagnostics,
) -> Option<Value> {
    convert(value, of)
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
fn mark_leaves(value: Value, marks: Marks) -> Value {
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

fn validate(variable: &Variable, value: &Value, scope: &Scope<'_>, found: &mut Diagnostics) {
    for validation in &variable.validations {
        let own = BTreeMap::from([(variable.name.text.clone(), value.clone())]);
        let scope = scope.child().with("var", Value::object(own));
        let Some(outcome) = found.take(evaluate(&validation.condition, &scope)) else { continue };
        match convert(&outcome, &Type::Bool).map(|outcome| outcome.kind) {
            Ok(Kind::Bool(true) | Kind::Unknown(_)) => {}
            Ok(Kind::Bool(false)) => {
                let message = found.take(evaluate(&validation.error_message, &scope));
                let message = message.as_ref().and_then(Value::as_str).unwrap_or_default();
                found.push(
                    Diagnostic::error(
                        "invalid-variable",
                        format!("invalid value for variable `{}`: {message}", variable.name.text),
                    )
                    .at(&validation.condition.span, "this is false")
                    .also(&variable.header, "declared here"),
                );
            }
            _ => found.push(
                Diagnostic::error("wrong-type", "a validation's condition must be true or false")
                    .at(&validation.condition.span, ""),
            ),
        }
    }
}

/// Renders the text of a legacy variable; the last argument answers `user`.
pub(super) type RenderVariable<'a> =
    &'a dyn Fn(&str, &Span, &dyn Fn(&str) -> Result<String, String>) -> Result<String, Diagnostic>;

/// Gives every legacy variable its text. Values may use `env` and `user`, in any order.
pub(super) fn assign_legacy(
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
    let mut values = BTreeMap::new();
    for name in texts.keys() {
        match legacy_value(name, &texts, render, &[name]) {
            Ok(text) => {
                let sensitive = template
                    .variables
                    .iter()
                    .any(|variable| variable.name.text == *name && variable.sensitive);
                values.insert(name.clone(), UserVariable { text, sensitive });
            }
            Err(finding) => found.push(finding),
        }
    }
    values
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

/// The rendered text of a variable; `open` are those that wait for it.
fn legacy_value(
    name: &str,
    texts: &BTreeMap<String, (String, Span)>,
    render: RenderVariable<'_>,
    open: &[&str],
) -> Result<String, Diagnostic> {
    let Some((text, span)) = texts.get(name) else { return Ok(String::new()) };
    if !text.contains("{{") {
        return Ok(text.clone());
    }
    let user = |used: &str| {
        if open.contains(&used) {
            return Err(format!("variables use each other: {} → {used}", open.join(" → ")));
        }
        if !texts.contains_key(used) {
            let hint = did_you_mean(used, texts.keys().map(String::as_str));
            let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
            return Err(format!("variable `{used}` is not declared{hint}"));
        }
        let open: Vec<_> = open.iter().copied().chain([used]).collect();
        legacy_value(used, texts, render, &open).map_err(|finding| finding.summary)
    };
    render(text, span, &user)
}
