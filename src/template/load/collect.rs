//! From bodies of HCL files to a [`Template`].

use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Diagnostics, Span};

use super::reader::{Allowed, Content};
use crate::template::declaration::{
    Build, Labelled, Local, SourceUse, Step, Template, Validation, Variable,
};
use crate::template::syntax::{Block, Body, Dialect, Expression, ExpressionKind, Name};
use crate::template::values::validation;

const TOP: &[Allowed] = &[
    ("packer", 0),
    ("variable", 1),
    ("variables", 0),
    ("local", 1),
    ("locals", 0),
    ("data", 2),
    ("source", 2),
    ("build", 0),
    ("communicator", 2),
    ("hcp_packer_registry", 0),
];

/// What belongs to HCP Packer, which bake does without.
const REGISTRY: &str = "hcp_packer_registry";

/// Arguments of every provisioner (`packer-core.md` section 2.5).
const STEP_META: &[&str] = &[
    "name",
    "only",
    "except",
    "override",
    "pause_before",
    "timeout",
    "max_retries",
    "continue_on_error",
];

/// Arguments of every post-processor.
const POST_PROCESSOR_META: &[&str] = &["name", "only", "except", "keep_input_artifact"];

/// Collects what all files of a template declare.
pub(in crate::template) fn collect(
    bodies: &[Body],
    root: &Path,
    whole: Span,
    diagnostics: &mut Diagnostics,
) -> Template {
    let mut template = Template::empty(Dialect::Hcl, root, whole);
    for body in bodies {
        for block in Content::of(body, Some(&[]), TOP, diagnostics).blocks {
            top_block(&mut template, block, diagnostics);
        }
    }
    let registries = bodies.iter().flat_map(|body| &body.blocks);
    let mut registries = registries.filter(|block| block.kind.text == REGISTRY);
    if let (Some(first), Some(second)) = (registries.next(), registries.next()) {
        diagnostics.push(
            Diagnostic::error(
                "duplicate-block",
                format!("a template has at most one `{REGISTRY}`"),
            )
            .at(&second.header, "again here")
            .also(&first.header, "first here"),
        );
    }
    no_duplicates("variable", template.variables.iter().map(|v| (&v.name, None)), diagnostics);
    no_duplicates("local", template.locals.iter().map(|l| (&l.name, None)), diagnostics);
    let labelled = |all: &[Labelled]| -> Vec<_> {
        all.iter().map(|one| (one.name.clone(), Some(one.kind.text.clone()))).collect()
    };
    for (what, all) in
        [("source", labelled(&template.sources)), ("data source", labelled(&template.data))]
    {
        let named = all.iter().map(|(name, kind)| (name, kind.as_deref()));
        no_duplicates(what, named, diagnostics);
    }
    template
}

fn top_block(template: &mut Template, block: Block, diagnostics: &mut Diagnostics) {
    match block.kind.text.as_str() {
        "packer" => packer(template, &block, diagnostics),
        "variable" => template.variables.extend(variable(&block, diagnostics)),
        "variables" => {
            let content = Content::of(&block.body, None, &[], diagnostics);
            for attribute in content.attributes {
                template.variables.extend(
                    identifier(&attribute.name, "variable", diagnostics).map(|name| Variable {
                        header: name.span.clone(),
                        name,
                        of: None,
                        default: Some(attribute.expression),
                        sensitive: false,
                        description: None,
                        validations: Vec::new(),
                        dialect: block.body.dialect,
                    }),
                );
            }
        }
        "local" => template.locals.extend(local(&block, diagnostics)),
        "locals" => {
            let content = Content::of(&block.body, None, &[], diagnostics);
            for attribute in content.attributes {
                template.locals.extend(identifier(&attribute.name, "local", diagnostics).map(
                    |name| Local { name, expression: attribute.expression, sensitive: false },
                ));
            }
        }
        "source" => template.sources.extend(labelled(block)),
        "data" => {
            let data = labelled(block);
            template.data.extend(data.filter(|data| {
                let kind = identifier(&data.kind, "type of data source", diagnostics);
                kind.is_some() & identifier(&data.name, "data source", diagnostics).is_some()
            }));
        }
        "build" => template.builds.push(build(&Arc::new(block), None, diagnostics)),
        "communicator" => diagnostics.push(
            Diagnostic::warning("ignored-block", "`communicator` blocks have no effect")
                .at(&block.header, "Packer ignores it too")
                .help("set communicator options in the source"),
        ),
        _ => {
            diagnostics.push(
                Diagnostic::warning("ignored-block", "bake keeps no HCP Packer registry")
                    .at(&block.header, "has no effect"),
            );
            template.registries.push(block);
        }
    }
}

