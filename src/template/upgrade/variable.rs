//! `variable` and `locals` blocks.

use super::super::declaration::Variable;
use super::call::Place;
use super::document::{Block, Contents, Out};
use super::rewrite::{Rewrite, environment_name};
use crate::value::quote;

/// The blocks that stand for the variables.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    pub(super) variables: Vec<Block>,
    pub(super) locals: Contents,
    /// `local` blocks, for those that are secrets.
    pub(super) sensitive_locals: Vec<Block>,
}

impl Rewrite<'_> {
    /// A variable; one whose default is more than a constant becomes a variable that may be given
    /// and a local that stands in for it.
    pub(super) fn variable(&self, variable: &Variable, to: &mut Declarations) {
        let Some(declared) = self.names.get(&variable.name.text) else { return };
        let mut block = text_variable(&declared.name);
        if declared.name != variable.name.text {
            self.note(format!("was called `{}`, which is no name in HCL", variable.name.text));
        }
        match &declared.default {
            None => {}
            Some(_) if declared.is_local => block.set("default", Out::Plain("null".to_owned())),
            Some(text) => {
                let parts = self.text(text, Place::Default);
                let value = parts.heredoc().unwrap_or_else(|| parts.spell());
                block.set("default", Out::Plain(value));
            }
        }
        if variable.sensitive {
            block.set("sensitive", Out::Plain("true".to_owned()));
        }
        to.variables.push(block);
        let Some(text) = declared.default.as_deref().filter(|_| declared.is_local) else { return };
        let name = &declared.name;
        let value = Out::Plain(self.stand_in(declared, text));
        if variable.sensitive {
            let mut block = Block::new(format!("local {}", quote(name)));
            block.set("sensitive", Out::Plain("true".to_owned()));
            block.set("expression", value);
            to.sensitive_locals.push(block);
        } else {
            to.locals.arguments.push((name.clone(), value));
        }
    }

    /// Variables that nothing declares but something uses: there, an unknown one is empty.
    pub(super) fn undeclared_variables(&self) -> Vec<Block> {
        self.all_undeclared()
            .into_iter()
            .map(|name| {
                let reference = self.names.reference(&name);
                let mut block =
                    text_variable(reference.strip_prefix("var.").unwrap_or(reference.as_str()));
                block.comments = vec![format!(
                    "`{}` was used without being declared, which makes it empty.",
                    name.replace(['\n', '\r'], " ")
                )];
                block.set("default", Out::Plain("\"\"".to_owned()));
                block
            })
            .collect()
    }

    /// Variables that hold environment variables for locals.
    pub(super) fn environment_blocks(&self) -> Vec<Block> {
        self.environment_variables()
            .into_iter()
            .map(|name| {
                let mut block = text_variable(&environment_name(&name));
                block.set("default", Out::Plain(format!("env({})", quote(&name))));
                block
            })
            .collect()
    }
}

fn text_variable(name: &str) -> Block {
    let mut block = Block::new(format!("variable {}", quote(name)));
    block.set("type", Out::Plain("string".to_owned()));
    block
}
