//! hcl-edit's tree to ours.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::expr as theirs;
use hcl_edit::structure::{BlockLabel, Body as TheirBody, Structure};
use hcl_edit::template::{Directive, Element, Strip, Template as TheirTemplate};
use hcl_edit::{Decorated, Ident};

use super::place::Place;
use super::text::{Piece, Row, unescape_plain, unescape_quoted};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::template::syntax::{
    Attribute, BinaryOperator, Block, Body, ConditionalExpression, Dialect, Expression,
    ExpressionKind, ForExpression, Name, ObjectItem, Step, TemplatePart, UnaryOperator,
};
use crate::value::{Value, parse_number};

/// How the text of a template is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Quoted,
    /// Heredocs and templates without quotes.
    Plain,
}

/// Makes our tree from hcl-edit's, reading what was written from the original text.
pub(super) struct Tree<'a> {
    text: &'a str,
    place: &'a Place,
    errors: Vec<(usize, Diagnostic)>,
}

impl<'a> Tree<'a> {
    /// For the tree that was parsed from `text` (or its masked form).
    pub(super) fn new(text: &'a str, place: &'a Place) -> Self {
        Self { text, place, errors: Vec::new() }
    }

    /// What was found wrong on the way, with its place.
    pub(super) fn into_errors(self) -> Vec<(usize, Diagnostic)> {
        self.errors
    }

    /// What was found wrong on the way.
    pub(super) fn into_diagnostics(self) -> Diagnostics {
        self.errors.into_iter().map(|(_, report)| report).collect()
    }

    fn raw(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    fn span(&self, range: &Range<usize>) -> Span {
        self.place.span(range.clone())
    }

    /// The outermost body.
    pub(super) fn body(&mut self, body: &TheirBody) -> Body {
        self.inner_body(body, &(0..self.text.len()))
    }

    fn inner_body(&mut self, body: &TheirBody, within: &Range<usize>) -> Body {
        let mut result = Body {
            attributes: Vec::new(),
            blocks: Vec::new(),
            dialect: Dialect::Hcl,
            span: self.span(within),
        };
        for structure in body {
            match structure {
                Structure::Attribute(attribute) => {
                    let name = self.identifier(&attribute.key, within);
                    let start = attribute.key.span().map_or(within.start, |key| key.start);
                    let range = attribute.span().unwrap_or(start..within.end);
                    let expression = self.expression(&attribute.value, &range);
                    let span = name.span.to(&expression.span);
                    let first = result.attributes.iter().find(|other| other.name.text == name.text);
                    if let Some(first) = first {
                        let report = Diagnostic::error(
                            "duplicate-attribute",
                            format!("`{}` is set twice", name.text),
                        )
                        .at(&name.span, "set again here")
                        .also(&first.name.span, "first set here")
                        .help("keep one of the two");
                        self.errors.push((start, report));
                    }
                    result.attributes.push(Attribute { name, expression, span });
                }
                Structure::Block(block) => {
                    let range = block.span().unwrap_or(within.clone());
                    let kind = self.identifier(&block.ident, &range);
                    let mut labels = Vec::new();
                    let mut end = block.ident.span().map_or(range.start, |range| range.end);
                    for label in &block.labels {
                        let (name, label) = self.label(label, &range);
                        end = end.max(label.end);
                        labels.push(name);
                    }
                    let header = self.span(&(range.start..end));
                    let body = self.inner_body(&block.body, &(end..range.end));
                    result.blocks.push(Block { kind, labels, body, header });
                }
            }
        }
        result
    }

    fn identifier(&self, name: &Decorated<Ident>, within: &Range<usize>) -> Name {
        match name.span() {
            Some(range) => Name { text: self.raw(&range).to_owned(), span: self.span(&range) },
            None => Name { text: name.as_str().to_owned(), span: self.span(within) },
        }
    }

    fn label(&self, label: &BlockLabel, within: &Range<usize>) -> (Name, Range<usize>) {
        let range = match label {
            BlockLabel::Ident(name) => name.span(),
            BlockLabel::String(name) => name.span(),
        };
        let Some(range) = range else {
            let name = Name { text: label.as_str().to_owned(), span: self.span(within) };
            return (name, within.start..within.start);
        };
        let raw = self.raw(&range);
        let name = match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
            Some(inner) => Name {
                text: unescape_quoted(inner),
                span: self.span(&(range.start + 1..range.end - 1)),
            },
            None => Name { text: raw.to_owned(), span: self.span(&range) },
        };
        (name, range)
    }

