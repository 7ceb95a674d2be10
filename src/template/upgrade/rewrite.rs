//! What everything that is rewritten has in common: the names, and what is learned on the way.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use super::super::syntax::Expression;
use super::Names;
use super::call::Place;
use super::name::identifier;
use crate::value::Type;

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

/// The HCL that stands for an option of a legacy template: what is hashed of it where its value is
/// a secret or not known yet, so that the upgraded template has the same hash.
pub(in crate::template) fn canonical_source(
    names: &Names,
    expression: &Expression,
    of: &Type,
) -> String {
    Rewrite::new(names).value(expression, Some(of), Place::Step).spell()
}
