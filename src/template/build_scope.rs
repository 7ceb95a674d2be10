//! Evaluates the components of one build: the environment with `source` and `build`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use crate::diagnostic::{Diagnostics, Span};
use crate::value::{Kind, Marks, Type, Value, json_text};

use super::environment::{Environment, entropy};
use super::evaluate::{Scope, canonical, evaluate, references};
use super::schema::{BuildData, Evaluate, Resolve, UnknownField};
use super::syntax::Expression;
use super::text::Texts;

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
    /// The names that count before the build runs: made once, as every option is evaluated in it.
    planning: Arc<OnceLock<Scope<'static>>>,
}

impl BuildScope {
    /// Outside of any build.
    pub(super) fn plain(environment: Arc<Environment>) -> Self {
        Self { environment, source: None, planning: Arc::default() }
    }

    /// Within a build of a source.
    pub(super) fn of(environment: Arc<Environment>, kind: &str, source: &str, build: &str) -> Self {
        let source = SourceNames {
            kind: kind.to_owned(),
            source: source.to_owned(),
            build: build.to_owned(),
        };
        Self { environment, source: Some(Arc::new(source)), planning: Arc::default() }
    }
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
        unknown: UnknownField,
    ) -> Result<(String, Marks), String> {
        Resolver { scope: self, data: None }.render_late(text, fields, unknown)
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
    /// Does something with the names that count now.
    fn with_scope<T>(&self, use_scope: impl FnOnce(&Scope<'static>) -> T) -> T {
        match self.data {
            None => use_scope(self.scope.planning.get_or_init(|| self.make_scope())),
            Some(_) => use_scope(&self.make_scope()),
        }
    }

    fn make_scope(&self) -> Scope<'static> {
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
        self.with_scope(|scope| evaluate(expression, scope))
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
        unknown: UnknownField,
    ) -> Result<(String, Marks), String> {
        self.with_texts(|texts| texts.render_late(text, fields, unknown))
    }

    fn canonical(&self, expression: &Expression) -> String {
        let mut text = canonical(expression);
        let names: BTreeSet<_> = references(expression)
            .into_iter()
            .filter_map(|reference| {
                let length = match reference.root.as_str() {
                    "var" | "local" => 1,
                    "data" => 2,
                    _ => return None,
                };
                let path = reference.path.get(..length)?.to_vec();
                Some((reference.root, path))
            })
            .collect();
        for (root, path) in names {
            let Some(root_value) = self.scope.environment.roots.get(&root) else { continue };
            let value = path.iter().try_fold(root_value, |value, name| match &value.kind {
                Kind::Object(all) => all.get(name),
                _ => None,
            });
            if let Some(value) = value.filter(|value| !value.all_marks().sensitive)
                && let Some(json) = json_text(value)
            {
                text += &format!("\n{root}.{}={json}", path.join("."));
            }
        }
        text
    }
}
