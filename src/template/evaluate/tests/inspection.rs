//! What is said of expressions without evaluating them: references, canonical text, types.

use super::scope;
use crate::diagnostic::{Diagnostics, Source, Style, render};
use crate::template::evaluate::{canonical, evaluate, parse_quoted_type, parse_type, references};
use crate::template::syntax::{Expression, ExpressionKind, parse_expression};
use crate::value::{Marks, Value};

fn parsed(text: &str) -> Expression {
    parse_expression(&Source::new("test.hcl", text), None).expect("parses")
}

#[test]
fn references_are_found_everywhere_but_bound_names() {
    for (text, expected) in [
        ("1", ""),
        ("var.a", "var.a"),
        ("var.a.b[0].c", "var.a.b"),
        ("var[\"a\"].b", "var.a.b"),
        ("var.a[local.b].c", "var.a local.b"),
        ("data.t.n.id[*].x", "data.t.n.id"),
        ("\"${var.a}%{ if local.b }${path.root}%{ endif }\"", "var.a local.b path.root"),
        ("\"%{ for x in var.xs }${x.y}${var.z}%{ endfor }\"", "var.xs var.z"),
        ("[for k, v in var.m : \"${k}${v}${w}\" if k != var.skip]", "var.m w var.skip"),
        ("{for x in x : x => x.y}", "x"),
        ("[for x in [1] : [for y in x : y]]", ""),
        ("[[for x in [1] : x], x]", "x"),
        ("f(var.a, -var.b, !(var.c ? var.d : var.e))", "var.a var.b var.c var.d var.e"),
        ("{ a = var.a, (var.b) = 1, c = { d = var.c } }", "var.a var.b var.c"),
        ("try(local.a, [local.b])[0]", "local.a local.b"),
    ] {
        let found: Vec<String> = references(&parsed(text))
            .iter()
            .map(|one| [std::slice::from_ref(&one.root), one.path.as_slice()].concat().join("."))
            .collect();
        assert_eq!(found.join(" "), expected, "{text}");
    }
}

#[test]
fn references_know_their_place() {
    let expression = parsed("[1, var.disk.size + 1]");
    let found = references(&expression);
    assert_eq!(found.first().map(|one| one.span.text()), Some("var.disk.size"));
}

#[test]
fn canonical_text_does_not_depend_on_layout() {
    for texts in [
        &["1+2", "1 + 2", "( 1\n + /* x */ 2)", "1.0 + 2e0"][..],
        &["{ a = 1, b = 2 }", "{ b : 2\n \"a\" = 1 }", "{ a = 0, b = 2, a = 1 }"],
        &["var.a.b", "var . a . b"],
        &["var.a[\"b\"]", "(var.a)[ \"b\" ]"],
        &["var.a[0]", "var.a.0"],
        &["\"a${var.x}b\"", "\"a${ ~var.x }b\"".trim_end(), "\"a${(var.x)}b\""][..1],
        &["\"é\\n\"", "\"\\u00e9\n\"".trim(), "<<E\né\nE\n"][..1],
        &["<<E\n${var.a}\nE\n", "\"${var.a}\\n\"", "<<-E\n   ${var.a}\n   E\n"],
        &["f(a,b...)", "f( a , b... )", "f(\n  a,\n  b...\n)"],
        &["[for x in xs:x if x]", "[ for  x  in xs : x\n if (x) ]"],
        &["a?b:c", "a ? b : (c)"],
        &["a.b", "\"${a.b}\"", "\"${ (a.b) }\""],
        &["\"%{if a}b%{endif}\"", "\"%{ if (a) }b%{ endif }\""],
    ] {
        let all: Vec<String> = texts.iter().map(|text| canonical(&parsed(text))).collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
    }
}

