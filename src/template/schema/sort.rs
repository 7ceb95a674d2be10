//! The options of a body by name, before they are decoded.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::decode::Decoder;
use super::{OptionSpec, Schema, Shape};
use crate::diagnostic::{Diagnostic, Span, did_you_mean};
use crate::template::dynamic;
use crate::template::fix::RENAMED;
use crate::template::load::blocks_of;
use crate::template::syntax::{Attribute, Block, Body, Dialect, Expression, ExpressionKind};

/// A block as it was found.
pub struct FoundBlock<'a> {
    /// What diagnostics about the whole block point at.
    pub header: Span,
    /// What stands in it.
    pub body: Cow<'a, Body>,
}

/// An option as it was found.
pub enum Given<'a> {
    /// As an attribute.
    Attribute(&'a Attribute),
    /// As one or more blocks.
    Blocks(Vec<FoundBlock<'a>>),
}

/// The options of a body, sorted by name but not yet decoded.
pub struct RawOptions<'a> {
    pub(super) dialect: Dialect,
    pub(super) owner: Span,
    pub(super) given: BTreeMap<&'static str, Given<'a>>,
}

impl Decoder<'_> {
    /// Sorts a body by option names; unknown ones are errors.
    pub(super) fn sort<'b>(
        &mut self,
        schema: &Schema,
        body: &'b Body,
        owner: &Span,
    ) -> RawOptions<'b> {
        let mut raw =
            RawOptions { dialect: body.dialect, owner: owner.clone(), given: BTreeMap::new() };
        for attribute in &body.attributes {
            self.sort_attribute(schema, attribute, &mut raw);
        }
        for block in &body.blocks {
            if block.kind.text == dynamic::KEYWORD && spec_of(schema, dynamic::KEYWORD).is_none() {
                self.sort_dynamic(schema, block, &mut raw);
            } else {
                self.sort_block(schema, block, Cow::Borrowed(&block.body), &mut raw);
            }
        }
        raw
    }

    fn sort_block<'b>(
        &mut self,
        schema: &Schema,
        block: &Block,
        body: Cow<'b, Body>,
        raw: &mut RawOptions<'b>,
    ) {
        let Some(spec) = spec_of(schema, &block.kind.text) else {
            self.unknown(schema, "block", &block.kind.text, &block.kind.span, raw.dialect);
            return;
        };
        if matches!(spec.shape, Shape::Attribute(_)) {
            self.diagnostics.push(
                Diagnostic::error(
                    "block-for-attribute",
                    format!("`{}` is an argument, not a block", spec.name),
                )
                .at(&block.header, "")
                .help(format!("write `{} = …`", spec.name)),
            );
            return;
        }
        if let Some(label) = block.labels.first() {
            self.diagnostics.push(
                Diagnostic::error(
                    "unexpected-label",
                    format!("a `{}` block has no labels", spec.name),
                )
                .at(&label.span, ""),
            );
        }
        let found = FoundBlock { header: block.header.clone(), body };
        match raw.given.entry(spec.name).or_insert_with(|| Given::Blocks(Vec::new())) {
            Given::Blocks(blocks) => blocks.push(found),
            Given::Attribute(_) => {}
        }
    }

    /// The blocks of a `dynamic` one, in its place.
    fn sort_dynamic<'b>(&mut self, schema: &Schema, block: &Block, raw: &mut RawOptions<'b>) {
        if let Some(kind) = block.labels.first()
            && !spec_of(schema, &kind.text)
                .is_some_and(|spec| !matches!(spec.shape, Shape::Attribute(_)))
        {
            // Said once, whether or not there are elements.
            self.sort_block(
                schema,
                &Block { kind: kind.clone(), labels: Vec::new(), ..block.clone() },
                Cow::Owned(block.body.clone()),
                raw,
            );
            return;
        }
        let resolve = self.resolve;
        let blocks = dynamic::expand(
            block,
            &|expression| resolve.evaluate(expression),
            &mut self.diagnostics,
        );
        for block in blocks {
            self.sort_block(schema, &block, Cow::Owned(block.body.clone()), raw);
        }
    }

    fn sort_attribute<'b>(
        &mut self,
        schema: &Schema,
        attribute: &'b Attribute,
        raw: &mut RawOptions<'b>,
    ) {
        let name = &attribute.name.text;
        let known = |spec: &&OptionSpec| match raw.dialect {
            Dialect::Legacy => spec.name.eq_ignore_ascii_case(name),
            Dialect::Hcl | Dialect::HclJson => spec.name == name,
        };
        let Some(spec) = schema.options.iter().find(known) else {
            if name == dynamic::KEYWORD && raw.dialect == Dialect::HclJson {
                for block in blocks_of(attribute, 1, raw.dialect, &mut self.diagnostics) {
                    self.sort_dynamic(schema, &block, raw);
                }
                return;
            }
            self.unknown(schema, "option", name, &attribute.name.span, raw.dialect);
            return;
        };
        if let Shape::Block { .. } = spec.shape {
            if raw.dialect == Dialect::Hcl {
                self.diagnostics.push(
                    Diagnostic::error(
                        "attribute-for-block",
                        format!("`{}` is a block, not an argument", spec.name),
                    )
                    .at(&attribute.name.span, "")
                    .help(format!("write `{} {{ … }}` without `=`", spec.name)),
                );
                return;
            }
            match blocks_of_json(&attribute.expression, raw.dialect) {
                Some(found) => {
                    match raw.given.entry(spec.name).or_insert_with(|| Given::Blocks(Vec::new())) {
                        Given::Blocks(blocks) => blocks.extend(found),
                        Given::Attribute(_) => {}
                    }
                }
                None => self.diagnostics.push(
                    Diagnostic::error(
                        "wrong-type",
                        format!("`{}` must be an object or a list of objects", spec.name),
                    )
                    .at(&attribute.expression.span, ""),
                ),
            }
            return;
        }
        if let Some(Given::Attribute(first)) = raw.given.get(spec.name) {
            self.diagnostics.push(
                Diagnostic::error("duplicate-option", format!("`{}` is given twice", spec.name))
                    .at(&attribute.name.span, "again here")
                    .also(&first.name.span, "first here"),
            );
            return;
        }
        raw.given.insert(spec.name, Given::Attribute(attribute));
    }

    fn unknown(&mut self, schema: &Schema, what: &str, name: &str, span: &Span, dialect: Dialect) {
        let names = schema.options.iter().map(|spec| spec.name);
        self.diagnostics.push(
            Diagnostic::error("unknown-option", format!("unknown {what} `{name}`"))
                .at(span, "not known here")
                .maybe_help(old_name(schema, name, dialect).or_else(|| did_you_mean(name, names))),
        );
    }
}

