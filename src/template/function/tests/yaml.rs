//! `yamldecode` and `yamlencode`. What they give is what Packer 1.6.6 gave, but where a remark
//! says otherwise.

use crate::template::evaluate::tests::{check, printed};
use crate::value::quote;

pub(super) const TABLE: &str = r#"
yamldecode("a: 1\nb: [x, z]\nc:\n  d: e\n")  => { a = 1, b = ["x", "z"], c = { d = "e" } }
yamldecode("[yes, no, on, Off, y, N, TRUE, 'yes', \"no\"]")  => [true, false, true, false, true, false, true, "yes", "no"]
yamldecode("- \n- ~\n- null\n- Null\n- ''\n- nULL")  => [null, null, null, null, "", "nULL"]
yamldecode("[12, -12, +12, 1_000, 017, 09, 0., .5, +.5, -.5e1, 1e3, 12e03, 0b11, -0b11]")  => [12, -12, 12, 1000, 17, 9, 0, 0.5, 0.5, -5, 1000, 12000, 3, -3]
yamldecode("[0x1F, 0o17, -0x10, 1e, 1.2.3, +, _1]")  => ["0x1F", "0o17", "-0x10", "1e", "1.2.3", "+", "_1"]
yamldecode("[!!int 0x1F, !!int 0o17, !!int '12', !!float 1, !!int 1.5]")  => [31, 15, 12, 1, 1.5]
yamldecode("[!!str 1, !!null x, !!bool yes, !!binary aGk=, !<tag:yaml.org,2002:str> 1]")  => ["1", null, true, "aGk=", "1"]
yamldecode("a: 2001-12-14\nb: 2001-12-14t21:59:43.10-05:00\nc: 2001-1-2 3:4:5.678\nd: 2001-1-2T3:4:5Z")  => { a = "2001-12-14T00:00:00Z", b = "2001-12-14T21:59:43-05:00", c = "2001-01-02T03:04:05Z", d = "2001-01-02T03:04:05Z" }
yamldecode("[2001-13-01, 2001-1-2 3:4:5Z, 20011-1-1, 2001-12-14 21:59:43.10 -5, '2001-1-1']")  => ["2001-13-01", "2001-1-2 3:4:5Z", "20011-1-1", "2001-12-14 21:59:43.10 -5", "2001-1-1"]
yamldecode("!!timestamp 2001-1-1")  => "2001-01-01T00:00:00Z"
yamldecode("1: a\nyes: b\n1.50: c\ny: d")  => { "1" = "a", "1.5" = "c", true = "d" }
yamldecode("a: 1\na: 2")  => { a = 2 }
yamldecode("a: |\n  x\n  y\nb: >-\n  x\n  y\n")  => { a = "x\ny\n", b = "x y" }
yamldecode("x: &x {a: 1, b: 2}\nz:\n  <<: *x\n  b: 3\nw: *x")  => { w = { a = 1, b = 2 }, x = { a = 1, b = 2 }, z = { a = 1, b = 3 } }
yamldecode("x: {a: 1}\n<<: {x: 2, z: 3}\n<<: {z: 4}\n")  => { x = 2, z = 4 }
yamldecode("'<<': {a: 1}")  => { a = 1 }
yamldecode("a: <<")  => { a = "<<" }
yamldecode("<<: 1")  => error: `yamldecode`: this YAML cannot be decoded: `<<` merges only maps at line 1, column 5
yamldecode("x")  => "x"
yamldecode("a: 1 # c\n# d\n...\n")  => { a = 1 }
yamldecode("a: {b: 1, c}")  => { a = { b = 1, c = null } }
yamldecode("a: 1\n---\nb: 2")  => error: `yamldecode`: this YAML cannot be decoded: only one document can be decoded at line 2, column 1
yamldecode("null: c")  => error: `yamldecode`: this YAML cannot be decoded: a key must not be null at line 1, column 1
yamldecode("? [a]\n: b")  => error: `yamldecode`: this YAML cannot be decoded: only texts can be keys at line 1, column 3
yamldecode("a: &x 1\n*x : b")  => error: `yamldecode`: this YAML cannot be decoded: only texts can be keys at line 2, column 1
yamldecode("a: &a [*a]")  => error: `yamldecode`: this YAML cannot be decoded: an alias stands inside of its own anchor at line 1, column 8
yamldecode("a: *b")  => error: `yamldecode`: this YAML cannot be decoded: while parsing node, found unknown anchor at line 1, column 4
yamldecode("a: .nan")  => error: `yamldecode`: this YAML cannot be decoded: there is no number for `.nan` at line 1, column 4
yamldecode("a: !!foo x")  => error: `yamldecode`: this YAML cannot be decoded: the tag `!!foo` is not supported at line 1, column 4
yamldecode("a: !foo x")  => error: `yamldecode`: this YAML cannot be decoded: only the tags of YAML itself are supported, such as `!!str` at line 1, column 4
yamldecode("!!bool maybe")  => error: `yamldecode`: this YAML cannot be decoded: what is tagged `!!bool` is none at line 1, column 1
yamldecode("!!binary '>>'")  => error: `yamldecode`: this YAML cannot be decoded: what is tagged `!!binary` is none at line 1, column 1
yamldecode("- !!set {a, b}")  => error: `yamldecode`: this YAML cannot be decoded: a map cannot have this tag at line 1, column 3
yamldecode("!!omap [a: 1]")  => error: `yamldecode`: this YAML cannot be decoded: a list cannot have this tag at line 1, column 1
yamldecode("0b2")  => error: `yamldecode`: this YAML cannot be decoded: a binary number has other digits at line 1, column 1
yamldecode(var.secret)  => "hunter2" !sensitive
yamldecode("[${var.secret}")  => error: `yamldecode`: this YAML cannot be decoded
yamldecode(null)  => error: `text` of `yamldecode` must not be null
yamldecode(var.later)  => (unknown)
yamlencode({ b = 1, a = ["x", true, null, 1.5], c = { d = "é\n\"q" }, e = [], f = {} })  => "\"a\":\n- \"x\"\n- true\n- null\n- 1.5\n\"b\": 1\n\"c\":\n  \"d\": |-\n    é\n    \"q\n\"e\": []\n\"f\": {}\n"
yamlencode(["a", ["b", ["c"]], { x = 1, y = [1] }])  => "- \"a\"\n- - \"b\"\n  - - \"c\"\n- \"x\": 1\n  \"y\":\n  - 1\n"
yamlencode([{ a = 1 }, { b = [{ c = [] }] }, [], [{}]])  => "- \"a\": 1\n- \"b\":\n  - \"c\": []\n- []\n- - {}\n"
yamlencode("x")  => "\"x\"\n"
yamlencode(1)  => "1\n...\n"
yamlencode(true)  => "true\n...\n"
yamlencode(null)  => "null\n...\n"
yamlencode([null])  => "- null\n"
yamlencode({})  => "{}\n"
yamlencode("multi\nline")  => "|-\n  multi\n  line\n"
yamlencode("x\n\n")  => "|+\n  x\n\n"
yamlencode({ a = "x\n", b = "x\n\n", c = "\n", d = "\nx", e = " x\ny", f = "x\n y" })  => "\"a\": |\n  x\n\"b\": |+\n  x\n\n\"c\": |2+\n\n\"d\": |2-\n\n  x\n\"e\": |2-\n   x\n  y\n\"f\": |-\n  x\n   y\n"
yamlencode({ a = "x \ny", b = "x\ny ", c = "x\ty\nz", d = "x\r\ny", e = "😀\nb" })  => "\"a\": \"x \\ny\"\n\"b\": \"x\\ny \"\n\"c\": \"x\\ty\\nz\"\n\"d\": \"x\\r\\ny\"\n\"e\": \"\\U0001F600\\nb\"\n"
yamlencode("tab\t q\" b\\ \u0000\u0007\u001b\u0001 \u0085\u2028\ufeff\u007f")  => "\"tab\\t q\\\" b\\\\ \\0\\a\\e\\x01 \\N\\L\\uFEFF\\x7F\"\n"
yamlencode({ "a b" = 2, "" = 1, "1" = 3, "a\"b" = 4 })  => "\"\": 1\n\"1\": 3\n\"a b\": 2\n\"a\\\"b\": 4\n"
yamlencode({ "a\nb" = [1, [2]] })  => "? |-\n  a\n  b\n: - 1\n  - - 2\n"
yamlencode({ "a\nb" = 1 })  => "? |-\n  a\n  b\n: 1\n"
yamlencode([1e30, 0.1, -0.5, 1e-10])  => "- 1000000000000000000000000000000\n- 0.1\n- -0.5\n- 0.0000000001\n"
yamlencode(toset(["b", "a"]))  => "- \"a\"\n- \"b\"\n"
yamlencode(var.later)  => (unknown)
yamlencode({ a = var.secret })  => "\"a\": \"hunter2\"\n" !sensitive
yamlencode([for n in range(1200) : format("%010000d", 0)])  => error: `yamlencode`: the result is too long: more than 64 MiB
yamldecode(yamlencode({ a = ["x\ny", "", " z"], b = { "c\nd" = [[], {}, [1]] } }))  => { a = ["x\ny", "", " z"], b = { "c\nd" = [[], {}, [1]] } }
"#;

