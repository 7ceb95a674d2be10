//! From a template to its plans: one for each selected build and source.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::template::schema::Decoder;
use crate::template::syntax::{Attribute, Body, Dialect, ExpressionKind, Name};
use crate::template::{Build, Environment, Labelled, SourceUse, Step, Template};

use super::selection::Selection;
use super::{Component, ComponentKind, Plan, Planned, StepMeta, StepPlan};

/// The components that templates may use.
#[derive(Clone, Copy)]
pub struct Kinds<'a> {
    /// Builders.
    pub builders: &'a [ComponentKind],
    /// Provisioners.
    pub provisioners: &'a [ComponentKind],
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
    let mut planning =
        Planning { template, environment, kinds, directory, found: Diagnostics::new() };
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
    for build in builds.iter().map(AsRef::as_ref) {
        for usage in planning.uses(build) {
            let name = usage.name(build, environment, &mut planning.found);
            let selected = selection.takes(&name);
            names.push(name.clone());
            if selected {
                plans.extend(planning.plan(build, &usage, name));
            }
        }
    }
    let found = without_repeats(planning.found);
    warnings.extend(selection.unmatched(&names));
    if found.has_errors() {
        return Err(found);
    }
    warnings.extend(found);
    if plans.is_empty() {
        return Err(Diagnostic::error("nothing-selected", "no builds to run")
            .note(format!("builds of this template: {}", names.join(", ")))
            .into());
    }
    Ok(plans)
}

/// A block that is read several times (for each source, for each element of a `dynamic` block) is
/// wrong once.
fn without_repeats(found: Diagnostics) -> Diagnostics {
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
    directory: &'a Path,
    found: Diagnostics,
}

/// A source as one build uses it.
struct Usage<'a> {
    source: &'a Labelled,
    /// What this use is called: the source's name, or the `name` of a `source` block in the build.
    called: String,
    extra: Option<&'a SourceUse>,
}

impl Usage<'_> {
    /// `[BUILD.]TYPE.NAME`; a legacy builder without a name is only its type.
    fn name(&self, build: &Build, environment: &Environment, found: &mut Diagnostics) -> String {
        let kind = &self.source.kind.text;
        let name = if environment.dialect() == Dialect::Legacy && *kind == self.called {
            kind.clone()
        } else {
            format!("{kind}.{}", self.called)
        };
        let block = build
            .name
            .as_ref()
            .and_then(|name| found.take(environment.text(name)).filter(|name| !name.is_empty()));
        block.map_or_else(|| name.clone(), |block| format!("{block}.{name}"))
    }
}

