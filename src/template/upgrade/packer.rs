//! The `packer` block.

use super::super::declaration::Template;
use super::document::{Block, Out};
use crate::template::syntax::ExpressionKind;
use crate::value::quote;

/// Plugins by the beginning of their components' names, all of HashiCorp.
const PLUGINS: [&str; 10] = [
    "amazon",
    "ansible",
    "azure",
    "docker",
    "googlecompute",
    "qemu",
    "vagrant",
    "virtualbox",
    "vmware",
    "vsphere",
];

/// The `packer` block, when there is anything to say in it.
pub(super) fn block(template: &Template) -> Option<Block> {
    let mut block = Block::new("packer");
    for required in &template.required_versions {
        if let ExpressionKind::Literal(value) = &required.kind
            && let Some(text) = value.as_str()
        {
            block.set("required_version", Out::Plain(quote(text)));
        }
    }
    let mut plugins = Block::new("required_plugins");
    for plugin in PLUGINS {
        if kinds(template).any(|kind| {
            kind.strip_prefix(plugin).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        }) {
            plugins.set(
                plugin,
                Out::Object(vec![
                    (
                        "source".to_owned(),
                        Out::Plain(quote(&format!("github.com/hashicorp/{plugin}"))),
                    ),
                    ("version".to_owned(), Out::Plain(quote("~> 1"))),
                ]),
            );
        }
    }
    if !plugins.contents.arguments.is_empty() {
        block.contents.blocks.push(plugins);
    }
    (!block.contents.arguments.is_empty() || !block.contents.blocks.is_empty()).then_some(block)
}

/// The types of all components.
fn kinds(template: &Template) -> impl Iterator<Item = &str> {
    let steps = template.builds.iter().flat_map(|build| {
        build
            .provisioners
            .iter()
            .chain(&build.error_cleanup)
            .chain(build.post_processors.iter().flatten())
    });
    template
        .sources
        .iter()
        .map(|source| source.kind.text.as_str())
        .chain(steps.map(|step| step.kind.text.as_str()))
}
