//! Everything that a template's expressions and texts are evaluated with.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::json;

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::value::{Kind, Marks, Type, Value, convert};

use super::build_scope::BuildScope;
use super::graph::{self, Waiting};
use super::legacy_variable::{AskVariable, assign_legacy};
use super::origin::{self, Origin, Origins};
use super::random::Random;
use super::text::{Texts, UserVariable};
use super::variable::{VariableInputs, assign};
use crate::template::data_source::DataSourceKind;
use crate::template::declaration::{Build, Template};
use crate::template::dynamic;
use crate::template::evaluate::{FunctionContext, Reference, Scope, Used, evaluate, references};
use crate::template::function::clean_path;
use crate::template::go_template::{Available, Data, GoTemplate, Moment, PackerFunctions, Request};
use crate::template::load::collect::{self, list_items};
use crate::template::lookup::{Answer, Answers, Lookup, Question, published_call};
use crate::template::syntax::{Block, Dialect, Expression, parse_expression};
use crate::template::upgrade::{self, Names};
use crate::template::version;

/// The version of Packer whose templates bake understands, for `required_version` and
/// `packer.version`.
pub const PACKER_VERSION: &str = "1.16.0";

/// What the process contributes to an evaluation.
pub struct Run {
    /// The moment of the run: one for all of it.
    pub now: Timestamp,
    /// The working directory, absolute.
    pub directory: PathBuf,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// A random seed: the same in all evaluations of one run, so that what one evaluation asks the
    /// next one asks too.
    pub random: fn() -> [u8; 16],
    /// The data sources that there are.
    pub data_sources: &'static [DataSourceKind],
    /// What look-ups have found so far.
    pub answers: Answers,
}

