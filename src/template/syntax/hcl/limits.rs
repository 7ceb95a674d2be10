//! Large texts, deep texts, and texts full of mistakes: none takes long, none exhausts the stack.

use std::time::{Duration, Instant};

use super::{parse_expression, parse_hcl, parse_template};
use crate::diagnostic::{Diagnostics, Source, Style, render};
use crate::template::layout::format_hcl;

/// Far more than a second or two, which each takes unoptimized, and far less than what a text of
/// this size takes when something is quadratic.
const LONG: Duration = Duration::from_secs(15);

#[track_caller]
fn ends_soon(name: &str, text: &str) -> Diagnostics {
    let begin = Instant::now();
    let source = Source::new("t", text);
    let (body, found) = parse_hcl(&source);
    render(&found, Style::default());
    if !found.has_errors() {
        drop(body);
        format_hcl(&source).expect("parses");
    }
    assert!(begin.elapsed() < LONG, "{name}: {:?}", begin.elapsed());
    found
}

#[test]
fn large_texts_take_no_longer_than_their_size() {
    let n = size();
    let numbered = |line: &dyn Fn(usize) -> String| (0..n).map(line).collect::<String>();
    for (name, text) in [
        ("attributes", numbered(&|n| format!("a{n} = {n}\n"))),
        ("same attribute", "a = 1\n".repeat(n)),
        ("blocks", numbered(&|n| format!("b \"{n}\" {{\n  c = {n} # d\n}}\n"))),
        ("keys", format!("a = {{\n{}}}\n", numbered(&|n| format!("  k{n} = {n}\n")))),
        ("same key", format!("a = {{\n{}}}\n", "  k = 1\n".repeat(n))),
        ("elements", format!("a = [\n{}]\n", "  1,\n".repeat(n))),
        ("elements on a line", format!("a = [{}]\n", "1,".repeat(n))),
        ("long string", format!("a = \"{}\"\n", "x".repeat(20 * n))),
        ("escapes", format!("a = \"{}\"\n", "\\n$${".repeat(5 * n))),
        ("sequences", format!("a = \"{}\"\n", "${x}".repeat(n))),
        ("heredoc", format!("a = <<E\n{}E\n", "  text\n".repeat(n))),
        ("dedented heredoc", format!("a = <<-E\n{}E\n", "  ${x} text\n".repeat(n))),
        ("heredoc of one line", format!("a = <<E\n{}\nE\n", "${x} ".repeat(n))),
        ("empty lines", format!("a {{\n{}}}\n", "\n".repeat(10 * n))),
        ("empty lines in a list", format!("a = [\n{}]\n", "\n".repeat(10 * n))),
        ("blanks", format!("a = {}1\n", " ".repeat(10 * n))),
        ("comments", format!("{}a = 1\n", "# c\n/* d */\n".repeat(n))),
        ("traversal", format!("a = x{}\n", ".a[0].*".repeat(n))),
        ("directives", format!("a = \"{}\"\n", "%{ if x }y%{ endif }".repeat(n / 4))),
        ("digits", format!("a = {}\n", "1".repeat(10 * n))),
        ("arguments", format!("a = f({})\n", "x, ".repeat(n))),
        ("comments behind", "a = 1 # b\n".repeat(n)),
    ] {
        ends_soon(name, &text);
    }
}

