//! A provisioner as one source runs it.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::plan::{Component, StepMeta, StepPlan};
use crate::template::known_plugins::Role;
use crate::template::schema::{Decoder, Evaluate as _, Facts, Resolve};
use crate::template::syntax::{Attribute, Body, Dialect, Name};
use crate::template::{BuildScope, Step};

use super::{MetaOptions, Planning, Usage, additions, ends_in_name, schema_of};

impl Planning<'_> {
    /// A provisioner as this source runs it; `None` when it does not, or after an error.
    pub(super) fn step(
        &mut self,
        step: &Step,
        usage: &Usage<'_>,
        sources: &[Usage<'_>],
        scope: &BuildScope,
    ) -> Option<StepPlan> {
        let (over, meta) = step.meta.clone().split(&["override"]);
        let resolve = scope.resolve(None);
        let schema = MetaOptions::schema();
        let meta = Decoder::decode_for_checks(
            &*resolve,
            &meta,
            &step.header,
            schema,
            MetaOptions::decode_options,
            &mut self.found,
        )?;
        let options = meta.options;
        if !self.runs_for(&options.only, &options.except, &meta.facts, &step.header, usage, sources)
        {
            return None;
        }
        let mut body = step.body.clone();
        if let Some(attribute) = over.attributes.first() {
            self.apply_override(&mut body, attribute, &step.kind, usage, sources, &*resolve);
        }
        let component = Component {
            kind: step.kind.text.clone(),
            body: Arc::new(body),
            owner: step.header.clone(),
            evaluate: Arc::new(scope.clone()),
        };
        let mut planned = self.component(
            component,
            Role::Provisioner,
            &step.kind,
            self.kinds.provisioners,
            schema,
        )?;
        planned.hashed.extend(meta.facts.hashed);
        planned.evaluated.extend(meta.facts.evaluated);
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

    /// Whether a step with these `only` and `except` runs for this source. Says what is wrong with
    /// them.
    pub(super) fn runs_for(
        &mut self,
        only: &[String],
        except: &[String],
        facts: &Facts,
        owner: &Span,
        usage: &Usage<'_>,
        sources: &[Usage<'_>],
    ) -> bool {
        if !only.is_empty() && !except.is_empty() {
            let finding =
                Diagnostic::error("only-and-except", "`only` and `except` exclude each other");
            self.found.push(facts.at("except", owner, finding));
        }
        for (option, names) in [("only", only), ("except", except)] {
            self.check_selectors(option, names, sources, facts, owner);
        }
        let names = self.step_selectors(usage);
        let named = |list: &[String]| list.iter().any(|one| names.contains(one));
        (only.is_empty() || named(only)) && !named(except)
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

    /// A name that is no source's: in legacy JSON an error, as in Packer.
    fn no_source(&self, name: &str) -> Diagnostic {
        let summary = format!("`{name}` is no source of this build");
        match self.template.dialect {
            Dialect::Legacy => Diagnostic::error("unknown-source", summary),
            Dialect::Hcl | Dialect::HclJson => Diagnostic::warning("unknown-source", summary),
        }
    }

    /// A finding for each name by which a step selects no source of its build.
    fn check_selectors(
        &mut self,
        option: &str,
        names: &[String],
        sources: &[Usage<'_>],
        facts: &Facts,
        owner: &Span,
    ) {
        let known: Vec<_> = sources.iter().flat_map(|usage| self.step_selectors(usage)).collect();
        for (index, name) in names.iter().enumerate().filter(|(_, name)| !known.contains(name)) {
            let finding = self.no_source(name);
            // Written as elsewhere: with `source.` or the build's name, or without the type.
            let meant = known.iter().find(|one| ends_in_name(name, one) || ends_in_name(one, name));
            let hint = match meant {
                Some(meant) => Some(format!("did you mean `{meant}`?")),
                None => did_you_mean(name, known.iter().map(String::as_str)),
            };
            let finding = match hint {
                Some(hint) => finding.help(hint),
                None => finding.note(format!("sources of this build: {}", known.join(", "))),
            };
            self.found.push(facts.at(&format!("{option}.{index}"), owner, finding));
        }
    }

    /// Puts the options of `override = { NAME = { … } }` over a step's own.
    fn apply_override(
        &mut self,
        body: &mut Body,
        attribute: &Attribute,
        kind: &Name,
        usage: &Usage<'_>,
        sources: &[Usage<'_>],
        resolve: &dyn Resolve,
    ) {
        let dialect = body.dialect;
        let by_name = additions::object(&attribute.expression, dialect, resolve, &mut self.found);
        let Some(by_name) = by_name else { return };
        for entry in by_name.attributes {
            if entry.name.text == usage.called {
                let options =
                    additions::object(&entry.expression, dialect, resolve, &mut self.found);
                let schema = schema_of(self.kinds.provisioners, &kind.text);
                if let Some(options) = options {
                    additions::replace(body, options, schema);
                }
            } else if !sources.iter().any(|one| one.called == entry.name.text) {
                let known: Vec<_> = sources.iter().map(|one| one.called.as_str()).collect();
                let hint = did_you_mean(&entry.name.text, known.iter().copied());
                let finding =
                    self.no_source(&entry.name.text).at(&entry.name.span, "overrides nothing");
                self.found.push(match hint {
                    Some(hint) => finding.help(hint),
                    None => finding.note(format!("sources of this build: {}", known.join(", "))),
                });
            }
        }
    }
}