/// A template's variables and locals with their values, and what evaluates its expressions.
pub struct Environment {
    pub(in crate::template) dialect: Dialect,
    /// Shared with the scopes of evaluations.
    pub(in crate::template) roots: Arc<BTreeMap<String, Value>>,
    pub(in crate::template) user: BTreeMap<String, UserVariable>,
    /// What legacy variables would be called in HCL.
    pub(in crate::template) names: Names,
    pub(in crate::template) origins: Origins,
    context: Arc<FunctionContext>,
    pub(in crate::template) moment: Moment,
    random: Arc<Random>,
    pub(in crate::template) working_directory: String,
    pub(in crate::template) template_directory: String,
    waiting: Waiting,
    /// What was referred to by everything that was evaluated with the values.
    used: Mutex<Vec<Reference>>,
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
        let random = Arc::new(Random::new((run.random)()));
        let of_calls = Arc::clone(&random);
        let context = FunctionContext::new(
            root.clone(),
            run.directory.clone(),
            run.now,
            move |place| of_calls.at(place),
            move |name| variables.get(name).cloned(),
        )
        .with_answers(run.answers);
        let mut environment = Self {
            dialect: template.dialect,
            roots: Arc::default(),
            user: BTreeMap::new(),
            names: Names::default(),
            origins: Origins::new(),
            context: Arc::new(context),
            moment: Moment::new(run.now.as_second(), run.now.subsec_nanosecond().unsigned_abs()),
            random,
            working_directory: run.directory.display().to_string(),
            template_directory: clean_path(&root).display().to_string(),
            waiting: Waiting::default(),
            used: Mutex::default(),
        };
        environment.set_roots(&template.root.display().to_string());
        if template.dialect == Dialect::Legacy {
            let render = |text: &str, span: &Span, user: AskVariable<'_>| {
                environment.render_variable(text, span, user)
            };
            environment.user = assign_legacy(template, inputs, &render, &mut found);
            environment.names = Names::of(&template.variables);
            let values = environment
                .user
                .iter()
                .map(|(name, known)| {
                    let value = match known.is_known {
                        true => Value::string(&known.text),
                        false => Value::unknown(Type::String),
                    };
                    (name.clone(), value.marked(known.marks))
                })
                .collect();
            // Expressions that stand for legacy texts are hashed with them.
            let roots = upgrade::roots(&environment.names, &values, &run.environment);
            environment.roots_mut().extend(roots);
            environment.origins = environment.legacy_origins();
        } else {
            let scope = environment.scope();
            let values = assign(template, inputs, &scope, &mut found);
            drop(scope);
            environment.roots_mut().insert("var".to_owned(), Value::object(values));
            // A missing variable would make every local that uses it fail too.
            if !found.has_errors() {
                let scope = environment.scope();
                let entropy = || environment.entropy();
                let reader = graph::Reader {
                    kinds: run.data_sources,
                    lookups: &environment.context.lookups,
                    texts: &environment.go_texts(&entropy, None, None),
                };
                let (locals, data) = (&template.locals, &template.data);
                let values = graph::values(locals, data, &scope, &reader, &mut found);
                drop(scope);
                let data = graph::data_object(&values.data);
                let roots = environment.roots_mut();
                roots.insert("local".to_owned(), Value::object(values.locals));
                roots.insert("data".to_owned(), data);
                environment.origins = values.origins;
                environment.waiting = values.waiting;
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
        // The others come from the HCP registry, which no build is in.
        let unknown = || Value::unknown(Type::String);
        let packer = BTreeMap::from([
            ("version".to_owned(), Value::string(PACKER_VERSION)),
            ("iterationID".to_owned(), unknown()),
            ("versionFingerprint".to_owned(), unknown()),
        ]);
        let roots = self.roots_mut();
        roots.insert("path".to_owned(), path);
        roots.insert("packer".to_owned(), Value::object(packer));
    }

    /// How legacy variables come about that something is looked up for.
    fn legacy_origins(&self) -> Origins {
        let lookups = &self.context.lookups;
        self.user
            .iter()
            .filter_map(|(name, user)| {
                let (text, span) = user.looked_up.as_ref()?;
                let (title, hcl) = upgrade::stand_in(&self.names, name, text)?;
                let expression = parse_expression(&Source::new("<upgraded>", hcl), None).ok()?;
                let references = references(&expression);
                let text = origin::own_text(&expression, span, lookups);
                Some((title, Origin { text, references }))
            })
            .collect()
    }

    /// To be changed while no scope holds them, or they are copied.
    fn roots_mut(&mut self) -> &mut BTreeMap<String, Value> {
        Arc::make_mut(&mut self.roots)
    }

    pub(in crate::template) fn scope(&self) -> Scope<'static> {
        Scope::over(Arc::clone(&self.roots), Arc::clone(&self.context))
    }

    /// What functions see.
    pub(in crate::template) fn context(&self) -> &FunctionContext {
        &self.context
    }

    /// Twelve fresh random bytes for a Go template.
    pub(in crate::template) fn entropy(&self) -> [u8; 12] {
        let [bytes @ .., _, _, _, _] = self.random.next();
        bytes
    }

    /// What Go templates in options may refer to; `build` is its source's name and type.
    pub(in crate::template) fn go_texts<'a>(
        &'a self,
        entropy: &'a dyn Fn() -> [u8; 12],
        build: Option<(&'a str, &'a str)>,
        data: Option<&'a BTreeMap<String, Value>>,
    ) -> Texts<'a> {
        Texts {
            dialect: self.dialect,
            moment: self.moment,
            entropy,
            working_directory: &self.working_directory,
            template_directory: &self.template_directory,
            build,
            user: &self.user,
            data,
        }
    }

    /// Renders the value of a legacy variable: here `env` and secrets work, and `user` asks the
    /// others.
    fn render_variable(
        &self,
        text: &str,
        span: &Span,
        user: AskVariable<'_>,
    ) -> Result<UserVariable, Diagnostic> {
        let entropy = || self.entropy();
        // What the value is made of, besides its own text.
        let (is_known, marks) = (Cell::new(true), Cell::new(Marks::NONE));
        let looks_up = Cell::new(false);
        let user = |request: &Request<'_>| {
            let used = user(request.key)?;
            is_known.set(is_known.get() && used.is_known);
            marks.set(marks.get() | used.marks);
            looks_up.set(looks_up.get() || used.looked_up.is_some());
            Ok(used.text)
        };
        let env =
            |request: &Request<'_>| Ok(self.context.environment(request.key).unwrap_or_default());
        let secret = |request: &Request<'_>| {
            let mut lookup = secret_lookup(request, span)?;
            // What is asked may have come from a sensitive variable.
            if marks.get().sensitive {
                lookup.published = None;
            }
            if request.function != "consul_key" {
                marks.set(marks.get() | Marks::SENSITIVE);
            }
            looks_up.set(true);
            match self.context.lookups.ask(lookup) {
                Some(Answer::Found { value, .. }) => {
                    Ok(value.as_str().unwrap_or_default().to_owned())
                }
                Some(Answer::Refused(refusal)) => {
                    let parts = std::iter::once(&refusal.message).chain(&refusal.hints);
                    Err(parts.map(String::as_str).collect::<Vec<_>>().join("; "))
                }
                None => {
                    is_known.set(false);
                    Ok(String::new())
                }
            }
        };
        let mut functions = PackerFunctions::new(self.moment, &entropy, PACKER_VERSION);
        functions.working_directory = Some(&self.working_directory);
        functions.template_directory = Some(&self.template_directory);
        functions.user = Available::Yes(&user);
        functions.env = Available::Yes(&env);
        functions.secret = Available::Yes(&secret);
        let failed = |message: String, help: Option<String>| {
            Diagnostic::error("template-error", message).at(span, "").maybe_help(help)
        };
        let template =
            GoTemplate::parse(text).map_err(|error| failed(error.message, error.help))?;
        let rendered = template.render(&Data::Map(BTreeMap::new()), &functions);
        let (is_known, marks) = (is_known.get(), marks.get());
        let looked_up = looks_up.get().then(|| (text.to_owned(), span.clone()));
        let value = |text| UserVariable { text, marks, is_known, looked_up };
        match rendered {
            // An empty text may not be what a function takes.
            _ if !is_known => Ok(value(String::new())),
            Err(error) => Err(failed(error.message, error.help)),
            Ok(rendered) => Ok(value(rendered.text)),
        }
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
        self.uses(expression);
        evaluate(expression, &self.scope())
    }

    /// Remembers what is referred to: only that is looked up.
    pub(in crate::template) fn uses(&self, expression: &Expression) {
        if !self.waiting.is_empty() {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.extend(references(expression));
        }
    }

    /// What has to be looked up before everything is known that was evaluated so far: what no
    /// build needs that was asked for is not in it.
    pub fn pending(&self) -> Vec<Lookup> {
        let mut pending = self.context.lookups.pending();
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        pending.extend(self.waiting.needed_by(used.clone()));
        pending
    }

    /// The files and environment variables that functions have read so far.
    pub fn used(&self) -> Used {
        self.context.used()
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
        if converted.is_null() {
            return Err(Diagnostic::error(NULL_VALUE, "a text is expected, but this is null")
                .at(&expression.span, "")
                .into());
        }
        converted.as_str().map(str::to_owned).ok_or_else(|| unknown(expression).into())
    }

    /// An expression that must be a list of known texts, each with its place.
    ///
    /// # Errors
    /// As for [`Self::text`].
    pub fn texts(&self, expression: &Expression) -> Result<Vec<(String, Span)>, Diagnostics> {
        if let Some(items) = list_items(expression) {
            let mut found = Diagnostics::new();
            let texts: Vec<_> = items
                .iter()
                .filter_map(|item| Some((found.take(self.text(item))?, item.span.clone())))
                .collect();
            return found.into_result(texts);
        }
        let value = self.evaluate(expression)?;
        let wrong = || {
            Diagnostics::from(
                Diagnostic::error("wrong-type", "a list of strings is expected")
                    .at(&expression.span, ""),
            )
        };
        if !value.is_known() {
            return Err(unknown(expression).into());
        }
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

    /// Texts of all sensitive variables, locals and data sources, to be masked in all output.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<_> = self
            .user
            .values()
            .filter(|variable| variable.marks.sensitive)
            .map(|variable| variable.text.clone())
            .collect();
        for root in ["var", "local", "data"] {
            if let Some(values) = self.roots.get(root) {
                secrets.extend(values.sensitive_texts());
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

/// The code of errors about values that have to be known before anything is built.
pub const UNKNOWN_VALUE: &str = "unknown-value";

/// The code of errors about null where there must be a text.
pub const NULL_VALUE: &str = "null-value";

fn unknown(expression: &Expression) -> Diagnostic {
    Diagnostic::error(UNKNOWN_VALUE, "this must be known before the build runs")
        .at(&expression.span, "")
}

/// What a function of a legacy variable looks up.
fn secret_lookup(request: &Request<'_>, span: &Span) -> Result<Lookup, String> {
    let asked = match (request.function, request.part) {
        ("vault", Some(key)) => json!({ "path": request.key, "key": key }),
        ("vault", None) => return Err("`vault` takes a path and a key".to_owned()),
        ("consul_key", _) => json!({ "key": request.key }),
        ("aws_secretsmanager", key) => json!({ "name": request.key, "key": key }),
        _ => json!({ "name": request.key }),
    };
    Ok(Lookup {
        question: Question::new(request.function, &asked),
        asked_by: request.function.to_owned(),
        span: span.clone(),
        published: published_call(request.function, &asked),
    })
}
