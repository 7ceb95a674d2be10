//! What an expression refers to.

use crate::diagnostic::Span;
use crate::template::syntax::{Expression, ExpressionKind, Step, TemplatePart};
use crate::value::Kind;

/// A name outside the expression that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The first name, such as `var`.
    pub root: String,
    /// The attributes after it, and constant text indices, as far as they are constant.
    pub path: Vec<String>,
    /// Where it stands, up to the end of the path.
    pub span: Span,
}

/// All references in `expression`, in written order. Names that a `for` binds are none.
pub fn references(expression: &Expression) -> Vec<Reference> {
    let mut finder = Finder { found: Vec::new(), bound: Vec::new() };
    finder.expression(expression);
    finder.found
}

struct Finder<'a> {
    found: Vec<Reference>,
    bound: Vec<&'a str>,
}

impl<'a> Finder<'a> {
    fn expression(&mut self, expression: &'a Expression) {
        match &expression.kind {
            ExpressionKind::Literal(_) => {}
            ExpressionKind::Template(parts) => self.parts(parts),
            ExpressionKind::Tuple(all) => all.iter().for_each(|one| self.expression(one)),
            ExpressionKind::Object(items) => {
                for item in items {
                    self.expression(&item.key);
                    self.expression(&item.value);
                }
            }
            ExpressionKind::Variable(_) => self.reference(expression, &[]),
            ExpressionKind::Traversal(base, steps) => {
                if let ExpressionKind::Variable(_) = base.kind {
                    self.reference(base, steps);
                } else {
                    self.expression(base);
                }
                for step in steps {
                    if let Step::Index(index) = step {
                        self.expression(index);
                    }
                }
            }
            ExpressionKind::Call { arguments, .. } => {
                arguments.iter().for_each(|one| self.expression(one));
            }
            ExpressionKind::Parenthesis(inner) | ExpressionKind::Unary(_, inner) => {
                self.expression(inner);
            }
            ExpressionKind::Conditional(conditional) => {
                self.expression(&conditional.condition);
                self.expression(&conditional.then);
                self.expression(&conditional.otherwise);
            }
            ExpressionKind::Binary(left, _, right) => {
                self.expression(left);
                self.expression(right);
            }
            ExpressionKind::For(expression) => {
                self.expression(&expression.collection);
                let bound = self.bound.len();
                self.bound.extend(expression.key.as_ref().map(|name| name.text.as_str()));
                self.bound.push(&expression.value.text);
                if let Some(key) = &expression.result_key {
                    self.expression(key);
                }
                self.expression(&expression.result);
                if let Some(condition) = &expression.condition {
                    self.expression(condition);
                }
                self.bound.truncate(bound);
            }
        }
    }

    fn parts(&mut self, parts: &'a [TemplatePart]) {
        for part in parts {
            match part {
                TemplatePart::Text(..) => {}
                TemplatePart::Interpolation(expression) => self.expression(expression),
                TemplatePart::If { condition, then, otherwise } => {
                    self.expression(condition);
                    self.parts(then);
                    self.parts(otherwise);
                }
                TemplatePart::For { key, value, collection, body } => {
                    self.expression(collection);
                    let bound = self.bound.len();
                    self.bound.extend(key.as_ref().map(|name| name.text.as_str()));
                    self.bound.push(&value.text);
                    self.parts(body);
                    self.bound.truncate(bound);
                }
            }
        }
    }

    fn reference(&mut self, base: &Expression, steps: &[Step]) {
        let ExpressionKind::Variable(root) = &base.kind else { return };
        if self.bound.contains(&root.text.as_str()) {
            return;
        }
        let mut path = Vec::new();
        let mut span = base.span.clone();
        for step in steps {
            match step {
                Step::Attribute(name) => {
                    path.push(name.text.clone());
                    span = span.to(&name.span);
                }
                Step::Index(index) => {
                    let ExpressionKind::Literal(value) = &index.kind else { break };
                    let Kind::String(text) = &value.kind else { break };
                    path.push(text.to_string());
                    span = span.to(&index.span);
                }
                Step::AttributeSplat(_) | Step::FullSplat(_) => break,
            }
        }
        self.found.push(Reference { root: root.text.clone(), path, span });
    }
}
