//! Everything that a template's expressions and texts are evaluated with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::value::{Kind, Marks, Type, Value, convert, json_text};

use super::collect::list_items;
use super::declaration::{Local, Template};
use super::evaluate::{FunctionContext, Scope, canonical, evaluate, references};
use super::go_template::{Available, Data, GoTemplate, Moment, PackerFunctions, Request};
use super::schema::{BuildData, Evaluate, Resolve};
use super::syntax::{Dialect, Expression};
use super::text::{Texts, UserVariable};
use super::variable::{VariableInputs, assign, assign_legacy};
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
    dialect: Dialect,
    roots: BTreeMap<String, Value>,
    user: BTreeMap<String, UserVariable>,
    context: Arc<FunctionContext>,
    moment: Moment,
    random: fn() -> [u8; 16],
    working_directory: String,
    template_directory: String,
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
        for data in &template.data {
            found.push(
                Diagnostic::error(
                    "unsupported-data-source",
                    format!("the data source `{}` is not supported yet", data.kind.text),
                )
                .at(&data.header, ""),
            );
        }
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
            context,
            moment: Moment::new(run.now.as_second(), run.now.subsec_nanosecond().unsigned_abs()),
            random: run.random,
            working_directory: run.directory.display().to_string(),
            template_directory: root.display().to_string(),
        };
        environment.set_roots(&template.root.display().to_string());
        if template.dialect == Dialect::Legacy {
            let render =
                |text: &str, span: &Span, user: &dyn Fn(&str) -> Result<String, String>| {
                    environment.render_variable(text, span, &run.environment, user)
                };
            environment.user = assign_legacy(template, inputs, &render, &mut found);
        } else {
            let scope = environment.scope();
            let values = assign(template, inputs, &scope, &mut found);
            drop(scope);
            environment.roots.insert("var".to_owned(), Value::object(values));
            // A missing variable would make every local that uses it fail too.
            if !found.has_errors() {
                environment.evaluate_locals(&template.locals, &mut found);
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
        self.roots.insert("local".to_owned(), Value::object(BTreeMap::new()));
    }

    /// Evaluates locals in the order in which they need each other.
    fn evaluate_locals(&mut self, locals: &[Local], found: &mut Diagnostics) {
        let by_name: BTreeMap<&str, &Local> =
            locals.iter().map(|local| (local.name.text.as_str(), local)).collect();
        let mut order = Vec::new();
        let mut done = BTreeSet::new();
        for local in locals {
            let mut open = Vec::new();
            if let Err(finding) = visit(local, &by_name, &mut open, &mut done, &mut order) {
                found.push(finding);
                return;
            }
        }
        let mut values = BTreeMap::new();
        let mut failed = BTreeSet::new();
        for local in order {
            let name = &local.name.text;
            let needs_failed = local_references(&local.expression).any(|it| failed.contains(&it));
            let value = if needs_failed {
                None
            } else {
                found.take(evaluate(&local.expression, &self.scope()))
            };
            let Some(value) = value else {
                failed.insert(name.clone());
                continue;
            };
            let marks = if local.sensitive { Marks::SENSITIVE } else { Marks::NONE };
            values.insert(name.clone(), value.marked(marks));
            self.roots.insert("local".to_owned(), Value::object(values.clone()));
        }
    }

    fn scope(&self) -> Scope<'static> {
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

    /// Texts of all sensitive variables, to be masked in all output.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<_> = self
            .user
            .values()
            .filter(|variable| variable.sensitive)
            .map(|variable| variable.text.clone())
            .collect();
        for root in ["var", "local"] {
            if let Some(values) = self.roots.get(root) {
                sensitive_texts(values, Marks::NONE, &mut secrets);
            }
        }
        secrets
    }

    /// An evaluator outside of any build.
    pub fn plain(self: &Arc<Self>) -> BuildScope {
        BuildScope { environment: Arc::clone(self), source: None }
    }

    /// What evaluates the components of one build.
    pub fn of_build(self: &Arc<Self>, kind: &str, source: &str, build: &str) -> BuildScope {
        let source = SourceNames {
            kind: kind.to_owned(),
            source: source.to_owned(),
            build: build.to_owned(),
        };
        BuildScope { environment: Arc::clone(self), source: Some(Arc::new(source)) }
    }
}

/// The first bytes of fresh random ones.
fn entropy(random: fn() -> [u8; 16]) -> [u8; 12] {
    let [bytes @ .., _, _, _, _] = random();
    bytes
}

fn sensitive_texts(value: &Value, outer: Marks, texts: &mut Vec<String>) {
    let marks = outer | value.marks;
    match &value.kind {
        Kind::String(text) if marks.sensitive => texts.push(text.as_ref().to_owned()),
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            all.iter().for_each(|one| sensitive_texts(one, marks, texts));
        }
        Kind::Map(_, all) | Kind::Object(all) => {
            all.values().for_each(|one| sensitive_texts(one, marks, texts));
        }
        _ => {}
    }
}

fn local_references(expression: &Expression) -> impl Iterator<Item = String> {
    references(expression)
        .into_iter()
        .filter(|reference| reference.root == "local")
        .filter_map(|reference| reference.path.into_iter().next())
}

