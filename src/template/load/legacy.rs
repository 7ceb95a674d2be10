//! From a legacy JSON template to a [`Template`] (`packer-core.md` section 3.3).
//!
//! Builders become sources of one build, provisioners its steps; from here on
//! nothing asks where a template came from but for its [`Dialect`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::value::{Kind as ValueKind, Value};

use crate::template::declaration::{Build, Labelled, SourceUse, Step, Template, Variable};
use crate::template::json::{Kind, Member, Node};
use crate::template::syntax::{Body, Dialect, Expression, ExpressionKind, Name, ObjectItem};

const TOP: &[&str] = &[
    "builders",
    "provisioners",
    "post-processors",
    "error-cleanup-provisioner",
    "variables",
    "sensitive-variables",
    "min_packer_version",
    "description",
    "push",
    "comments",
];

/// Arguments of every provisioner.
const STEP_META: &[&str] =
    &["only", "except", "override", "pause_before", "timeout", "max_retries"];

/// Arguments of every post-processor.
const POST_PROCESSOR_META: &[&str] = &["name", "only", "except", "keep_input_artifact"];

/// Reads a legacy template.
pub(in crate::template) fn read(
    root: &Node,
    directory: &Path,
    diagnostics: &mut Diagnostics,
) -> Template {
    let whole = Span::new(root.span.source(), 0..0);
    let mut template = Template::empty(Dialect::Legacy, directory, whole);
    let Kind::Object(members) = &root.kind else {
        diagnostics.push(
            Diagnostic::error("wrong-type", "a template is a JSON object")
                .at(&root.span, "an object is expected"),
        );
        return template;
    };
    for member in members {
        if member.key.starts_with('_') {
            if text_of(&member.value).is_none() {
                diagnostics.push(
                    Diagnostic::error("wrong-type", format!("`{}` must be a string", member.key))
                        .at(&member.value.span, "a comment is a text"),
                );
            }
        } else if !TOP.contains(&member.key.as_str()) {
            diagnostics.push(
                Diagnostic::error("unknown-key", format!("unknown root key `{}`", member.key))
                    .at(&member.key_span, "not known here")
                    .maybe_help(did_you_mean(&member.key, TOP.iter().copied()))
                    .help("keys that begin with `_` are comments"),
            );
        }
    }
    let named: BTreeMap<&str, &Member> =
        members.iter().map(|member| (member.key.as_str(), member)).collect();

    if let Some(member) = named.get("min_packer_version") {
        match text_of(&member.value).filter(|text| crate::template::version::is_version(text)) {
            Some(text) => template.required_versions.push(Expression {
                kind: ExpressionKind::Literal(Value::string(format!(">= {text}"))),
                span: member.value.span.clone(),
            }),
            None => diagnostics.push(
                Diagnostic::error("wrong-version", "`min_packer_version` is not a version")
                    .at(&member.value.span, "")
                    .help("write a version such as `\"1.7.0\"`"),
            ),
        }
    }
    if let Some(member) = named.get("variables") {
        template.variables = variables(&member.value, diagnostics);
    }
    if let Some(member) = named.get("sensitive-variables") {
        mark_sensitive(&member.value, &mut template.variables, diagnostics);
    }
    let mut build = Build {
        name: None,
        description: named.get("description").map(|member| expression(&member.value)),
        sources: None,
        source_blocks: Vec::new(),
        provisioners: Vec::new(),
        error_cleanup: None,
        post_processors: Vec::new(),
        registries: Vec::new(),
        unexpanded: None,
        header: root.span.slice(0..1),
    };
    match named.get("builders") {
        Some(Member { value: Node { kind: Kind::Array(none), span }, .. }) if none.is_empty() => {
            diagnostics.push(
                Diagnostic::error("missing-builders", "`builders` is empty")
                    .at(span, "at least one builder is required"),
            );
        }
        Some(member) => builders(&member.value, &mut template, &mut build, diagnostics),
        // A misspelt `builders` has been told already.
        None if diagnostics.has_errors() => {}
        None => diagnostics.push(
            Diagnostic::error("missing-builders", "the template has no `builders`")
                .at(&root.span.slice(0..1), "at least one builder is required"),
        ),
    }
    if let Some(member) = named.get("provisioners") {
        build.provisioners = items(&member.value, "provisioners", diagnostics)
            .iter()
            .filter_map(|node| step(node, "a provisioner", STEP_META, diagnostics))
            .collect();
    }
    if let Some(member) = named.get("error-cleanup-provisioner") {
        build.error_cleanup = step(&member.value, "a provisioner", STEP_META, diagnostics);
    }
    if let Some(member) = named.get("post-processors") {
        build.post_processors = items(&member.value, "post-processors", diagnostics)
            .iter()
            .map(|node| match &node.kind {
                Kind::Array(chain) => {
                    chain.iter().filter_map(|one| post_processor(one, diagnostics)).collect()
                }
                _ => post_processor(node, diagnostics).into_iter().collect(),
            })
            .collect();
    }
    template.builds.push(build);
    template
}