#[test]
fn texts_full_of_mistakes_take_no_longer_than_their_size() {
    let n = size();
    for (name, text) in [
        ("values missing", "a = \n".repeat(n)),
        ("values missing in a list", format!("a = [{}]", ",".repeat(n))),
        ("items wrong in an object", format!("a = {{{}}}", "b c,".repeat(n))),
        ("items wrong on a line", format!("a {{ {} }}", "b = 1, ".repeat(n))),
        ("strings open", "a = \"x\n".repeat(n)),
        ("sequences open", "a = \"${x\"\n".repeat(n)),
        ("sequences open on a line", format!("a = {}\n", "\"${x\" ".repeat(n))),
        ("sequences wrong on a line", format!("a = \"{}\"\n", "${ 1 + }".repeat(n))),
        ("sequences open in one", format!("a = \"{}\n", "${\"".repeat(n))),
        ("heredocs open", "a = <<E\n".repeat(n)),
        ("heredocs nearly closed", "a = <<E\nx\nE,\n".repeat(n)),
        ("heredocs of many names", (0..n).map(|n| format!("a = <<E{n}\nx\n")).collect()),
        ("heredocs wrong", "a = <<E x\n".repeat(n)),
        ("heredocs without names", "a = 1 << 2\n".repeat(n)),
        ("brackets open", "a = [1\n".repeat(n)),
        ("brackets open on a line", format!("a = {}\n", "[".repeat(n))),
        ("brackets wrong", "a = [1)\n".repeat(n)),
        ("brackets wrong on a line", format!("a = {}\n", "[1) ".repeat(n))),
        ("brackets closed", "}\n".repeat(n)),
        ("brackets closed on a line", ")".repeat(n)),
        ("braces open", "a {\n".repeat(n)),
        ("braces open and indented", "a {\n  b = 1\n".repeat(n)),
        ("quotes", format!("a = {}\n", "\"".repeat(10 * n + 1))),
        ("single quotes", format!("a = {}\n", "'".repeat(10 * n + 1))),
        ("typographic quotes", format!("a = {}\n", "„".repeat(10 * n + 1))),
        ("stray characters", format!("a = {}\n", "@".repeat(10 * n))),
        ("stray characters on lines", "@\n".repeat(n)),
        ("invisible characters", "\u{200b}".repeat(n)),
        ("carriage returns", "a = 1\r".repeat(n)),
        ("comments open", "/*".repeat(n)),
        ("semicolons", "a = 1; ".repeat(n)),
        ("escapes wrong", format!("a = \"{}\"\n", "\\d".repeat(n))),
        ("directives open", format!("a = \"{}\"\n", "%{ if x }".repeat(n))),
        ("labels", format!("a {}\n", "b ".repeat(n))),
        ("for keys", "{ for ".repeat(n)),
        ("one long name wrong", format!("{} 1\n", "a".repeat(10 * n))),
        ("one long line wrong", format!("a = {}1 2\n", "1 + ".repeat(n))),
        ("commas behind blocks", "a {\n},\n".repeat(n)),
    ] {
        let found = ends_soon(name, &text);
        assert!(found.has_errors(), "{name}");
        assert!(found.len() <= 101, "{name}: {}", found.len());
    }
}

/// A size that a quadratic algorithm takes far too long for, at ten times as much for CI.
fn size() -> usize {
    if std::env::var_os("BAKE_TEST_ALL").is_some() { 20_000 } else { 2_000 }
}

/// Runs in a thread with as little stack as any that parses has.
fn with_little_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(work).expect("a thread");
    thread.join().expect("no overflow");
}

#[test]
fn nesting_ends_with_an_error_and_not_with_the_stack() {
    const FORMS: &[(&str, &str, &str)] = &[
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("[\n", "1", "\n]"),
        ("{ a = ", "1", "}"),
        ("{ (", "1", ") = 1 }"),
        ("\"${", "1", "}\""),
        ("\"%{ if true }${", "1", "}%{ endif }\""),
        ("-", "1", ""),
        ("!", "1", ""),
        ("f(", "1", ")"),
        ("x ? 1 : ", "1", ""),
        ("x ? ", "1", " : 1"),
        ("[for x in ", "1", " : 1]"),
        ("{for x in y : x => ", "1", "}"),
        ("x[", "1", "]"),
        ("<<E\n${", "1", "}\nE\n"),
        ("1 + (", "1", ")"),
        ("1 + 1 * 1 == 1 && (", "1", ")"),
    ];
    with_little_stack(|| {
        for (open, inner, close) in FORMS {
            let nested =
                |depth: usize| format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            let deepest = (1..=64)
                .take_while(|depth| {
                    parse_expression(&Source::new("t", nested(*depth)), None).is_ok()
                })
                .count();
            assert!(deepest >= 30, "{open}: {deepest}");
            for depth in [65, 1000, 20_000] {
                let found = parse_expression(&Source::new("t", nested(depth)), None)
                    .expect_err("is too deep");
                assert_eq!(found.iter().next().map(|one| one.code), Some("too-deep"), "{open}");
            }
        }
        for depth in [64, 65, 20_000] {
            let text = format!("{}{}", "a {\n".repeat(depth), "}\n".repeat(depth));
            let (_, found) = parse_hcl(&Source::new("t", text));
            assert_eq!(found.has_errors(), depth > 64);
            let text = format!("{}{}", "%{if true}".repeat(depth), "%{endif}".repeat(depth));
            assert_eq!(parse_template(&Source::new("t", text)).is_err(), depth > 64, "{depth}");
        }
        for count in [128, 129, 20_000] {
            let text = format!("1{}", " + 1".repeat(count));
            assert_eq!(parse_expression(&Source::new("t", text), None).is_err(), count > 128);
            let text = format!("({}1{}", "(1 + ".repeat(30), ")".repeat(30) + " + 1)");
            assert!(parse_expression(&Source::new("t", text), None).is_ok());
        }
    });
}
