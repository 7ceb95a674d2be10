//! Provisioners and post-processors.

use super::super::declaration::Step;
use super::super::schema::Schema;
use super::super::syntax::{Expression, ExpressionKind};
use super::call::Place;
use super::convert::literal_text;
use super::document::{Block, Out};
use super::name::SourceName;
use super::rewrite::Rewrite;
use crate::value::{Type, quote};

impl Rewrite<'_> {
    /// A provisioner or post-processor as a block.
    pub(super) fn step(
        &self,
        word: &str,
        step: &Step,
        schema: Option<&Schema>,
        sources: &[SourceName],
    ) -> Block {
        let mut block = Block::new(format!("{word} {}", quote(&step.kind.text)));
        let mut overrides = None;
        for attribute in &step.meta.attributes {
            let name = attribute.name.text.as_str();
            let expression = &attribute.expression;
            let value = match name {
                "only" | "except" => self.selectors(expression, sources),
                "override" => {
                    overrides = Some(self.overrides(expression, schema));
                    continue;
                }
                "max_retries" => self.value(expression, Some(&Type::Number), Place::Step),
                "keep_input_artifact" => self.value(expression, Some(&Type::Bool), Place::Step),
                _ => self.value(expression, Some(&Type::String), Place::Step),
            };
            block.set(name, value);
        }
        let options = self.options(&step.body, schema, Place::Step);
        block.contents.arguments.extend(options.arguments);
        block.contents.blocks.extend(options.blocks);
        if let Some(overrides) = overrides {
            block.set("override", overrides);
        }
        if schema.is_none() {
            self.unknown(&step.kind.text);
        }
        block
    }

    /// Says that a component is written by its form alone.
    pub(super) fn unknown(&self, kind: &str) {
        self.note(format!(
            "bake does not know `{kind}`: check which of its options are blocks and which types \
             they have"
        ));
    }

    /// Names of builders as `TYPE.NAME`.
    fn selectors(&self, expression: &Expression, sources: &[SourceName]) -> Out {
        let mut texts: Vec<&str> = Vec::new();
        match &expression.kind {
            ExpressionKind::Tuple(all) => texts.extend(all.iter().filter_map(literal_text)),
            _ => match literal_text(expression) {
                Some(text) if text.contains("{{") => texts.push(text),
                Some("") | None => {}
                Some(text) => texts.extend(text.split(',')),
            },
        }
        Out::List(
            texts
                .into_iter()
                .map(|text| {
                    let name = self.text(text, Place::Step);
                    let Some(source) = sources.iter().find(|source| source.legacy == text) else {
                        self.problem(format!("`{text}` is the name of no builder"));
                        return Out::Plain(name.spell());
                    };
                    Out::Plain(name.prefixed(&format!("{}.", source.kind)).spell())
                })
                .collect(),
        )
    }

    fn overrides(&self, expression: &Expression, schema: Option<&Schema>) -> Out {
        let ExpressionKind::Object(items) = &expression.kind else {
            return self.value(expression, None, Place::Step);
        };
        Out::Object(
            items
                .iter()
                .filter_map(|item| {
                    let name = literal_text(&item.key)?.to_owned();
                    let value = match &item.value.kind {
                        ExpressionKind::Object(options) => {
                            self.options_object(options, schema, Place::Step)
                        }
                        _ => self.value(&item.value, None, Place::Step),
                    };
                    Some((name, value))
                })
                .collect(),
        )
    }
}
