//! From tokens to the syntax tree.

use std::collections::BTreeMap;
use std::ops::Range;

use super::scan::{Piece, Token, TokenKind, scan};
use super::syntax::{Branch, Command, Field, Node, Nodes, Operand, Pipeline, Term};
use super::{Data, SyntaxError};

/// How deep blocks and parentheses may nest. It keeps hostile input off the stack.
const DEPTH: usize = 64;

/// How many variables may be in scope. It keeps looking them up cheap.
const VARIABLES: usize = 1000;

/// A template and the templates that it defines.
pub(super) struct Parsed {
    pub(super) root: Nodes,
    pub(super) definitions: BTreeMap<String, Nodes>,
}

pub(super) fn parse(text: &str) -> Result<Parsed, SyntaxError> {
    let mut parser = Parser {
        text,
        pieces: scan(text)?.into_iter(),
        definitions: BTreeMap::new(),
        variables: vec!["$".to_owned()],
        ranges: 0,
        depth: 0,
    };
    let (root, closing) = parser.nodes(Place::Top)?;
    match closing {
        None => Ok(Parsed { root, definitions: parser.definitions }),
        Some(closing) => {
            let what = if closing.is_else() { "{{else}}" } else { "{{end}}" };
            Err(SyntaxError::new(format!("`{what}` closes nothing"), closing.range))
        }
    }
}

/// Where a list of nodes stands: `define` is only known at the top.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Top,
    Nested,
}

/// The action that ended a list of nodes: `{{end}}` or `{{else …}}`.
struct Closing {
    range: Range<usize>,
    /// What follows `else`; `None` for `end`.
    otherwise: Option<Vec<Token>>,
}

impl Closing {
    fn is_else(&self) -> bool {
        self.otherwise.is_some()
    }
}

struct Parser<'t> {
    text: &'t str,
    pieces: std::vec::IntoIter<Piece>,
    definitions: BTreeMap<String, Nodes>,
    /// The variables in scope, with their `$`.
    variables: Vec<String>,
    /// How many `range` bodies we are in.
    ranges: usize,
    depth: usize,
}

/// The tokens of an action and how far they are read.
struct Tokens {
    tokens: Vec<Token>,
    read: usize,
    action: Range<usize>,
    /// Where the last token ended.
    end: usize,
}

impl Tokens {
    fn new(tokens: Vec<Token>, action: &Range<usize>, end: usize) -> Self {
        Self { tokens, read: 0, action: action.clone(), end }
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.read)?.clone();
        self.read += 1;
        self.end = token.range.end;
        Some(token)
    }

    fn first(&self) -> Option<&Token> {
        self.ahead(0)
    }

    /// The token that is `count` tokens ahead.
    fn ahead(&self, count: usize) -> Option<&Token> {
        self.tokens.get(self.read + count)
    }

    fn peek(&self) -> Option<&TokenKind> {
        self.first().map(|token| &token.kind)
    }

    /// The next token when nothing stands between it and the last one.
    fn adjacent(&self) -> Option<&Token> {
        self.first().filter(|token| token.range.start == self.end)
    }

    fn finish(&mut self, what: &str) -> Result<(), SyntaxError> {
        match self.next() {
            None => Ok(()),
            Some(token) => {
                Err(SyntaxError::new(format!("unexpected text in `{{{{{what}}}}}`"), token.range))
            }
        }
    }
}

