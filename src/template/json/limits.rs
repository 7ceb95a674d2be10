//! Large and deep JSON.

use std::time::{Duration, Instant};

use crate::diagnostic::{Diagnostics, Source, Style, render};
use crate::template::go_template::{Data, GoTemplate, NoFunctions};
use crate::template::json::{Duplicates, MAX_DEPTH, ParseOptions, parse};
use crate::template::syntax::{Dialect, body_from_json, parse_hcl_json};

const LONG: Duration = Duration::from_secs(15);

fn size() -> usize {
    if std::env::var_os("BAKE_TEST_ALL").is_some() { 20_000 } else { 2_000 }
}

#[track_caller]
fn ends_soon(name: &str, text: &str) {
    let begin = Instant::now();
    let source = Source::new("t", text);
    let show = |found: &Diagnostics| {
        assert!(found.len() <= 101, "{name}: {} findings", found.len());
        render(found, Style::default());
    };
    show(&parse_hcl_json(&source).1);
    match parse(&source, ParseOptions { duplicates: Duplicates::Refuse }) {
        Ok(node) => show(&body_from_json(&node, Dialect::Legacy).1),
        Err(found) => show(&found),
    }
    if let Ok(template) = GoTemplate::parse(text) {
        template.references();
        drop(template.render(&Data::Map([].into()), &NoFunctions));
    }
    assert!(begin.elapsed() < LONG, "{name}: {:?}", begin.elapsed());
}

#[test]
fn large_texts_take_no_longer_than_their_size() {
    let n = size();
    let numbered =
        |item: &dyn Fn(usize) -> String| (0..n).map(item).collect::<Vec<_>>().join(",\n");
    for (name, text) in [
        ("keys", format!("{{{}}}", numbered(&|n| format!("\"k{n}\": {n}")))),
        ("same key", format!("{{{}}}", numbered(&|_| "\"k\": 1".to_owned()))),
        ("elements", format!("{{\"a\": [{}]}}", numbered(&|n| n.to_string()))),
        ("strings", format!("{{\"a\": [{}]}}", numbered(&|n| format!("\"${{x{n}}}\"")))),
        ("wrong strings", format!("{{\"a\": [{}]}}", numbered(&|_| "\"${\"".to_owned()))),
        ("wrong numbers", format!("{{\"a\": [{}]}}", numbered(&|_| "1e99999".to_owned()))),
        ("no bodies", format!("[{}]", numbered(&|n| n.to_string()))),
        ("long string", format!("{{\"a\": \"{}\"}}", "x".repeat(50 * n))),
        ("escapes", format!("{{\"a\": \"${{x}}{}\"}}", "\\u00e9\\n".repeat(5 * n))),
        ("sequences", format!("{{\"a\": \"{}\"}}", "${x}\\n".repeat(n))),
        ("long number", format!("{{\"a\": {}}}", "1".repeat(20 * n))),
        ("blanks", format!("{{{}}}", " \n".repeat(20 * n))),
        ("Go actions", "{{.X}} text ".repeat(n)),
        ("Go branches", "{{if .X}}a{{else}}b{{end}}".repeat(n)),
        ("Go comments", "{{/* a */}}".repeat(n)),
        ("Go variables", (0..n).map(|n| format!("{{{{$v{n} := {n}}}}}")).collect()),
        ("Go trims", "{{- .X -}}  \n".repeat(n)),
        ("Go arguments", format!("{{{{print {}}}}}", "1 ".repeat(n))),
        ("Go pipes", format!("{{{{1{}}}}}", " | print".repeat(n))),
        ("Go fields", format!("{{{{{}}}}}", ".a".repeat(n))),
        ("Go definitions", (0..n).map(|n| format!("{{{{define \"d{n}\"}}}}{{{{end}}}}")).collect()),
        ("Go else", format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}a".repeat(n))),
        ("Go open", "{{".repeat(n)),
        ("Go open strings", "{{\"".repeat(n)),
    ] {
        ends_soon(name, &text);
    }
}

#[test]
fn nesting_ends_with_an_error_and_not_with_the_stack() {
    let work = || {
        for depth in [MAX_DEPTH, MAX_DEPTH + 1, 50_000] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
                let depth = if open.len() > 5 { depth / 2 } else { depth };
                let inner = if close == "]" { "" } else { "1" };
                let text = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
                let source = Source::new("t", text);
                let parsed = parse(&source, ParseOptions { duplicates: Duplicates::Keep });
                assert_eq!(parsed.is_ok(), depth <= MAX_DEPTH, "{open} {depth}");
                render(&parse_hcl_json(&source).1, Style::default());
                if let Ok(node) = parsed {
                    body_from_json(&node, Dialect::Legacy);
                }
            }
        }
        for depth in [64, 65, 50_000] {
            for (open, close) in [("{{if .X}}", "{{end}}"), ("{{with .X}}", "{{end}}")] {
                let text = format!("{}{}", open.repeat(depth), close.repeat(depth));
                assert_eq!(GoTemplate::parse(&text).is_ok(), depth <= 64, "{open} {depth}");
            }
            let text = format!("{{{{{}1{}}}}}", "(".repeat(depth), ")".repeat(depth));
            assert_eq!(GoTemplate::parse(&text).is_ok(), depth <= 64, "( {depth}");
        }
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(work).expect("a thread");
    thread.join().expect("no overflow");
}
