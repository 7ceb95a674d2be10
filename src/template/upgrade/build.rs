//! The whole template.

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::value::quote;

use super::super::declaration::{Build, Template, Variable};
use super::super::json::{Kind, Node};
use super::super::layout::format_hcl;
use super::super::schema::Schema;
use super::Names;
use super::call::Place;
use super::convert::literal_text;
use super::document::{Block, Out, comment};
use super::name::{self, SourceName};
use super::packer;
use super::rewrite::Rewrite;
use super::variable::Declarations;

/// What a component does in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It makes an artifact.
    Builder,
    /// It changes the machine.
    Provisioner,
    /// It does something with the artifact.
    PostProcessor,
}

/// The options of a component by its type; `None` for one that is not known.
pub type Schemas<'a> = &'a dyn Fn(Role, &str) -> Option<&'static Schema>;

/// A template in HCL.
#[derive(Clone, Debug)]
pub struct Upgraded {
    /// Its text, in canonical layout.
    pub text: String,
    /// What could not be written in HCL (errors) and what is other than before (warnings), at
    /// their places in the legacy template.
    pub found: Diagnostics,
    /// What variables are called now, where that is another name: before and after.
    pub renamed: Vec<(String, String)>,
}

/// How a template is to be written.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Whether comments say what was done and why.
    pub annotations: bool,
    /// The legacy template's directory as seen from the new one's; empty when it is the same.
    pub directory: String,
}

/// Writes a legacy template in HCL. `root` is the JSON that it was read from, for its comments.
///
/// # Errors
/// What was written is no HCL: a fault of bake.
pub fn upgrade(
    template: &Template,
    root: &Node,
    schemas: Schemas<'_>,
    manner: &Manner,
) -> Result<Upgraded, Diagnostics> {
    let names = Names::of(&template.variables);
    let mut rewrite = Rewrite::new(&names);
    if !manner.directory.is_empty() {
        let path = quote(&format!("/{}", manner.directory));
        let path = path.strip_prefix('"').unwrap_or(&path);
        rewrite.template_directory = format!("abspath(\"${{path.root}}{path})");
    }
    let mut writer = Writer {
        rewrite,
        template,
        schemas,
        annotations: manner.annotations,
        sources: name::sources(template),
        found: Diagnostics::new(),
    };
    let text = writer.text(root);
    let renamed = template
        .variables
        .iter()
        .filter_map(|variable| {
            let declared = names.get(&variable.name.text)?;
            let new = (variable.name.text.clone(), declared.name.clone());
            (new.0 != new.1).then_some(new)
        })
        .collect();
    let text = format_hcl(&Source::new("<upgraded>", text))?;
    Ok(Upgraded { text, found: writer.found, renamed })
}

struct Writer<'a> {
    rewrite: Rewrite<'a>,
    template: &'a Template,
    schemas: Schemas<'a>,
    annotations: bool,
    sources: Vec<SourceName>,
    found: Diagnostics,
}

