//! A template as a row of pieces, for those who write it in another language.

use std::ops::Range;

use super::syntax::{Command, Node, Nodes, Operand, Pipeline, Term};
use super::{Data, GoTemplate};

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Text that is copied, already trimmed.
    Text(String),
    /// `{{ … }}`, or a whole `{{if}}…{{end}}`.
    Action(Action),
}

/// What stands in braces.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Its bytes in the template, braces and trim markers included.
    pub range: Range<usize>,
    /// What it prints, when that is nothing but functions of literals.
    pub value: Option<Argument>,
    /// All calls in it whose arguments are nothing but functions of literals, inner ones too.
    pub calls: Vec<Call>,
    /// Whether it uses fields of the data.
    pub has_fields: bool,
}

/// A call of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function.
    pub name: String,
    /// Its arguments, what is piped into it last.
    pub arguments: Vec<Argument>,
    /// Its bytes in the template, from its name to its last argument.
    pub range: Range<usize>,
    /// Whether its last argument is piped into it, and so stands in front of `range`.
    pub piped: bool,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A text, a number, a truth value.
    Literal(Data),
    /// What another call returns.
    Call(Call),
}

impl GoTemplate {
    /// The template's pieces in order. Comments are left out. `None` when there are definitions
    /// (`{{define}}`), which stand nowhere.
    pub fn pieces(&self) -> Option<Vec<Piece>> {
        let (root, definitions) = self.tree();
        if definitions {
            return None;
        }
        let piece = |node: &Node| match node {
            Node::Text(range) => {
                Piece::Text(self.text().get(range.clone()).unwrap_or_default().to_owned())
            }
            Node::Action { range, pipeline } => Piece::Action(Action {
                value: value(pipeline),
                ..block(std::slice::from_ref(node), range.clone())
            }),
            Node::If { range, .. }
            | Node::With { range, .. }
            | Node::Range { range, .. }
            | Node::Template { range, .. } => {
                Piece::Action(block(std::slice::from_ref(node), range.clone()))
            }
            // They stand within `{{range}}` only.
            Node::Break | Node::Continue => Piece::Text(String::new()),
        };
        Some(root.iter().map(piece).collect())
    }
}

fn block(nodes: &[Node], range: Range<usize>) -> Action {
    let mut action = Action { range, value: None, calls: Vec::new(), has_fields: false };
    action.nodes(nodes);
    action
}

impl Action {
    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            match node {
                Node::Text(_) | Node::Break | Node::Continue => {}
                Node::Action { pipeline, .. } => self.pipeline(pipeline),
                Node::If { branches, otherwise, .. } | Node::With { branches, otherwise, .. } => {
                    for branch in branches {
                        self.pipeline(&branch.condition);
                        self.nodes(&branch.body);
                    }
                    self.nodes(otherwise);
                }
                Node::Range { pipeline, body, otherwise, .. } => {
                    self.pipeline(pipeline);
                    self.both(body, otherwise);
                }
                Node::Template { pipeline, .. } => {
                    pipeline.iter().for_each(|pipeline| self.pipeline(pipeline));
                }
            }
        }
    }

    fn both(&mut self, first: &Nodes, second: &Nodes) {
        self.nodes(first);
        self.nodes(second);
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        let mut piped = None;
        for (at, command) in pipeline.commands.iter().enumerate() {
            if at == 0 {
                self.calls.extend(call(command, None));
            } else if let Some(piped) = piped.take() {
                self.calls.extend(call(command, Some(piped)));
            }
            piped = command_value(command);
            for operand in std::iter::once(&command.first).chain(&command.arguments) {
                self.operand(operand);
            }
            for operand in &command.arguments {
                if let Term::Function(_) = operand.term {
                    self.calls.extend(argument(operand).and_then(Argument::into_call));
                }
            }
        }
    }

    fn operand(&mut self, operand: &Operand) {
        self.has_fields |= !operand.fields.is_empty() || matches!(operand.term, Term::Dot);
        if let Term::Parentheses(inner) = &operand.term {
            self.pipeline(inner);
        }
    }
}

