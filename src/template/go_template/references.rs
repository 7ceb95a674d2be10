//! What a template refers to, found without rendering it.

use std::ops::Range;

use super::Data;
use super::syntax::{Node, Nodes, Operand, Pipeline, Term};

/// The functions and fields that a template names, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct References {
    /// Each call, of built-in functions too.
    pub functions: Vec<FunctionReference>,
    /// Each use of a field of the dot or of a variable.
    pub fields: Vec<FieldReference>,
}

/// A function's name in a template.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionReference {
    /// The name.
    pub name: String,
    /// The arguments as far as they are literals: `["x"]` in `{{user "x"}}` and `{{"x" | user}}`.
    pub arguments: Vec<Option<Data>>,
    /// The name's bytes.
    pub range: Range<usize>,
}

/// A field's name in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldReference {
    /// `["A", "B"]` in `.A.B`.
    pub path: Vec<String>,
    /// Whether it is surely a field of the data that the caller supplies: the dot is not rebound
    /// by `range`, `with` or a definition, or it is reached through `$` outside of definitions.
    pub of_root: bool,
    /// The bytes of `.A.B`.
    pub range: Range<usize>,
}

/// Where a part of a template stands.
#[derive(Clone, Copy)]
struct Place {
    dot_is_root: bool,
    dollar_is_root: bool,
}

impl References {
    pub(super) fn of<'t>(root: &Nodes, definitions: impl Iterator<Item = &'t Nodes>) -> Self {
        let mut references = Self::default();
        references.nodes(root, Place { dot_is_root: true, dollar_is_root: true });
        for nodes in definitions {
            references.nodes(nodes, Place { dot_is_root: false, dollar_is_root: false });
        }
        references.functions.sort_by_key(|function| function.range.start);
        references.fields.sort_by_key(|field| field.range.start);
        references
    }

    fn nodes(&mut self, nodes: &Nodes, place: Place) {
        let rebound = Place { dot_is_root: false, ..place };
        for node in nodes {
            match node {
                Node::Text(_) | Node::Break | Node::Continue => {}
                Node::Action { pipeline, .. } => self.pipeline(pipeline, place),
                Node::If { branches, otherwise, .. } | Node::With { branches, otherwise, .. } => {
                    let inside = if matches!(node, Node::If { .. }) { place } else { rebound };
                    for branch in branches {
                        self.pipeline(&branch.condition, place);
                        self.nodes(&branch.body, inside);
                    }
                    self.nodes(otherwise, place);
                }
                Node::Range { pipeline, body, otherwise, .. } => {
                    self.pipeline(pipeline, place);
                    self.nodes(body, rebound);
                    self.nodes(otherwise, place);
                }
                Node::Template { pipeline, .. } => {
                    if let Some(pipeline) = pipeline {
                        self.pipeline(pipeline, place);
                    }
                }
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, place: Place) {
        let mut piped: Option<Option<Data>> = None;
        for command in &pipeline.commands {
            if let Term::Function(name) = &command.first.term {
                let end = command.first.range.start + name.len();
                let arguments = command.arguments.iter().map(literal);
                self.functions.push(FunctionReference {
                    name: name.clone(),
                    arguments: arguments.chain(piped.take()).collect(),
                    range: command.first.range.start..end,
                });
            }
            self.operand(&command.first, place);
            for argument in &command.arguments {
                if let Term::Function(name) = &argument.term {
                    self.functions.push(FunctionReference {
                        name: name.clone(),
                        arguments: Vec::new(),
                        range: argument.range.start..argument.range.start + name.len(),
                    });
                }
                self.operand(argument, place);
            }
            let alone = command.arguments.is_empty();
            piped = Some(literal(&command.first).filter(|_| alone));
        }
    }

    fn operand(&mut self, operand: &Operand, place: Place) {
        if let Term::Parentheses(inner) = &operand.term {
            self.pipeline(inner, place);
        }
        let of_root = match &operand.term {
            Term::Dot => place.dot_is_root,
            Term::Variable(name) if name == "$" => place.dollar_is_root,
            Term::Variable(_) => false,
            _ => return,
        };
        if let (Some(first), Some(last)) = (operand.fields.first(), operand.fields.last()) {
            self.fields.push(FieldReference {
                path: operand.fields.iter().map(|field| field.name.clone()).collect(),
                of_root,
                range: first.range.start..last.range.end,
            });
        }
    }
}

fn literal(operand: &Operand) -> Option<Data> {
    match &operand.term {
        Term::Literal(value) => Some(value.clone()),
        Term::Nil => Some(Data::Nil),
        _ => None,
    }
}
