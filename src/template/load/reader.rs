//! Reads the fixed parts of a template: blocks whose content bake knows, as opposed to a
//! component's options.

use crate::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::value::Kind;

use super::collect::Expand;
use crate::template::dynamic::KEYWORD;
use crate::template::syntax::{Attribute, Block, Body, Dialect, Expression, ExpressionKind, Name};

/// A kind of block that may stand somewhere, with the number of its labels.
pub(in crate::template) type Allowed = (&'static str, usize);

/// The content of a body, sorted.
pub(in crate::template) struct Content {
    /// Arguments.
    pub(in crate::template) attributes: Vec<Attribute>,
    /// Blocks in written order.
    pub(in crate::template) blocks: Vec<Block>,
    /// Whether there are `dynamic` blocks that are yet to be expanded.
    pub(in crate::template) later: bool,
}

impl Content {
    /// Sorts a body into the arguments and blocks that may stand there; anything else is an error.
    /// `attributes: None` allows any argument.
    pub(in crate::template) fn of(
        body: &Body,
        attributes: Option<&[&str]>,
        blocks: &[Allowed],
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut content = Self { attributes: Vec::new(), blocks: Vec::new(), later: false };
        for block in &body.blocks {
            match blocks.iter().find(|(kind, _)| *kind == block.kind.text) {
                Some((_, labels)) => {
                    if labels_fit(block, *labels, diagnostics) {
                        content.blocks.push(block.clone());
                    }
                }
                None => unknown("block", &block.kind, attributes, blocks, diagnostics),
            }
        }
        for attribute in &body.attributes {
            let name = attribute.name.text.as_str();
            let block = blocks.iter().find(|(kind, _)| *kind == name);
            if let (Some((_, labels)), false) = (block, body.dialect == Dialect::Hcl) {
                let found = blocks_of(attribute, *labels, body.dialect, diagnostics);
                content.blocks.extend(found);
            } else if attributes.is_none_or(|names| names.contains(&name)) {
                content.attributes.push(attribute.clone());
            } else {
                unknown("argument", &attribute.name, attributes, blocks, diagnostics);
            }
        }
        content
    }

    /// The same where `dynamic` blocks may stand too: with `expand` they are replaced by what they
    /// stand for, without they are only checked.
    pub(in crate::template) fn of_expanded(
        body: &Body,
        attributes: Option<&[&str]>,
        blocks: &[Allowed],
        expand: Option<Expand<'_>>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let with_dynamic: Vec<_> = blocks.iter().copied().chain([(KEYWORD, 1)]).collect();
        let mut content = Self::of(body, attributes, &with_dynamic, diagnostics);
        for block in std::mem::take(&mut content.blocks) {
            if block.kind.text != KEYWORD {
                content.blocks.push(block);
                continue;
            }
            let Some(kind) = block.labels.first() else { continue };
            let Some((_, labels)) = blocks.iter().find(|(known, _)| *known == kind.text) else {
                if expand.is_none() {
                    unknown("block", kind, None, blocks, diagnostics);
                }
                continue;
            };
            match expand {
                None => content.later = true,
                Some(expand) => {
                    for made in expand(&block, diagnostics) {
                        if labels_fit(&made, *labels, diagnostics) {
                            content.blocks.push(made);
                        }
                    }
                }
            }
        }
        content
    }

    /// The argument of a name.
    pub(in crate::template) fn attribute(&self, name: &str) -> Option<&Expression> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name.text == name)
            .map(|attribute| &attribute.expression)
    }

    /// The argument of a name; an error when it is missing.
    pub(in crate::template) fn required(
        &self,
        name: &str,
        header: &Span,
        diagnostics: &mut Diagnostics,
    ) -> Option<&Expression> {
        let found = self.attribute(name);
        if found.is_none() {
            diagnostics.push(
                Diagnostic::error("missing-argument", format!("`{name}` is required"))
                    .at(header, format!("`{name}` is not given")),
            );
        }
        found
    }

    /// An argument that must be written as `true` or `false`.
    pub(in crate::template) fn literal_bool(
        &self,
        name: &str,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let Some(expression) = self.attribute(name) else { return false };
        match &expression.kind {
            ExpressionKind::Literal(value) => match &value.kind {
                Kind::Bool(truth) => return *truth,
                Kind::String(text) if text.as_ref() == "true" => return true,
                Kind::String(text) if text.as_ref() == "false" => return false,
                _ => {}
            },
            ExpressionKind::Variable(_) | ExpressionKind::Traversal(..) => {}
            _ => {}
        }
        diagnostics.push(
            Diagnostic::error("not-constant", format!("`{name}` must be `true` or `false`"))
                .at(&expression.span, "must be a constant"),
        );
        false
    }
}

