use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::diagnostic::{Source, Style, render};

const KEEP: ParseOptions = ParseOptions { duplicates: Duplicates::Keep };
const REFUSE: ParseOptions = ParseOptions { duplicates: Duplicates::Refuse };

fn source(text: &str) -> Arc<Source> {
    Source::new("t.json", text)
}

fn node(text: &str) -> Node {
    parse(&source(text), KEEP).expect("is valid JSON")
}

/// What a person reads about an invalid text.
fn complaint(text: &str) -> String {
    let found = parse(&source(text), REFUSE).expect_err("is refused");
    render(&found, Style::default()).trim_end().to_owned()
}

/// The tree in `serde_json`'s terms; the last of repeated keys wins.
fn plain(node: &Node) -> serde_json::Value {
    match &node.kind {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool(value) => (*value).into(),
        Kind::Number(digits) => serde_json::from_str(digits).expect("is a number"),
        Kind::String(text) => text.value().into(),
        Kind::Array(items) => items.iter().map(plain).collect(),
        Kind::Object(members) => members
            .iter()
            .map(|member| (member.key.clone(), plain(&member.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

fn text_of(node: &Node) -> &StringNode {
    match &node.kind {
        Kind::String(text) => text,
        other => panic!("a string, not {other:?}"),
    }
}

#[test]
fn members_keep_order_repetition_and_places() {
    let text = "{ \"b\": 1.50, \"a\" : [true, null],\n \"b\": {} }";
    let Kind::Object(members) = node(text).kind else { panic!("an object") };
    let seen: Vec<_> = members
        .iter()
        .map(|member| (member.key.as_str(), member.key_span.text(), member.value.span.text()))
        .collect();
    assert_eq!(
        seen,
        [("b", "\"b\"", "1.50"), ("a", "\"a\"", "[true, null]"), ("b", "\"b\"", "{}")]
    );
    assert_eq!(members[0].value.kind, Kind::Number("1.50".to_owned()));
    assert_eq!(members[2].key_span.to_string(), "t.json:2:2");
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let parsed = node("\u{feff}{}");
    assert_eq!(parsed.span.range(), 3..5);
}

#[test]
fn strings_lead_back_to_their_source() {
    let parsed = node(r#"["ab\n{{user \"x\"}}\u00e9\ud83d\ude00z"]"#);
    let Kind::Array(items) = &parsed.kind else { panic!("an array") };
    let text = text_of(&items[0]);
    assert_eq!(text.value(), "ab\n{{user \"x\"}}é😀z");
    let place = |part: &str| {
        let at = text.value().find(part).expect("is there");
        text.span_of(at..at + part.len()).text().to_owned()
    };
    assert_eq!(place("ab"), "ab");
    assert_eq!(place("\n"), r"\n");
    assert_eq!(place("b\n{"), r"b\n{");
    assert_eq!(place("{{user \"x\"}}"), r#"{{user \"x\"}}"#);
    assert_eq!(place("\"x\""), r#"\"x\""#);
    assert_eq!(place("é"), r"\u00e9");
    assert_eq!(place("😀"), r"\ud83d\ude00");
    assert_eq!(place("z"), "z");
    // A part of an escaped character is the whole escape.
    let at = text.value().find('😀').expect("is there");
    assert_eq!(text.span_of(at + 1..at + 2).text(), r"\ud83d\ude00");
    // Outside is clamped, empty ranges are empty.
    assert_eq!(text.span_of(900..1000).text(), "");
    assert_eq!(text.span_of(3..3).text(), "");
    assert_eq!(text.span_of(0..1000), *text.inside());
}

#[test]
fn halves_of_surrogate_pairs_become_replacement_characters() {
    let cases = [
        (r#""\ud800""#, "\u{fffd}"),
        (r#""\udc00x""#, "\u{fffd}x"),
        (r#""\ud800\u0041""#, "\u{fffd}A"),
        (r#""\ud800\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\u0000\/\b\f\r\t""#, "\0/\u{8}\u{c}\r\t"),
    ];
    for (text, expected) in cases {
        assert_eq!(text_of(&node(text)).value(), expected, "{text}");
    }
}

#[test]
fn nesting_is_bounded() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(parse(&source(&deep(MAX_DEPTH)), KEEP).is_ok());
    assert!(complaint(&deep(MAX_DEPTH + 1)).contains("nested more than 128 levels"));
    assert!(complaint(&"[".repeat(1_000_000)).contains("nested more than 128 levels"));
    assert!(complaint(&"{\"a\":".repeat(100_000)).contains("nested more than 128 levels"));
}

#[test]
fn duplicates_are_all_reported_at_any_depth() {
    let text = "{\n  \"a\": 1,\n  \"b\": [{ \"x\": 1, \"x\": 2 }],\n  \"a\": 2\n}";
    assert!(parse(&source(text), KEEP).is_ok());
    insta::assert_snapshot!(complaint(text), @r#"
    error[duplicate-field]: template has duplicate field `x`
     --> t.json:3:19
      |
    3 |   "b": [{ "x": 1, "x": 2 }],
      |           ---     ^^^ given again
      |           |
      |           first given here
      |
      = help: keep one of them; the other would be lost

    error[duplicate-field]: template has duplicate field `a`
     --> t.json:4:3
      |
    2 |   "a": 1,
      |   --- first given here
    3 |   "b": [{ "x": 1, "x": 2 }],
    4 |   "a": 2
      |   ^^^ given again
      |
      = help: keep one of them; the other would be lost
    "#);
}

#[test]
fn faults_say_where_and_what_to_do() {
    let texts = [
        "",
        "{\"a\": 1,}",
        "[1, 2,\n]",
        "[1,,2]",
        "{\n  \"a\": 1\n  \"b\": 2\n}",
        "{\"a\": 1",
        "[1, 2",
        "{\"a\" 1}",
        "{\"a\" = 1}",
        "{\"a\":}",
        "{a: 1}",
        "{'a': 1}",
        "{\"a\": 'x'}",
        "{\"a\": x-y}",
        "{\"a\": True}",
        "{\"a\": 1 // one\n}",
        "# note\n{}",
        "{} /* end */",
        "{\"a\": 1]",
        "{} {}",
        "{\"a\": \"x\n}",
        "{\"a\": \"x",
        "{\"a\": \"x\ty\"}",
        "{\"a\": \"C:\\path\"}",
        "{\"a\": \"\\u12x\"}",
        "[01]",
        "[+1]",
        "[.5]",
        "[1.]",
        "[1e]",
        "[-]",
        "[0x10]",
        "[NaN]",
    ];
    let all: Vec<String> = texts.iter().map(|text| complaint(text)).collect();
    insta::assert_snapshot!(all.join("\n\n"), @r#"
    error[json-syntax]: there is no JSON value here
     --> t.json:1:1
      |
    1 |
      | ^ the text ends
      |
      = help: the smallest template is an object: `{}`

    error[json-syntax]: there is a comma in front of `}`
     --> t.json:1:8
      |
    1 | {"a": 1,}
      |        ^ remove this comma
      |
      = help: JSON allows no comma behind the last element

    error[json-syntax]: there is a comma in front of `]`
     --> t.json:1:6
      |
    1 | [1, 2,
      |      ^ remove this comma
      |
      = help: JSON allows no comma behind the last element

    error[json-syntax]: there are two commas in a row
     --> t.json:1:4
      |
    1 | [1,,2]
      |    ^ remove this comma

    error[json-syntax]: expected `,` or `}`, found `"`
     --> t.json:3:3
      |
    2 |   "a": 1
      |         - a comma is missing here
    3 |   "b": 2
      |   ^ unexpected

    error[json-syntax]: this object is not closed
     --> t.json:1:1
      |
    1 | {"a": 1
      | ^      - the text ends
      | |
      | opened here
      |
      = help: add `}`

    error[json-syntax]: this array is not closed
     --> t.json:1:1
      |
    1 | [1, 2
      | ^    - the text ends
      | |
      | opened here
      |
      = help: add `]`

    error[json-syntax]: expected `:`, found `1`
     --> t.json:1:6
      |
    1 | {"a" 1}
      |  --- ^ expected `:`
      |  |
      |  this key has no value

    error[json-syntax]: expected `:`, found `=`
     --> t.json:1:6
      |
    1 | {"a" = 1}
      |      ^ write `:`
      |
      = help: in JSON a key is followed by a colon

    error[json-syntax]: expected a value, found `}`
     --> t.json:1:6
      |
    1 | {"a":}
      |      ^ not the start of a value

    error[json-syntax]: expected a key in double quotes, found `a`
     --> t.json:1:2
      |
    1 | {a: 1}
      |  ^ not a key
      |
      = help: write `"a"`

    error[json-syntax]: expected a key in double quotes, found `'a'`
     --> t.json:1:2
      |
    1 | {'a': 1}
      |  ^^^ not a key
      |
      = help: write `"a"`

    error[json-syntax]: expected a value, found `'`
     --> t.json:1:7
      |
    1 | {"a": 'x'}
      |       ^ not the start of a value
      |
      = help: strings stand in double quotes

    error[json-syntax]: unknown word `x-y`
     --> t.json:1:7
      |
    1 | {"a": x-y}
      |       ^^^ not a JSON value
      |
      = help: a string stands in double quotes: `"x-y"`

    error[json-syntax]: unknown word `True`
     --> t.json:1:7
      |
    1 | {"a": True}
      |       ^^^^ not a JSON value
      |
      = help: did you mean `true`?

    error[json-syntax]: JSON has no comments
     --> t.json:1:9
      |
    1 | {"a": 1 // one
      |         ^^^^^^ a comment
      |
      = help: remove it; a template keeps notes in a key such as `"_comment"` (legacy JSON) or `"//"` (`.pkr.json`)

    error[json-syntax]: JSON has no comments
     --> t.json:1:1
      |
    1 | # note
      | ^^^^^^ a comment
      |
      = help: remove it; a template keeps notes in a key such as `"_comment"` (legacy JSON) or `"//"` (`.pkr.json`)

    error[json-syntax]: JSON has no comments
     --> t.json:1:4
      |
    1 | {} /* end */
      |    ^^^^^^^^^ a comment
      |
      = help: remove it; a template keeps notes in a key such as `"_comment"` (legacy JSON) or `"//"` (`.pkr.json`)

    error[json-syntax]: expected `,` or `}`, found `]`
     --> t.json:1:8
      |
    1 | {"a": 1]
      | -      ^ unexpected
      | |
      | opened here

    error[json-syntax]: unexpected `{` behind the JSON value
     --> t.json:1:4
      |
    1 | {} {}
      | -  ^ expected the end of the text
      | |
      | the value starts here

    error[json-syntax]: this string is not closed on its line
     --> t.json:1:7
      |
    1 | {"a": "x
      |       ^^ starts here
      |
      = help: add `"`; a line break inside of a string is written `\n`

    error[json-syntax]: this string is not closed
     --> t.json:1:7
      |
    1 | {"a": "x
      |       ^^ starts here
      |
      = help: add `"`

    error[json-syntax]: a string cannot hold the control character U+0009
     --> t.json:1:9
      |
    1 | {"a": "x    y"}
      |         ^^^^ here
      |
      = help: write `\t`

    error[json-syntax]: unknown escape `\p`
     --> t.json:1:10
      |
    1 | {"a": "C:\path"}
      |          ^^ unknown
      |
      = help: a backslash itself is written `\\`

    error[json-syntax]: `\u` needs four hexadecimal digits
     --> t.json:1:8
      |
    1 | {"a": "\u12x"}
      |        ^^^^ too few digits
      |
      = help: a backslash itself is written `\\`

    error[json-syntax]: `01` is not a JSON number
     --> t.json:1:2
      |
    1 | [01]
      |  ^^ not a number
      |
      = help: a number has no leading zeros; a string in double quotes keeps them

    error[json-syntax]: expected a value, found `+`
     --> t.json:1:2
      |
    1 | [+1]
      |  ^ not the start of a value
      |
      = help: numbers have no `+` in front

    error[json-syntax]: expected a value, found `.`
     --> t.json:1:2
      |
    1 | [.5]
      |  ^ not the start of a value
      |
      = help: a number starts with a digit: `0.5`

    error[json-syntax]: `1.` is not a JSON number
     --> t.json:1:2
      |
    1 | [1.]
      |  ^^ not a number
      |
      = help: digits are missing behind the point

    error[json-syntax]: `1e` is not a JSON number
     --> t.json:1:2
      |
    1 | [1e]
      |  ^^ not a number
      |
      = help: digits are missing in the exponent

    error[json-syntax]: `-` is not a JSON number
     --> t.json:1:2
      |
    1 | [-]
      |  ^ not a number
      |
      = help: digits are missing behind `-`

    error[json-syntax]: `0x10` is not a JSON number
     --> t.json:1:2
      |
    1 | [0x10]
      |  ^^^^ not a number
      |
      = help: a text that starts with digits stands in double quotes

    error[json-syntax]: unknown word `NaN`
     --> t.json:1:2
      |
    1 | [NaN]
      |  ^^^ not a JSON value
      |
      = help: JSON has no such number
    "#);
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Into::into),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Texts that are nearly JSON.
fn nearly_json() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d83d", "\\ude00", "a", "é", "1", "-",
        ".", "e", "0", "true", "null", " ", "\n", "//", "/*", "*/", "#", "\u{feff}", "\u{1}", "'",
        "\"k\":",
    ]);
    prop::collection::vec(parts, 0..40).prop_map(|parts| parts.concat())
}

/// Every span stands in the text, and every string leads back to it.
fn check_spans(node: &Node, source: &Arc<Source>) {
    assert!(Arc::ptr_eq(node.span.source(), source));
    match &node.kind {
        Kind::String(text) => {
            let whole = text.span_of(0..text.value().len());
            assert_eq!(whole, *text.inside());
            for (at, c) in text.value().char_indices() {
                let place = text.span_of(at..at + c.len_utf8());
                let written = place.text();
                assert!(written.starts_with('\\') || written == c.to_string(), "{written:?} {c:?}");
            }
        }
        Kind::Array(items) => items.iter().for_each(|item| check_spans(item, source)),
        Kind::Object(members) => {
            members.iter().for_each(|member| check_spans(&member.value, source));
        }
        Kind::Null | Kind::Bool(_) => {}
        Kind::Number(digits) => assert_eq!(digits, node.span.text()),
    }
}

/// How many texts to try; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    ProptestConfig::default().cases.max(400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn valid_json_means_what_serde_json_says(value in json(), pretty in any::<bool>()) {
        let text = if pretty {
            serde_json::to_string_pretty(&value).expect("serialises")
        } else {
            serde_json::to_string(&value).expect("serialises")
        };
        let source = source(&text);
        let node = parse(&source, REFUSE).expect("is valid");
        check_spans(&node, &source);
        prop_assert_eq!(plain(&node), serde_json::from_str::<serde_json::Value>(&text).expect("is valid"));
    }

    #[test]
    fn whatever_the_text_it_agrees_with_serde_json_on_what_is_valid(
        text in prop_oneof![any::<String>(), nearly_json()],
    ) {
        let source = source(&text);
        let ours = parse(&source, KEEP);
        if let Ok(node) = &ours {
            check_spans(node, &source);
        }
        if let Err(found) = &ours {
            prop_assert!(!render(found, Style::default()).is_empty());
        }
        // Without a type to fill, serde_json checks the grammar alone. It knows
        // no byte order mark.
        let bare = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(bare);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
    }
}

#[test]
fn all_faults_after_which_it_is_clear_how_to_go_on_are_told() {
    let text = r#"{
  // notes
  builders: [
    { 'type': 'null', "a" = 1, },
    { "b": True "c": 01,, "c": "\d	" } /* more */
    [1 2,]
  ],
  "open": "text
}"#;
    insta::assert_snapshot!(complaint(text), @r#"
    error[json-syntax]: JSON has no comments
     --> t.json:2:3
      |
    2 |   // notes
      |   ^^^^^^^^ a comment
      |
      = help: remove it; a template keeps notes in a key such as `"_comment"` (legacy JSON) or `"//"` (`.pkr.json`)

    error[json-syntax]: expected a key in double quotes, found `builders`
     --> t.json:3:3
      |
    3 |   builders: [
      |   ^^^^^^^^ not a key
      |
      = help: write `"builders"`

    error[json-syntax]: expected a key in double quotes, found `'type'`
     --> t.json:4:7
      |
    4 |     { 'type': 'null', "a" = 1, },
      |       ^^^^^^ not a key
      |
      = help: write `"type"`

    error[json-syntax]: expected a value, found `'`
     --> t.json:4:15
      |
    4 |     { 'type': 'null', "a" = 1, },
      |               ^ not the start of a value
      |
      = help: strings stand in double quotes

    error[json-syntax]: expected `:`, found `=`
     --> t.json:4:27
      |
    4 |     { 'type': 'null', "a" = 1, },
      |                           ^ write `:`
      |
      = help: in JSON a key is followed by a colon

    error[json-syntax]: there is a comma in front of `}`
     --> t.json:4:30
      |
    4 |     { 'type': 'null', "a" = 1, },
      |                              ^ remove this comma
      |
      = help: JSON allows no comma behind the last element

    error[json-syntax]: unknown word `True`
     --> t.json:5:12
      |
    5 |     { "b": True "c": 01,, "c": "\d    " } /* more */
      |            ^^^^ not a JSON value
      |
      = help: did you mean `true`?

    error[json-syntax]: expected `,` or `}`, found `"`
     --> t.json:5:17
      |
    5 |     { "b": True "c": 01,, "c": "\d    " } /* more */
      |                -^ unexpected
      |                |
      |                a comma is missing here

    error[json-syntax]: `01` is not a JSON number
     --> t.json:5:22
      |
    5 |     { "b": True "c": 01,, "c": "\d    " } /* more */
      |                      ^^ not a number
      |
      = help: a number has no leading zeros; a string in double quotes keeps them

    error[json-syntax]: there are two commas in a row
     --> t.json:5:25
      |
    5 |     { "b": True "c": 01,, "c": "\d    " } /* more */
      |                         ^ remove this comma

    error[json-syntax]: unknown escape `\d`
     --> t.json:5:33
      |
    5 |     { "b": True "c": 01,, "c": "\d    " } /* more */
      |                                 ^^ unknown
      |
      = help: a backslash itself is written `\\`

    error[json-syntax]: a string cannot hold the control character U+0009
     --> t.json:5:35
      |
    5 |     { "b": True "c": 01,, "c": "\d    " } /* more */
      |                                   ^^^^ here
      |
      = help: write `\t`

    error[duplicate-field]: template has duplicate field `c`
     --> t.json:5:27
      |
    5 |     { "b": True "c": 01,, "c": "\d    " } /* more */
      |                 ---       ^^^ given again
      |                 |
      |                 first given here
      |
      = help: keep one of them; the other would be lost

    error[json-syntax]: JSON has no comments
     --> t.json:5:40
      |
    5 |     { "b": True "c": 01,, "c": "\d    " } /* more */
      |                                           ^^^^^^^^^^ a comment
      |
      = help: remove it; a template keeps notes in a key such as `"_comment"` (legacy JSON) or `"//"` (`.pkr.json`)

    error[json-syntax]: expected `,` or `]`, found `[`
     --> t.json:6:5
      |
    5 |     { "b": True "c": 01,, "c": "\d    " } /* more */
      |                                          - a comma is missing here
    6 |     [1 2,]
      |     ^ unexpected

    error[json-syntax]: expected `,` or `]`, found `2`
     --> t.json:6:8
      |
    6 |     [1 2,]
      |       -^ unexpected
      |       |
      |       a comma is missing here

    error[json-syntax]: there is a comma in front of `]`
     --> t.json:6:9
      |
    6 |     [1 2,]
      |         ^ remove this comma
      |
      = help: JSON allows no comma behind the last element

    error[json-syntax]: this string is not closed on its line
     --> t.json:8:11
      |
    8 |   "open": "text
      |           ^^^^^ starts here
      |
      = help: add `"`; a line break inside of a string is written `\n`
    "#);
    assert_eq!(complaint("[nope, nope]").matches("unknown word").count(), 2);
    let many = complaint(&format!("[{}1]", "nope,".repeat(1000)));
    assert!((100..110).contains(&many.matches("error[").count()), "{many}");
}
