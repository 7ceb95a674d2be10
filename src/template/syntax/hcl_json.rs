//! JSON into the same tree: HCL-JSON, where strings are HCL templates, and legacy templates,
//! where they are left as they are.
//!
//! Nothing is known here of what is an attribute and what a block, so every member of an object
//! is an attribute; the schema decides later. Members called `//` are comments and left out.

use std::sync::Arc;

use super::hcl::parse_decoded_template;
use super::{Attribute, Body, Dialect, Expression, ExpressionKind, Name, ObjectItem};
use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span};
use crate::template::json::{self, Duplicates, Kind, Member, Node, ParseOptions, StringNode};
use crate::value::{Value, parse_number};

/// The name of members that are comments.
const COMMENT: &str = "//";

/// Parses a file of HCL-JSON. Repeated keys are kept in order; the strings of values are HCL
/// templates. A string that is no good template is reported and kept as plain text.
pub fn parse_hcl_json(source: &Arc<Source>) -> (Body, Diagnostics) {
    let empty = || Body {
        attributes: Vec::new(),
        blocks: Vec::new(),
        dialect: Dialect::HclJson,
        span: Span::whole(source),
    };
    match json::parse(source, ParseOptions { duplicates: Duplicates::Keep }) {
        Ok(node) => body_from_json(&node, Dialect::HclJson),
        Err(found) => (empty(), found),
    }
}

/// The body that an object is, or several objects in an array are. With [`Dialect::Legacy`]
/// strings are plain text: their Go templates are for later.
pub fn body_from_json(node: &Node, dialect: Dialect) -> (Body, Diagnostics) {
    let mut reader = Reader { dialect, found: Diagnostics::new() };
    let mut body =
        Body { attributes: Vec::new(), blocks: Vec::new(), dialect, span: node.span.clone() };
    reader.body(node, &mut body);
    (body, reader.found.limited())
}

struct Reader {
    dialect: Dialect,
    found: Diagnostics,
}

impl Reader {
    fn body(&mut self, node: &Node, body: &mut Body) {
        match &node.kind {
            Kind::Object(members) => {
                let members = members.iter().filter(|member| member.key != COMMENT);
                body.attributes.extend(members.map(|member| self.attribute(member)));
            }
            Kind::Array(all) if self.dialect == Dialect::HclJson => {
                for one in all {
                    match one.kind {
                        Kind::Object(_) => self.body(one, body),
                        _ => self.not_a_body(one),
                    }
                }
            }
            _ => self.not_a_body(node),
        }
    }

    fn not_a_body(&mut self, node: &Node) {
        self.found.push(
            Diagnostic::error("invalid-template", "a template is a JSON object")
                .at(&node.span, format!("this is {}", node.describe())),
        );
    }

    fn attribute(&mut self, member: &Member) -> Attribute {
        Attribute {
            name: name(member),
            expression: self.expression(&member.value),
            span: member.key_span.to(&member.value.span),
        }
    }

    fn expression(&mut self, node: &Node) -> Expression {
        let kind = match &node.kind {
            Kind::Null => ExpressionKind::Literal(Value::null()),
            Kind::Bool(value) => ExpressionKind::Literal(Value::bool(*value)),
            Kind::Number(digits) => match parse_number(digits) {
                Some(number) => ExpressionKind::Literal(Value::number(number)),
                None => {
                    self.found.push(
                        Diagnostic::error("number-range", "this number is out of range")
                            .at(&node.span, "too large or too small"),
                    );
                    ExpressionKind::Literal(Value::null())
                }
            },
            Kind::String(text) => self.string(text),
            Kind::Array(all) => {
                ExpressionKind::Tuple(all.iter().map(|one| self.expression(one)).collect())
            }
            Kind::Object(members) => {
                let members = members.iter().filter(|member| member.key != COMMENT);
                ExpressionKind::Object(members.map(|member| self.item(member)).collect())
            }
        };
        Expression { kind, span: node.span.clone() }
    }

    fn item(&mut self, member: &Member) -> ObjectItem {
        let name = name(member);
        let kind = if self.dialect == Dialect::HclJson && is_template(&member.key) {
            let inside = inside(&member.key_span);
            let (start, length) = (inside.range().start, member.key.len());
            let offsets = if inside.text() == member.key {
                (start..=start + length).collect()
            } else {
                // Where escapes moved things, all of the key is pointed at.
                let mut offsets = vec![start; length];
                offsets.push(inside.range().end);
                offsets
            };
            self.template(&member.key, &inside, offsets)
        } else {
            ExpressionKind::Literal(Value::string(&name.text))
        };
        let key = Expression { kind, span: name.span };
        ObjectItem { key, value: self.expression(&member.value) }
    }

