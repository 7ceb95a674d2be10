//! What everything that is rewritten has in common: the names, and what is learned on the way.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::super::syntax::Expression;
use super::Names;
use super::call::Place;
use super::name::{Declared, identifier};
use crate::value::{Marks, Type, Value};

/// Rewrites texts and values, and keeps what is to be said about them.
pub(super) struct Rewrite<'a> {
    pub(super) names: &'a Names,
    /// The legacy template's directory, as an expression.
    pub(super) template_directory: String,
    notes: RefCell<Vec<String>>,
    problems: RefCell<Vec<String>>,
    undeclared: RefCell<BTreeSet<String>>,
    environment: RefCell<BTreeSet<String>>,
    problem_count: Cell<usize>,
}

impl<'a> Rewrite<'a> {
    pub(super) fn new(names: &'a Names) -> Self {
        Self {
            names,
            template_directory: "abspath(path.root)".to_owned(),
            notes: RefCell::default(),
            problems: RefCell::default(),
            undeclared: RefCell::default(),
            environment: RefCell::default(),
            problem_count: Cell::new(0),
        }
    }

    /// The expression of the local that stands in for a variable which is not given; `text` is its
    /// default.
    pub(super) fn stand_in(&self, declared: &Declared, text: &str) -> String {
        let name = &declared.name;
        let value = self.text(text, Place::Local).spell();
        format!("var.{name} != null ? var.{name} : {value}")
    }

    /// Keeps something that readers of the block should know.
    pub(super) fn note(&self, text: String) {
        let mut notes = self.notes.borrow_mut();
        if !notes.contains(&text) {
            notes.push(text);
        }
    }

    /// Keeps something that could not be rewritten.
    pub(super) fn problem(&self, text: String) {
        self.problem_count.set(self.problem_count.get() + 1);
        self.problems.borrow_mut().push(text);
    }

    pub(super) fn has_problems(&self) -> bool {
        self.problem_count.get() > 0
    }

    /// What was kept since the last time it was asked: notes and problems.
    pub(super) fn take(&self) -> (Vec<String>, Vec<String>) {
        (self.notes.take(), self.problems.take())
    }

    /// A variable that is used but not declared.
    pub(super) fn undeclared(&self, name: &str) {
        self.undeclared.borrow_mut().insert(name.to_owned());
    }

    /// All variables that are used but not declared.
    pub(super) fn all_undeclared(&self) -> BTreeSet<String> {
        self.undeclared.borrow().clone()
    }

    /// The variable that holds an environment variable for a local, where `env` does not work.
    pub(super) fn environment_variable(&self, name: &str) -> String {
        self.environment.borrow_mut().insert(name.to_owned());
        format!("var.{}", environment_name(name))
    }

    /// All environment variables that need a variable.
    pub(super) fn environment_variables(&self) -> BTreeSet<String> {
        self.environment.borrow().clone()
    }
}

/// What the variable for an environment variable is called.
pub(super) fn environment_name(name: &str) -> String {
    format!("env_{}", identifier(name))
}

/// The values that expressions of HCL find where legacy texts find variables: `var` and `local`.
pub(in crate::template) fn roots(
    names: &Names,
    values: &BTreeMap<String, Value>,
    environment: &BTreeMap<String, String>,
) -> BTreeMap<String, Value> {
    let (mut vars, mut locals) = (BTreeMap::new(), BTreeMap::new());
    let rewrite = Rewrite::new(names);
    for (legacy, declared) in names.all() {
        let name = declared.name.clone();
        let value = values.get(legacy);
        if !declared.is_local {
            vars.extend(value.map(|value| (name, value.clone())));
            continue;
        }
        let sensitive = Marks { sensitive: declared.sensitive, volatile: false };
        vars.insert(name.clone(), Value::null().marked(sensitive));
        locals.extend(value.map(|value| (name, value.clone())));
        // Only to learn of environment variables.
        rewrite.text(declared.default.as_deref().unwrap_or_default(), Place::Local);
    }
    for (legacy, value) in values.iter().filter(|(legacy, _)| names.get(legacy).is_none()) {
        vars.insert(identifier(legacy), value.clone());
    }
    for name in rewrite.environment_variables() {
        let text = environment.get(&name).map_or("", String::as_str);
        vars.insert(environment_name(&name), Value::string(text));
    }
    [("var", vars), ("local", locals)]
        .map(|(root, all)| (root.to_owned(), Value::object(all)))
        .into()
}

/// What HCL calls a legacy variable, and the expression that gives it its value when it is written
/// as `text`, in the template or elsewhere.
pub(in crate::template) fn stand_in(
    names: &Names,
    legacy: &str,
    text: &str,
) -> Option<(String, String)> {
    let declared = names.get(legacy)?;
    let rewrite = Rewrite::new(names);
    let expression = match declared.default.as_deref() {
        Some(default) if declared.is_local && default == text => rewrite.stand_in(declared, text),
        _ => rewrite.text(text, Place::Local).spell(),
    };
    Some((declared.reference(), expression))
}

/// The HCL that stands for an option of a legacy template: what is hashed of it where its value is
/// a secret or not known yet, so that the upgraded template has the same hash.
pub(in crate::template) fn canonical_source(
    names: &Names,
    expression: &Expression,
    of: &Type,
) -> String {
    Rewrite::new(names).value(expression, Some(of), Place::Step).spell()
}
