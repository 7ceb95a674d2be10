//! No text makes a parser panic, and what is said about it can be shown.

use bake::diagnostic::{Diagnostics, Source, Style, render};
use bake::template::go_template::GoTemplate;
use bake::template::json::{Duplicates, ParseOptions, parse};
use bake::template::layout::format_hcl;
use bake::template::syntax::{
    Dialect, body_from_json, parse_expression, parse_hcl, parse_hcl_json, parse_template,
};
use proptest::prelude::*;

use super::{fixtures, runner};

/// Findings lie in their source, on character borders, are few, and can be shown.
fn check(found: &Diagnostics) {
    for one in found.iter() {
        for label in one.primary.iter().chain(&one.secondary) {
            let text = label.span.source().text();
            assert!(text.get(label.span.range()).is_some(), "{one:?}");
        }
    }
    assert!(found.len() <= 101, "{} findings", found.len());
    let few: Diagnostics = found.iter().take(5).cloned().collect();
    for colour in [false, true] {
        render(&few, Style { colour, width: 80 });
    }
}

fn survives(text: &str) {
    let source = Source::new("any", text);
    let (_, found) = parse_hcl(&source);
    check(&found);
    match format_hcl(&source) {
        Ok(once) => {
            assert!(!found.has_errors());
            let again = format_hcl(&Source::new("any", once.as_str()));
            assert_eq!(again.as_ref(), Ok(&once));
        }
        Err(_) => assert!(found.has_errors()),
    }
    for parsed in [parse_expression(&source, None), parse_template(&source)] {
        if let Err(found) = parsed {
            assert!(found.has_errors());
            check(&found);
        }
    }
    check(&parse_hcl_json(&source).1);
    match parse(&source, ParseOptions { duplicates: Duplicates::Refuse }) {
        Ok(node) => check(&body_from_json(&node, Dialect::Legacy).1),
        Err(found) => check(&found),
    }
    if let Err(error) = GoTemplate::parse(text) {
        assert!(text.get(error.range.clone()).is_some(), "{error:?}");
    }
}

/// One change of a text.
#[derive(Clone, Debug)]
enum Change {
    Delete(usize, usize),
    Insert(usize, &'static str),
    Swap(usize, usize),
    Truncate(usize),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let pieces = prop::sample::select(vec![
        "\"",
        "${",
        "%{",
        "}",
        "{",
        "[",
        "]",
        "(",
        ")",
        "\n",
        "\r",
        "\0",
        "<<EOT\n",
        "EOT",
        "\\",
        "'",
        "`",
        "“",
        ";",
        ",",
        "=",
        ":",
        "/*",
        "*/",
        "#",
        "é",
        "\u{301}",
        "\u{feff}",
        "{{",
        "}}",
        "\u{1F600}",
        "1e",
        ".",
        "~",
        "null",
        "for ",
        "\\u12",
    ]);
    let at = 0usize..100_000;
    prop_oneof![
        (at.clone(), 1usize..20).prop_map(|(at, length)| Change::Delete(at, length)),
        (at.clone(), pieces).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (at.clone(), at.clone()).prop_map(|(one, other)| Change::Swap(one, other)),
        at.clone().prop_map(Change::Truncate),
        (at, 1usize..30).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

impl Change {
    fn apply(&self, text: &mut Vec<char>) {
        let length = text.len().max(1);
        let part = |at: usize, by: usize| {
            let start = (at % length).min(text.len());
            start..(start + by).min(text.len())
        };
        match *self {
            Change::Delete(at, by) => {
                text.drain(part(at, by));
            }
            Change::Insert(at, piece) => {
                let at = part(at, 0).start;
                text.splice(at..at, piece.chars());
            }
            Change::Swap(one, other) if !text.is_empty() => text.swap(one % length, other % length),
            Change::Swap(..) => {}
            Change::Truncate(at) => text.truncate(at % length),
            Change::Repeat(at, by) => {
                let piece: Vec<char> = text.get(part(at, by)).unwrap_or_default().to_vec();
                let at = part(at, 0).start;
                text.splice(at..at, piece);
            }
        }
    }
}

#[test]
fn changed_fixtures_are_survived() {
    let texts = fixtures(&[".hcl", ".json"]);
    assert!(texts.len() >= 8, "{}", texts.len());
    for (path, text) in texts {
        let check = |changes: Vec<Change>| {
            let mut characters: Vec<char> = text.chars().collect();
            for change in &changes {
                change.apply(&mut characters);
            }
            survives(&characters.into_iter().collect::<String>());
            Ok(())
        };
        let changes = prop::collection::vec(change(), 1..5);
        runner(25).run(&changes, check).unwrap_or_else(|failure| panic!("{path:?}: {failure}"));
    }
}

#[test]
fn any_characters_are_survived() {
    runner(100)
        .run(&"\\PC{0,60}", |text| {
            survives(&text);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn bytes_that_are_no_text_are_an_error_with_a_place() {
    let workspace = crate::support::Workspace::new();
    for (name, bytes) in [
        ("t.pkr.hcl", b"a = \"\xff\"\n".as_slice()),
        ("t.pkr.json", b"{\"a\": \"\xc3\"}"),
        ("t.json", b"\xfe\xff{}"),
    ] {
        let path = workspace.path().join(name);
        std::fs::write(&path, bytes).expect("write");
        let found = bake::template::load(&path).expect_err("is no text");
        assert!(found.iter().any(|one| one.code == "not-utf-8" && one.primary.is_some()), "{name}");
        check(&found);
    }
}