fn labels_fit(block: &Block, labels: usize, diagnostics: &mut Diagnostics) -> bool {
    let kind = &block.kind.text;
    if block.labels.len() == labels {
        return true;
    }
    let wanted = match labels {
        0 => "no labels".to_owned(),
        1 => "one label".to_owned(),
        many => format!("{many} labels"),
    };
    let example = format!("write `{}`", opening(kind, labels));
    diagnostics.push(
        Diagnostic::error("wrong-labels", format!("a `{kind}` block has {wanted}"))
            .at(&block.header, format!("has {}", block.labels.len()))
            .help(example),
    );
    false
}

/// How a block begins.
fn opening(kind: &str, labels: usize) -> String {
    let labels = match (kind, labels) {
        ("source", 1) => " \"TYPE.NAME\"",
        ("variable" | "local", 1) => " \"NAME\"",
        (_, 0) => "",
        (_, 1) => " \"TYPE\"",
        _ => " \"TYPE\" \"NAME\"",
    };
    format!("{kind}{labels} {{")
}

fn unknown(
    what: &str,
    name: &Name,
    attributes: Option<&[&str]>,
    blocks: &[Allowed],
    diagnostics: &mut Diagnostics,
) {
    let attributes = attributes.unwrap_or_default();
    let known = attributes.iter().copied().chain(blocks.iter().map(|(kind, _)| *kind));
    // The right name in the wrong form is no misspelling of itself.
    let block = blocks.iter().find(|(kind, _)| *kind == name.text && what != "block");
    let help = match block {
        Some((kind, labels)) => {
            let plural = format!("{kind}s");
            let or = if attributes.contains(&plural.as_str()) {
                format!(", or did you mean `{plural}`?")
            } else {
                String::new()
            };
            Some(format!("`{kind}` is a block: write `{}`{or}", opening(kind, *labels)))
        }
        None if what == "block" && attributes.contains(&name.text.as_str()) => {
            Some(format!("`{0}` is an argument: write `{0} = …`", name.text))
        }
        None => did_you_mean(&name.text, known),
    };
    diagnostics.push(
        Diagnostic::error(
            if what == "block" { "unknown-block" } else { "unknown-argument" },
            format!("unknown {what} `{}`", name.text),
        )
        .at(&name.span, "not known here")
        .maybe_help(help),
    );
}

/// The blocks that an object of HCL-JSON stands for: one level of keys for each label, arrays
/// anywhere for repetition.
pub(in crate::template) fn blocks_of(
    attribute: &Attribute,
    labels: usize,
    dialect: Dialect,
    diagnostics: &mut Diagnostics,
) -> Vec<Block> {
    let mut found = Vec::new();
    let mut path = Vec::new();
    descend(attribute, &attribute.expression, labels, dialect, &mut path, &mut found, diagnostics);
    found
}

fn descend(
    attribute: &Attribute,
    expression: &Expression,
    labels: usize,
    dialect: Dialect,
    path: &mut Vec<Name>,
    found: &mut Vec<Block>,
    diagnostics: &mut Diagnostics,
) {
    if let ExpressionKind::Tuple(all) = &expression.kind {
        for one in all {
            descend(attribute, one, labels, dialect, path, found, diagnostics);
        }
        return;
    }
    let Some(body) = Body::of_object(expression, dialect) else {
        diagnostics.push(
            Diagnostic::error(
                "wrong-type",
                format!("`{}` must be an object or a list of objects", attribute.name.text),
            )
            .at(&expression.span, ""),
        );
        return;
    };
    if labels == 0 {
        found.push(Block {
            kind: attribute.name.clone(),
            labels: path.clone(),
            header: path.last().map_or_else(|| attribute.name.span.clone(), |l| l.span.clone()),
            body,
        });
        return;
    }
    for inner in &body.attributes {
        path.push(inner.name.clone());
        descend(attribute, &inner.expression, labels - 1, dialect, path, found, diagnostics);
        path.pop();
    }
}
