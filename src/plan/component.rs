//! Components: a builder, a provisioner, a post-processor as a template uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Planned, Tree};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::template::schema::{
    BuildData, Decoded, Decoder, Evaluate, Facts, OptionType, RawOptions, Resolve, Schema,
};
use crate::template::syntax::{Body, Dialect, Expression};

/// A component as a template uses it.
#[derive(Clone)]
pub struct Component {
    /// Its type, such as `amazon-ebs` or `shell`.
    pub kind: String,
    /// Its options, after build-level additions and overrides.
    pub body: Arc<Body>,
    /// What diagnostics about the whole component point at.
    pub owner: Span,
    /// How its expressions are evaluated.
    pub evaluate: Arc<dyn Evaluate>,
}

impl std::fmt::Debug for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Component({} at {})", self.kind, self.owner)
    }
}

impl Component {
    /// Reads the options, with what the build knows so far.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn decode<T>(
        &self,
        data: Option<&BuildData>,
        schema: &Schema,
        read: impl FnOnce(&RawOptions<'_>, &mut Decoder<'_>) -> Option<T>,
    ) -> Result<Decoded<T>, Diagnostics> {
        let mut diagnostics = Diagnostics::new();
        let resolve = self.evaluate.resolve(data);
        Decoder::decode(&*resolve, &self.body, &self.owner, schema, read, &mut diagnostics)
            .ok_or(diagnostics)
    }
}

/// A type of component: its options and how a use of it is planned.
#[derive(Clone, Copy)]
pub struct ComponentKind {
    /// The name in templates.
    pub name: &'static str,
    /// Its options.
    pub schema: fn() -> &'static Schema,
    /// Checks a use of it and names its inputs. Reads files, nothing else; says what is wrong
    /// through [`Planner::error`].
    pub plan: fn(&mut Planner<'_>),
}

/// Plans one component.
pub struct Planner<'a> {
    component: &'a Component,
    directory: &'a Path,
    diagnostics: &'a mut Diagnostics,
    facts: Facts,
    trees: BTreeMap<String, Tree>,
    places: BTreeMap<String, PathBuf>,
    title: String,
    unsupported: Diagnostics,
}