impl Parser<'_> {
    fn deeper(&mut self, range: &Range<usize>) -> Result<(), SyntaxError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(SyntaxError::new(
                format!("this is nested more than {DEPTH} levels deep"),
                range.clone(),
            ));
        }
        Ok(())
    }

    /// Reads nodes up to an `{{end}}`, an `{{else}}` or the end of the text (`None`).
    fn nodes(&mut self, place: Place) -> Result<(Nodes, Option<Closing>), SyntaxError> {
        let mut nodes = Nodes::new();
        while let Some(piece) = self.pieces.next() {
            let (range, tokens) = match piece {
                Piece::Text(range) => {
                    nodes.push(Node::Text(range));
                    continue;
                }
                Piece::Action { range, tokens } => (range, tokens),
            };
            let start = range.start + 2;
            let mut tokens = Tokens::new(tokens, &range, start);
            let keyword = match tokens.peek() {
                Some(TokenKind::Word(word)) => word.clone(),
                _ => String::new(),
            };
            let keyword = keyword.as_str();
            if !is_keyword(keyword) {
                let pipeline = self.pipeline(&mut tokens, "an action", 1)?;
                nodes.push(Node::Action { range, pipeline });
                continue;
            }
            tokens.next();
            match keyword {
                "end" => {
                    tokens.finish("end")?;
                    return Ok((nodes, Some(Closing { range, otherwise: None })));
                }
                "else" => {
                    let rest = tokens.tokens.split_off(tokens.read);
                    return Ok((nodes, Some(Closing { range, otherwise: Some(rest) })));
                }
                "if" | "with" => nodes.push(self.branches(keyword, range, tokens)?),
                "range" => nodes.push(self.range(range, tokens)?),
                "define" if place == Place::Top => self.define(&range, tokens)?,
                "define" => {
                    return Err(SyntaxError::new("`define` stands outside of all blocks", range));
                }
                "block" => nodes.push(self.block(range, tokens)?),
                "template" => nodes.push(self.template(range, tokens)?),
                _ => {
                    tokens.finish(keyword)?;
                    if self.ranges == 0 {
                        return Err(SyntaxError::new(
                            format!("`{{{{{keyword}}}}}` outside of `{{{{range}}}}`"),
                            range,
                        ));
                    }
                    nodes.push(if keyword == "break" { Node::Break } else { Node::Continue });
                }
            }
        }
        Ok((nodes, None))
    }

    /// Reads the body of a block that `range` opened; it must be closed.
    fn body(
        &mut self,
        keyword: &str,
        range: &Range<usize>,
    ) -> Result<(Nodes, Closing), SyntaxError> {
        self.deeper(range)?;
        let (nodes, closing) = self.nodes(Place::Nested)?;
        self.depth -= 1;
        match closing {
            Some(closing) => Ok((nodes, closing)),
            None => {
                let error = SyntaxError::new(
                    format!("this `{{{{{keyword}}}}}` is not closed"),
                    range.clone(),
                );
                Err(error.help("end it with `{{end}}`"))
            }
        }
    }

    /// Reads the last body of a block, which `{{end}}` must close. Gives where it ends.
    fn last_body(
        &mut self,
        keyword: &str,
        range: &Range<usize>,
    ) -> Result<(Nodes, usize), SyntaxError> {
        let (nodes, closing) = self.body(keyword, range)?;
        if closing.is_else() {
            return Err(SyntaxError::new("expected `{{end}}`, found `{{else}}`", closing.range));
        }
        Ok((nodes, closing.range.end))
    }

    /// `{{if}}` and `{{with}}`, which differ only in what the dot is inside.
    fn branches(
        &mut self,
        keyword: &str,
        opening: Range<usize>,
        mut tokens: Tokens,
    ) -> Result<Node, SyntaxError> {
        let scope = self.variables.len();
        let mut branches = Vec::new();
        let mut otherwise = Nodes::new();
        let end = loop {
            let condition = self.pipeline(&mut tokens, keyword, 1)?;
            let inner = self.variables.len();
            let (body, closing) = self.body(keyword, &opening)?;
            self.variables.truncate(inner);
            branches.push(Branch { condition, body });
            let Some(rest) = closing.otherwise else { break closing.range.end };
            let start = rest.first().map_or(closing.range.end, |token| token.range.start);
            tokens = Tokens::new(rest, &closing.range, start);
            if tokens.peek().is_none() {
                let end;
                (otherwise, end) = self.last_body(keyword, &opening)?;
                break end;
            }
            let expected = TokenKind::Word(keyword.to_owned());
            if tokens.peek() != Some(&expected) {
                return Err(SyntaxError::new(
                    format!("expected `{{{{else}}}}` or `{{{{else {keyword} …}}}}`"),
                    closing.range,
                ));
            }
            tokens.next();
        };
        self.variables.truncate(scope);
        let range = opening.start..end;
        Ok(match keyword {
            "if" => Node::If { range, branches, otherwise },
            _ => Node::With { range, branches, otherwise },
        })
    }

    fn range(&mut self, opening: Range<usize>, mut tokens: Tokens) -> Result<Node, SyntaxError> {
        let scope = self.variables.len();
        let pipeline = self.pipeline(&mut tokens, "range", 2)?;
        let inner = self.variables.len();
        self.ranges += 1;
        let (body, closing) = self.body("range", &opening)?;
        self.ranges -= 1;
        self.variables.truncate(inner);
        let (otherwise, end) = match closing.otherwise {
            None => (Nodes::new(), closing.range.end),
            Some(rest) => {
                Tokens::new(rest, &closing.range, closing.range.end).finish("else")?;
                self.last_body("range", &opening)?
            }
        };
        self.variables.truncate(scope);
        Ok(Node::Range { range: opening.start..end, pipeline, body, otherwise })
    }

    /// Reads a body that is a template of its own: it sees no variable but `$`.
    fn own_body(
        &mut self,
        keyword: &str,
        opening: &Range<usize>,
    ) -> Result<(Nodes, usize), SyntaxError> {
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let ranges = std::mem::take(&mut self.ranges);
        let read = self.last_body(keyword, opening)?;
        self.variables = variables;
        self.ranges = ranges;
        Ok(read)
    }

    fn define(&mut self, opening: &Range<usize>, mut tokens: Tokens) -> Result<(), SyntaxError> {
        let name = self.name(&mut tokens, "define")?;
        tokens.finish("define")?;
        let (body, end) = self.own_body("define", opening)?;
        self.add(name, body, opening.start..end)
    }

    fn block(&mut self, opening: Range<usize>, mut tokens: Tokens) -> Result<Node, SyntaxError> {
        let name = self.name(&mut tokens, "block")?;
        let pipeline = self.pipeline(&mut tokens, "block", 1)?;
        let (body, end) = self.own_body("block", &opening)?;
        let range = opening.start..end;
        self.add(name.clone(), body, range.clone())?;
        Ok(Node::Template { range, name, pipeline: Some(pipeline) })
    }

    fn template(&mut self, range: Range<usize>, mut tokens: Tokens) -> Result<Node, SyntaxError> {
        let name = self.name(&mut tokens, "template")?;
        let pipeline = match tokens.peek() {
            None => None,
            Some(_) => Some(self.pipeline(&mut tokens, "template", 1)?),
        };
        Ok(Node::Template { range, name, pipeline })
    }

    fn name(&self, tokens: &mut Tokens, keyword: &str) -> Result<String, SyntaxError> {
        match tokens.next() {
            Some(Token { kind: TokenKind::Literal(Data::String(name)), .. }) => Ok(name),
            found => Err(SyntaxError::new(
                format!("`{keyword}` needs the name of a template, in quotes"),
                found.map_or(tokens.action.clone(), |token| token.range),
            )),
        }
    }

    /// Keeps a template; an empty one may be defined again.
    fn add(&mut self, name: String, body: Nodes, range: Range<usize>) -> Result<(), SyntaxError> {
        let blank = self.is_blank(&body);
        match self.definitions.get(&name) {
            Some(known) if !self.is_blank(known) => {
                if blank {
                    return Ok(());
                }
                Err(SyntaxError::new(format!("template `{name}` is defined twice"), range))
            }
            _ => {
                self.definitions.insert(name, body);
                Ok(())
            }
        }
    }

    fn is_blank(&self, nodes: &Nodes) -> bool {
        nodes.iter().all(|node| match node {
            Node::Text(range) => {
                self.text.get(range.clone()).is_some_and(|text| text.trim().is_empty())
            }
            _ => false,
        })
    }

    /// Reads a pipeline up to the end of the action, which may declare `variables` at most.
    fn pipeline(
        &mut self,
        tokens: &mut Tokens,
        what: &str,
        variables: usize,
    ) -> Result<Pipeline, SyntaxError> {
        let pipeline = self.commands(tokens, what, variables)?;
        match tokens.next() {
            None => Ok(pipeline),
            Some(token) => Err(unexpected(&token)),
        }
    }

    /// Reads a pipeline up to the end of the action or a closing parenthesis.
    fn commands(
        &mut self,
        tokens: &mut Tokens,
        what: &str,
        allowed: usize,
    ) -> Result<Pipeline, SyntaxError> {
        let start = tokens.first().map(|token| token.range.start);
        let (variables, assigns) = self.declaration(tokens, allowed)?;
        let mut commands: Vec<Command> = Vec::new();
        loop {
            let command = self.command(tokens, what)?;
            if !commands.is_empty() && !may_follow(&command.first) {
                return Err(SyntaxError::new(
                    format!("`{}` cannot take a value from a pipe", self.slice(&command.first)),
                    command.first.range,
                ));
            }
            commands.push(command);
            if tokens.peek() != Some(&TokenKind::Pipe) {
                break;
            }
            tokens.next();
            // Go takes a pipe that leads nowhere.
            if matches!(tokens.peek(), None | Some(TokenKind::Close)) {
                break;
            }
        }
        let range = start.unwrap_or(tokens.end)..tokens.end;
        if !assigns {
            self.variables.extend(variables.iter().cloned());
        }
        if self.variables.len() > VARIABLES {
            return Err(SyntaxError::new(format!("more than {VARIABLES} variables"), range));
        }
        Ok(Pipeline { range, variables, assigns, commands })
    }

    fn slice(&self, operand: &Operand) -> &str {
        self.text.get(operand.range.clone()).unwrap_or_default()
    }

    /// `$a :=`, `$a =` or, for `range`, `$a, $b :=`; nothing is read when there is none.
    fn declaration(
        &mut self,
        tokens: &mut Tokens,
        allowed: usize,
    ) -> Result<(Vec<String>, bool), SyntaxError> {
        let mut names = Vec::new();
        let mut count = 0;
        let sign = loop {
            let Some(Token { kind: TokenKind::Variable(name), range }) = tokens.ahead(count) else {
                return Ok((Vec::new(), false));
            };
            names.push((name.clone(), range.clone()));
            let Some(token) = tokens.ahead(count + 1) else { return Ok((Vec::new(), false)) };
            count += 2;
            match token.kind {
                TokenKind::Comma => {}
                TokenKind::Declare | TokenKind::Assign => break token.clone(),
                _ => return Ok((Vec::new(), false)),
            }
        };
        if names.len() > allowed {
            let range = names.first().map_or(0, |(_, range)| range.start)..sign.range.end;
            return Err(SyntaxError::new("too many variables before the sign", range));
        }
        let assigns = sign.kind == TokenKind::Assign;
        if assigns {
            for (name, range) in &names {
                self.check_variable(name, range)?;
            }
        }
        tokens.read += count;
        tokens.end = sign.range.end;
        Ok((names.into_iter().map(|(name, _)| name).collect(), assigns))
    }

    fn command(&mut self, tokens: &mut Tokens, what: &str) -> Result<Command, SyntaxError> {
        let first = match tokens.peek() {
            Some(TokenKind::Pipe | TokenKind::Close) | None => {
                let range =
                    tokens.first().map_or(tokens.action.clone(), |token| token.range.clone());
                return Err(SyntaxError::new(
                    format!("a value is missing in {}", tell(what)),
                    range,
                ));
            }
            Some(_) => self.operand(tokens)?,
        };
        let mut arguments = Vec::new();
        loop {
            match tokens.first() {
                Some(Token { kind: TokenKind::Pipe | TokenKind::Close, .. }) | None => break,
                Some(token) if token.range.start == tokens.end => return Err(unexpected(token)),
                Some(_) => arguments.push(self.operand(tokens)?),
            }
        }
        let range = first.range.start..tokens.end;
        Ok(Command { range, first, arguments })
    }

    fn operand(&mut self, tokens: &mut Tokens) -> Result<Operand, SyntaxError> {
        let Some(token) = tokens.next() else {
            return Err(SyntaxError::new("a value is missing", tokens.action.clone()));
        };
        let start = token.range.start;
        let mut fields = Vec::new();
        let mut takes_fields = true;
        let term = match token.kind {
            TokenKind::Dot => {
                takes_fields = false;
                Term::Dot
            }
            TokenKind::Field(name) => {
                fields.push(Field { name, range: token.range });
                Term::Dot
            }
            TokenKind::Variable(name) => {
                self.check_variable(&name, &token.range)?;
                Term::Variable(name)
            }
            TokenKind::Literal(value) => {
                takes_fields = false;
                Term::Literal(value)
            }
            TokenKind::Word(word) => match word.as_str() {
                "true" | "false" => {
                    takes_fields = false;
                    Term::Literal(Data::Bool(word == "true"))
                }
                "nil" => {
                    takes_fields = false;
                    Term::Nil
                }
                keyword if is_keyword(keyword) => {
                    return Err(SyntaxError::new(
                        format!("`{keyword}` must be the first word of its action"),
                        token.range,
                    ));
                }
                _ => Term::Function(word),
            },
            TokenKind::Open => {
                self.deeper(&token.range)?;
                let inner = self.commands(tokens, "parentheses", 1)?;
                self.depth -= 1;
                match tokens.next() {
                    Some(Token { kind: TokenKind::Close, .. }) => {}
                    Some(token) => return Err(unexpected(&token)),
                    None => {
                        return Err(SyntaxError::new(
                            "this parenthesis is not closed",
                            start..start + 1,
                        ));
                    }
                }
                Term::Parentheses(Box::new(inner))
            }
            TokenKind::Pipe
            | TokenKind::Declare
            | TokenKind::Assign
            | TokenKind::Comma
            | TokenKind::Close => return Err(unexpected(&token)),
        };
        while let Some(Token { kind: TokenKind::Field(name), range }) = tokens.adjacent().cloned() {
            if !takes_fields {
                return Err(SyntaxError::new("this value has no fields", start..range.end));
            }
            fields.push(Field { name, range });
            tokens.next();
        }
        Ok(Operand { range: start..tokens.end, term, fields })
    }

    fn check_variable(&self, name: &str, range: &Range<usize>) -> Result<(), SyntaxError> {
        if self.variables.iter().any(|known| known == name) {
            return Ok(());
        }
        let error = SyntaxError::new(format!("undefined variable `{name}`"), range.clone());
        let known = self.variables.iter().map(String::as_str).filter(|known| *known != "$");
        Err(match crate::diagnostic::did_you_mean(name, known) {
            Some(help) => error.help(help),
            None => error.help("for a literal `{{` write {{`{{`}}"),
        })
    }
}