impl Argument {
    fn into_call(self) -> Option<Call> {
        match self {
            Self::Call(call) => Some(call),
            Self::Literal(_) => None,
        }
    }
}

/// What a pipeline prints; `None` unless it is nothing but functions of literals.
fn value(pipeline: &Pipeline) -> Option<Argument> {
    if !pipeline.variables.is_empty() {
        return None;
    }
    let (first, rest) = pipeline.commands.split_first()?;
    let mut value = command_value(first)?;
    for command in rest {
        value = Argument::Call(call(command, Some(value))?);
    }
    Some(value)
}

fn command_value(command: &Command) -> Option<Argument> {
    match command.first.term {
        Term::Function(_) => call(command, None).map(Argument::Call),
        _ if command.arguments.is_empty() => argument(&command.first),
        _ => None,
    }
}

fn call(command: &Command, piped: Option<Argument>) -> Option<Call> {
    let Term::Function(name) = &command.first.term else { return None };
    if !command.first.fields.is_empty() {
        return None;
    }
    let mut arguments: Vec<_> = command.arguments.iter().map(argument).collect::<Option<_>>()?;
    let is_piped = piped.is_some();
    arguments.extend(piped);
    Some(Call { name: name.clone(), arguments, range: command.range.clone(), piped: is_piped })
}

fn argument(operand: &Operand) -> Option<Argument> {
    if !operand.fields.is_empty() {
        return None;
    }
    match &operand.term {
        Term::Literal(value) => Some(Argument::Literal(value.clone())),
        Term::Function(name) => Some(Argument::Call(Call {
            name: name.clone(),
            arguments: Vec::new(),
            range: operand.range.clone(),
            piped: false,
        })),
        Term::Parentheses(inner) => value(inner),
        Term::Dot | Term::Variable(_) | Term::Nil => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<Piece> {
        GoTemplate::parse(text).expect("a template").pieces().expect("pieces")
    }

    fn values(text: &str) -> Vec<Option<String>> {
        fn spell(argument: &Argument) -> String {
            match argument {
                Argument::Literal(value) => format!("{value:?}"),
                Argument::Call(call) => {
                    let all: Vec<_> = call.arguments.iter().map(spell).collect();
                    format!("{}({})", call.name, all.join(", "))
                }
            }
        }
        pieces(text)
            .iter()
            .filter_map(|piece| match piece {
                Piece::Text(_) => None,
                Piece::Action(action) => Some(action.value.as_ref().map(spell)),
            })
            .collect()
    }

    #[test]
    fn text_is_trimmed_and_actions_keep_their_bytes() {
        let text = "a {{- user `x` }} b{{/* note */}}";
        let found = pieces(text);
        assert_eq!(found.first(), Some(&Piece::Text("a".into())));
        let Some(Piece::Action(action)) = found.get(1) else { panic!("{found:?}") };
        assert_eq!(text.get(action.range.clone()), Some("{{- user `x` }}"));
        assert_eq!(found.get(2), Some(&Piece::Text(" b".into())));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn functions_of_literals_are_values() {
        assert_eq!(
            values("{{user `x` | replace_all `a` \"b\"}}{{upper (build_name)}}{{printf `%s` pwd}}"),
            [
                Some(r#"replace_all(String("a"), String("b"), user(String("x")))"#.into()),
                Some("upper(build_name())".into()),
                Some(r#"printf(String("%s"), pwd())"#.into()),
            ]
        );
        assert_eq!(
            values("{{.Path}}{{user .X}}{{$x := user `a`}}{{if pwd}}y{{end}}"),
            [const { None }; 4]
        );
    }

    #[test]
    fn calls_are_found_where_an_action_is_more_than_a_value() {
        let text = "{{if eq (user `mode`) `x`}}{{build `ID`}}{{end}}";
        let found = pieces(text);
        let [Piece::Action(action)] = found.as_slice() else { panic!("{found:?}") };
        let names: Vec<_> =
            action.calls.iter().filter_map(|call| text.get(call.range.clone())).collect();
        assert_eq!(names, ["eq (user `mode`) `x`", "user `mode`", "build `ID`"]);
        assert!(!action.has_fields);
    }
}