impl<'a> Planner<'a> {
    /// Plans `component`; relative paths in it are relative to `directory`.
    pub(super) fn new(
        component: &'a Component,
        directory: &'a Path,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        Self {
            component,
            directory,
            diagnostics,
            facts: Facts::default(),
            trees: BTreeMap::new(),
            places: BTreeMap::new(),
            title: component.kind.clone(),
            unsupported: Diagnostics::new(),
        }
    }

    /// Reads the options as far as they are known before the build. Errors are reported; what is
    /// wrong has a stand-in, so that the other options can be checked. `None` where there is none.
    pub fn decode<T>(
        &mut self,
        schema: &Schema,
        read: impl FnOnce(&RawOptions<'_>, &mut Decoder<'_>) -> Option<T>,
    ) -> Option<T> {
        let resolve = self.component.evaluate.resolve(None);
        let decoded = Decoder::decode_for_checks(
            &*resolve,
            &self.component.body,
            &self.component.owner,
            schema,
            read,
            self.diagnostics,
        )?;
        self.facts = decoded.facts;
        Some(decoded.options)
    }

    /// Whether the template gives an option (a dotted path for nested ones).
    pub fn is_given(&self, option: &str) -> bool {
        self.facts.spans.contains_key(option)
    }

    /// Whether an option is given with a value that asks for something: neither its default nor
    /// empty, as legacy templates write what they leave out. Not for options in blocks.
    pub fn asks_for(&self, option: &str) -> bool {
        use serde_json::Value as Json;
        self.facts.evaluated.get(option).is_some_and(|form| match form {
            Json::Null => false,
            Json::Bool(value) => *value,
            Json::Number(value) => value.as_i64() != Some(0),
            Json::String(value) => !value.is_empty(),
            Json::Array(all) => !all.is_empty(),
            // An empty map is a default; an empty block is still one that is given.
            Json::Object(_) => true,
        })
    }

    /// The canonical form of an option that is given and differs from its default.
    pub(super) fn evaluated(&self, option: &str) -> Option<&serde_json::Value> {
        self.facts.evaluated.get(option)
    }

    /// The options as they are written, and what evaluates them.
    pub(super) fn written_body(&self) -> (&'a Body, Box<dyn Resolve + Send + Sync + 'a>) {
        (&self.component.body, self.component.evaluate.resolve(None))
    }

    /// Reports a finding that has its place.
    pub(super) fn report(&mut self, finding: Diagnostic) {
        self.diagnostics.push(finding);
    }

    /// The options, with dots for nested ones, whose values are only known while the build runs.
    pub(super) fn late(&self) -> &BTreeSet<String> {
        &self.facts.late
    }

    /// Whether an option's value is only known while the build runs.
    pub fn is_late(&self, option: &str) -> bool {
        self.facts.late.contains(option)
    }

    /// Reports something about an option: at its place when it is given, else at the component.
    /// Says nothing of an option that has a stand-in, nor that one is missing where something else
    /// is wrong: that may be the one.
    pub fn error(&mut self, option: &str, diagnostic: Diagnostic) {
        let parent = option.rsplit_once('.').map_or(option, |(parent, _)| parent);
        let stands_in = [option, parent].iter().any(|one| self.facts.unread.contains(*one));
        if stands_in || (self.facts.failed && !self.is_given(option) && !self.is_given(parent)) {
            return;
        }
        let diagnostic = self.facts.at(option, &self.component.owner, diagnostic);
        let resolve = self.component.evaluate.resolve(None);
        self.diagnostics.push(match written(&self.component.body, option) {
            Some(expression) => resolve.with_values(diagnostic, expression),
            None => diagnostic,
        });
    }

    /// Reports that a template is right but asks for what bake cannot do yet: `validate` warns,
    /// `build` refuses. An empty `option` stands for the whole component.
    pub fn unsupported(&mut self, option: &str, finding: Diagnostic) {
        let finding = self.facts.at(option, &self.component.owner, finding);
        self.unsupported.push(finding);
    }

    /// Reports that bake knows this component but cannot run it yet; `role` is what it is in a
    /// template: a provisioner, a post-processor.
    pub fn unsupported_yet(&mut self, role: &str) {
        let text = format!("the {role} `{}` is not supported yet", self.component.kind);
        self.unsupported("", Diagnostic::error("unsupported", text));
    }

    /// Leaves an option out of the hash that is written as what holds without it. For defaults that
    /// depend on other options; those that a declaration gives are left out anyway.
    pub fn usual<T: OptionType>(&mut self, option: &str, usual: &T) {
        let usual = usual.canonical();
        for forms in [&mut self.facts.hashed, &mut self.facts.evaluated] {
            if forms.get(option) == Some(&usual) {
                forms.remove(option);
            }
        }
    }

    /// Says that nobody can know before the build runs what an option leads to: the image is then
    /// never reused.
    pub fn mark_volatile(&mut self, option: &str) {
        let span = self.facts.spans.get(option).unwrap_or(&self.component.owner).clone();
        self.facts.volatile.push((option.to_owned(), span));
    }

    /// Adds the file or directory at `path`, which the component uses, under a name by which its run
    /// finds it.
    pub fn add_tree(&mut self, name: impl Into<String>, path: impl Into<PathBuf>, tree: Tree) {
        let name = name.into();
        self.places.insert(name.clone(), path.into());
        self.trees.insert(name, tree);
    }

    /// What the component does, for people.
    pub fn set_title(&mut self, title: impl Into<String>) {
        self.title = title.into();
    }

    /// Where relative paths in options start: the working directory, as in Packer.
    pub fn directory(&self) -> &Path {
        self.directory
    }

    /// What to do about a path that leads nowhere, in the words of the template's language.
    pub fn path_help(&self) -> String {
        let root = match self.component.body.dialect {
            Dialect::Legacy => "{{template_dir}}",
            Dialect::Hcl | Dialect::HclJson => "${path.root}",
        };
        format!(
            "paths are relative to the directory in which bake runs; `{root}` is the template's"
        )
    }

    pub(super) fn finish(self) -> Planned {
        Planned {
            component: self.component.clone(),
            hashed: self.facts.hashed,
            evaluated: self.facts.evaluated,
            trees: self.trees,
            places: self.places,
            title: self.title,
            volatile: self.facts.volatile,
            late: self.facts.late,
            secrets: self.facts.secrets,
            unsupported: self.unsupported,
        }
    }
}

/// What is written for an option.
fn written<'b>(body: &'b Body, option: &str) -> Option<&'b Expression> {
    let (name, inner) = option.split_once('.').unwrap_or((option, ""));
    if let Some(attribute) = body.attributes.iter().find(|one| one.name.text == name) {
        return Some(&attribute.expression);
    }
    let (index, inner) = inner.split_once('.')?;
    let mut blocks = body.blocks.iter().filter(|one| one.kind.text == name);
    written(&blocks.nth(index.parse().ok()?)?.body, inner)
}