impl<'a> Planning<'a> {
    /// The sources of a build: the `sources` list, then `source` blocks.
    fn uses<'b>(&mut self, build: &'b Build) -> Vec<Usage<'b>>
    where
        'a: 'b,
    {
        let mut uses = Vec::new();
        if let Some(list) = &build.sources {
            for (reference, span) in
                self.found.take(self.environment.texts(list)).unwrap_or_default()
            {
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
        if uses.is_empty() && !self.found.has_errors() {
            self.found.push(
                Diagnostic::error("missing-source", "this build has no source")
                    .at(&build.header, "")
                    .help("add `sources = [\"source.TYPE.NAME\"]`"),
            );
        }
        uses
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
        .map_or_else(|| name.text.clone(), |(text, _)| text)
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
            let hint = did_you_mean(&wanted, known.iter().map(String::as_str));
            if hint.is_none() && !known.is_empty() {
                finding = finding.note(format!("declared sources: {}", known.join(", ")));
            }
            self.found.push(finding.maybe_help(hint));
        }
        found
    }

    fn plan(&mut self, build: &Build, usage: &Usage<'_>, name: String) -> Option<Plan> {
        let source = usage.source;
        let body = match usage.extra {
            Some(extra) => self.with_additions(source, extra),
            None => Arc::clone(&source.body),
        };
        let build_name = build.name.as_ref().and_then(|name| self.environment.text(name).ok());
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
        let builder = self.component(builder, "builder", &source.kind, self.kinds.builders);
        let mut steps = Vec::new();
        for step in &build.provisioners {
            steps.extend(self.step(step, usage, &scope));
        }
        let error_cleanup =
            build.error_cleanup.as_ref().and_then(|step| self.step(step, usage, &scope));
        for step in build.post_processors.iter().flatten() {
            self.found.push(
                Diagnostic::error(
                    "unsupported-post-processor",
                    format!("the post-processor `{}` is not supported yet", step.kind.text),
                )
                .at(&step.kind.span, ""),
            );
        }
        Some(Plan {
            name,
            source_name: source.name.text.clone(),
            builder: builder?,
            steps,
            error_cleanup,
        })
    }

    /// The source's body with what the build adds to it.
    fn with_additions(&mut self, source: &Labelled, extra: &SourceUse) -> Arc<Body> {
        let mut body = (*source.body).clone();
        for attribute in &extra.body.attributes {
            if let Some(first) =
                body.attributes.iter().find(|one| one.name.text == attribute.name.text)
            {
                self.found.push(
                    Diagnostic::error(
                        "duplicate-option",
                        format!("`{}` is already set in the source", attribute.name.text),
                    )
                    .at(&attribute.name.span, "a build can only add options")
                    .also(&first.name.span, "set here"),
                );
            }
        }
        body.attributes.extend(extra.body.attributes.iter().cloned());
        body.blocks.extend(extra.body.blocks.iter().cloned());
        Arc::new(body)
    }

    fn component(
        &mut self,
        component: Component,
        what: &str,
        named: &Name,
        kinds: &[ComponentKind],
    ) -> Option<Planned> {
        let Some(kind) = kinds.iter().find(|kind| kind.name == component.kind) else {
            let names = kinds.iter().map(|kind| kind.name);
            let known: Vec<_> = names.clone().collect();
            let hint = did_you_mean(&component.kind, names);
            let mut finding = Diagnostic::error(
                "unknown-component",
                format!("there is no {what} `{}`", component.kind),
            )
            .at(&named.span, "not known to bake");
            if hint.is_none() {
                finding = finding.note(format!("known: {}", known.join(", ")));
            }
            self.found.push(finding.maybe_help(hint));
            return None;
        };
        Some(Planned::of(&component, kind, self.directory, &mut self.found))
    }

    /// A provisioner as this source runs it; `None` when it does not, or after an error.
    fn step(
        &mut self,
        step: &Step,
        usage: &Usage<'_>,
        scope: &crate::template::BuildScope,
    ) -> Option<StepPlan> {
        let (over, meta) = step.meta.clone().split(&["override"]);
        let resolve = crate::template::schema::Evaluate::resolve(scope, None);
        let meta = Decoder::decode(
            &*resolve,
            &meta,
            &step.header,
            &MetaOptions::schema(),
            MetaOptions::decode_options,
            &mut self.found,
        )?;
        drop(resolve);
        let options = meta.options;
        if !options.only.is_empty() && !options.except.is_empty() {
            let finding =
                Diagnostic::error("only-and-except", "`only` and `except` exclude each other");
            self.found.push(meta.facts.at("except", &step.header, finding));
        }
        let names = self.step_selectors(usage);
        let named = |list: &[String]| list.iter().any(|one| names.contains(one));
        if (!options.only.is_empty() && !named(&options.only)) || named(&options.except) {
            return None;
        }
        let mut body = step.body.clone();
        if let Some(attribute) = over.attributes.first() {
            self.apply_override(&mut body, attribute, usage);
        }
        let component = Component {
            kind: step.kind.text.clone(),
            body: Arc::new(body),
            owner: step.header.clone(),
            evaluate: Arc::new(scope.clone()),
        };
        let mut planned =
            self.component(component, "provisioner", &step.kind, self.kinds.provisioners)?;
        planned.hashed.extend(meta.facts.hashed);
        Some(StepPlan {
            planned,
            meta: StepMeta {
                pause_before: options.pause_before,
                timeout: options.timeout,
                max_retries: options.max_retries,
                continue_on_error: options.continue_on_error,
            },
        })
    }

    /// The names by which a step may select this source: `TYPE.NAME` in HCL, the builder's name in
    /// legacy JSON.
    fn step_selectors(&self, usage: &Usage<'_>) -> Vec<String> {
        match self.template.dialect {
            Dialect::Legacy => vec![usage.called.clone()],
            Dialect::Hcl | Dialect::HclJson => {
                vec![format!("{}.{}", usage.source.kind.text, usage.called)]
            }
        }
    }

    /// Puts the options of `override = { NAME = { … } }` over a step's own.
    fn apply_override(&mut self, body: &mut Body, attribute: &Attribute, usage: &Usage<'_>) {
        let dialect = body.dialect;
        let wrong = |span: &Span| {
            Diagnostic::error("wrong-type", "`override` must be an object of objects")
                .at(span, "source name = { option = value }")
        };
        let Some(by_name) = Body::of_object(&attribute.expression, dialect) else {
            self.found.push(wrong(&attribute.expression.span));
            return;
        };
        for entry in by_name.attributes.iter().filter(|one| one.name.text == usage.called) {
            let ExpressionKind::Object(_) = &entry.expression.kind else {
                self.found.push(wrong(&entry.expression.span));
                continue;
            };
            let Some(options) = Body::of_object(&entry.expression, dialect) else {
                self.found.push(wrong(&entry.expression.span));
                continue;
            };
            for option in options.attributes {
                body.attributes.retain(|one| one.name.text != option.name.text);
                body.attributes.push(option);
            }
        }
    }
}

#[cfg(test)]
#[expect(dead_code, reason = "options that tests declare are hashed, not read")]
mod tests;
