//! Everything that a template's expressions and texts are evaluated with.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::value::{Kind, Marks, Type, Value, convert, format_number};

use super::build_scope::BuildScope;
use super::collect::{self, list_items};
use super::declaration::{Build, Template};
use super::dynamic;
use super::evaluate::{FunctionContext, Scope, evaluate};
use super::function::clean_path;
use super::go_template::{Available, Data, GoTemplate, Moment, PackerFunctions, Request};
use super::graph::{self, Unread};
use super::legacy_variable::assign_legacy;
use super::syntax::{Block, Dialect, Expression};
use super::text::UserVariable;
use super::upgrade::Names;
use super::variable::{VariableInputs, assign};
use super::version;

/// The version of Packer whose templates bake understands, for `required_version` and
/// `packer.version`.
pub(super) const PACKER_VERSION: &str = "1.16.0";

/// What the process contributes to an evaluation.
pub struct Run {
    /// The moment of the run: one for all of it.
    pub now: Timestamp,
    /// The working directory, absolute.
    pub directory: PathBuf,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Fresh random bytes.
    pub random: fn() -> [u8; 16],
}

/// A template's variables and locals with their values, and what evaluates its expressions.
pub struct Environment {
    pub(super) dialect: Dialect,
    pub(super) roots: BTreeMap<String, Value>,
    pub(super) user: BTreeMap<String, UserVariable>,
    /// What legacy variables would be called in HCL.
    pub(super) names: Names,
    context: Arc<FunctionContext>,
    pub(super) moment: Moment,
    pub(super) random: fn() -> [u8; 16],
    pub(super) working_directory: String,
    pub(super) template_directory: String,
    unread: Vec<Unread>,
}

impl Environment {
    /// Gives values to variables and locals.
    ///
    /// # Errors
    /// Everything that is wrong with them; warnings are added to `warnings`.
    pub fn new(
        template: &Template,
        inputs: &VariableInputs,
        run: Run,
        warnings: &mut Diagnostics,
    ) -> Result<Arc<Self>, Diagnostics> {
        let (environment, found) = Self::as_far_as_possible(template, inputs, run);
        if found.has_errors() {
            return Err(found);
        }
        warnings.extend(found);
        Ok(environment)
    }

    /// Gives values to those variables and locals that can have one, and says what is wrong with
    /// the others, which are then not there.
    pub fn as_far_as_possible(
        template: &Template,
        inputs: &VariableInputs,
        run: Run,
    ) -> (Arc<Self>, Diagnostics) {
        let mut found = Diagnostics::new();
        version::check(&template.required_versions, PACKER_VERSION, &mut found);
        version::check_plugins(&template.required_plugins, &mut found);
        let root = run.directory.join(&template.root);
        let variables = run.environment.clone();
        let context = Arc::new(FunctionContext::new(
            root.clone(),
            run.directory.clone(),
            run.now,
            run.random,
            move |name| variables.get(name).cloned(),
        ));
        let mut environment = Self {
            dialect: template.dialect,
            roots: BTreeMap::new(),
            user: BTreeMap::new(),
            names: Names::default(),
            context,
            moment: Moment::new(run.now.as_second(), run.now.subsec_nanosecond().unsigned_abs()),
            random: run.random,
            working_directory: run.directory.display().to_string(),
            template_directory: clean_path(&root).display().to_string(),
            unread: Vec::new(),
        };
        environment.set_roots(&template.root.display().to_string());
        if template.dialect == Dialect::Legacy {
            let render =
                |text: &str, span: &Span, user: &dyn Fn(&str) -> Result<String, String>| {
                    environment.render_variable(text, span, &run.environment, user)
                };
            environment.user = assign_legacy(template, inputs, &render, &mut found);
            environment.names = Names::of(&template.variables);
            let values = environment
                .user
                .iter()
                .map(|(name, known)| (name.clone(), Value::string(&known.text).marked(known.marks)))
                .collect();
            // Expressions that stand for legacy texts are hashed with them.
            environment.roots.extend(environment.names.roots(&values));
        } else {
            let scope = environment.scope();
            let values = assign(template, inputs, &scope, &mut found);
            drop(scope);
            environment.roots.insert("var".to_owned(), Value::object(values));
            // A missing variable would make every local that uses it fail too.
            if !found.has_errors() {
                let scope = environment.scope();
                let values = graph::values(&template.locals, &template.data, &scope, &mut found);
                drop(scope);
                let data = graph::data_object(&values.data);
                environment.roots.insert("local".to_owned(), Value::object(values.locals));
                environment.roots.insert("data".to_owned(), data);
                environment.unread = values.unread;
            }
        }
        (Arc::new(environment), found)
    }

    fn set_roots(&mut self, root: &str) {
        let object = |all: &[(&str, &str)]| {
            Value::object(
                all.iter().map(|(name, text)| ((*name).to_owned(), Value::string(text))).collect(),
            )
        };
        let path = object(&[
            ("root", &root.replace('\\', "/")),
            ("cwd", &self.working_directory.replace('\\', "/")),
        ]);
        self.roots.insert("path".to_owned(), path);
        self.roots.insert("packer".to_owned(), object(&[("version", PACKER_VERSION)]));
    }