impl Writer<'_> {
    fn text(&mut self, root: &Node) -> String {
        let mut declarations = Declarations::default();
        for variable in &self.template.variables {
            self.rewrite.variable(variable, &mut declarations);
            let notes = self.findings(&variable.header);
            self.renamed(variable);
            if let Some(block) = declarations.variables.last_mut() {
                block.comments.extend(notes);
            }
        }
        let sources: Vec<_> =
            (0..self.template.sources.len()).filter_map(|at| self.source(at)).collect();
        let builds: Vec<_> = self.template.builds.iter().map(|build| self.build(build)).collect();
        // Only now it is known what is used.
        declarations.variables.extend(self.rewrite.undeclared_variables());
        declarations.variables.extend(self.rewrite.environment_blocks());

        let mut text = comment(&comments(root));
        let packer: Vec<_> = packer::block(self.template).into_iter().collect();
        let mut locals: Vec<_> = Vec::new();
        if !declarations.locals.arguments.is_empty() {
            locals.push(Block { contents: declarations.locals, ..Block::new("locals") });
        }
        locals.extend(declarations.sensitive_locals);
        for (blocks, about) in [
            (packer, "Plugins are for Packer; bake needs none."),
            (
                declarations.variables,
                "All variables of a JSON template are texts. Give them by -var, -var-file or \
                 PKR_VAR_NAME.",
            ),
            (
                locals,
                "What a variable's default may not say in HCL. A value that is given for the \
                 variable of the same name goes first.",
            ),
            (sources, "The builders: where the images are made."),
            (builds, "What is done to them, for all sources unless `only` or `except` says so."),
        ] {
            self.section(&blocks, about, &mut text);
        }
        text
    }

    fn section(&self, blocks: &[Block], about: &str, text: &mut String) {
        if blocks.is_empty() {
            return;
        }
        if self.annotations {
            separate(text);
            text.push_str(&comment(&[about.to_owned()]));
        }
        for (at, block) in blocks.iter().enumerate() {
            // The comment is about all of them.
            if !(self.annotations && at == 0 && block.comments.is_empty()) {
                separate(text);
            }
            text.push_str(&block.spell());
        }
    }

    /// What was learned since the last block: notes as comments, problems as errors.
    fn findings(&mut self, at: &Span) -> Vec<String> {
        let (notes, problems) = self.rewrite.take();
        let mut comments = if self.annotations { notes } else { Vec::new() };
        for problem in problems {
            comments.push(format!("TODO: {problem}."));
            self.found.push(
                Diagnostic::error("not-upgraded", problem)
                    .at(at, "")
                    .help("the written file says `TODO` there: put it right by hand"),
            );
        }
        comments
    }

    /// A variable that is called otherwise has to be given otherwise.
    fn renamed(&mut self, variable: &Variable) {
        let legacy = &variable.name.text;
        let Some(declared) = self.rewrite.names.get(legacy).filter(|one| one.name != *legacy)
        else {
            return;
        };
        self.found.push(
            Diagnostic::warning(
                "renamed-variable",
                format!("the variable `{legacy}` is now `{}`", declared.name),
            )
            .at(&variable.name.span, "this is no name in HCL")
            .help(format!("write `-var {}=…`, and so in variable files", declared.name)),
        );
    }

    fn source(&mut self, at: usize) -> Option<Block> {
        let source = self.template.sources.get(at)?;
        let name = self.sources.get(at)?;
        let schema = (self.schemas)(Role::Builder, &source.kind.text);
        let mut block = Block::new(format!("source {} {}", quote(&name.kind), quote(&name.label)));
        block.contents = self.rewrite.options(&source.body, schema, Place::Builder);
        if schema.is_none() {
            self.rewrite.unknown(&source.kind.text);
        }
        if name.is_renamed() {
            let legacy = &name.legacy;
            self.rewrite.note(format!(
                "the builder `{legacy}`; scripts see {} in PACKER_BUILD_NAME",
                name.label
            ));
            self.found.push(
                Diagnostic::warning(
                    "renamed-source",
                    format!("the builder `{legacy}` is now the source `{}`", name.label),
                )
                .at(&source.name.span, "this is no name in HCL")
                .help(format!(
                    "its build keeps the old name, but scripts see `{}` in PACKER_BUILD_NAME",
                    name.label
                )),
            );
        }
        let notes = self.findings(&source.header);
        block.comments.extend(notes);
        Some(block)
    }

    fn build(&mut self, build: &Build) -> Block {
        let mut block = Block::new("build");
        if let Some(text) = build.description.as_ref().and_then(literal_text) {
            block.set("description", Out::Plain(quote(text)));
        }
        let plain: Vec<_> = self.sources.iter().filter(|name| !name.is_renamed()).collect();
        if !plain.is_empty() {
            let items = plain
                .iter()
                .map(|name| Out::Plain(quote(&format!("source.{}.{}", name.kind, name.label))));
            block.set("sources", Out::List(items.collect()));
        }
        for name in self.sources.iter().filter(|name| name.is_renamed()) {
            let mut used =
                Block::new(format!("source {}", quote(&format!("{}.{}", name.kind, name.label))));
            let text = self.rewrite.text(&name.legacy, Place::Builder);
            if text.constant().is_none() && self.annotations {
                used.comments.push("Packer wants a constant here; bake does not.".to_owned());
            }
            used.set("name", Out::Plain(text.spell()));
            block.contents.blocks.push(used);
        }
        let cleanup = build.error_cleanup.iter().map(|step| ("error-cleanup-provisioner", step));
        for (word, step) in
            build.provisioners.iter().map(|step| ("provisioner", step)).chain(cleanup)
        {
            let schema = (self.schemas)(Role::Provisioner, &step.kind.text);
            let mut written = self.rewrite.step(word, step, schema, &self.sources);
            written.comments = self.findings(&step.header);
            block.contents.blocks.push(written);
        }
        for chain in &build.post_processors {
            let mut steps = Vec::new();
            for step in chain {
                let schema = (self.schemas)(Role::PostProcessor, &step.kind.text);
                let mut written = self.rewrite.step("post-processor", step, schema, &self.sources);
                written.comments = self.findings(&step.header);
                steps.push(written);
            }
            if steps.len() > 1 {
                let mut chain = Block::new("post-processors");
                chain.contents.blocks = steps;
                block.contents.blocks.push(chain);
            } else {
                block.contents.blocks.extend(steps);
            }
        }
        block
    }
}

/// An empty line behind what is there.
fn separate(text: &mut String) {
    if !text.is_empty() {
        text.push('\n');
    }
}

/// The comments of a legacy template: root keys that begin with `_`, and `comments`.
fn comments(root: &Node) -> Vec<String> {
    let Kind::Object(members) = &root.kind else { return Vec::new() };
    let mut lines = Vec::new();
    for member in members {
        if member.key == "comments" || member.key.starts_with('_') {
            texts(&member.value, &mut lines);
        } else if member.key == "push" {
            lines.push("`push` is gone: Packer has no service to push to any more.".to_owned());
        }
    }
    lines
}

fn texts(node: &Node, lines: &mut Vec<String>) {
    match &node.kind {
        Kind::String(text) => lines.push(text.value().to_owned()),
        Kind::Array(all) => all.iter().for_each(|one| texts(one, lines)),
        Kind::Object(members) => members.iter().for_each(|member| texts(&member.value, lines)),
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => {
            lines.push(node.span.text().to_owned());
        }
    }
}