/// `docs/hash.md` has these forms: each is in hashes.
#[test]
fn canonical_text_is_as_the_page_on_hashes_has_it() {
    for (text, canonical_text) in [
        ("1.50", "1.5"),
        ("2e3", "2000"),
        ("1e-3", "0.001"),
        ("null", "null"),
        ("\"a\\\"\\\\ \\n\\r\\t\\u0007é\"", "\"a\\\"\\\\ \\n\\r\\t\\u0007é\""),
        ("\"$${x} %%{ $x\"", "\"$${x} %%{ $x\""),
        ("<<E\nhi ${ x }\nE\n", "\"hi ${x}\\n\""),
        ("\"%{ if x }a%{ else }b%{ endif }\"", "\"%{if x}a%{else}b%{endif}\""),
        ("\"%{ for k, v in x }a%{ endfor }\"", "\"%{for k,v in x}a%{endfor}\""),
        ("\"${ x }\"", "x"),
        ("[ a , b ]", "[a,b]"),
        ("{ b = 1, \"a\" : 2 }", "{\"a\"=2,\"b\"=1}"),
        ("{ b = 1, (a) = 2, \"${x}y\" = 3 }", "{\"b\"=1,(a)=2,\"${x}y\"=3}"),
        ("x.a[0].b.1", "x.a[0].b[1]"),
        ("x.*.a", "x.*.a"),
        ("x[*].a", "x[*].a"),
        ("f(a, b...)", "f(a,b...)"),
        ("a + b * -c", "(a+(b*(-c)))"),
        ("!a ? b : c", "((!a)?b:c)"),
        ("a && b || c == d", "((a&&b)||(c==d))"),
        ("[for v in x : v if c]", "[for v in x:v if c]"),
        ("{ for k, v in x : k => v... }", "{for k,v in x:k=>v...}"),
    ] {
        assert_eq!(canonical(&parsed(text)), canonical_text, "{text}");
    }
}

#[test]
fn canonical_text_tells_different_expressions_apart() {
    let texts = [
        "1 + 2 * 3",
        "(1 + 2) * 3",
        "a ? b : c",
        "a.b",
        "a[b]",
        "a.*",
        "a[*]",
        "f(a)",
        "f(a...)",
        "[a]",
        "\"a\"",
        "\"$${a}\"",
        "{ a = b }",
        "{ (a) = b }",
        "{ a = \"b\" }",
        "-a",
        "!a",
        "[for a in b : a]",
        "{for a in b : a => a}",
        "{for a in b : a => a...}",
        "\"%{if a}b%{else}c%{endif}\"",
        "\"%{if a}b%{endif}c\"",
        "null",
        "\"null\"",
        "true",
        "a",
    ];
    let mut all: Vec<String> = texts.iter().map(|text| canonical(&parsed(text))).collect();
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "{all:?}");
}

#[test]
fn canonical_text_of_a_value_is_that_of_the_expression_that_makes_it() {
    for text in ["[1, \"a\", [true, null]]", "{ b = \"x\", \"a b\" = { c = [] } }", "\"$${x}\""] {
        let expression = parsed(text);
        let value = evaluate(&expression, &scope()).expect("a value");
        let literal = |value: &Value| {
            let kind = ExpressionKind::Literal(value.clone());
            canonical(&Expression { kind, span: expression.span.clone() })
        };
        assert_eq!(literal(&value), canonical(&expression));
        let hidden = literal(&value.marked(Marks::SENSITIVE));
        assert_eq!(hidden, "(sensitive value)");
    }
}

#[test]
fn canonical_text_parses_to_itself() {
    for text in [
        "1 + 2 * -3",
        "a ? b.c[0] : d[*].e",
        "\"x${a}%{ for k, v in m }${k}%{ endfor }\"",
        "{ \"a b\" = [1], (c) = 2 }",
        "f::g(a, [for x in y : x if z]...)",
        "{for k, v in m : k => v...}",
        "!(a && b || c == d)",
        "\"$${x} \\\" \\n\"",
    ] {
        let once = canonical(&parsed(text));
        assert_eq!(canonical(&parsed(&once)), once, "{text}");
    }
}