fn tell(what: &str) -> String {
    match what {
        "an action" | "parentheses" => what.to_owned(),
        keyword => format!("`{{{{{keyword}}}}}`"),
    }
}

/// Whether a pipe may lead into this operand.
fn may_follow(operand: &Operand) -> bool {
    match operand.term {
        Term::Dot => !operand.fields.is_empty(),
        Term::Literal(_) | Term::Nil => false,
        Term::Variable(_) | Term::Function(_) | Term::Parentheses(_) => true,
    }
}

fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "block"
            | "break"
            | "continue"
            | "define"
            | "else"
            | "end"
            | "if"
            | "range"
            | "template"
            | "with"
    )
}

fn unexpected(token: &Token) -> SyntaxError {
    let what = match &token.kind {
        TokenKind::Pipe => "`|`",
        TokenKind::Declare => "`:=`",
        TokenKind::Assign => "`=`",
        TokenKind::Comma => "`,`",
        TokenKind::Open => "`(`",
        TokenKind::Close => "`)`",
        _ => "value",
    };
    let error = SyntaxError::new(format!("unexpected {what}"), token.range.clone());
    match &token.kind {
        TokenKind::Comma => error.help("separate arguments by blanks"),
        TokenKind::Literal(_) | TokenKind::Variable(_) | TokenKind::Word(_) | TokenKind::Open => {
            error.help("separate arguments by blanks")
        }
        _ => error,
    }
}
