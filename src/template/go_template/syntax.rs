//! The syntax tree. Every range counts bytes of the template's text.

use std::ops::Range;

use super::Data;

/// What stands one after the other.
pub(super) type Nodes = Vec<Node>;

#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Text that is copied, already trimmed.
    Text(Range<usize>),
    /// `{{ pipeline }}`.
    Action { range: Range<usize>, pipeline: Pipeline },
    /// `{{if}}`, with its `{{else if}}`s as further branches. `range` reaches to the `{{end}}`.
    If { range: Range<usize>, branches: Vec<Branch>, otherwise: Nodes },
    /// `{{with}}`, with its `{{else with}}`s as further branches.
    With { range: Range<usize>, branches: Vec<Branch>, otherwise: Nodes },
    /// `{{range}}`.
    Range { range: Range<usize>, pipeline: Pipeline, body: Nodes, otherwise: Nodes },
    /// `{{template "name" pipeline}}`; a `{{block}}` is one too.
    Template { range: Range<usize>, name: String, pipeline: Option<Pipeline> },
    /// `{{break}}`.
    Break,
    /// `{{continue}}`.
    Continue,
}

#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) condition: Pipeline,
    pub(super) body: Nodes,
}

/// `$a, $b := command | command`.
#[derive(Clone, Debug)]
pub(super) struct Pipeline {
    pub(super) range: Range<usize>,
    pub(super) variables: Vec<String>,
    /// `=` instead of `:=`.
    pub(super) assigns: bool,
    /// At least one.
    pub(super) commands: Vec<Command>,
}

/// `operand operand …`.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) range: Range<usize>,
    pub(super) first: Operand,
    pub(super) arguments: Vec<Operand>,
}

/// A term and the fields taken from it: `.A.B`, `$x.A`, `(f x).A`.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) range: Range<usize>,
    pub(super) term: Term,
    pub(super) fields: Vec<Field>,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// The range of `.name`.
    pub(super) range: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Term {
    Dot,
    /// With its `$`.
    Variable(String),
    Function(String),
    Literal(Data),
    Nil,
    Parentheses(Box<Pipeline>),
}