#[test]
fn types_are_parsed_as_they_are_printed() {
    for text in [
        "any",
        "bool",
        "number",
        "string",
        "list(string)",
        "set(number)",
        "map(any)",
        "list(list(map(bool)))",
        "tuple([string, number])",
        "object({a = string, b = optional(number), c = optional(list(string), [\"x\"])})",
        "object({})",
        "tuple([])",
    ] {
        assert_eq!(parse_type(&parsed(text)).expect("a type").to_string(), text);
    }
    let quoted = parsed("\"list(string)\"");
    assert_eq!(parse_quoted_type(&quoted).expect("a type").to_string(), "list(string)");
}

#[test]
fn what_is_no_type_is_explained() {
    let found: String = [
        "strng",
        "list",
        "object",
        "tuple(string)",
        "list(string, number)",
        "\"string\"",
        "optional(string)",
        "string(1)",
        "1",
        "object([string])",
        "object({ a = optional(number, \"x\") })",
        "object({ a = optional() })",
        "lst(string)",
        "object({ a = optional(string, var.x) })",
    ]
    .iter()
    .map(|text| {
        let found: Diagnostics = parse_type(&parsed(text)).expect_err("no type");
        render(&found, Style::default())
    })
    .collect();
    insta::assert_snapshot!(found, @r#"
    error[unknown-type]: unknown type `strng`
     --> test.hcl:1:1
      |
    1 | strng
      | ^^^^^ not a type
      |
      = help: did you mean `string`?

    error[invalid-type]: `list` needs the type of its elements
     --> test.hcl:1:1
      |
    1 | list
      | ^^^^ not a type
      |
      = help: write `list(string)`, or `list(any)`

    error[invalid-type]: `object` needs its attributes
     --> test.hcl:1:1
      |
    1 | object
      | ^^^^^^ not a type
      |
      = help: write `object({ name = string })`

    error[invalid-type]: `tuple` takes a list of types
     --> test.hcl:1:7
      |
    1 | tuple(string)
      |       ^^^^^^ not a type
      |
      = help: write `tuple([string, number])`

    error[invalid-type]: `list` takes one argument
     --> test.hcl:1:1
      |
    1 | list(string, number)
      | ^^^^^^^^^^^^^^^^^^^^ not a type

    error[invalid-type]: a type is written without quotes
     --> test.hcl:1:1
      |
    1 | "string"
      | ^^^^^^^^ not a type
      |
      = help: write `string`

    error[invalid-type]: `optional` stands only for an attribute of an object type
     --> test.hcl:1:1
      |
    1 | optional(string)
      | ^^^^^^^^^^^^^^^^ not a type
      |
      = help: write `object({ name = optional(string) })`

    error[invalid-type]: `string` takes no argument
     --> test.hcl:1:1
      |
    1 | string(1)
      | ^^^^^^^^^ not a type
      |
      = help: write `string`

    error[invalid-type]: this is not a type
     --> test.hcl:1:1
      |
    1 | 1
      | ^ not a type
      |
      = help: types are `string`, `number`, `bool`, `any`, `list(…)`, `set(…)`, `map(…)`, `object({ … })` and `tuple([ … ])`

    error[invalid-type]: `object` takes a map of names to types
     --> test.hcl:1:8
      |
    1 | object([string])
      |        ^^^^^^^^ not a type
      |
      = help: write `object({ name = string })`

    error[invalid-type]: this default does not fit `number`: "x" is not a number
     --> test.hcl:1:31
      |
    1 | object({ a = optional(number, "x") })
      |                               ^^^ not a type

    error[invalid-type]: `optional` takes a type, and a default if any
     --> test.hcl:1:14
      |
    1 | object({ a = optional() })
      |              ^^^^^^^^^^ not a type
      |
      = help: write `optional(string)` or `optional(string, "default")`

    error[unknown-type]: unknown type `lst`
     --> test.hcl:1:1
      |
    1 | lst(string)
      | ^^^ not a type
      |
      = help: did you mean `list`?

    error[invalid-type]: the default of an optional attribute is a constant
     --> test.hcl:1:31
      |
    1 | object({ a = optional(string, var.x) })
      |                               ^^^^^ not a type
    "#);
}