    pub(super) fn scope(&self) -> Scope<'static> {
        let mut scope = Scope::new(Arc::clone(&self.context));
        for (name, value) in &self.roots {
            scope.set(name.clone(), value.clone());
        }
        scope
    }

    /// Renders the value of a legacy variable: here `env` works, and `user` asks the others.
    fn render_variable(
        &self,
        text: &str,
        span: &Span,
        variables: &BTreeMap<String, String>,
        user: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<String, Diagnostic> {
        let entropy = || entropy(self.random);
        let user = |request: &Request<'_>| user(request.key);
        let env =
            |request: &Request<'_>| Ok(variables.get(request.key).cloned().unwrap_or_default());
        let mut functions = PackerFunctions::new(self.moment, &entropy, PACKER_VERSION);
        functions.working_directory = Some(&self.working_directory);
        functions.template_directory = Some(&self.template_directory);
        functions.user = Available::Yes(&user);
        functions.env = Available::Yes(&env);
        functions.secret =
            Available::No("reading secrets from Vault, Consul or AWS is not supported yet");
        let failed = |message: String, help: Option<String>| {
            Diagnostic::error("template-error", message).at(span, "").maybe_help(help)
        };
        let template =
            GoTemplate::parse(text).map_err(|error| failed(error.message, error.help))?;
        template
            .render(&Data::Map(BTreeMap::new()), &functions)
            .map(|rendered| rendered.text)
            .map_err(|error| failed(error.message, error.help))
    }

    /// How the template was written.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The value of an expression outside of any source or build.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn evaluate(&self, expression: &Expression) -> Result<Value, Diagnostics> {
        evaluate(expression, &self.scope())
    }

    /// An expression that must be known text.
    ///
    /// # Errors
    /// It has another type, is unknown or cannot be evaluated.
    pub fn text(&self, expression: &Expression) -> Result<String, Diagnostics> {
        let value = self.evaluate(expression)?;
        let converted = convert(&value, &Type::String).map_err(|error| {
            Diagnostic::error("wrong-type", error.to_string()).at(&expression.span, "")
        })?;
        converted.as_str().map(str::to_owned).ok_or_else(|| {
            Diagnostic::error("unknown-value", "this must be known before the build runs")
                .at(&expression.span, "")
                .into()
        })
    }

    /// An expression that must be a list of known texts, each with its place.
    ///
    /// # Errors
    /// As for [`Self::text`].
    pub fn texts(&self, expression: &Expression) -> Result<Vec<(String, Span)>, Diagnostics> {
        if let Some(items) = list_items(expression) {
            return items.iter().map(|item| Ok((self.text(item)?, item.span.clone()))).collect();
        }
        let value = self.evaluate(expression)?;
        let wrong = || {
            Diagnostics::from(
                Diagnostic::error("wrong-type", "a list of strings is expected")
                    .at(&expression.span, ""),
            )
        };
        let of = Type::List(Box::new(Type::String));
        match convert(&value, &of).map_err(|_| wrong())?.kind {
            Kind::List(_, all) => all
                .iter()
                .map(|one| {
                    let text = one.as_str().ok_or_else(wrong)?;
                    Ok((text.to_owned(), expression.span.clone()))
                })
                .collect(),
            _ => Err(wrong()),
        }
    }

    /// A build with the blocks that its `dynamic` blocks stand for.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn expanded<'t>(&self, build: &'t Build) -> Result<Cow<'t, Build>, Diagnostics> {
        let Some(block) = &build.unexpanded else { return Ok(Cow::Borrowed(build)) };
        let mut found = Diagnostics::new();
        let expand = |block: &Block, found: &mut Diagnostics| {
            dynamic::expand(block, &|expression| self.evaluate(expression), found)
        };
        let expanded = collect::build(block, Some(&expand), &mut found);
        found.into_result(Cow::Owned(expanded))
    }

    /// An error for each data source that was not read: a build needs all of them, and so does a
    /// hash.
    pub fn unread(&self, what: &str) -> Diagnostics {
        self.unread
            .iter()
            .map(|data| {
                Diagnostic::error(
                    "unsupported-data-source",
                    format!("the data source `{}` is not supported yet", data.kind),
                )
                .at(&data.header, format!("{what} without its values"))
            })
            .collect()
    }

    /// Texts of all sensitive variables, to be masked in all output.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<_> = self
            .user
            .values()
            .filter(|variable| variable.marks.sensitive)
            .map(|variable| variable.text.clone())
            .collect();
        for root in ["var", "local", "data"] {
            if let Some(values) = self.roots.get(root) {
                sensitive_texts(values, Marks::NONE, &mut secrets);
            }
        }
        secrets
    }

    /// An evaluator outside of any build.
    pub fn plain(self: &Arc<Self>) -> BuildScope {
        BuildScope::plain(Arc::clone(self))
    }

    /// What evaluates the components of one build.
    pub fn of_build(self: &Arc<Self>, kind: &str, source: &str, build: &str) -> BuildScope {
        BuildScope::of(Arc::clone(self), kind, source, build)
    }
}

/// The first bytes of fresh random ones.
pub(super) fn entropy(random: fn() -> [u8; 16]) -> [u8; 12] {
    let [bytes @ .., _, _, _, _] = random();
    bytes
}

fn sensitive_texts(value: &Value, outer: Marks, texts: &mut Vec<String>) {
    let marks = outer | value.marks;
    match &value.kind {
        Kind::String(text) if marks.sensitive => texts.push(text.as_ref().to_owned()),
        Kind::Number(number) if marks.sensitive => texts.push(format_number(number)),
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            all.iter().for_each(|one| sensitive_texts(one, marks, texts));
        }
        Kind::Map(_, all) | Kind::Object(all) => {
            all.values().for_each(|one| sensitive_texts(one, marks, texts));
        }
        _ => {}
    }
}
