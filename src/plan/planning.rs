//! From a template to its plans: one for each selected build and source.

mod additions;
mod post_processor;
mod registry;
mod step;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use crate::template::evaluate::references;
use crate::template::known_plugins::{self, Role};
use crate::template::schema::Schema;
use crate::template::syntax::{Dialect, Expression, Name};
use crate::template::{Build, Environment, Labelled, NULL_VALUE, SourceUse, Template};

use super::selection::Selection;
use super::{Component, ComponentKind, Plan, Planned};

/// The components that templates may use.
#[derive(Clone, Copy)]
pub struct Kinds<'a> {
    /// Builders.
    pub builders: &'a [ComponentKind],
    /// Provisioners.
    pub provisioners: &'a [ComponentKind],
    /// Post-processors.
    pub post_processors: &'a [ComponentKind],
}

crate::options! {
    /// What every provisioner may say about itself.
    pub struct MetaOptions {
        /// A name for people.
        unhashed name: Option<String>,
        /// Sources that it runs for.
        unhashed only: Vec<String>,
        /// Sources that it does not run for.
        unhashed except: Vec<String>,
        /// How long to wait before it runs.
        unhashed pause_before: std::time::Duration = std::time::Duration::ZERO,
        /// How long one attempt may take.
        unhashed timeout: Option<std::time::Duration>,
        /// Attempts after the first.
        unhashed max_retries: u32 = 0,
        /// Whether the build goes on when it has failed for good.
        hashed continue_on_error: bool = false,
    }
}

/// Plans everything that is selected. Relative paths in options start at `directory`.
///
/// # Errors
/// Everything that is wrong, in file order. Warnings are added to `warnings` in any case.
pub fn plan(
    template: &Template,
    environment: &Arc<Environment>,
    kinds: Kinds<'_>,
    selection: &Selection,
    directory: &Path,
    warnings: &mut Diagnostics,
) -> Result<Vec<Plan>, Diagnostics> {
    let mut planning = Planning {
        template,
        environment,
        kinds,
        selection,
        directory,
        found: Diagnostics::new(),
        post_processors: BTreeSet::new(),
    };
    let mut plans = Vec::new();
    let mut names = Vec::new();
    if template.builds.is_empty() {
        planning.found.push(
            Diagnostic::error("missing-build", "the template has no `build` block")
                .at(&template.whole, "")
                .help("add `build { sources = [\"source.TYPE.NAME\"] }`"),
        );
    }
    let builds: Vec<_> = template
        .builds
        .iter()
        .filter_map(|build| planning.found.take(environment.expanded(build)))
        .collect();
    for registry in &template.registries {
        planning.check_registry(registry, &environment.of_build("", "", ""));
    }
    for build in builds.iter().map(AsRef::as_ref) {
        planning.check_build(build);
        let uses = planning.uses(build);
        for usage in &uses {
            let name = usage.name(build, environment, &mut planning.found);
            let selected = selection.takes(&name);
            if names.contains(&name) {
                planning.found.push(same_name(&name, build));
            }
            names.push(name.clone());
            if selected {
                plans.extend(planning.plan(build, usage, &uses, name));
            }
        }
    }
    let post_processors = planning.post_processors;
    let found = without_repeats(planning.found);
    warnings.extend(selection.unmatched(&names, &post_processors));
    if found.has_errors() {
        return Err(found);
    }
    warnings.extend(found);
    warnings.extend(unrepeatable(&plans));
    if plans.is_empty() {
        return Err(Diagnostic::error("nothing-selected", "no builds to run")
            .note(format!("builds of this template: {}", names.join(", ")))
            .into());
    }
    Ok(plans)
}

/// A warning for each place that makes an image another one in each run; once where several builds
/// share it.
fn unrepeatable(plans: &[Plan]) -> Diagnostics {
    let mut warnings = Diagnostics::new();
    let mut seen = BTreeSet::new();
    for (option, span) in
        plans.iter().flat_map(Plan::components).flat_map(|component| &component.volatile)
    {
        let range = span.range();
        if seen.insert((span.source().name(), range.start, range.end, option)) {
            warnings.push(
                Diagnostic::warning(
                    "unrepeatable",
                    format!("`{option}` may differ from run to run, so this image is never reused"),
                )
                .at(span, "")
                .help("a time or a random value is welcome in names and tags, which are not part of the hash"),
            );
        }
    }
    warnings
}

