//! The template itself.

use std::collections::BTreeMap;

use super::parse;
use super::references::References;
use super::render::{self, Rendered, Sources};
use super::syntax::{Node, Nodes};
use super::{Data, Functions, RenderError, SyntaxError, builtin};
use crate::diagnostic::did_you_mean;

/// A parsed template.
#[derive(Clone, Debug)]
pub struct GoTemplate {
    text: String,
    root: Nodes,
    definitions: BTreeMap<String, Nodes>,
}

impl GoTemplate {
    /// Parses a template. The first fault is reported; functions are checked by [`Self::render`].
    ///
    /// # Errors
    ///
    /// When the text is no template, or nests more than 64 levels deep.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let parsed = parse::parse(text)?;
        Ok(Self { text: text.to_owned(), root: parsed.root, definitions: parsed.definitions })
    }

    /// The text that was parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The tree, and whether there are definitions besides it.
    pub(super) fn tree(&self) -> (&Nodes, bool) {
        (&self.root, !self.definitions.is_empty())
    }

    /// Whether it renders to its own text whatever the data: it has no actions and no comments.
    pub fn is_literal(&self) -> bool {
        match self.root.as_slice() {
            [] => self.text.is_empty(),
            [Node::Text(range)] => *range == (0..self.text.len()),
            _ => false,
        }
    }

    /// The functions and fields it names, whether rendering reaches them or not.
    pub fn references(&self) -> References {
        References::of(&self.root, self.definitions.values())
    }

    /// Renders the template.
    ///
    /// An action that uses a field that `data` does not have is kept as it is written; so is a
    /// block whose condition or list depends on one. [`Rendered::kept`] lists them.
    ///
    /// # Errors
    ///
    /// When it names a function that does not exist (reached or not), when a function fails, or
    /// when it takes too many steps or produces too much.
    pub fn render(&self, data: &Data, functions: &dyn Functions) -> Result<Rendered, RenderError> {
        let names = functions.names();
        for function in self.references().functions {
            let name = function.name.as_str();
            if builtin::NAMES.contains(&name) || names.contains(&name) {
                continue;
            }
            let known = names.iter().copied().chain(builtin::NAMES);
            let error = RenderError::new(format!("unknown function `{name}`"), &function.range);
            let literal = || {
                let action = format!("{{{{`{{{{`}}}}{name} …}}}}");
                format!("for a text with braces that another program reads, write {action}")
            };
            return Err(error.maybe_help(did_you_mean(name, known).or_else(|| Some(literal()))));
        }
        let sources =
            Sources { text: &self.text, root: &self.root, definitions: &self.definitions };
        render::render(&sources, data, functions)
    }
}
