//! Bodies, parse errors as people read them, and arbitrary text.

use proptest::prelude::*;

use super::*;
use crate::diagnostic::{Diagnostics, Source, Style, render};
use crate::template::syntax::{Body, ExpressionKind, TemplatePart};

fn parse(text: &str) -> (Body, Diagnostics) {
    parse_hcl(&Source::new("web.pkr.hcl", text))
}

fn errors(text: &str) -> String {
    render(&parse(text).1, Style::default()).trim_end().to_owned()
}

/// Names and spans of a body, one a line.
fn outline(body: &Body, indent: usize, text: &mut String) {
    for attribute in &body.attributes {
        let value = short(&attribute.expression.kind);
        text.push_str(&format!(
            "{:indent$}{} = {value} at {}\n",
            "", attribute.name.text, attribute.expression.span
        ));
    }
    for block in &body.blocks {
        let labels: Vec<&str> = block.labels.iter().map(|label| label.text.as_str()).collect();
        text.push_str(&format!(
            "{:indent$}{} {labels:?} at {}: {}\n",
            "",
            block.kind.text,
            block.header,
            block.header.text()
        ));
        outline(&block.body, indent + 2, text);
    }
}

fn short(kind: &ExpressionKind) -> String {
    match kind {
        ExpressionKind::Literal(value) => value.to_string(),
        ExpressionKind::Template(parts) => format!("template of {}", parts.len()),
        ExpressionKind::Tuple(all) => format!("tuple of {}", all.len()),
        other => format!("{other:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
    }
}

/// The errors of each text, after the text itself.
fn all_errors(texts: &[&str]) -> String {
    texts.iter().map(|text| format!("---- {text}\n{}\n\n", errors(text))).collect()
}

#[test]
fn strings_that_do_not_end() {
    insta::assert_snapshot!(all_errors(&[
        "a = \"open\nb = 1",
        "a = <<EOT\ntext",
        "a = \"${var.x\"\nb = 2",
        "/* never\na = 1",
        r#"a = "x"#,
        r#"a = "${""#,
    ]), @r#"
    ---- a = "open
    b = 1
    error[unterminated-string]: this string is not closed on its line
     --> web.pkr.hcl:1:5
      |
    1 | a = "open
      |     ^^^^^ no closing `"`
      |
      = help: close it with `"`; for text of several lines use `\n` or a heredoc `<<EOT`

    ---- a = <<EOT
    text
    error[unterminated-heredoc]: this heredoc never ends
     --> web.pkr.hcl:1:5
      |
    1 | a = <<EOT
      |     ^^^^^ begins here
      |
      = help: put `EOT` on a line of its own after the text

    ---- a = "${var.x"
    b = 2
    error[unclosed-bracket]: this template sequence is never closed
     --> web.pkr.hcl:1:6
      |
    1 | a = "${var.x"
      |      ^^ opened here
      |
      = help: close it with `}`, or write `$${` for a plain `${`

    ---- /* never
    a = 1
    error[unterminated-comment]: this comment never ends
     --> web.pkr.hcl:1:1
      |
    1 | /* never
      | ^^ begins here
      |
      = help: close it with `*/`

    ---- a = "x
    error[unterminated-string]: this string is not closed on its line
     --> web.pkr.hcl:1:5
      |
    1 | a = "x
      |     ^^ no closing `"`
      |
      = help: close it with `"`

    ---- a = "${"
    error[unclosed-bracket]: this template sequence is never closed
     --> web.pkr.hcl:1:6
      |
    1 | a = "${"
      |      ^^ opened here
      |
      = help: close it with `}`, or write `$${` for a plain `${`
    "#);
}

#[test]
fn spellings_of_strings() {
    insta::assert_snapshot!(all_errors(&[
        "a = 'single'",
        r#"a = "x\d""#,
        "a = “x”",
        "a = %{ if x }",
        r#"a = "%{ if x }y""#,
        r#"a = "%{ endif }""#,
        "a = <<-\"EOT\"\nx\nEOT",
        "a = <<EOT \nx\nEOT",
    ]), @r#"
    ---- a = 'single'
    error[single-quotes]: strings stand in double quotes
     --> web.pkr.hcl:1:5
      |
    1 | a = 'single'
      |     ^^^^^^^^ not a string in HCL
      |
      = help: write `"single"`

    ---- a = "x\d"
    error[invalid-escape]: `\d` is not an escape sequence
     --> web.pkr.hcl:1:7
      |
    1 | a = "x\d"
      |       ^^ not an escape sequence
      |
      = note: the escapes are `\n`, `\r`, `\t`, `\"`, `\\`, `\uNNNN` and `\UNNNNNNNN`
      = help: write `\\d` for a backslash and `d`

    ---- a = “x”
    error[invalid-character]: `“` is not a quotation mark of HCL
     --> web.pkr.hcl:1:5
      |
    1 | a = “x”
      |     ^^^ typographic quotation mark
      |
      = help: write `"x"`

    ---- a = %{ if x }
    error[syntax]: expected an expression, found `%`
     --> web.pkr.hcl:1:5
      |
    1 | a = %{ if x }
      |     ^ not expected here
      |
      = help: `${ … }` belongs inside a string; write the expression by itself

    ---- a = "%{ if x }y"
    error[unclosed-directive]: this directive has no `endif`
     --> web.pkr.hcl:1:6
      |
    1 | a = "%{ if x }y"
      |      ^^^^^ begins here
      |
      = help: close it with `%{ endif }`

    ---- a = "%{ endif }"
    error[invalid-directive]: there is no `%{ if … }` that this belongs to
     --> web.pkr.hcl:1:6
      |
    1 | a = "%{ endif }"
      |      ^^^^^^^^ not expected here
      |
      = help: directives are `%{ if … }`, `%{ else }`, `%{ endif }`, `%{ for … in … }` and `%{ endfor }`; `%%{` is a plain `%{`

    ---- a = <<-"EOT"
    x
    EOT
    error[invalid-heredoc]: a heredoc needs a marker, such as `<<EOT`
     --> web.pkr.hcl:1:5
      |
    1 | a = <<-"EOT"
      |     ^^^ begins here
      |
      = help: write the marker without quotes

    ---- a = <<EOT 
    x
    EOT
    error[invalid-heredoc]: the text of a heredoc begins on the next line
     --> web.pkr.hcl:1:5
      |
    1 | a = <<EOT 
      |     ^^^^^ begins here
      |
      = help: put nothing after the marker, not even a blank
    "#);
}

#[test]
fn brackets() {
    insta::assert_snapshot!(all_errors(&[
        "source \"x\" \"y\" {\n  a = 1\n\nbuild {\n  b = 2\n}",
        "source \"x\" \"y\" {\n  a = [1, 2\n}",
        "a = upper(\"x\"\nb = 2",
        "}",
        "a = foo[",
        "a = ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))",
        "source \"x\" \"y\" {\n  tags = {\n    a = 1\n  \n  b = 2\n}",
        "a = {\n  b = 1\n]",
        "a = [",
        "source \"amazon-ebs\" \"x\" {\n  ami_name = \"a\"\n  tags {\n    Name = \"x\"\n  }}\nbuild {}",
    ]), @r#"
    ---- source "x" "y" {
      a = 1

    build {
      b = 2
    }
    error[unclosed-bracket]: `{` is never closed
     --> web.pkr.hcl:1:16
      |
    1 | source "x" "y" {
      |                ^ opened here
      |
      = help: close it with `}`

    ---- source "x" "y" {
      a = [1, 2
    }
    error[unclosed-bracket]: `[` is never closed
     --> web.pkr.hcl:2:7
      |
    2 |   a = [1, 2
      |       ^ opened here
      |
      = help: close it with `]`

    ---- a = upper("x"
    b = 2
    error[unclosed-bracket]: `(` is never closed
     --> web.pkr.hcl:1:10
      |
    1 | a = upper("x"
      |          ^ opened here
      |
      = help: close it with `)`

    ---- }
    error[unexpected-closing]: nothing is open that `}` could close
     --> web.pkr.hcl:1:1
      |
    1 | }
      | ^ not expected here
      |
      = help: remove it, or look for a bracket above that was closed too early

    ---- a = foo[
    error[unclosed-bracket]: `[` is never closed
     --> web.pkr.hcl:1:8
      |
    1 | a = foo[
      |        ^ opened here
      |
      = help: close it with `]`

    ---- a = ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))
    error[too-deep]: this is nested too deeply
     --> web.pkr.hcl:1:69
      |
    1 | a = ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))...
      |                                                                     ^ here
      |
      = note: expressions, templates and blocks nest at most 64 levels, and operators at most 128
      = help: move a part into a `local`

    ---- source "x" "y" {
      tags = {
        a = 1
      
      b = 2
    }
    error[unclosed-bracket]: `{` is never closed
     --> web.pkr.hcl:2:10
      |
    2 |   tags = {
      |          ^ opened here
      |
      = help: close it with `}`

    ---- a = {
      b = 1
    ]
    error[mismatched-bracket]: expected `}`, found `]`
     --> web.pkr.hcl:3:1
      |
    1 | a = {
      |     - opened here
    2 |   b = 1
    3 | ]
      | ^ expected `}`

    ---- a = [
    error[unclosed-bracket]: `[` is never closed
     --> web.pkr.hcl:1:5
      |
    1 | a = [
      |     ^ opened here
      |
      = help: close it with `]`

    ---- source "amazon-ebs" "x" {
      ami_name = "a"
      tags {
        Name = "x"
      }}
    build {}
    error[syntax]: expected the end of the line, found `}`
     --> web.pkr.hcl:5:4
      |
    5 |   }}
      |    ^ not expected here
      |
      = help: put the `}` on a line of its own
    "#);
}

#[test]
fn bodies() {
    insta::assert_snapshot!(all_errors(&[
        "a = 1 b = 2",
        "provisioner \"shell\" = {\n  inline = []\n}",
        "a: 1",
        "a =\nb = 1",
        "b { a = 1, c = 2 }",
        "b { a = 1; }",
        "a = 1\na = 2",
        "a.b = 1",
        "block\n{\n}",
        r#""quoted" = 1"#,
        r#"variable "x" { type = string default = "a" }"#,
        "variable x y 1 {\n}",
        "a => 1",
        "a = b = 1",
        "1a = 1",
    ]), @r#"
    ---- a = 1 b = 2
    error[syntax]: expected the end of the line, found `b`
     --> web.pkr.hcl:1:7
      |
    1 | a = 1 b = 2
      |       ^ not expected here
      |
      = help: put each argument on a line of its own

    ---- provisioner "shell" = {
      inline = []
    }
    error[syntax]: expected `{`, found `=`
     --> web.pkr.hcl:1:21
      |
    1 | provisioner "shell" = {
      |                     ^ not expected here
      |
      = help: a block has no `=`: remove it

    ---- a: 1
    error[syntax]: expected `=` or a block, found `:`
     --> web.pkr.hcl:1:2
      |
    1 | a: 1
      |  ^ not expected here
      |
      = help: set a value with `=`

    ---- a =
    b = 1
    error[syntax]: a value is missing after `=`
     --> web.pkr.hcl:1:3
      |
    1 | a =
      |   ^ not followed by a value
      |
      = help: put the value on the same line as the `=`

    ---- b { a = 1, c = 2 }
    error[syntax]: expected the end of the line, found `,`
     --> web.pkr.hcl:1:10
      |
    1 | b { a = 1, c = 2 }
      |          ^ not expected here
      |
      = help: put each argument of a block on a line of its own, without commas

    ---- b { a = 1; }
    error[syntax]: expected the end of the line, found `;`
     --> web.pkr.hcl:1:10
      |
    1 | b { a = 1; }
      |          ^ not expected here
      |
      = help: arguments end with their line: remove the `;`

    ---- a = 1
    a = 2
    error[duplicate-attribute]: `a` is set twice
     --> web.pkr.hcl:2:1
      |
    1 | a = 1
      | - first set here
    2 | a = 2
      | ^ set again here
      |
      = help: keep one of the two

    ---- a.b = 1
    error[syntax]: expected `=` or a block, found `.`
     --> web.pkr.hcl:1:2
      |
    1 | a.b = 1
      |  ^ not expected here
      |
      = help: names in a body have no dots; a map is set with `name = { … }`

    ---- block
    {
    }
    error[syntax]: expected `=` or a block, found the end of the line
     --> web.pkr.hcl:1:6
      |
    1 | block
      |      ^ not expected here
      |
      = help: a name is followed by `= value`, or by the `{` of a block on the same line

    ---- "quoted" = 1
    error[syntax]: expected the name of an argument or a block, found `"quoted"`
     --> web.pkr.hcl:1:1
      |
    1 | "quoted" = 1
      | ^^^^^^^^ in quotes
      |
      = help: names of arguments are written without quotes: `quoted`

    ---- variable "x" { type = string default = "a" }
    error[syntax]: expected the end of the line, found `default`
     --> web.pkr.hcl:1:30
      |
    1 | variable "x" { type = string default = "a" }
      |                              ^^^^^^^ not expected here
      |
      = help: put each argument on a line of its own

    ---- variable x y 1 {
    }
    error[syntax]: expected `{`, found `1`
     --> web.pkr.hcl:1:14
      |
    1 | variable x y 1 {
      |              ^ not expected here
      |
      = help: a label that begins with a digit stands in quotes

    ---- a => 1
    error[syntax]: expected `=` or a block, found `=>`
     --> web.pkr.hcl:1:3
      |
    1 | a => 1
      |   ^^ not expected here
      |
      = help: set a value with `=`

    ---- a = b = 1
    error[syntax]: expected the end of the line, found `=`
     --> web.pkr.hcl:1:7
      |
    1 | a = b = 1
      |       ^ not expected here
      |
      = help: a name holds letters, digits, `_` and `-`

    ---- 1a = 1
    error[syntax]: expected the name of an argument or a block, found `1`
     --> web.pkr.hcl:1:1
      |
    1 | 1a = 1
      | ^ not expected here
      |
      = help: a name begins with a letter or `_`
    "#);
}

#[test]
fn several_at_once() {
    insta::assert_snapshot!(all_errors(&[
        "locals {\n  a = 1\n  b = \"x\n  c = 2\n}\nvariable \"v\" {\n  type = string\n  default = \n}\nsource \"a\" \"b\" {\n  x == 1\n}",
    ]), @r#"
    ---- locals {
      a = 1
      b = "x
      c = 2
    }
    variable "v" {
      type = string
      default = 
    }
    source "a" "b" {
      x == 1
    }
    error[unterminated-string]: this string is not closed on its line
     --> web.pkr.hcl:3:7
      |
    3 |   b = "x
      |       ^^ no closing `"`
      |
      = help: close it with `"`; for text of several lines use `\n` or a heredoc `<<EOT`

    error[syntax]: a value is missing after `=`
     --> web.pkr.hcl:8:11
      |
    8 |   default = 
      |           ^ not followed by a value
      |
      = help: put the value on the same line as the `=`

    error[syntax]: expected `=` or a block, found `==`
      --> web.pkr.hcl:11:5
       |
    11 |   x == 1
       |     ^^ not expected here
       |
       = help: set a value with one `=`
    "#);
}

#[test]
fn expressions() {
    insta::assert_snapshot!(all_errors(&[
        "a = [1 2]",
        "a = { b = 1 c = 2 }",
        "a = { b 1 }",
        "a = ${var.x}",
        "a = true ? 1",
        "a = 1 +",
        "a = [for x in y]",
        "a = [for x y: z]",
        "a = 1 & 2",
        "a = foo.",
        "a = f(1,,2)",
        "a = 1e99999999999",
        r#"a = "x" "y""#,
        "a = if x",
        "inline = [\n  \"a\"\n  \"b\"\n]",
        "a = {\n  \"b\": 1,\n  \"c\"\n}",
        "a = not x",
        "a = x == y ? : 1",
        "a = -",
    ]), @r#"
    ---- a = [1 2]
    error[syntax]: expected `,` or `]`, found `2`
     --> web.pkr.hcl:1:8
      |
    1 | a = [1 2]
      |        ^ not expected here
      |
      = help: elements of a list are separated by commas

    ---- a = { b = 1 c = 2 }
    error[syntax]: expected `,`, a new line or `}` after the item, found `c`
     --> web.pkr.hcl:1:13
      |
    1 | a = { b = 1 c = 2 }
      |             ^ not expected here
      |
      = help: items of an object are separated by commas or line ends

    ---- a = { b 1 }
    error[syntax]: expected `=` or `:` after the key, found `1`
     --> web.pkr.hcl:1:9
      |
    1 | a = { b 1 }
      |         ^ not expected here
      |
      = help: a key of an object is followed by `=` or `:`

    ---- a = ${var.x}
    error[syntax]: expected an expression, found `$`
     --> web.pkr.hcl:1:5
      |
    1 | a = ${var.x}
      |     ^ not expected here
      |
      = help: `${ … }` belongs inside a string; write the expression by itself

    ---- a = true ? 1
    error[syntax]: expected `:`, found the end of the text
     --> web.pkr.hcl:1:13
      |
    1 | a = true ? 1
      |             ^ not expected here
      |
      = help: a conditional is written `condition ? value : other`

    ---- a = 1 +
    error[syntax]: a value is missing after `+`
     --> web.pkr.hcl:1:7
      |
    1 | a = 1 +
      |       ^ not followed by a value

    ---- a = [for x in y]
    error[syntax]: expected `:`, found `]`
     --> web.pkr.hcl:1:16
      |
    1 | a = [for x in y]
      |                ^ not expected here
      |
      = help: a `for` expression is written `[for x in list : value]` or `{for k, v in map : key => value}`

    ---- a = [for x y: z]
    error[syntax]: expected `in`, found `y`
     --> web.pkr.hcl:1:12
      |
    1 | a = [for x y: z]
      |            ^ not expected here
      |
      = help: elements are named by `for x in list` or `for k, v in map`

    ---- a = 1 & 2
    error[syntax]: there is no operator `&`
     --> web.pkr.hcl:1:7
      |
    1 | a = 1 & 2
      |       ^ not an operator
      |
      = help: the operator is `&&`

    ---- a = foo.
    error[syntax]: a name is missing after `.`
     --> web.pkr.hcl:1:8
      |
    1 | a = foo.
      |        ^ not followed by a name

    ---- a = f(1,,2)
    error[syntax]: expected an expression, found `,`
     --> web.pkr.hcl:1:9
      |
    1 | a = f(1,,2)
      |         ^ not expected here
      |
      = help: remove the comma, or put a value in front of it

    ---- a = 1e99999999999
    error[number-range]: this number is out of range
     --> web.pkr.hcl:1:5
      |
    1 | a = 1e99999999999
      |     ^^^^^^^^^^^^^ too large or too small
      |
      = note: numbers lie within 10^±4096 and have at most 5000 digits

    ---- a = "x" "y"
    error[syntax]: expected the end of the line, found `"`
     --> web.pkr.hcl:1:9
      |
    1 | a = "x" "y"
      |         ^ not expected here
      |
      = help: put each argument on a line of its own

    ---- a = if x
    error[syntax]: expected the end of the line, found `x`
     --> web.pkr.hcl:1:8
      |
    1 | a = if x
      |        ^ not expected here
      |
      = help: text stands in double quotes, and each argument on a line of its own

    ---- inline = [
      "a"
      "b"
    ]
    error[syntax]: expected `,` or `]`, found `"`
     --> web.pkr.hcl:3:3
      |
    3 |   "b"
      |   ^ not expected here
      |
      = help: elements of a list are separated by commas

    ---- a = {
      "b": 1,
      "c"
    }
    error[syntax]: expected `=` or `:` after the key, found the end of the line
     --> web.pkr.hcl:3:6
      |
    3 |   "c"
      |      ^ not expected here
      |
      = help: an item is written `key = value`

    ---- a = not x
    error[syntax]: expected the end of the line, found `x`
     --> web.pkr.hcl:1:9
      |
    1 | a = not x
      |         ^ not expected here
      |
      = help: the operator is `!`

    ---- a = x == y ? : 1
    error[syntax]: expected an expression, found `:`
     --> web.pkr.hcl:1:14
      |
    1 | a = x == y ? : 1
      |              ^ not expected here

    ---- a = -
    error[syntax]: a value is missing after `-`
     --> web.pkr.hcl:1:5
      |
    1 | a = -
      |     ^ not followed by a value
    "#);
}

#[test]
fn bodies_keep_order_labels_and_places() {
    let (body, found) = parse(
        "a = 1\n\nsource \"amazon-ebs\" web {\n  # note\n  b = \"x${1}\"\n  nested { c = [1] }\n}\nbuild {\n}\nempty {}\n",
    );
    assert!(found.is_empty(), "{found:?}");
    let mut text = String::new();
    outline(&body, 0, &mut text);
    insta::assert_snapshot!(text, @r#"
    a = 1 at web.pkr.hcl:1:5
    source ["amazon-ebs", "web"] at web.pkr.hcl:3:1: source "amazon-ebs" web
      b = template of 2 at web.pkr.hcl:5:7
      nested [] at web.pkr.hcl:6:3: nested
        c = tuple of 1 at web.pkr.hcl:6:16
    build [] at web.pkr.hcl:8:1: build
    empty [] at web.pkr.hcl:10:1: empty
    "#);
}

#[test]
fn line_ends_and_marks_of_windows_change_nothing() {
    let unix = "a = 1\nb \"c\" {\n  d = [\n    1,\n    2\n  ]\n}\n";
    let windows = format!("\u{feff}{}", unix.replace('\n', "\r\n"));
    let (one, found) = parse(unix);
    assert!(found.is_empty());
    let (other, found) = parse(&windows);
    assert!(found.is_empty(), "{}", errors(&windows));
    let names = |body: &Body| {
        let attributes: Vec<String> =
            body.attributes.iter().map(|one| one.name.text.clone()).collect();
        (
            attributes,
            body.blocks.len(),
            body.blocks.iter().map(|one| one.body.attributes.len()).sum::<usize>(),
        )
    };
    assert_eq!(names(&one), names(&other));
}

#[test]
fn what_is_right_is_there_in_spite_of_errors() {
    let (body, found) = parse("a = 1\nb = = 2\nc = 3\nd \"e\" {\n  f = [1 2]\n}\ng {\n}\n");
    assert_eq!(found.len(), 2);
    let names: Vec<&str> = body.attributes.iter().map(|one| one.name.text.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(body.blocks.len(), 2);
}

#[test]
fn repeated_attributes_are_all_reported() {
    let (_, found) = parse("a = 1\na = 2\nb { }\nc {\n  a = 1\n  a = 2\n  a = 3\n}\n");
    assert_eq!(found.len(), 3);
}

#[test]
fn a_part_of_a_text_is_parsed_in_its_place() {
    let source = Source::new("vars", "x=[1, foo]");
    let expression = parse_expression(&source, Some(2..10)).expect("parses");
    let ExpressionKind::Tuple(all) = &expression.kind else { panic!("no tuple: {expression:?}") };
    assert_eq!(all.get(1).map(|one| one.span.range()), Some(6..9));
}

#[test]
fn decoded_text_points_into_its_source() {
    // `a\n${x}` in a JSON string: the `n` of the escape is one byte of the text.
    let source = Source::new("t.json", r#""a\n${x}""#);
    let offsets = vec![1, 2, 4, 5, 6, 7, 8];
    let expression = parse_decoded_template("a\n${x}", &source, offsets).expect("parses");
    let ExpressionKind::Template(parts) = &expression.kind else { panic!("no template") };
    let Some(TemplatePart::Interpolation(inner)) = parts.get(1) else { panic!("no interpolation") };
    assert_eq!(inner.span.text(), "x");
}

/// Text that looks like HCL now and then.
fn hcl_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a"),
        Just("b = "),
        Just("1"),
        Just("1e9"),
        Just("\""),
        Just("${"),
        Just("%{"),
        Just("}"),
        Just("{"),
        Just("["),
        Just("]"),
        Just("("),
        Just(")"),
        Just("\n"),
        Just("\r\n"),
        Just("<<EOT\n"),
        Just("<<-E\n"),
        Just("EOT"),
        Just("E\n"),
        Just("for x in "),
        Just("for = "),
        Just(" : "),
        Just("=>"),
        Just("?"),
        Just("..."),
        Just(".*"),
        Just("[*]"),
        Just(".0"),
        Just("if "),
        Just("else"),
        Just("endif"),
        Just("endfor"),
        Just("~"),
        Just("#"),
        Just("//"),
        Just("/*"),
        Just("*/"),
        Just("\\n"),
        Just("\\u00e9"),
        Just("\\"),
        Just("'"),
        Just(","),
        Just("&&"),
        Just("-"),
        Just("!"),
        Just("=="),
        Just("é"),
        Just("\u{feff}"),
        Just("$${"),
        Just("null"),
        Just(" "),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn survives(text: &str) {
    let source = Source::new("any", text);
    let (body, found) = parse_hcl(&source);
    render(&found, Style::default());
    assert!(body.span.range().end <= text.len());
    for result in [parse_expression(&source, None), parse_template(&source)] {
        match result {
            Ok(expression) => {
                crate::template::evaluate::canonical(&expression);
            }
            Err(found) => {
                assert!(found.has_errors());
                render(&found, Style::default());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_panic(text in hcl_like()) {
        survives(&text);
    }

    #[test]
    fn no_characters_make_the_parser_panic(text in "\\PC{0,40}") {
        survives(&text);
    }

    #[test]
    fn strings_come_back_as_they_were_quoted(text in "\\PC{0,30}") {
        let source = Source::new("any", crate::value::quote(&text));
        let expression = parse_expression(&source, None).expect("a string");
        let ExpressionKind::Literal(value) = &expression.kind else { panic!("no literal: {expression:?}") };
        let expected = crate::value::Value::string(&text);
        prop_assert_eq!(value, &expected);
    }
}

#[test]
fn depth_is_bounded_in_every_way_of_nesting() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("{a=", "}"),
        ("\"${", "}\""),
        ("-", ""),
        ("!", ""),
        ("f(", ")"),
        ("x ? 1 : ", ""),
        ("[for x in ", ":1]"),
        ("x[", "]"),
    ] {
        let text = format!("{}1{}", open.repeat(3000), close.repeat(3000));
        survives(&text);
        survives(&format!("a = {text}\n"));
    }
    survives(&format!("{}{}", "a {\n".repeat(3000), "}\n".repeat(3000)));
    survives(&format!("a = 1{}\n", " + 1".repeat(3000)));
    survives(&format!("a = x{}\n", ".a".repeat(3000)));
    survives(&format!("{}{}", "%{if true}".repeat(3000), "%{endif}".repeat(3000)));
}