#[test]
fn as_documented() {
    check(TABLE);
}

/// Packer fails on the one and leaves the value of the others unknown; it takes `%YAML 1.1` only,
/// and cannot merge lists of maps.
#[test]
fn better_than_packer() {
    check(
        r#"
yamldecode("")  => null
yamldecode("---\n")  => null
yamldecode("null")  => null
yamldecode("%YAML 1.2\n---\na: 1")  => { a = 1 }
yamldecode("! 12")  => "12"
yamldecode("<<: [{a: 1}, {a: 2, b: 3}]\nb: 9")  => { a = 2, b = 9 }
yamldecode(".inf")  => error: `yamldecode`: this YAML cannot be decoded: there is no number for infinity at line 1, column 1
"#,
    );
}

#[test]
fn long_lines_are_broken_as_packer_does() {
    let (a, b, c) = ("a".repeat(27), "b".repeat(41), "c".repeat(37));
    for (value, expected) in [
        (format!("{{ a = \"{a} {b} {c} ddd\" }}"), format!("\"a\": \"{a} {b} {c}\n  ddd\"\n")),
        // A blank at the beginning of a line has to be told from its indentation.
        (format!("\"{a} {b} {c}  ddd dd\""), format!("\"{a} {b} {c}\n  \\ ddd dd\"\n")),
        // Keys of up to 128 bytes stay on their line, longer ones stand after a question mark.
        (format!("{{ \"{a} {b} {c}\" = 1 }}"), format!("\"{a} {b} {c}\": 1\n")),
        (
            format!("{{ \"{a} {b} {c} {c}\" = [1, {{ c = 2 }}] }}"),
            format!("? \"{a} {b} {c}\n  {c}\"\n: - 1\n  - \"c\": 2\n"),
        ),
    ] {
        let found = printed(&format!("yamlencode({value})"));
        assert_eq!(found, quote(&expected), "{value}");
    }
}