fn items<'a>(node: &'a Node, key: &str, diagnostics: &mut Diagnostics) -> &'a [Node] {
    if let Kind::Array(all) = &node.kind {
        return all;
    }
    diagnostics.push(
        Diagnostic::error("wrong-type", format!("`{key}` must be an array"))
            .at(&node.span, "an array is expected"),
    );
    &[]
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::String(text) => Some(text.value()),
        _ => None,
    }
}

fn variables(node: &Node, diagnostics: &mut Diagnostics) -> Vec<Variable> {
    let Kind::Object(members) = &node.kind else {
        diagnostics.push(
            Diagnostic::error("wrong-type", "`variables` must be an object")
                .at(&node.span, "an object is expected"),
        );
        return Vec::new();
    };
    members
        .iter()
        .filter_map(|member| {
            let default = match &member.value.kind {
                Kind::Null => None,
                Kind::String(_) => Some(expression(&member.value)),
                _ => {
                    diagnostics.push(
                        Diagnostic::error(
                            "wrong-type",
                            format!("variable `{}` must be a string or null", member.key),
                        )
                        .at(&member.value.span, "write it in quotes"),
                    );
                    return None;
                }
            };
            Some(Variable {
                name: Name { text: member.key.clone(), span: member.key_span.clone() },
                dialect: Dialect::Legacy,
                of: None,
                default,
                sensitive: false,
                description: None,
                validations: Vec::new(),
                header: member.key_span.clone(),
            })
        })
        .collect()
}

fn mark_sensitive(node: &Node, variables: &mut [Variable], diagnostics: &mut Diagnostics) {
    for item in items(node, "sensitive-variables", diagnostics) {
        let name = text_of(item).unwrap_or_default();
        match variables.iter_mut().find(|variable| variable.name.text == name) {
            Some(variable) => variable.sensitive = true,
            None => diagnostics.push(
                Diagnostic::warning("unknown-variable", format!("no variable is named `{name}`"))
                    .at(&item.span, "not declared in `variables`"),
            ),
        }
    }
}

fn builders(
    node: &Node,
    template: &mut Template,
    build: &mut Build,
    diagnostics: &mut Diagnostics,
) {
    for item in items(node, "builders", diagnostics) {
        let Some((kind, body, header)) = typed(item, "a builder", diagnostics) else { continue };
        let (meta, body) = body.split(&["name"]);
        let name = match meta.attributes.first() {
            None => Name { text: kind.text.clone(), span: kind.span.clone() },
            Some(attribute) => match &attribute.expression.kind {
                ExpressionKind::Literal(Value { kind: ValueKind::String(text), .. }) => {
                    Name { text: text.as_ref().to_owned(), span: attribute.expression.span.clone() }
                }
                _ => {
                    diagnostics.push(
                        Diagnostic::error("wrong-type", "a builder's `name` must be a string")
                            .at(&attribute.expression.span, ""),
                    );
                    continue;
                }
            },
        };
        if let Some(first) = template.sources.iter().find(|one| one.name.text == name.text) {
            diagnostics.push(
                Diagnostic::error("duplicate", format!("two builders are named `{}`", name.text))
                    .at(&name.span, "again here")
                    .also(&first.name.span, "first here")
                    .help("give one of them another `name`"),
            );
            continue;
        }
        build.source_blocks.push(SourceUse {
            reference: Name {
                text: format!("{}.{}", kind.text, name.text),
                span: name.span.clone(),
            },
            rename: None,
            body: Body {
                attributes: Vec::new(),
                blocks: Vec::new(),
                dialect: Dialect::Legacy,
                span: header.clone(),
            },
            header: header.clone(),
        });
        template.sources.push(Labelled { kind, name, body: Arc::new(body), header });
    }
}