fn same_name(name: &str, build: &Build) -> Diagnostic {
    Diagnostic::warning("same-name", format!("two builds are named `{name}`"))
        .at(&build.header, "the second one")
        .help("`-only` and `-except` cannot tell them apart: give this `build` block a `name`")
}

/// Whether `name` is what the last part of `TYPE.NAME` says.
fn ends_in_name(source: &str, name: &str) -> bool {
    !name.is_empty() && source.strip_suffix(name).is_some_and(|before| before.ends_with('.'))
}

/// The options of a known type of component.
fn schema_of(kinds: &[ComponentKind], name: &str) -> Option<&'static Schema> {
    kinds.iter().find(|kind| kind.name == name).map(|kind| (kind.schema)())
}

/// Suggests the arguments that every component of a sort has, where none of its own is meant.
fn with_general_names(finding: Diagnostic, general: &[&str]) -> Diagnostic {
    match &finding.primary {
        Some(place) if finding.code == "unknown-option" && finding.help.is_empty() => {
            let name = place.span.text().trim_matches('"');
            if general.contains(&name) {
                return finding
                    .help("only HCL templates have it; `bake upgrade` writes this as HCL");
            }
            let hint = did_you_mean(name, general.iter().copied());
            finding.maybe_help(hint)
        }
        _ => finding,
    }
}

/// A block that is read several times (for each source, for each element of a `dynamic` block) is
/// wrong once.
pub fn without_repeats(found: Diagnostics) -> Diagnostics {
    let mut seen = BTreeSet::new();
    found
        .into_iter()
        .filter(|one| {
            let place = one.primary.as_ref().map(|label| {
                let source: *const _ = Arc::as_ptr(label.span.source());
                (source, label.span.range().start, label.span.range().end)
            });
            place.is_none() || seen.insert((place, one.code, one.summary.clone()))
        })
        .collect()
}

struct Planning<'a> {
    template: &'a Template,
    environment: &'a Arc<Environment>,
    kinds: Kinds<'a>,
    selection: &'a Selection,
    directory: &'a Path,
    found: Diagnostics,
    /// What `-except` may name besides builds.
    post_processors: BTreeSet<String>,
}

/// A source as one build uses it.
struct Usage<'a> {
    source: &'a Labelled,
    /// What this use is called: the source's name, or the `name` of a `source` block in the build.
    called: String,
    extra: Option<&'a SourceUse>,
}

impl Usage<'_> {
    /// `[BUILD.]TYPE.NAME`; in legacy JSON the builder's name, which is its type if it has none.
    fn name(&self, build: &Build, environment: &Environment, found: &mut Diagnostics) -> String {
        let name = match environment.dialect() {
            Dialect::Legacy => self.called.clone(),
            Dialect::Hcl | Dialect::HclJson => format!("{}.{}", self.source.kind.text, self.called),
        };
        let block = build.name.as_ref().and_then(|name| build_name(name, environment, found));
        block.map_or_else(|| name.clone(), |block| format!("{block}.{name}"))
    }
}

/// A build's name; null and nothing are none.
fn build_name(
    expression: &Expression,
    environment: &Environment,
    found: &mut Diagnostics,
) -> Option<String> {
    if found.take(environment.evaluate(expression))?.is_null() {
        return None;
    }
    found.take(environment.text(expression)).filter(|name| !name.is_empty())
}

impl<'a> Planning<'a> {
    /// What is wrong with a build whatever its sources are.
    fn check_build(&mut self, build: &Build) {
        if let Some(description) = &build.description
            && self.template.dialect != Dialect::Legacy
        {
            let description = self.environment.evaluate(description);
            self.found.take(description);
        }
        for registry in &build.registries {
            self.check_registry(registry, &self.environment.of_build("", "", ""));
        }
        for step in build.provisioners.iter().chain(&build.error_cleanup) {
            self.kind(&step.kind, Role::Provisioner, self.kinds.provisioners);
        }
        for step in build.post_processors.iter().flatten() {
            self.kind(&step.kind, Role::PostProcessor, self.kinds.post_processors);
        }
    }

