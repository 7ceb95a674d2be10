//! Tables of expressions and their values, and the text of each kind of error.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::diagnostic::{Source, Style, render};
use crate::template::syntax::parse_expression;
use crate::value::{Marks, Type, Value};

mod diagnostics;
mod inspection;
mod language;

/// Functions see a fixed moment, counted random bytes, and `/work` as their directory.
pub(crate) fn context(root: &str) -> Arc<FunctionContext> {
    let now = "2026-11-21T07:08:09Z".parse().expect("a timestamp");
    let mut count = 0u8;
    let random = move |_: &crate::diagnostic::Span| {
        count += 1;
        [count; 16]
    };
    let environment = |name: &str| match name {
        "REGION" => Some("eu-west-1".to_owned()),
        "HOME" => Some("/home/ann".to_owned()),
        _ => None,
    };
    Arc::new(FunctionContext::new(root, "/work", now, random, environment))
}

fn object<const N: usize>(attributes: [(&str, Value); N]) -> Value {
    Value::object(BTreeMap::from(attributes.map(|(name, value)| (name.to_owned(), value))))
}

/// `var` with values of all kinds.
pub(crate) fn scope() -> Scope<'static> {
    let tags = crate::value::convert(
        &object([("Name", Value::string("web")), ("Team", Value::string("core"))]),
        &Type::Map(Box::new(Type::String)),
    );
    Scope::new(context("/work"))
        .with(
            "var",
            object([
                ("region", Value::string("eu-west-1")),
                ("size", Value::number(8)),
                ("enabled", Value::bool(true)),
                ("none", Value::null()),
                ("names", Value::tuple(vec![Value::string("a"), Value::string("b")])),
                ("tags", tags.expect("converts")),
                (
                    "disks",
                    Value::tuple(vec![
                        object([("name", Value::string("root")), ("size", Value::number(8))]),
                        object([("name", Value::string("data")), ("size", Value::number(100))]),
                    ]),
                ),
                ("secret", Value::string("hunter2").marked(Marks::SENSITIVE)),
                ("later", Value::unknown(Type::Any)),
                ("later_text", Value::unknown(Type::String)),
                ("later_list", Value::unknown(Type::List(Box::new(Type::String)))),
                ("later_bool", Value::unknown(Type::Bool)),
            ]),
        )
        .with("local", object([("greeting", Value::string("hello"))]))
        .allow_env()
}

/// The printed value with its marks, or the errors.
pub(crate) fn printed(text: &str) -> String {
    let source = Source::new("test.hcl", text);
    let result = parse_expression(&source, None).and_then(|one| evaluate(&one, &scope()));
    match result {
        Ok(value) => {
            let marks = value.all_marks();
            let mut text = value.without_marks().to_string();
            if marks.sensitive {
                text.push_str(" !sensitive");
            }
            if marks.volatile {
                text.push_str(" !volatile");
            }
            text
        }
        Err(found) => {
            let all: Vec<&str> = found.iter().map(|one| one.summary.as_str()).collect();
            format!("error: {}", all.join("; "))
        }
    }
}

/// What a user reads about `text`.
pub(crate) fn rendered(text: &str) -> String {
    let source = Source::new("test.hcl", text);
    match parse_expression(&source, None).and_then(|one| evaluate(&one, &scope())) {
        Ok(value) => format!("no error: {value}"),
        Err(found) => render(&found, Style::default()).trim_end().to_owned(),
    }
}

/// Compares a table, one `expression  => value` a line (two blanks), and reports all differences at once.
#[track_caller]
pub(crate) fn check(table: &str) {
    let mut wrong = String::new();
    let mut count = 0;
    for line in table.lines().filter(|line| !line.trim().is_empty()) {
        let Some((text, expected)) = line.rsplit_once("  => ") else {
            panic!("no arrow in {line}")
        };
        count += 1;
        let actual: String = printed(text.trim()).chars().take(600).collect();
        if actual != expected.trim() {
            wrong.push_str(&format!(
                "{}\n  expected {}\n  got      {actual}\n",
                text.trim(),
                expected.trim()
            ));
        }
    }
    assert!(count > 0, "the table is empty");
    assert!(wrong.is_empty(), "\n{wrong}");
}