/// An object with a `type`, the rest of it as a body, and what points at the whole.
fn typed(node: &Node, what: &str, diagnostics: &mut Diagnostics) -> Option<(Name, Body, Span)> {
    let Some(body) = Body::of_object(&expression(node), Dialect::Legacy) else {
        diagnostics.push(
            Diagnostic::error("wrong-type", format!("{what} must be an object"))
                .at(&node.span, "an object is expected"),
        );
        return None;
    };
    let (meta, body) = body.split(&["type"]);
    let kind = meta.attributes.first().and_then(|attribute| match &attribute.expression.kind {
        ExpressionKind::Literal(value) => {
            Some(Name { text: value.as_str()?.to_owned(), span: attribute.expression.span.clone() })
        }
        _ => None,
    });
    let Some(kind) = kind else {
        let finding = Diagnostic::error("missing-type", format!("{what} needs a `type`"));
        diagnostics.push(match meta.attributes.first() {
            Some(attribute) => finding.at(&attribute.expression.span, "a string is expected"),
            None => finding.at(&node.span.slice(0..1), "`type` is not given"),
        });
        return None;
    };
    let header = kind.span.clone();
    Some((kind, body, header))
}

fn step(node: &Node, what: &str, meta: &[&str], diagnostics: &mut Diagnostics) -> Option<Step> {
    let (kind, body, header) = typed(node, what, diagnostics)?;
    let (meta, body) = body.split(meta);
    Some(Step { kind, meta, body, header })
}

fn post_processor(node: &Node, diagnostics: &mut Diagnostics) -> Option<Step> {
    let Some(kind) = text_of(node) else {
        if matches!(node.kind, Kind::Array(_)) {
            diagnostics.push(
                Diagnostic::error("wrong-type", "a chain of post-processors holds no other chain")
                    .at(&node.span, "a name or an object is expected"),
            );
            return None;
        }
        let step = step(node, "a post-processor", POST_PROCESSOR_META, diagnostics)?;
        keeps(&step, diagnostics);
        return Some(step);
    };
    let empty = || Body {
        attributes: Vec::new(),
        blocks: Vec::new(),
        dialect: Dialect::Legacy,
        span: node.span.clone(),
    };
    Some(Step {
        kind: Name { text: kind.to_owned(), span: node.span.clone() },
        meta: empty(),
        body: empty(),
        header: node.span.clone(),
    })
}

/// `keep_input_artifact` is the one option that must be a JSON boolean (`packer-core.md` section
/// 3.3).
fn keeps(step: &Step, diagnostics: &mut Diagnostics) {
    let attributes = step.meta.attributes.iter();
    for keep in attributes.filter(|attribute| attribute.name.text == "keep_input_artifact") {
        let expression = &keep.expression;
        let is_bool = matches!(
            &expression.kind,
            ExpressionKind::Literal(Value { kind: ValueKind::Bool(_) | ValueKind::Null(_), .. })
        );
        if !is_bool {
            diagnostics.push(
                Diagnostic::error("wrong-type", "`keep_input_artifact` must be `true` or `false`")
                    .at(&expression.span, "a boolean without quotes is expected"),
            );
        }
    }
}

/// JSON as an expression. Text stays as it is: legacy strings are Go templates, which are rendered
/// where an option is decoded.
fn expression(node: &Node) -> Expression {
    let kind =
        match &node.kind {
            Kind::Null => ExpressionKind::Literal(Value::null()),
            Kind::Bool(truth) => ExpressionKind::Literal(Value::bool(*truth)),
            Kind::Number(digits) => ExpressionKind::Literal(digits.parse().map_or_else(
                |_| Value::null(),
                |number: crate::value::Number| Value::number(number),
            )),
            Kind::String(text) => ExpressionKind::Literal(Value::string(text.value())),
            Kind::Array(all) => ExpressionKind::Tuple(all.iter().map(expression).collect()),
            Kind::Object(members) => ExpressionKind::Object(
                members
                    .iter()
                    .map(|member| ObjectItem {
                        key: Expression {
                            kind: ExpressionKind::Literal(Value::string(&member.key)),
                            span: member.key_span.clone(),
                        },
                        value: expression(&member.value),
                    })
                    .collect(),
            ),
        };
    Expression { kind, span: node.span.clone() }
}