#[test]
fn escapes_stay_what_they_are_when_a_text_is_normalised() {
    let text = r#""\u0008\u0331\n\u0307""#;
    assert_eq!(printed(&format!("yamldecode(yamlencode({text})) == {text}")), "true");
}

#[test]
fn documents_are_bounded() {
    let nested = "[".repeat(200);
    let bomb: String = (1..9)
        .map(|n| format!("a{n}: &a{n} [{}]\\n", vec![format!("*a{}", n - 1); 10].join(",")))
        .collect();
    for (text, expected) in [
        (format!("a0: &a0 x\\n{bomb}"), "there are more than 250000 values, aliases replaced"),
        (nested, "values lie more than 128 deep in one another"),
        // An alias may bring more depth than it seems to have.
        (
            format!(
                "[&a {}{}, {}*a{}]",
                "[".repeat(99),
                "]".repeat(99),
                "[".repeat(99),
                "]".repeat(99)
            ),
            "values lie more than 128 deep in one another",
        ),
    ] {
        let found = printed(&format!("yamldecode(\"{text}\")"));
        assert!(found.contains(expected), "{found}");
    }
    let long =
        printed("yamldecode(replace(format(\"%010000d\", 0), \"0\", format(\"%01000d\", 0)))");
    assert_eq!(long, "error: `yamldecode`: the text is longer than 8 MiB");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 300, failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn what_is_encoded_is_decoded(
        texts in proptest::collection::vec("[ a\\n\\t:#\"'\\\\\u{85}\u{2028}é😀-]{0,12}|.{0,200}", 4),
        number in proptest::num::i64::ANY,
    ) {
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| quote(&texts[at]));
        let value = format!(
            "[{a}, {{ {b} = {c} }}, {{ {c} = [{d}, [{a}], {{}}] }}, [[]], {number}, null, true, {{ {d} = {{ {a} = {b} }} }}]"
        );
        for value in [value.as_str(), a.as_str()] {
            let call = format!("yamldecode(yamlencode({value})) == {value}");
            proptest::prop_assert_eq!(printed(&call), "true", "{}", value);
        }
    }

    #[test]
    fn no_text_makes_the_decoder_panic(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..30),
    ) {
        printed(&format!("yamldecode({})", quote(&pieces.concat())));
    }
}

/// What YAML is made of.
const PIECES: &[&str] = &[
    "a",
    "b: ",
    "- ",
    "? ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&a ",
    "*a",
    "<<: ",
    "|\n",
    "> \n",
    "|2-\n",
    "\"",
    "'",
    "!!int ",
    "!x ",
    "!",
    "\n",
    " ",
    "  ",
    "#c",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "%TAG ! x\n",
    "1",
    "0b1",
    "~",
    "\t",
    "é",
    "\\",
    "yes",
    "2001-1-1",
    "\r",
    "\u{2028}",
    "@",
    "`",
    "\u{feff}",
    "\0",
];
