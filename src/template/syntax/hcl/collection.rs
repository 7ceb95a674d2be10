//! Lists, objects, `for` expressions and the arguments of functions.

use super::parser::{Fault, Parsed, Parser, fault};
use super::token::{Bracket, Kind};
use crate::diagnostic::Diagnostic;
use crate::template::syntax::{Expression, ExpressionKind, ForExpression, Name, ObjectItem};
use crate::value::Value;

const SQUARE: Kind = Kind::Close(Bracket::Square);
const BRACE: Kind = Kind::Close(Bracket::Brace);
const ROUND: Kind = Kind::Close(Bracket::Round);

const FOR: &str =
    "a `for` expression is written `[for x in list : value]` or `{for k, v in map : key => value}`";

impl Parser<'_> {
    /// `[ … ]`.
    pub(super) fn tuple(&mut self) -> Parsed<ExpressionKind> {
        self.next();
        if self.is_word("for") {
            return self.for_expression(SQUARE);
        }
        let level = self.level();
        let mut elements = Vec::new();
        let mut failed = false;
        while self.take(SQUARE).is_none() {
            let start = self.range().start;
            match self.element(SQUARE) {
                Ok(element) => elements.push(element),
                Err(fault) => {
                    failed = true;
                    self.tell_fault(fault, start);
                    self.skip_to(level, &[Kind::Comma]);
                    self.take(Kind::Comma);
                }
            }
            if self.kind() == Kind::End {
                break;
            }
        }
        if failed { Err(Fault::Told) } else { Ok(ExpressionKind::Tuple(elements)) }
    }

    fn element(&mut self, close: Kind) -> Parsed<Expression> {
        let element = self.expression()?;
        if self.take(Kind::Comma).is_some() || self.kind() == close {
            return Ok(element);
        }
        let (expected, help) = if close == SQUARE {
            ("`,` or `]`", "elements of a list are separated by commas")
        } else {
            ("`,` or `)`", "arguments of a function are separated by commas")
        };
        let begins =
            matches!(self.kind(), Kind::Name | Kind::Number | Kind::Open(_) | Kind::Mistake);
        Err(self.unexpected(expected, begins.then_some(help)))
    }

    /// `{ … }`.
    pub(super) fn object(&mut self) -> Parsed<ExpressionKind> {
        self.next();
        if self.is_word("for") && !self.is_key() {
            return self.for_expression(BRACE);
        }
        let level = self.level();
        let mut items = Vec::new();
        let mut failed = false;
        loop {
            while self.take(Kind::Newline).is_some() {}
            if self.take(BRACE).is_some() || self.kind() == Kind::End {
                break;
            }
            let start = self.range().start;
            match self.object_item() {
                Ok(item) => items.push(item),
                Err(fault) => {
                    failed = true;
                    self.tell_fault(fault, start);
                    self.skip_to(level, &[Kind::Comma, Kind::Newline]);
                    self.take(Kind::Comma);
                }
            }
        }
        if failed { Err(Fault::Told) } else { Ok(ExpressionKind::Object(items)) }
    }

    /// Whether a word stands here that is the key of an item, and not a keyword.
    fn is_key(&self) -> bool {
        let adjacent = self.text.get(self.range().end..).unwrap_or_default();
        matches!(self.ahead(1), Kind::Equal | Kind::Colon) || adjacent.starts_with(['.', '('])
    }

    fn object_item(&mut self) -> Parsed<ObjectItem> {
        let key = self.key()?;
        match self.kind() {
            Kind::Equal | Kind::Colon => {
                self.next();
            }
            kind => {
                let help = match kind {
                    Kind::Newline | Kind::Comma | Kind::Close(_) => {
                        "an item is written `key = value`"
                    }
                    _ => "a key of an object is followed by `=` or `:`",
                };
                return Err(self.unexpected("`=` or `:` after the key", Some(help)));
            }
        }
        if matches!(self.kind(), Kind::Newline | Kind::Comma | Kind::Close(_)) {
            let at = self.end().saturating_sub(1)..self.end();
            let sign = self.slice(&at);
            let report = Diagnostic::error("syntax", format!("a value is missing after `{sign}`"))
                .at(&self.span(&at), "not followed by a value")
                .maybe_help(
                    (self.kind() == Kind::Newline)
                        .then(|| format!("put the value on the same line as the `{sign}`")),
                );
            return fault(at.start, report);
        }
        let value = self.expression()?;
        if self.take(Kind::Comma).is_none() && !matches!(self.kind(), Kind::Newline | BRACE) {
            let help = "items of an object are separated by commas or line ends";
            return Err(self.unexpected("`,`, a new line or `}` after the item", Some(help)));
        }
        Ok(ObjectItem { key, value })
    }

    /// The key of an item: a bare name is text.
    fn key(&mut self) -> Parsed<Expression> {
        if self.kind() == Kind::Name && matches!(self.ahead(1), Kind::Equal | Kind::Colon) {
            let range = self.next();
            let kind = ExpressionKind::Literal(Value::string(self.slice(&range)));
            return Ok(Expression { kind, span: self.span(&range) });
        }
        let start = self.range().start;
        let key = self.expression()?;
        if let ExpressionKind::Traversal(..) = key.kind {
            let report =
                Diagnostic::error("ambiguous-key", "this key could be a reference or a name")
                    .at(&key.span, "ambiguous")
                    .help(format!(
                        "write `({0})` for the value of the reference, or `\"{0}\"` for the name",
                        key.span.text()
                    ));
            self.tell(start, report);
        }
        Ok(match key.kind {
            // `{ name }` and the like: the error is that of what follows.
            ExpressionKind::Variable(name) => Expression {
                kind: ExpressionKind::Literal(Value::string(&name.text)),
                span: name.span,
            },
            kind => Expression { kind, span: key.span },
        })
    }

    /// `for … in … : …` and what closes it.
    fn for_expression(&mut self, close: Kind) -> Parsed<ExpressionKind> {
        self.next();
        let (key, value) = self.for_names()?;
        let collection = self.expression()?;
        if self.take(Kind::Colon).is_none() {
            return Err(self.unexpected("`:`", Some(FOR)));
        }
        let mut result = self.expression()?;
        let mut result_key = None;
        if self.kind() == Kind::Arrow {
            if close == SQUARE {
                let help = "a list has no keys; for an object write `{for … : key => value}`";
                return Err(self.unexpected("`]`", Some(help)));
            }
            self.next();
            result_key = Some(std::mem::replace(&mut result, self.expression()?));
        } else if close == BRACE {
            return Err(self.unexpected("`=>`", Some(FOR)));
        }
        let mut group = false;
        if self.kind() == Kind::Ellipsis {
            if close == SQUARE {
                let help =
                    "only the values of an object can be grouped: `{for … : key => value...}`";
                return Err(self.unexpected("`]`", Some(help)));
            }
            self.next();
            group = true;
        }
        let mut condition = None;
        if self.is_word("if") {
            self.next();
            condition = Some(self.expression()?);
        }
        if self.take(close).is_none() {
            let expected = if close == SQUARE { "`]`" } else { "`}`" };
            return Err(self.unexpected(expected, None));
        }
        let parts = ForExpression { key, value, collection, result_key, result, group, condition };
        Ok(ExpressionKind::For(Box::new(parts)))
    }

    /// `k, v in`, or `v in`.
    pub(super) fn for_names(&mut self) -> Parsed<(Option<Name>, Name)> {
        let mut key = None;
        let mut value = self.for_name()?;
        if self.take(Kind::Comma).is_some() {
            key = Some(std::mem::replace(&mut value, self.for_name()?));
        }
        if !self.is_word("in") {
            return Err(self.unexpected(
                "`in`",
                Some("elements are named by `for x in list` or `for k, v in map`"),
            ));
        }
        self.next();
        Ok((key, value))
    }

    fn for_name(&mut self) -> Parsed<Name> {
        match self.take(Kind::Name) {
            Some(range) => Ok(self.name(&range)),
            None => Err(self.unexpected("a name for the element", None)),
        }
    }

    /// `name(…)`; the name may have namespaces.
    pub(super) fn call(&mut self) -> Parsed<ExpressionKind> {
        let mut range = self.next();
        let mut text = self.slice(&range).to_owned();
        while self.take(Kind::DoubleColon).is_some() {
            let Some(part) = self.take(Kind::Name) else {
                return Err(self.unexpected("the name of a function", None));
            };
            text = format!("{text}::{}", self.slice(&part));
            range.end = part.end;
        }
        let name = Name { text, span: self.span(&range) };
        if self.kind() != Kind::Open(Bracket::Round) {
            return Err(self.unexpected("`(`", Some("a name with `::` is that of a function")));
        }
        let (arguments, expand) = self.nested(Self::arguments)?;
        Ok(ExpressionKind::Call { name, arguments, expand })
    }

    fn arguments(&mut self) -> Parsed<(Vec<Expression>, bool)> {
        self.next();
        let mut arguments = Vec::new();
        loop {
            if self.take(ROUND).is_some() {
                return Ok((arguments, false));
            }
            let argument = self.expression()?;
            arguments.push(argument);
            if self.take(Kind::Ellipsis).is_some() {
                if self.take(ROUND).is_none() {
                    let help = "only the last argument can be spread";
                    return Err(self.unexpected("`)`", Some(help)));
                }
                return Ok((arguments, true));
            }
            if self.take(Kind::Comma).is_none() && self.kind() != ROUND {
                let begins = matches!(
                    self.kind(),
                    Kind::Name | Kind::Number | Kind::Open(_) | Kind::Mistake
                );
                let help = begins.then_some("arguments of a function are separated by commas");
                return Err(self.unexpected("`,` or `)`", help));
            }
        }
    }
}