    fn string(&mut self, text: &StringNode) -> ExpressionKind {
        if self.dialect != Dialect::HclJson || !is_template(text.value()) {
            return ExpressionKind::Literal(Value::string(text.value()));
        }
        let offsets = (0..=text.value().len()).map(|at| text.span_of(at..at).range().start);
        self.template(text.value(), text.inside(), offsets.collect())
    }

    fn template(&mut self, text: &str, inside: &Span, offsets: Vec<usize>) -> ExpressionKind {
        match parse_decoded_template(text, inside.source(), offsets) {
            Ok(expression) => expression.kind,
            Err(found) => {
                self.found.extend(found);
                ExpressionKind::Literal(Value::string(text))
            }
        }
    }
}

fn is_template(text: &str) -> bool {
    text.contains("${") || text.contains("%{")
}

fn name(member: &Member) -> Name {
    Name { text: member.key.clone(), span: inside(&member.key_span) }
}

/// A quoted span without its quotes.
fn inside(span: &Span) -> Span {
    span.slice(1..span.text().len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Style, render};
    use crate::template::evaluate::evaluate;
    use crate::template::evaluate::tests::scope;

    /// Each attribute with its value, one a line.
    fn values(text: &str) -> String {
        let source = Source::new("web.pkr.json", text);
        let (body, found) = parse_hcl_json(&source);
        let mut lines = render(&found, Style::default());
        for attribute in &body.attributes {
            let value = match evaluate(&attribute.expression, &scope()) {
                Ok(value) => value.to_string(),
                Err(found) => render(&found, Style::default()),
            };
            lines.push_str(&format!("{} = {value}\n", attribute.name.text));
        }
        lines
    }

    #[test]
    fn strings_are_templates_and_repeated_keys_stay() {
        let text = r#"{
  "//": "a comment",
  "file": {"a": "x-${var.region}", "//": 1},
  "file": ["${var.size}", 1.50, 12345678901234567890123, null, true, "$${kept} \"q\""],
  "k": {"${upper(\"a\")}": "%{ if true }yes%{ endif }", "plain": "a\n${1 + 1}"}
}"#;
        insta::assert_snapshot!(values(text), @r#"
        file = { a = "x-eu-west-1" }
        file = [8, 1.5, 12345678901234567890123, null, true, "$${kept} \"q\""]
        k = { A = "yes", plain = "a\n2" }
        "#);
    }

    #[test]
    fn errors_point_through_escapes() {
        let text = "{\n  \"a\": \"tab\\t and \\u00e9 ${var.regoin}\",\n  \"b\": \"${\",\n  \"c\": \"x\\n${ 1 + }\"\n}";
        insta::assert_snapshot!(values(text), @r#"
        error[unclosed-bracket]: this template sequence is never closed
         --> web.pkr.json:3:9
          |
        3 |   "b": "${",
          |         ^^ opened here
          |
          = help: close it with `}`, or write `$${` for a plain `${`

        error[syntax]: a value is missing after `+`
         --> web.pkr.json:4:17
          |
        4 |   "c": "x\n${ 1 + }"
          |                 ^ not followed by a value

        a = error[unknown-variable]: unknown variable `regoin`
         --> web.pkr.json:2:32
          |
        2 |   "a": "tab\t and \u00e9 ${var.regoin}",
          |                                ^^^^^^ not declared
          |
          = help: did you mean `region`?


        b = "$${"
        c = "x\n$${ 1 + }"
        "#);
    }

    #[test]
    fn a_body_may_be_several_objects() {
        insta::assert_snapshot!(values(r#"[{"a": 1}, {"a": 2}, 3]"#), @r#"
        error[invalid-template]: a template is a JSON object
         --> web.pkr.json:1:22
          |
        1 | [{"a": 1}, {"a": 2}, 3]
          |                      ^ this is a number

        a = 1
        a = 2
        "#);
        insta::assert_snapshot!(values("3"), @"
        error[invalid-template]: a template is a JSON object
         --> web.pkr.json:1:1
          |
        1 | 3
          | ^ this is a number
        ");
    }

    #[test]
    fn legacy_strings_are_left_alone() {
        let source = Source::new("web.json", r#"{"a": "${var.x} {{user `y`}}"}"#);
        let options = ParseOptions { duplicates: Duplicates::Refuse };
        let node = json::parse(&source, options).expect("JSON");
        let (body, found) = body_from_json(&node, Dialect::Legacy);
        assert!(found.is_empty());
        let value = body.attributes.first().map(|one| one.expression.kind.clone());
        assert!(
            matches!(value, Some(ExpressionKind::Literal(value)) if value.as_str() == Some("${var.x} {{user `y`}}"))
        );
    }
}