fn labelled(block: Block) -> Option<Labelled> {
    let mut labels = block.labels.into_iter();
    Some(Labelled {
        kind: labels.next()?,
        name: labels.next()?,
        body: Arc::new(block.body),
        header: block.header,
    })
}

fn packer(template: &mut Template, block: &Block, diagnostics: &mut Diagnostics) {
    let content = Content::of(
        &block.body,
        Some(&["required_version"]),
        &[("required_plugins", 0)],
        diagnostics,
    );
    template.required_versions.extend(content.attribute("required_version").cloned());
    for plugins in &content.blocks {
        let plugins = Content::of(&plugins.body, None, &[], diagnostics);
        template
            .required_plugins
            .extend(plugins.attributes.into_iter().map(|plugin| (plugin.name, plugin.expression)));
    }
}

fn variable(block: &Block, diagnostics: &mut Diagnostics) -> Option<Variable> {
    let name = identifier(block.labels.first()?, "variable", diagnostics)?;
    let content = Content::of(
        &block.body,
        Some(&["type", "default", "description", "sensitive"]),
        &[("validation", 0)],
        diagnostics,
    );
    let validations = content
        .blocks
        .iter()
        .filter_map(|block| {
            let content =
                Content::of(&block.body, Some(&["condition", "error_message"]), &[], diagnostics);
            let condition = content.required("condition", &block.header, diagnostics).cloned();
            let message = content.required("error_message", &block.header, diagnostics).cloned();
            let validation = Validation { condition: condition?, error_message: message? };
            validation::check(&name, &validation, diagnostics);
            Some(validation)
        })
        .collect();
    Some(Variable {
        name,
        dialect: block.body.dialect,
        of: content.attribute("type").cloned(),
        default: content.attribute("default").cloned(),
        sensitive: content.literal_bool("sensitive", diagnostics),
        description: content.attribute("description").cloned(),
        validations,
        header: block.header.clone(),
    })
}

fn local(block: &Block, diagnostics: &mut Diagnostics) -> Option<Local> {
    let name = identifier(block.labels.first()?, "local", diagnostics)?;
    let content = Content::of(&block.body, Some(&["expression", "sensitive"]), &[], diagnostics);
    let sensitive = content.literal_bool("sensitive", diagnostics);
    let expression = content.required("expression", &block.header, diagnostics)?.clone();
    Some(Local { name, expression, sensitive })
}

/// Blocks that may stand in a build, besides `dynamic`.
const IN_BUILD: &[Allowed] = &[
    ("source", 1),
    ("provisioner", 1),
    ("error-cleanup-provisioner", 1),
    ("post-processor", 1),
    ("post-processors", 0),
    ("hcp_packer_registry", 0),
    ("from", 1),
];

/// Says what the `dynamic` blocks of a build stand for.
pub(in crate::template) type Expand<'a> = &'a dyn Fn(&Block, &mut Diagnostics) -> Vec<Block>;

