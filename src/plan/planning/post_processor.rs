//! Chains of post-processors as one source has them.

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::plan::{Component, PostProcessorPlan};
use crate::template::known_plugins::Role;
use crate::template::schema::{Decoder, Evaluate as _};
use crate::template::syntax::{Dialect, Expression, ExpressionKind};
use crate::template::{BuildScope, Step};
use crate::value::Kind;

use super::{Planning, Usage};

crate::options! {
    /// What every post-processor may say about itself.
    pub(super) struct PostProcessorMeta {
        /// A name for people and for `-except`.
        unhashed name: Option<String>,
        /// Sources that it works for.
        unhashed only: Vec<String>,
        /// Sources that it does not work for.
        unhashed except: Vec<String>,
        /// Whether the artifact that it starts from is kept.
        unhashed keep_input_artifact: Option<bool>,
    }
}

impl Planning<'_> {
    /// A chain as this source has it. What `-except` names is left out with the rest of its chain
    /// (`packer-core.md` section 1.4).
    pub(super) fn chain(
        &mut self,
        chain: &[Step],
        usage: &Usage<'_>,
        sources: &[Usage<'_>],
        scope: &BuildScope,
    ) -> Vec<PostProcessorPlan> {
        let mut planned = Vec::new();
        let mut dropped = false;
        for step in chain {
            let Some(meta) = self.post_processor_meta(step, scope) else { continue };
            let (options, facts) = (meta.options, meta.facts);
            let runs =
                self.runs_for(&options.only, &options.except, &facts, &step.header, usage, sources);
            let name = options.name.filter(|name| !name.is_empty());
            let selector = name.as_deref().unwrap_or(&step.kind.text);
            self.post_processors.insert(selector.to_owned());
            dropped |= self.selection.excepts(selector);
            if dropped || !runs {
                continue;
            }
            let component = Component {
                kind: step.kind.text.clone(),
                body: Arc::new(step.body.clone()),
                owner: step.header.clone(),
                evaluate: Arc::new(scope.clone()),
            };
            let kinds = self.kinds.post_processors;
            let general = PostProcessorMeta::schema();
            let one = self.component(component, Role::PostProcessor, &step.kind, kinds, general);
            planned.extend(one.map(|mut one| {
                one.evaluated.extend(facts.evaluated);
                let keep_input_artifact = options.keep_input_artifact;
                PostProcessorPlan { planned: one, name, keep_input_artifact }
            }));
        }
        planned
    }

    fn post_processor_meta(
        &mut self,
        step: &Step,
        scope: &BuildScope,
    ) -> Option<crate::template::schema::Decoded<PostProcessorMeta>> {
        let strict = self.is_keep_strict(step);
        let resolve = scope.resolve(None);
        let decoded = Decoder::decode_for_checks(
            &*resolve,
            &step.meta,
            &step.header,
            PostProcessorMeta::schema(),
            PostProcessorMeta::decode_options,
            &mut self.found,
        );
        decoded.filter(|_| strict)
    }

    /// Whether `keep_input_artifact` of a legacy template is `true` or `false`: Packer reads it
    /// without the weak typing of options (`packer-core.md` section 3.3).
    fn is_keep_strict(&mut self, step: &Step) -> bool {
        let is_truth = |expression: &Expression| match &expression.kind {
            ExpressionKind::Literal(value) => matches!(value.kind, Kind::Bool(_) | Kind::Null(_)),
            _ => false,
        };
        let wrong = step.meta.attributes.iter().find(|attribute| {
            step.meta.dialect == Dialect::Legacy
                && attribute.name.text.eq_ignore_ascii_case("keep_input_artifact")
                && !is_truth(&attribute.expression)
        });
        let Some(attribute) = wrong else { return true };
        self.found.push(
            Diagnostic::error("wrong-type", "`keep_input_artifact` must be `true` or `false`")
                .at(&attribute.expression.span, "")
                .help("write it without quotes; it cannot be a template"),
        );
        false
    }
}