/// What has become of an option that had this name once.
fn old_name(schema: &Schema, name: &str, dialect: Dialect) -> Option<String> {
    let renamed = RENAMED
        .iter()
        .find(|one| one.old.eq_ignore_ascii_case(name) && spec_of(schema, one.new).is_some())?;
    let now = format!("it is `{}` now", renamed.new);
    Some(match dialect {
        Dialect::Legacy => format!("{now}; `bake fix` prints the template as it is written today"),
        Dialect::Hcl | Dialect::HclJson => now,
    })
}

fn spec_of<'s>(schema: &'s Schema, name: &str) -> Option<&'s OptionSpec> {
    schema.options.iter().find(|spec| spec.name == name)
}

/// An object, or a list of objects, as the blocks it stands for in the JSON dialects.
fn blocks_of_json(expression: &Expression, dialect: Dialect) -> Option<Vec<FoundBlock<'_>>> {
    match &expression.kind {
        ExpressionKind::Object(_) => {
            let body = Body::of_object(expression, dialect)?;
            Some(vec![FoundBlock { header: expression.span.clone(), body: Cow::Owned(body) }])
        }
        ExpressionKind::Tuple(all) => {
            let blocks: Option<Vec<_>> =
                all.iter().map(|one| blocks_of_json(one, dialect)).collect();
            blocks.map(|blocks| blocks.into_iter().flatten().collect())
        }
        ExpressionKind::Literal(value) if value.is_null() => Some(Vec::new()),
        _ => None,
    }
}
