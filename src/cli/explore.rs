//! A template to look into: what `inspect` and `console` have in common.

use std::path::PathBuf;
use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Source, Span};
use crate::render::Mask;
use crate::template::syntax::{Body, Dialect, Expression, ExpressionKind, Name, parse_expression};
use crate::template::{self, Environment, Labelled, Run, Template, VariableInputs};
use crate::value::{Kind, Type, Value};

use super::arguments::{ConfigType, ExploreArguments};
use super::inputs::{process_inputs, working_directory};

/// A template with those of its values that could be known.
pub(super) struct Explored {
    /// What was read.
    pub(super) template: Template,
    pub(super) environment: Arc<Environment>,
    /// What hides secrets.
    pub(super) mask: Mask,
    /// What keeps the other values from being known.
    pub(super) found: Diagnostics,
}

/// Loads a template and evaluates what can be. Variables without a value are unknown.
///
/// All secrets are in `mask` before anything can be told of them.
///
/// # Errors
/// The template cannot be read or parsed.
pub(super) fn explore(arguments: &ExploreArguments, mask: &Mask) -> Result<Explored, Diagnostics> {
    let directory = working_directory()?;
    let mut found = Diagnostics::new();
    let mut variable_files = Vec::new();
    let template = match &arguments.template {
        Some(path) => {
            let loaded = template::load(path)?;
            found.extend(loaded.warnings);
            variable_files = loaded.variable_files;
            loaded.template
        }
        None => empty_template(arguments.config_type),
    };
    let (inputs, run) = process_inputs(&variable_files, &arguments.values, &directory);
    mask.add(template::given_secrets(&template, &inputs));
    let (environment, findings) = evaluated(&template, &inputs, run);
    found.extend(findings);
    mask.add(environment.secrets());
    Ok(Explored { template, environment, mask: mask.clone(), found })
}

fn evaluated(
    template: &Template,
    inputs: &VariableInputs,
    run: Run,
) -> (Arc<Environment>, Diagnostics) {
    let mut template = template.clone();
    for variable in &mut template.variables {
        variable.default.get_or_insert_with(|| Expression {
            kind: ExpressionKind::Literal(Value::unknown(Type::Any)),
            span: variable.header.clone(),
        });
    }
    Environment::as_far_as_possible(&template, inputs, run)
}

impl Explored {
    /// The value of a variable or local (`root` is `var` or `local`), if it has one.
    pub(super) fn value(&self, root: &str, name: &str) -> Option<Value> {
        let expression = parse_expression(&Source::new("<root>", root), None).ok()?;
        match self.environment.evaluate(&expression).ok()?.kind {
            Kind::Object(all) => all.get(name).cloned(),
            _ => None,
        }
    }
}

/// What is looked into when no template is named.
fn empty_template(config_type: ConfigType) -> Template {
    let source = Source::new("<empty>", "");
    let span = Span::whole(&source);
    let null = || Name { text: "null".to_owned(), span: span.clone() };
    let (dialect, sources) = match config_type {
        ConfigType::Hcl2 => (Dialect::Hcl, Vec::new()),
        ConfigType::Json => {
            let body = Body {
                attributes: Vec::new(),
                blocks: Vec::new(),
                dialect: Dialect::Legacy,
                span: span.clone(),
            };
            let body = Arc::new(body);
            let builder = Labelled { kind: null(), name: null(), body, header: span.clone() };
            (Dialect::Legacy, vec![builder])
        }
    };
    Template {
        dialect,
        root: PathBuf::from("."),
        required_versions: Vec::new(),
        required_plugins: Vec::new(),
        variables: Vec::new(),
        locals: Vec::new(),
        data: Vec::new(),
        sources,
        builds: Vec::new(),
        registries: Vec::new(),
        whole: span,
    }
}