    /// An expression; `within` is where to look when hcl-edit does not know its place.
    pub(super) fn expression(
        &mut self,
        expression: &theirs::Expression,
        within: &Range<usize>,
    ) -> Expression {
        use theirs::Expression as Theirs;
        let range = expression.span().unwrap_or_else(|| within.clone());
        let kind = match expression {
            Theirs::Null(_) => ExpressionKind::Literal(Value::null()),
            Theirs::Bool(value) => ExpressionKind::Literal(Value::bool(**value)),
            Theirs::Number(_) => self.number(&range),
            Theirs::String(value) => ExpressionKind::Literal(Value::string(
                match self.raw(&range).strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
                    Some(raw) => unescape_quoted(raw),
                    None => value.as_str().to_owned(),
                },
            )),
            Theirs::Array(array) => ExpressionKind::Tuple(
                array.iter().map(|element| self.expression(element, &range)).collect(),
            ),
            Theirs::Object(object) => ExpressionKind::Object(
                object.iter().map(|(key, value)| self.item(key, value, &range)).collect(),
            ),
            Theirs::StringTemplate(template) => {
                let mut row = Row::default();
                for element in template.iter() {
                    self.element(element, Spelling::Quoted, &range, &mut row);
                }
                self.template(row)
            }
            Theirs::HeredocTemplate(heredoc) => {
                let mut row = Row::default();
                for element in heredoc.template.iter() {
                    self.element(element, Spelling::Plain, &range, &mut row);
                }
                if self.raw(&range).starts_with("<<-") {
                    row.dedent();
                }
                self.template(row)
            }
            Theirs::Parenthesis(inner) => {
                ExpressionKind::Parenthesis(Box::new(self.expression(inner.inner(), &range)))
            }
            Theirs::Variable(name) => {
                let mut name = self.identifier(name, &range);
                if name.text.is_empty() {
                    name.text = self.raw(&range).to_owned();
                }
                ExpressionKind::Variable(name)
            }
            Theirs::Conditional(conditional) => {
                ExpressionKind::Conditional(Box::new(ConditionalExpression {
                    condition: self.expression(&conditional.cond_expr, &range),
                    then: self.expression(&conditional.true_expr, &range),
                    otherwise: self.expression(&conditional.false_expr, &range),
                }))
            }
            Theirs::FuncCall(call) => self.call(call, &range),
            Theirs::Traversal(traversal) => self.traversal(traversal, &range),
            Theirs::UnaryOp(operation) => {
                let operator = match operation.operator.value() {
                    theirs::UnaryOperator::Neg => UnaryOperator::Negate,
                    theirs::UnaryOperator::Not => UnaryOperator::Not,
                };
                ExpressionKind::Unary(operator, Box::new(self.expression(&operation.expr, &range)))
            }
            Theirs::BinaryOp(operation) => {
                let left = self.expression(&operation.lhs_expr, &range);
                let right = self.expression(&operation.rhs_expr, &range);
                let operator = binary_operator(*operation.operator.value());
                let span = left.span.to(&right.span);
                let kind = ExpressionKind::Binary(Box::new(left), operator, Box::new(right));
                return Expression { kind, span };
            }
            Theirs::ForExpr(expression) => self.for_expression(expression, &range),
        };
        Expression { kind, span: self.span(&range) }
    }

    fn number(&mut self, range: &Range<usize>) -> ExpressionKind {
        let digits: String = self.raw(range).chars().filter(|c| !c.is_whitespace()).collect();
        match parse_number(&digits) {
            Some(number) => ExpressionKind::Literal(Value::number(number)),
            None => {
                self.errors.push((
                    range.start,
                    Diagnostic::error("number-range", "this number is out of range")
                        .at(&self.span(range), "too large or too small")
                        .note("numbers lie within 10^±4096 and have at most 5000 digits"),
                ));
                ExpressionKind::Literal(Value::null())
            }
        }
    }

    fn item(
        &mut self,
        key: &theirs::ObjectKey,
        value: &theirs::ObjectValue,
        within: &Range<usize>,
    ) -> ObjectItem {
        let key = match key {
            theirs::ObjectKey::Ident(name) => {
                let name = self.identifier(name, within);
                let kind = ExpressionKind::Literal(Value::string(&name.text));
                Expression { kind, span: name.span }
            }
            // A bare `null` is a name here.
            theirs::ObjectKey::Expression(theirs::Expression::Null(null)) => {
                let range = null.span().unwrap_or_else(|| within.clone());
                let kind = ExpressionKind::Literal(Value::string("null"));
                Expression { kind, span: self.span(&range) }
            }
            theirs::ObjectKey::Expression(expression) => {
                let key = self.expression(expression, within);
                if let ExpressionKind::Traversal(..) = key.kind {
                    self.errors.push((
                        expression.span().map_or(within.start, |range| range.start),
                        Diagnostic::error("ambiguous-key", "this key could be a reference or a name")
                            .at(&key.span, "ambiguous")
                            .help(format!(
                                "write `({0})` for the value of the reference, or `\"{0}\"` for the name",
                                key.span.text()
                            )),
                    ));
                }
                key
            }
        };
        ObjectItem { key, value: self.expression(value.expr(), within) }
    }

    fn call(&mut self, call: &theirs::FuncCall, range: &Range<usize>) -> ExpressionKind {
        let last = self.identifier(&call.name.name, range);
        let mut name = last.clone();
        for space in call.name.namespace.iter().rev() {
            let space = self.identifier(space, range);
            name = Name {
                text: format!("{}::{}", space.text, name.text),
                span: space.span.to(&name.span),
            };
        }
        let arguments = call.args.iter().map(|one| self.expression(one, range)).collect();
        ExpressionKind::Call { name, arguments, expand: call.args.expand_final() }
    }

    fn traversal(&mut self, traversal: &theirs::Traversal, range: &Range<usize>) -> ExpressionKind {
        let base = self.expression(&traversal.expr, range);
        let mut steps = Vec::new();
        for operator in &traversal.operators {
            let here = operator.span().unwrap_or_else(|| range.clone());
            steps.push(match operator.value() {
                theirs::TraversalOperator::AttrSplat(_) => Step::AttributeSplat(self.span(&here)),
                theirs::TraversalOperator::FullSplat(_) => Step::FullSplat(self.span(&here)),
                theirs::TraversalOperator::GetAttr(name) => {
                    Step::Attribute(self.identifier(name, &here))
                }
                theirs::TraversalOperator::Index(index) => {
                    Step::Index(self.expression(index, &here))
                }
                theirs::TraversalOperator::LegacyIndex(_) => {
                    let digits = self.raw(&here).trim_start_matches('.').trim();
                    let start = here.end - digits.len().min(here.len());
                    Step::Index(Expression {
                        kind: ExpressionKind::Literal(
                            parse_number(digits).map_or_else(Value::null, Value::number),
                        ),
                        span: self.span(&(start..here.end)),
                    })
                }
            });
        }
        ExpressionKind::Traversal(Box::new(base), steps)
    }

    fn for_expression(
        &mut self,
        expression: &theirs::ForExpr,
        range: &Range<usize>,
    ) -> ExpressionKind {
        let intro = &expression.intro;
        ExpressionKind::For(Box::new(ForExpression {
            key: intro.key_var.as_ref().map(|name| self.identifier(name, range)),
            value: self.identifier(&intro.value_var, range),
            collection: self.expression(&intro.collection_expr, range),
            result_key: expression.key_expr.as_ref().map(|key| self.expression(key, range)),
            result: self.expression(&expression.value_expr, range),
            group: expression.grouping,
            condition: expression.cond.as_ref().map(|one| self.expression(&one.expr, range)),
        }))
    }

    /// A template without quotes.
    pub(super) fn bare_template(&mut self, template: &TheirTemplate) -> Expression {
        let whole = 0..self.text.len();
        let mut row = Row::default();
        for element in template.iter() {
            self.element(element, Spelling::Plain, &whole, &mut row);
        }
        Expression { kind: self.template(row), span: self.span(&whole) }
    }

    fn template(&self, row: Row) -> ExpressionKind {
        let mut parts = row.into_parts(self.place);
        match parts.as_mut_slice() {
            [] => ExpressionKind::Literal(Value::string("")),
            [TemplatePart::Text(text, _)] => {
                ExpressionKind::Literal(Value::string(std::mem::take(text)))
            }
            _ => ExpressionKind::Template(parts),
        }
    }

    fn element(
        &mut self,
        element: &Element,
        spelling: Spelling,
        within: &Range<usize>,
        row: &mut Row,
    ) {
        let range = element.span().unwrap_or_else(|| within.clone());
        match element {
            Element::Literal(literal) => {
                let range = literal.span().unwrap_or(range);
                self.literal(spelling, &range, row);
            }
            Element::Interpolation(interpolation) => {
                let (before, after) = marks(interpolation.strip);
                let piece = Piece::Interpolation(self.expression(&interpolation.expr, &range));
                row.sequence(piece, before, after);
            }
            Element::Directive(directive) => match &**directive {
                Directive::If(directive) => {
                    let (before, after) = marks(directive.if_expr.strip);
                    let condition = self.expression(&directive.if_expr.cond_expr, &range);
                    row.sequence(Piece::If(condition), before, after);
                    self.elements(&directive.if_expr.template, spelling, &range, row);
                    if let Some(otherwise) = &directive.else_expr {
                        let (before, after) = marks(otherwise.strip);
                        row.sequence(Piece::Else, before, after);
                        self.elements(&otherwise.template, spelling, &range, row);
                    }
                    let (before, after) = marks(directive.endif_expr.strip);
                    row.sequence(Piece::EndIf, before, after);
                }
                Directive::For(directive) => {
                    let start = &directive.for_expr;
                    let (before, after) = marks(start.strip);
                    let piece = Piece::For {
                        key: start.key_var.as_ref().map(|name| self.identifier(name, &range)),
                        value: self.identifier(&start.value_var, &range),
                        collection: self.expression(&start.collection_expr, &range),
                    };
                    row.sequence(piece, before, after);
                    self.elements(&start.template, spelling, &range, row);
                    let (before, after) = marks(directive.endfor_expr.strip);
                    row.sequence(Piece::EndFor, before, after);
                }
            },
        }
    }

    fn elements(
        &mut self,
        template: &TheirTemplate,
        spelling: Spelling,
        within: &Range<usize>,
        row: &mut Row,
    ) {
        for element in template.iter() {
            self.element(element, spelling, within, row);
        }
    }

    fn literal(&self, spelling: Spelling, range: &Range<usize>, row: &mut Row) {
        let raw = self.raw(range);
        match spelling {
            Spelling::Quoted => row.text(unescape_quoted(raw), range.clone()),
            Spelling::Plain => {
                let mut start = range.start;
                for line in raw.split_inclusive('\n') {
                    row.text(unescape_plain(line), start..start + line.len());
                    start += line.len();
                }
            }
        }
    }
}

/// Whether a sequence strips before and after.
fn marks(strip: Strip) -> (bool, bool) {
    match strip {
        Strip::None => (false, false),
        Strip::Start => (true, false),
        Strip::End => (false, true),
        Strip::Both => (true, true),
    }
}

fn binary_operator(operator: theirs::BinaryOperator) -> BinaryOperator {
    use theirs::BinaryOperator as Theirs;
    match operator {
        Theirs::Eq => BinaryOperator::Equal,
        Theirs::NotEq => BinaryOperator::NotEqual,
        Theirs::LessEq => BinaryOperator::LessOrEqual,
        Theirs::GreaterEq => BinaryOperator::GreaterOrEqual,
        Theirs::Less => BinaryOperator::Less,
        Theirs::Greater => BinaryOperator::Greater,
        Theirs::Plus => BinaryOperator::Add,
        Theirs::Minus => BinaryOperator::Subtract,
        Theirs::Mul => BinaryOperator::Multiply,
        Theirs::Div => BinaryOperator::Divide,
        Theirs::Mod => BinaryOperator::Remainder,
        Theirs::And => BinaryOperator::And,
        Theirs::Or => BinaryOperator::Or,
    }
}
