//! What an expression can refer to.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::used::{Used, Uses};
use crate::diagnostic::Span;
use crate::template::lookup::{Answers, Lookups};
use crate::value::Value;

type Random = Mutex<dyn FnMut(&Span) -> [u8; 16] + Send>;
type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// All that functions may see of the machine and the moment.
pub struct FunctionContext {
    /// The directory of the template, as an absolute path: what `file` and its kin start from.
    pub root_dir: PathBuf,
    /// The working directory, as an absolute path.
    pub cwd: PathBuf,
    /// The moment of the run: what `timestamp` gives, however often it is called.
    pub now: Timestamp,
    /// What is asked of the world outside, and the answers that there are.
    pub lookups: Arc<Lookups>,
    random: Arc<Random>,
    environment: Arc<Environment>,
    uses: Arc<Uses>,
}

impl FunctionContext {
    /// Functions see these directories and this moment, `random` bytes for UUIDs (by the place of
    /// the call), and `environment` through `env`. Look-ups have no answers.
    pub fn new(
        root_dir: impl Into<PathBuf>,
        cwd: impl Into<PathBuf>,
        now: Timestamp,
        random: impl FnMut(&Span) -> [u8; 16] + Send + 'static,
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            root_dir: root_dir.into(),
            cwd: cwd.into(),
            now,
            lookups: Arc::default(),
            random: Arc::new(Mutex::new(random)),
            environment: Arc::new(environment),
            uses: Arc::default(),
        }
    }

    /// The same for expressions whose files all start from the working directory.
    fn at_working_directory(&self) -> Self {
        Self {
            root_dir: self.cwd.clone(),
            cwd: self.cwd.clone(),
            now: self.now,
            lookups: Arc::clone(&self.lookups),
            random: Arc::clone(&self.random),
            environment: Arc::clone(&self.environment),
            uses: Arc::clone(&self.uses),
        }
    }

    /// The same with answers to look-ups.
    #[must_use]
    pub fn with_answers(mut self, answers: Answers) -> Self {
        self.lookups = Arc::new(Lookups::new(answers));
        self
    }

    /// Sixteen fresh random bytes for a call at `place`.
    pub fn random(&self, place: &Span) -> [u8; 16] {
        let mut random = self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        random(place)
    }

    /// A variable of the environment.
    pub fn environment(&self, name: &str) -> Option<String> {
        self.uses.environment(name);
        (self.environment)(name)
    }

    /// Remembers that a function reads a file, or looks whether it is there.
    pub fn uses_file(&self, path: &Path) {
        self.uses.file(path);
    }

    /// Remembers that a function lists what is below a directory.
    pub fn uses_directory(&self, path: &Path) {
        self.uses.directory(path);
    }

    /// What was used so far.
    pub fn used(&self) -> Used {
        self.uses.so_far()
    }
}

impl fmt::Debug for FunctionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionContext")
            .field("root_dir", &self.root_dir)
            .field("cwd", &self.cwd)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Names and what they stand for, in scopes that lie within one another.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    parent: Option<&'a Scope<'a>>,
    /// Names of an outermost scope that are kept elsewhere.
    roots: Arc<BTreeMap<String, Value>>,
    values: BTreeMap<String, Value>,
    context: Arc<FunctionContext>,
    env: bool,
    templatefile: bool,
    lookups: bool,
}

impl Scope<'static> {
    /// An outermost scope without names.
    pub fn new(context: Arc<FunctionContext>) -> Self {
        Self {
            parent: None,
            roots: Arc::default(),
            values: BTreeMap::new(),
            context,
            env: false,
            templatefile: true,
            lookups: true,
        }
    }

    /// An outermost scope with the names of `roots`. They are not copied: there is a scope for each
    /// expression of a template, and a template may have thousands of locals.
    pub fn over(roots: Arc<BTreeMap<String, Value>>, context: Arc<FunctionContext>) -> Self {
        Self { roots, ..Self::new(context) }
    }
}

impl<'a> Scope<'a> {
    /// A scope within this one.
    pub fn child(&'a self) -> Scope<'a> {
        Scope {
            parent: Some(self),
            roots: Arc::default(),
            values: BTreeMap::new(),
            context: Arc::clone(&self.context),
            env: self.env,
            templatefile: self.templatefile,
            lookups: self.lookups,
        }
    }

    /// An outermost scope with the same context and no names, for a file of its own.
    pub(crate) fn for_template_file(&self) -> Scope<'static> {
        Scope {
            parent: None,
            roots: Arc::default(),
            values: BTreeMap::new(),
            context: Arc::clone(&self.context),
            env: false,
            templatefile: false,
            lookups: self.lookups,
        }
    }

    /// Lets `name` stand for `value`.
    pub fn set(&mut self, name: impl Into<String>, value: Value) {
        self.values.insert(name.into(), value);
    }

    /// The same with `name` standing for `value`.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: Value) -> Self {
        self.set(name, value);
        self
    }

    /// The same, but `env` may be called, as in the default of a variable.
    #[must_use]
    pub fn allow_env(mut self) -> Self {
        self.env = true;
        self
    }

    /// The same, but paths given to functions start from the working directory, as in the
    /// conditions of variables (`packer-core.md` section 3.1).
    #[must_use]
    pub(crate) fn with_files_of_working_directory(mut self) -> Self {
        self.context = Arc::new(self.context.at_working_directory());
        self
    }

    /// Whether `env` may be called.
    pub fn allows_env(&self) -> bool {
        self.env
    }

    /// The same, but nothing more is looked up, as in a running build.
    #[must_use]
    pub(crate) fn without_lookups(mut self) -> Self {
        self.lookups = false;
        self
    }

    /// Whether look-ups that have no answer yet may still get one.
    pub(crate) fn allows_lookups(&self) -> bool {
        self.lookups
    }

    /// Whether `templatefile` may be called; a template file may not call it again.
    pub(crate) fn allows_templatefile(&self) -> bool {
        self.templatefile
    }

    /// What `name` stands for.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let outer = || self.parent.and_then(|parent| parent.get(name));
        self.values.get(name).or_else(|| self.roots.get(name)).or_else(outer)
    }

    /// All names that stand for something.
    pub fn names(&self) -> Vec<&str> {
        let own = self.values.keys().chain(self.roots.keys());
        let mut names: Vec<&str> = own.map(String::as_str).collect();
        if let Some(parent) = self.parent {
            names.extend(parent.names());
        }
        names
    }

    /// What functions see.
    pub fn context(&self) -> &Arc<FunctionContext> {
        &self.context
    }
}
