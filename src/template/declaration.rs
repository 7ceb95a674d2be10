//! What a template declares, unevaluated: the one typed form of HCL2, HCL-JSON and legacy JSON.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::syntax::{Block, Body, Dialect, Expression, Name};
use crate::diagnostic::Span;

/// A whole template: one file or all files of a directory.
#[derive(Clone, Debug)]
pub struct Template {
    /// HCL or legacy: which rules hold for variables and strings.
    pub dialect: Dialect,
    /// Directory of the template as the user typed it: `path.root`.
    pub root: PathBuf,
    /// `packer { required_version = … }`.
    pub required_versions: Vec<Expression>,
    /// `required_plugins`: name and what is asked of it.
    pub required_plugins: Vec<(Name, Expression)>,
    /// Declared variables.
    pub variables: Vec<Variable>,
    /// Locals of all `locals` and `local` blocks.
    pub locals: Vec<Local>,
    /// Data sources.
    pub data: Vec<Labelled>,
    /// Sources; a legacy template's builders.
    pub sources: Vec<Labelled>,
    /// Builds in file order.
    pub builds: Vec<Build>,
    /// `hcp_packer_registry` blocks beside the builds.
    pub registries: Vec<Block>,
    /// Spans of everything, for "no build" and the like.
    pub whole: Span,
}

impl Template {
    /// A template that declares nothing yet.
    pub(super) fn empty(dialect: Dialect, root: &Path, whole: Span) -> Self {
        Self {
            dialect,
            root: root.to_owned(),
            required_versions: Vec::new(),
            required_plugins: Vec::new(),
            variables: Vec::new(),
            locals: Vec::new(),
            data: Vec::new(),
            sources: Vec::new(),
            builds: Vec::new(),
            registries: Vec::new(),
            whole,
        }
    }
}

/// `variable "name" { … }`.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: Name,
    /// How it is written: in JSON, types are strings.
    pub dialect: Dialect,
    /// `type`.
    pub of: Option<Expression>,
    /// `default`; must not refer to anything.
    pub default: Option<Expression>,
    /// `sensitive`.
    pub sensitive: bool,
    /// `description`.
    pub description: Option<Expression>,
    /// `validation` blocks.
    pub validations: Vec<Validation>,
    /// What diagnostics about the whole variable point at.
    pub header: Span,
}

/// `validation { … }` of a variable.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Must be true.
    pub condition: Expression,
    /// Said when it is not.
    pub error_message: Expression,
}

/// A local value.
#[derive(Clone, Debug)]
pub struct Local {
    /// Its name.
    pub name: Name,
    /// Its value.
    pub expression: Expression,
    /// `local "name" { sensitive = true }`.
    pub sensitive: bool,
}

/// A block with a type and a name: `source "amazon-ebs" "app"`.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The first label.
    pub kind: Name,
    /// The second label.
    pub name: Name,
    /// What stands in it.
    pub body: Arc<Body>,
    /// What diagnostics about the whole block point at.
    pub header: Span,
}

/// `build { … }`.
#[derive(Clone, Debug)]
pub struct Build {
    /// `name`.
    pub name: Option<Expression>,
    /// `description`.
    pub description: Option<Expression>,
    /// `sources = [ … ]`, one expression for the list.
    pub sources: Option<Expression>,
    /// `source "type.name" { … }`.
    pub source_blocks: Vec<SourceUse>,
    /// Provisioners in order.
    pub provisioners: Vec<Step>,
    /// `error-cleanup-provisioner`.
    pub error_cleanup: Option<Step>,
    /// Chains of post-processors.
    pub post_processors: Vec<Vec<Step>>,
    /// `hcp_packer_registry` blocks.
    pub registries: Vec<Block>,
    /// The whole block, when it has `dynamic` blocks: what those stand for is only known with the
    /// values of variables ([`Environment::expanded`](super::Environment::expanded)).
    pub(super) unexpanded: Option<Arc<Block>>,
    /// What diagnostics about the whole block point at.
    pub header: Span,
}

/// `source "type.name" { … }` in a build: a use of a source with additions.
#[derive(Clone, Debug)]
pub struct SourceUse {
    /// `type.name`.
    pub reference: Name,
    /// `name`: what this use is called.
    pub rename: Option<Expression>,
    /// Options to add.
    pub body: Body,
    /// What diagnostics about the whole block point at.
    pub header: Span,
}

/// A provisioner or a post-processor.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its type.
    pub kind: Name,
    /// Arguments that every step has: `only`, `except`, `override`, `pause_before`, ….
    pub meta: Body,
    /// Its own options.
    pub body: Body,
    /// What diagnostics about the whole block point at.
    pub header: Span,
}