/// Reads a build. Without `expand` its `dynamic` blocks are left for later.
pub(in crate::template) fn build(
    block: &Arc<Block>,
    expand: Option<Expand<'_>>,
    diagnostics: &mut Diagnostics,
) -> Build {
    let content = Content::of_expanded(
        &block.body,
        Some(&["name", "description", "sources"]),
        IN_BUILD,
        expand,
        diagnostics,
    );
    let mut build = Build {
        name: content.attribute("name").cloned(),
        description: content.attribute("description").cloned(),
        sources: content.attribute("sources").cloned(),
        source_blocks: Vec::new(),
        provisioners: Vec::new(),
        error_cleanup: None,
        post_processors: Vec::new(),
        registries: Vec::new(),
        unexpanded: None,
        header: block.header.clone(),
    };
    let mut later = content.later;
    for block in content.blocks {
        match block.kind.text.as_str() {
            "source" => build.source_blocks.extend(source_use(block)),
            "provisioner" => build.provisioners.extend(step(block, STEP_META)),
            "error-cleanup-provisioner" => {
                if let Some(first) = &build.error_cleanup {
                    diagnostics.push(
                        Diagnostic::error(
                            "duplicate-block",
                            "a build has at most one `error-cleanup-provisioner`",
                        )
                        .at(&block.header, "again here")
                        .also(&first.header, "first here"),
                    );
                }
                build.error_cleanup = step(block, STEP_META);
            }
            "post-processor" => {
                build.post_processors.extend(step(block, POST_PROCESSOR_META).map(|one| vec![one]));
            }
            "post-processors" => {
                let chain = Content::of_expanded(
                    &block.body,
                    Some(&[]),
                    &[("post-processor", 1)],
                    expand,
                    diagnostics,
                );
                later |= chain.later;
                build.post_processors.push(
                    chain
                        .blocks
                        .into_iter()
                        .filter_map(|block| step(block, POST_PROCESSOR_META))
                        .collect(),
                );
            }
            other => {
                let summary = format!("`{other}` has no effect in a build");
                let finding =
                    Diagnostic::warning("ignored-block", summary).at(&block.header, "ignored");
                // Said once, when the template is loaded.
                if expand.is_none() {
                    diagnostics.push(finding);
                }
                if other == REGISTRY {
                    build.registries.push(block);
                }
            }
        }
    }
    build.unexpanded = later.then(|| Arc::clone(block));
    build
}

fn source_use(block: Block) -> Option<SourceUse> {
    let (meta, body) = block.body.split(&["name"]);
    let rename = meta.attributes.into_iter().next().map(|attribute| attribute.expression);
    Some(SourceUse {
        reference: block.labels.into_iter().next()?,
        rename,
        body,
        header: block.header,
    })
}

fn step(block: Block, meta: &[&str]) -> Option<Step> {
    let (meta, body) = block.body.split(meta);
    Some(Step { kind: block.labels.into_iter().next()?, meta, body, header: block.header })
}

fn identifier(label: &Name, what: &str, diagnostics: &mut Diagnostics) -> Option<Name> {
    let mut characters = label.text.chars();
    let starts = characters.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if starts && characters.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
        return Some(label.clone());
    }
    diagnostics.push(
        Diagnostic::error("wrong-name", format!("`{}` cannot name a {what}", label.text))
            .at(&label.span, "letters, digits, `_` and `-` only, not a digit first"),
    );
    None
}

fn no_duplicates<'a>(
    what: &str,
    names: impl Iterator<Item = (&'a Name, Option<&'a str>)>,
    diagnostics: &mut Diagnostics,
) {
    let mut seen: std::collections::BTreeMap<(Option<&str>, &str), &Name> =
        std::collections::BTreeMap::new();
    for (name, kind) in names {
        if let Some(first) = seen.insert((kind, &name.text), name) {
            let title =
                kind.map_or_else(|| name.text.clone(), |kind| format!("{kind}.{}", name.text));
            diagnostics.push(
                Diagnostic::error("duplicate", format!("{what} `{title}` is declared twice"))
                    .at(&name.span, "again here")
                    .also(&first.span, "first here"),
            );
        }
    }
}

/// An expression that must be written as a list, element by element.
pub(in crate::template) fn list_items(expression: &Expression) -> Option<&[Expression]> {
    match &expression.kind {
        ExpressionKind::Tuple(items) => Some(items),
        ExpressionKind::Parenthesis(inner) => list_items(inner),
        _ => None,
    }
}