fn visit<'a>(
    local: &'a Local,
    by_name: &BTreeMap<&str, &'a Local>,
    open: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
    order: &mut Vec<&'a Local>,
) -> Result<(), Diagnostic> {
    let name = local.name.text.as_str();
    if done.contains(name) {
        return Ok(());
    }
    if let Some(start) = open.iter().position(|one| *one == name) {
        let cycle: Vec<_> =
            open.iter().skip(start).chain([&name]).map(|one| format!("local.{one}")).collect();
        return Err(Diagnostic::error(
            "cycle",
            format!("locals need each other: {}", cycle.join(" → ")),
        )
        .at(&local.name.span, "part of the cycle"));
    }
    open.push(name);
    for needed in local_references(&local.expression) {
        if let Some(needed) = by_name.get(needed.as_str()) {
            visit(needed, by_name, open, done, order)?;
        }
    }
    open.pop();
    done.insert(name);
    order.push(local);
    Ok(())
}

struct SourceNames {
    kind: String,
    source: String,
    build: String,
}

/// Evaluates the components of one build.
#[derive(Clone)]
pub struct BuildScope {
    environment: Arc<Environment>,
    source: Option<Arc<SourceNames>>,
}

impl Evaluate for BuildScope {
    fn resolve<'a>(&'a self, data: Option<&'a BuildData>) -> Box<dyn Resolve + Send + Sync + 'a> {
        Box::new(Resolver { scope: self, data })
    }
}

/// Outside of a running build.
impl Resolve for BuildScope {
    fn evaluate(&self, expression: &Expression) -> Result<Value, Diagnostics> {
        Resolver { scope: self, data: None }.evaluate(expression)
    }

    fn render(
        &self,
        text: &str,
        at: &Span,
        deferred: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<(String, Marks)> {
        Resolver { scope: self, data: None }.render(text, at, deferred, diagnostics)
    }

    fn render_late(
        &self,
        text: &str,
        fields: &BTreeMap<String, Value>,
    ) -> Result<(String, Marks), String> {
        Resolver { scope: self, data: None }.render_late(text, fields)
    }

    fn canonical(&self, expression: &Expression) -> String {
        Resolver { scope: self, data: None }.canonical(expression)
    }
}

struct Resolver<'a> {
    scope: &'a BuildScope,
    data: Option<&'a BuildData>,
}

impl Resolver<'_> {
    fn scope(&self) -> Scope<'static> {
        let mut scope = self.scope.environment.scope();
        let Some(names) = &self.scope.source else { return scope };
        let text = |text: &str| Value::string(text);
        scope.set(
            "source",
            Value::object(BTreeMap::from([
                ("type".to_owned(), text(&names.kind)),
                ("name".to_owned(), text(&names.source)),
            ])),
        );
        let mut build: BTreeMap<String, Value> = BUILD_KEYS
            .iter()
            .map(|key| ((*key).to_owned(), Value::unknown(Type::String)))
            .collect();
        for (name, value) in self.data.into_iter().flatten() {
            build.insert(name.clone(), value.clone());
        }
        build.insert("name".to_owned(), text(&names.build));
        scope.set("build", Value::object(build));
        scope
    }

    fn with_texts<T>(&self, use_texts: impl FnOnce(&Texts<'_>) -> T) -> T {
        let environment = &self.scope.environment;
        let entropy = || entropy(environment.random);
        let names = self.scope.source.as_ref();
        use_texts(&Texts {
            dialect: environment.dialect,
            moment: environment.moment,
            entropy: &entropy,
            working_directory: &environment.working_directory,
            template_directory: &environment.template_directory,
            build: names.map(|names| (names.source.as_str(), names.kind.as_str())),
            user: &environment.user,
            data: self.data,
        })
    }
}

/// What `build.*` and `{{ build }}` know once a build runs (`packer-core.md` section 2.8,
/// `packer-amazon.md` section 4), and our `ImageHash`.
const BUILD_KEYS: &[&str] = &[
    "ID",
    "Host",
    "Port",
    "User",
    "Password",
    "ConnType",
    "PackerRunUUID",
    "PackerHTTPPort",
    "PackerHTTPIP",
    "PackerHTTPAddr",
    "SSHPublicKey",
    "SSHPrivateKey",
    "SSHPrivateKeyFile",
    "SSHAgentAuth",
    "WinRMPassword",
    "BuildRegion",
    "SourceAMI",
    "SourceAMIName",
    "SourceAMICreationDate",
    "SourceAMIOwner",
    "SourceAMIOwnerName",
    "SourceAMITags",
    "ImageHash",
];

impl Resolve for Resolver<'_> {
    fn evaluate(&self, expression: &Expression) -> Result<Value, Diagnostics> {
        evaluate(expression, &self.scope())
    }

    fn render(
        &self,
        text: &str,
        at: &Span,
        deferred: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<(String, Marks)> {
        self.with_texts(|texts| texts.render(text, at, deferred, diagnostics))
    }

    fn render_late(
        &self,
        text: &str,
        fields: &BTreeMap<String, Value>,
    ) -> Result<(String, Marks), String> {
        self.with_texts(|texts| texts.render_late(text, fields))
    }

    fn canonical(&self, expression: &Expression) -> String {
        let mut text = canonical(expression);
        let names: BTreeSet<_> = references(expression)
            .into_iter()
            .filter(|reference| matches!(reference.root.as_str(), "var" | "local"))
            .filter_map(|reference| Some((reference.root, reference.path.into_iter().next()?)))
            .collect();
        for (root, name) in names {
            let value = match self.scope.environment.roots.get(&root).map(|root| &root.kind) {
                Some(Kind::Object(all)) => all.get(&name),
                _ => None,
            };
            if let Some(value) = value.filter(|value| !value.all_marks().sensitive)
                && let Some(json) = json_text(value)
            {
                text += &format!("\n{root}.{name}={json}");
            }
        }
        text
    }
}