    /// The sources of a build: the `sources` list, then `source` blocks.
    fn uses<'b>(&mut self, build: &'b Build) -> Vec<Usage<'b>>
    where
        'a: 'b,
    {
        let mut uses = Vec::new();
        if let Some(list) = &build.sources
            && self.are_quoted(list)
        {
            let texts = self.environment.texts(list).map_err(|found| {
                let explained = found.into_iter().map(|one| match one.code {
                    NULL_VALUE => one.help("null is no source: a source is `\"TYPE.NAME\"`"),
                    _ => one,
                });
                explained.collect::<Diagnostics>()
            });
            for (reference, span) in self.found.take(texts).unwrap_or_default() {
                let reference = Name { text: reference, span };
                if let Some(source) = self.source(&reference) {
                    uses.push(Usage { source, called: source.name.text.clone(), extra: None });
                }
            }
        }
        for block in &build.source_blocks {
            let Some(source) = self.source(&block.reference) else { continue };
            let called = match &block.rename {
                Some(rename) => self.found.take(self.environment.text(rename)),
                None => None,
            };
            let called = called.unwrap_or_else(|| self.rendered_name(source));
            uses.push(Usage { source, called, extra: Some(block) });
        }
        if self.template.dialect == Dialect::Legacy {
            // Packer runs the builds of a JSON template in the order of their names
            // (`packer-core.md` section 1.6).
            uses.sort_by(|one, other| one.called.cmp(&other.called));
        }
        if uses.is_empty() && !self.found.has_errors() {
            self.found.push(
                Diagnostic::error("missing-source", "this build has no source")
                    .at(&build.header, "")
                    .help("add `sources = [\"source.TYPE.NAME\"]`"),
            );
        }
        uses
    }

    /// Whether no source is referred to without quotes.
    fn are_quoted(&mut self, list: &Expression) -> bool {
        let bare: Vec<_> = references(list)
            .into_iter()
            .filter(|one| {
                let known = ["var", "local", "data", "path", "packer"];
                !known.contains(&one.root.as_str()) && !one.path.is_empty()
            })
            .collect();
        for reference in &bare {
            let path: Vec<_> = reference.path.iter().map(String::as_str).collect();
            let text = format!("{}.{}", reference.root, path.join("."));
            self.found.push(
                Diagnostic::error("unquoted-source", "a source is referred to in quotes")
                    .at(&reference.span, "without quotes")
                    .help(format!("write `\"{text}\"`")),
            );
        }
        bare.is_empty()
    }

    /// A source's name; a legacy builder's name is a Go template.
    fn rendered_name(&mut self, source: &Labelled) -> String {
        let name = &source.name;
        if self.template.dialect != Dialect::Legacy || !name.text.contains("{{") {
            return name.text.clone();
        }
        let resolve = self.environment.plain();
        crate::template::schema::Resolve::render(
            &resolve,
            &name.text,
            &name.span,
            false,
            &mut self.found,
        )
        .and_then(|text| text.as_str().map(str::to_owned))
        .unwrap_or_else(|| name.text.clone())
    }

    /// The source that `TYPE.NAME` or `source.TYPE.NAME` refers to.
    fn source(&mut self, reference: &Name) -> Option<&'a Labelled> {
        let mut parts: Vec<_> = reference.text.splitn(3, '.').collect();
        if let (Dialect::Legacy, Some((kind, name))) =
            (self.template.dialect, reference.text.split_once('.'))
        {
            // Legacy builder names may have dots in them.
            parts = vec![kind, name];
        } else if parts.len() == 3 {
            // `source.`; Packer drops whatever stands there.
            parts.remove(0);
        }
        let found = self.template.sources.iter().find(|source| {
            parts.len() == 2
                && parts.first() == Some(&source.kind.text.as_str())
                && parts.get(1) == Some(&source.name.text.as_str())
        });
        if found.is_none() {
            let known: Vec<_> = self
                .template
                .sources
                .iter()
                .map(|source| format!("source.{}.{}", source.kind.text, source.name.text))
                .collect();
            let wanted = format!("source.{}", parts.join("."));
            let mut finding =
                Diagnostic::error("unknown-source", format!("unknown source `{}`", reference.text))
                    .at(&reference.span, "not declared");
            let meant = known.iter().find(|one| ends_in_name(one, &reference.text));
            let hint = match meant {
                Some(meant) => Some(format!("did you mean `{meant}`?")),
                None => did_you_mean(&wanted, known.iter().map(String::as_str)),
            };
            if hint.is_none() && !known.is_empty() {
                finding = finding.note(format!("declared sources: {}", known.join(", ")));
            }
            if parts.len() < 2 {
                finding = finding.note("a source is referred to as `TYPE.NAME`");
            }
            self.found.push(finding.maybe_help(hint));
        }
        found
    }

    fn plan(
        &mut self,
        build: &Build,
        usage: &Usage<'_>,
        sources: &[Usage<'_>],
        name: String,
    ) -> Option<Plan> {
        let source = usage.source;
        let mut body = Arc::clone(&source.body);
        if let Some(extra) = usage.extra {
            let schema = schema_of(self.kinds.builders, &source.kind.text);
            additions::add(Arc::make_mut(&mut body), &extra.body, schema, &mut self.found);
        }
        let build_name = build
            .name
            .as_ref()
            .and_then(|name| build_name(name, self.environment, &mut self.found));
        let scope = self.environment.of_build(
            &source.kind.text,
            &usage.called,
            build_name.as_deref().unwrap_or_default(),
        );
        let builder = Component {
            kind: source.kind.text.clone(),
            body,
            owner: source.header.clone(),
            evaluate: Arc::new(scope.clone()),
        };
        let none = Schema { doc: String::new(), options: Vec::new() };
        let kinds = self.kinds.builders;
        let builder = self.component(builder, Role::Builder, &source.kind, kinds, &none);
        let mut steps = Vec::new();
        for step in &build.provisioners {
            steps.extend(self.step(step, usage, sources, &scope));
        }
        let error_cleanup =
            build.error_cleanup.as_ref().and_then(|step| self.step(step, usage, sources, &scope));
        let post_processors = build
            .post_processors
            .iter()
            .map(|chain| self.chain(chain, usage, sources, &scope))
            .collect();
        let source_name = match self.template.dialect {
            // Rendered.
            Dialect::Legacy => &usage.called,
            // What it is called in the build does not count (`packer-core.md` section 4.1).
            Dialect::Hcl | Dialect::HclJson => &source.name.text,
        };
        Some(Plan {
            name,
            source_name: source_name.clone(),
            builder: builder?,
            steps,
            error_cleanup,
            post_processors,
            known_recipe: None,
            secrets: Arc::default(),
        })
    }

    /// The type of a component; an error when there is none of this name.
    fn kind<'k>(
        &mut self,
        named: &Name,
        role: Role,
        kinds: &'k [ComponentKind],
    ) -> Option<&'k ComponentKind> {
        let found = kinds.iter().find(|kind| kind.name == named.text);
        if found.is_none() {
            let finding = Diagnostic::error(
                "unknown-component",
                format!("there is no {role} `{}`", named.text),
            )
            .at(&named.span, "not known to bake");
            if let Some(known) = known_plugins::known(role, &named.text) {
                self.found.push(finding.note(known.note).help(known.help));
                return None;
            }
            let names = kinds.iter().map(|kind| kind.name);
            let known: Vec<_> = names.clone().collect();
            let hint = did_you_mean(&named.text, names);
            self.found.push(match hint {
                Some(hint) => finding.help(hint),
                None if known.is_empty() => finding.note(format!("there is no {role} yet")),
                None => finding.note(format!("known: {}", known.join(", "))),
            });
        }
        found
    }

    fn component(
        &mut self,
        component: Component,
        role: Role,
        named: &Name,
        kinds: &[ComponentKind],
        general: &Schema,
    ) -> Option<Planned> {
        let kind = self.kind(named, role, kinds)?;
        let mut found = Diagnostics::new();
        let planned = Planned::of(&component, kind, self.directory, &mut found);
        let general: Vec<_> = general.options.iter().map(|option| option.name).collect();
        self.found.extend(found.into_iter().map(|one| with_general_names(one, &general)).collect());
        Some(planned)
    }
}

#[cfg(test)]
#[expect(dead_code, reason = "options that tests declare are hashed, not read")]
mod tests;
