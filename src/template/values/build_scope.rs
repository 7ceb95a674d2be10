//! Evaluates the components of one build: the environment with `source` and `build`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::value::{Marks, Type, Value};

use super::environment::Environment;
use super::origin;
use super::text::Texts;
use crate::template::evaluate::{Scope, evaluate, with_values};
use crate::template::schema::{BuildData, Evaluate, Resolve, UnknownField};
use crate::template::syntax::{Dialect, Expression, parse_expression};
use crate::template::upgrade::canonical_source;

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
    pub(in crate::template) fn plain(environment: Arc<Environment>) -> Self {
        Self { environment, source: None, planning: Arc::default() }
    }

    /// Within a build of a source.
    pub(in crate::template) fn of(
        environment: Arc<Environment>,
        kind: &str,
        source: &str,
        build: &str,
    ) -> Self {
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

    fn with_values(&self, diagnostic: Diagnostic, expression: &Expression) -> Diagnostic {
        Resolver { scope: self, data: None }.with_values(diagnostic, expression)
    }

    fn render(
        &self,
        text: &str,
        at: &Span,
        deferred: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<Value> {
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

    fn canonical(&self, expression: &Expression, of: &Type) -> String {
        Resolver { scope: self, data: None }.canonical(expression, of)
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
        if self.data.is_some() {
            scope = scope.without_lookups();
        }
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
        let entropy = || environment.entropy();
        let names = self.scope.source.as_ref();
        let build = names.map(|names| (names.source.as_str(), names.kind.as_str()));
        use_texts(&environment.go_texts(&entropy, build, self.data))
    }
}

/// What `build.*` and `{{ build }}` know once a build runs (`packer-core.md` section 2.8,
/// `packer-amazon.md` section 4), and our `ImageHash`.
pub const BUILD_KEYS: &[&str] = &[
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
        self.scope.environment.uses(expression);
        self.with_scope(|scope| evaluate(expression, scope))
    }

    fn with_values(&self, diagnostic: Diagnostic, expression: &Expression) -> Diagnostic {
        self.with_scope(|scope| with_values(diagnostic, &[expression], scope))
    }

    fn render(
        &self,
        text: &str,
        at: &Span,
        deferred: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<Value> {
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

    fn canonical(&self, expression: &Expression, of: &Type) -> String {
        let environment = &self.scope.environment;
        // A legacy template has the hash of the HCL that it would be upgraded to.
        let upgraded = match environment.dialect {
            Dialect::Legacy => Some(canonical_source(&environment.names, expression, of))
                .and_then(|text| parse_expression(&Source::new("<upgraded>", text), None).ok()),
            Dialect::Hcl | Dialect::HclJson => None,
        };
        let upgraded = upgraded.as_ref().unwrap_or(expression);
        let lookups = &environment.context().lookups;
        let (roots, origins) = (&environment.roots, &environment.origins);
        origin::text_of(upgraded, roots, origins, lookups)
    }
}
