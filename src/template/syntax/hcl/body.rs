//! Bodies: attributes and blocks.

use std::collections::HashMap;
use std::ops::Range;

use super::parser::{Fault, Parsed, Parser, fault};
use super::text::unescape_quoted;
use super::token::{Bracket, Kind};
use crate::diagnostic::Diagnostic;
use crate::template::syntax::{Attribute, Block, Body, Dialect, Name};

const ONE_A_LINE: &str = "put each argument on a line of its own";

/// The attributes and blocks of a body, and where each attribute was set first.
struct Items {
    body: Body,
    known: HashMap<String, usize>,
}

impl Parser<'_> {
    /// The outermost body.
    pub(super) fn outermost(&mut self) -> Body {
        let whole = 0..self.text.len();
        let mut items = self.items(&whole);
        self.lines(&mut items);
        items.body
    }

    fn items(&self, within: &Range<usize>) -> Items {
        let body = Body {
            attributes: Vec::new(),
            blocks: Vec::new(),
            dialect: Dialect::Hcl,
            span: self.span(within),
        };
        Items { body, known: HashMap::new() }
    }

    /// Reads items up to the end of the body, each from its first token to its line end. What
    /// cannot be parsed is told and skipped.
    fn lines(&mut self, items: &mut Items) {
        let level = self.level();
        // `type { name = value }` has one argument and ends on its line.
        let mut one_line = level > 0 && self.kind() != Kind::Newline;
        loop {
            match self.kind() {
                Kind::End | Kind::Close(_) => return,
                Kind::Newline => {
                    self.next();
                    continue;
                }
                _ => {}
            }
            let start = self.range().start;
            let blocks = items.body.blocks.len();
            let mut read = self.item(items);
            if read.is_ok() {
                let block = items.body.blocks.len() > blocks;
                if block && one_line {
                    let report =
                        Diagnostic::error("syntax", "a block on one line holds no other block")
                            .at(&self.span(&(start..start + 1)), "begins here")
                            .help("put the inner block on lines of its own");
                    self.tell(start, report);
                }
                read = self.end_of_item(start, one_line);
            }
            if let Err(fault) = read {
                self.tell_fault(fault, start);
                self.skip_to(level, &[Kind::Newline]);
            }
            one_line &= self.kind() != Kind::Newline;
        }
    }

    /// After an item that began at `start`: its line ends here. Where another item follows, that is told and read.
    fn end_of_item(&mut self, start: usize, one_line: bool) -> Parsed<()> {
        let help = match self.kind() {
            Kind::Newline if one_line => {
                let help =
                    "begin the line after the `{` with the argument, or end the block on its line";
                return Err(self.unexpected("`}`", Some(help)));
            }
            Kind::Newline | Kind::End => return Ok(()),
            Kind::Close(_) if self.range().is_empty() || one_line => return Ok(()),
            Kind::Close(_) => "put the `}` on a line of its own",
            Kind::Stray if self.here() == ";" => "arguments end with their line: remove the `;`",
            Kind::Comma if one_line => {
                "put each argument of a block on a line of its own, without commas"
            }
            Kind::Comma => "arguments are not separated by commas: put each on a line of its own",
            Kind::Name if matches!(self.ahead(1), Kind::Equal | Kind::Open(Bracket::Brace)) => {
                ONE_A_LINE
            }
            kind => {
                let before = self.text.get(..self.end()).unwrap_or_default();
                let help = match kind {
                    Kind::Equal => Some(match self.ahead(1) {
                        Kind::Operator => "the operator is `<=`",
                        _ => "a name holds letters, digits, `_` and `-`",
                    }),
                    Kind::Arrow => Some("the operator is `>=`"),
                    Kind::Name => Some(match self.here() {
                        "and" => "the operator is `&&`",
                        "or" => "the operator is `||`",
                        "if" => "a conditional is written `condition ? value : other`",
                        _ if before.ends_with("= not") => "the operator is `!`",
                        _ => "text stands in double quotes, and each argument on a line of its own",
                    }),
                    Kind::Open(Bracket::Quote) => Some(ONE_A_LINE),
                    _ => None,
                };
                return Err(self.unexpected("the end of the line", help));
            }
        };
        let fault = self.unexpected("the end of the line", Some(help));
        self.tell_fault(fault, start);
        if matches!(self.kind(), Kind::Stray | Kind::Comma) {
            self.next();
        }
        Ok(())
    }

    fn item(&mut self, items: &mut Items) -> Parsed<()> {
        let name = match self.kind() {
            Kind::Name => {
                let range = self.next();
                self.name(&range)
            }
            Kind::Open(Bracket::Quote) => self.quoted_name()?,
            _ => return Err(self.no_item()),
        };
        match self.kind() {
            Kind::Equal => {
                self.next();
                self.attribute(name, items)
            }
            Kind::Colon => {
                let fault = self.unexpected("`=` or a block", Some("set a value with `=`"));
                let range = self.next();
                self.tell_fault(fault, range.start);
                self.attribute(name, items)
            }
            Kind::Open(Bracket::Brace | Bracket::Quote) | Kind::Name | Kind::Mistake => {
                self.block(name, items)
            }
            Kind::Newline if self.ahead(1) == Kind::Open(Bracket::Brace) => {
                let help =
                    "a name is followed by `= value`, or by the `{` of a block on the same line";
                let fault = self.unexpected("`=` or a block", Some(help));
                let range = self.range();
                self.tell_fault(fault, range.start);
                while self.take(Kind::Newline).is_some() {}
                self.block(name, items)
            }
            kind => {
                let help = match kind {
                    Kind::Dot => {
                        Some("names in a body have no dots; a map is set with `name = { … }`")
                    }
                    Kind::Newline | Kind::End => Some(
                        "a name is followed by `= value`, or by the `{` of a block on the same line",
                    ),
                    Kind::Open(Bracket::Square) => Some("write `= [ … ]`"),
                    Kind::Number | Kind::Minus => {
                        Some("set a value with `=`; a label that is no name stands in quotes")
                    }
                    Kind::Operator if self.here() == "==" => Some("set a value with one `=`"),
                    Kind::Arrow => Some("set a value with `=`"),
                    Kind::Operator if self.ahead(1) == Kind::Equal => Some("set a value with `=`"),
                    _ => None,
                };
                Err(self.unexpected("`=` or a block", help))
            }
        }
    }

    fn no_item(&self) -> Fault {
        let help = match self.kind() {
            Kind::Stray if self.here() == ";" => {
                Some("arguments end with their line: remove the `;`")
            }
            Kind::Comma => Some("arguments are not separated by commas: remove it"),
            Kind::Number => Some("a name begins with a letter or `_`"),
            Kind::Operator if self.here() == "/" => Some("a comment begins with `#` or `//`"),
            Kind::Minus => Some("a comment begins with `#` or `//`"),
            Kind::Open(Bracket::Brace) if self.end() == 0 => {
                Some("JSON is in files called `*.pkr.json`, legacy templates in `*.json`")
            }
            Kind::Open(Bracket::Brace) => {
                Some("a body begins after the type of a block and its labels: `type \"label\" {`")
            }
            _ => None,
        };
        self.unexpected("the name of an argument or a block", help)
    }

    /// `"name" =`, as in JSON: told, and taken for the name.
    fn quoted_name(&mut self) -> Parsed<Name> {
        let (name, range) = self.label()?;
        let report = Diagnostic::error(
            "syntax",
            format!("expected the name of an argument or a block, found `{}`", self.slice(&range)),
        )
        .at(&self.span(&range), "in quotes")
        .help(format!("names of arguments are written without quotes: `{}`", name.text));
        let goes_on = matches!(
            self.kind(),
            Kind::Equal | Kind::Colon | Kind::Name | Kind::Open(Bracket::Brace | Bracket::Quote)
        );
        if !goes_on {
            return fault(range.start, report);
        }
        self.tell(range.start, report);
        Ok(name)
    }

    fn attribute(&mut self, name: Name, items: &mut Items) -> Parsed<()> {
        if matches!(self.kind(), Kind::Newline | Kind::End | Kind::Close(_)) {
            let at = self.end().saturating_sub(1)..self.end();
            let sign = self.slice(&at);
            let report = Diagnostic::error("syntax", format!("a value is missing after `{sign}`"))
                .at(&self.span(&at), "not followed by a value")
                .help(format!("put the value on the same line as the `{sign}`"));
            return fault(at.start, report);
        }
        let expression = self.expression()?;
        if let Some(first) =
            items.known.get(&name.text).and_then(|first| items.body.attributes.get(*first))
        {
            let report =
                Diagnostic::error("duplicate-attribute", format!("`{}` is set twice", name.text))
                    .at(&name.span, "set again here")
                    .also(&first.name.span, "first set here")
                    .help("keep one of the two");
            self.tell(name.span.range().start, report);
        } else {
            items.known.insert(name.text.clone(), items.body.attributes.len());
        }
        let span = name.span.to(&expression.span);
        items.body.attributes.push(Attribute { name, expression, span });
        Ok(())
    }

    fn block(&mut self, kind: Name, items: &mut Items) -> Parsed<()> {
        let mut labels = Vec::new();
        let mut end = self.end();
        loop {
            match self.kind() {
                Kind::Name => {
                    let range = self.next();
                    end = range.end;
                    labels.push(self.name(&range));
                }
                Kind::Open(Bracket::Quote) => {
                    let (label, range) = self.label()?;
                    end = range.end;
                    labels.push(label);
                }
                // Told by the lexer, which knows the end of it.
                Kind::Mistake => end = self.next().end,
                Kind::Open(Bracket::Brace) => break,
                Kind::Equal if self.ahead(1) == Kind::Open(Bracket::Brace) => {
                    let fault = self.unexpected("`{`", Some("a block has no `=`: remove it"));
                    let range = self.next();
                    self.tell_fault(fault, range.start);
                }
                Kind::Newline if self.ahead(1) == Kind::Open(Bracket::Brace) => {
                    let help = "the `{` of a block stands on the line of its type";
                    let fault = self.unexpected("`{`", Some(help));
                    let range = self.next();
                    self.tell_fault(fault, range.start);
                }
                _ => return Err(self.no_body(&kind, &labels)),
            }
        }
        let header = kind.span.to(&self.span(&(end..end)));
        let body = self.block_body(end)?;
        items.body.blocks.push(Block { kind, labels, body, header });
        Ok(())
    }

    fn no_body(&self, kind: &Name, labels: &[Name]) -> Fault {
        let name = &kind.text;
        let help = match self.kind() {
            Kind::Newline | Kind::End => Some(format!(
                "to set `{name}`, write `{name} = …`; the `{{` of a block stands on the same line"
            )),
            Kind::Equal => match labels {
                [Name { text, .. }] => Some(format!(
                    "to set an argument, write `{text} = …` on a line of its own; a block has no `=`"
                )),
                _ => Some("a block has no `=`: remove it".to_owned()),
            },
            Kind::Dot => Some(format!("write the labels apart: `{name} \"a\" \"b\" {{`")),
            Kind::Comma => Some("labels are separated by blanks".to_owned()),
            Kind::Number => Some("a label that begins with a digit stands in quotes".to_owned()),
            _ => None,
        };
        self.unexpected("`{`", help.as_deref())
    }

    fn block_body(&mut self, header_end: usize) -> Parsed<Body> {
        self.nested(|parser| {
            let level = parser.level();
            let opening = parser.next();
            let mut items = parser.items(&opening);
            parser.lines(&mut items);
            parser.skip_to(level, &[Kind::Close(Bracket::Brace)]);
            let close = parser.next();
            items.body.span = parser.span(&(header_end..close.end));
            Ok(items.body)
        })
    }

    /// A string without template sequences: its text with its place, and the place with quotes.
    fn label(&mut self) -> Parsed<(Name, Range<usize>)> {
        let open = self.next();
        let text = match self.kind() {
            Kind::Text => self.next(),
            _ => open.end..open.end,
        };
        if self.kind() != Kind::Close(Bracket::Quote) {
            let at = self.range();
            let report = Diagnostic::error("syntax", "a label cannot have a template sequence")
                .at(&self.span(&at), "begins here")
                .help("write the label out; `$${` is a plain `${`");
            return fault(at.start, report);
        }
        let close = self.next();
        let name = Name { text: unescape_quoted(self.slice(&text)), span: self.span(&text) };
        Ok((name, open.start..close.end))
    }
}
