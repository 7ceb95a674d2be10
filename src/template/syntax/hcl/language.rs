//! The language, row by row: what a text means, told by its evaluation.

use super::parse_hcl;
use crate::diagnostic::{Source, Style, render};
use crate::template::evaluate::evaluate;
use crate::template::evaluate::tests::{printed, scope};
use crate::template::syntax::Body;

#[track_caller]
fn table(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(printed(text).trim_end(), *expected, "{text}");
    }
}

/// A body with the values of its attributes.
fn outline(text: &str) -> String {
    fn write(body: &Body, indent: usize, into: &mut String) {
        for attribute in &body.attributes {
            let value = match evaluate(&attribute.expression, &scope()) {
                Ok(value) => value.to_string(),
                Err(found) => render(&found, Style::default()),
            };
            *into += &format!("{:indent$}{} = {value}\n", "", attribute.name.text);
        }
        for block in &body.blocks {
            let labels: Vec<_> = block.labels.iter().map(|label| label.text.as_str()).collect();
            *into += &format!("{:indent$}{} {labels:?}\n", "", block.kind.text);
            write(&block.body, indent + 2, into);
        }
    }
    let (body, found) = parse_hcl(&Source::new("t", text));
    let mut text = render(&found, Style::default());
    write(&body, 0, &mut text);
    text
}

#[test]
fn operators_bind_as_in_hcl() {
    table(&[
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 - 4 - 3", "3"),
        ("100 / 10 / 5", "2"),
        ("7 % 4 * 2", "6"),
        ("2 * 7 % 4", "2"),
        ("-2 * -3", "6"),
        ("- - 2", "2"),
        ("1 - -1", "2"),
        ("!true || true", "true"),
        ("!(true || true)", "false"),
        ("true || false && false", "true"),
        ("(true || false) && false", "false"),
        ("1 < 2 == true", "true"),
        ("1 + 1 == 2 && 2 > 1", "true"),
        ("1 == 1 != false", "true"),
        ("false == true == false", "true"),
        ("2 >= 2 && 2 <= 2", "true"),
        ("-var.disks[0].size", "-8"),
        ("!var.enabled ? 1 : 2", "2"),
        ("true ? 1 : false ? 2 : 3", "1"),
        ("false ? 1 : false ? 2 : 3", "3"),
        ("false ? 1 : true ? 2 : 3", "2"),
        ("true ? false ? 1 : 2 : 3", "2"),
        ("1 == 1 ? 1 + 1 : 2 * 3", "2"),
        ("(\n1\n+\n2\n)", "3"),
        ("[1\n,\n2\n,\n]", "[1, 2]"),
        ("1 /* a */ + // b\n 2 # c\n", "3"),
    ]);
}

#[test]
fn numbers_are_exact() {
    table(&[
        ("1e3", "1000"),
        ("1E+3", "1000"),
        ("25e-1", "2.5"),
        ("0.1 + 0.2", "0.3"),
        ("12345678901234567890123456789", "12345678901234567890123456789"),
        ("0.000000000000000000000001", "0.000000000000000000000001"),
        ("007", "7"),
        ("1.50", "1.5"),
        ("9007199254740993", "9007199254740993"),
    ]);
}

#[test]
fn strings_resolve_escapes_and_sequences() {
    table(&[
        (r#""a\n\t\r\"\\b""#, r#""a\n\t\r\"\\b""#),
        (r#""\u00e9\U0001F600""#, "\"é😀\""),
        (r#""$${x} %%{x} $x %x $$ %%""#, r#""$${x} %%{x} $x %x $$ %%""#),
        (r#""a${"b${"c${1 + 1}"}"}d""#, "\"abc2d\""),
        (r#""${"}"}""#, "\"}\""),
        (r#""${upper("a")}-${ var.size }""#, "\"A-8\""),
        (r#""${var.size}""#, "8"),
        (r#""${var.size} ""#, "\"8 \""),
        (r#""a ${~ "b" ~} c""#, "\"abc\""),
        (r#""a ${ "b" ~} c""#, "\"a bc\""),
        (r#""%{ if var.enabled }yes%{ else }no%{ endif }""#, "\"yes\""),
        (r#""%{ if false }yes%{ endif }""#, "\"\""),
        (r#""%{ for n in var.names }<${n}>%{ endfor }""#, "\"<a><b>\""),
        (r#""%{ for i, n in var.names }${i}${n} %{ endfor ~}  !""#, "\"0a 1b !\""),
        (r#""%{ for n in var.names }%{ if n == "a" }${"${n}!"}%{ endif }%{ endfor }""#, "\"a!\""),
        ("\"${[for x in [1,\n2] :\n x * 2][1]}\"", "4"),
        ("\"${{ a = 1\n b = 2 }.b}\"", "2"),
    ]);
}

#[test]
fn heredocs_keep_or_lose_their_indentation() {
    table(&[
        ("<<E\n  a\n b\nE\n", r#""  a\n b\n""#),
        ("<<-E\n    a\n      b\n    E\n", r#""a\n  b\n""#),
        ("<<-E\n  a\n\n    b\n  E\n", r#""a\n\n  b\n""#),
        ("<<E\nE\n", r#""""#),
        ("<<-E\n  Ex\n  E", r#""Ex\n""#),
        ("<<E\n\\n $${a} %%{b} \"c\"\nE\n", r#""\\n $${a} %%{b} \"c\"\n""#),
        ("<<a-b_1\nx\na-b_1\n", r#""x\n""#),
        ("<<E\r\n a\r\n b\r\nE\r\n", r#"" a\r\n b\r\n""#),
        ("<<E\n${upper(\"x\")}y\nE\n", r#""Xy\n""#),
        ("<<E\n${<<F\nin\nF\n}out\nE\n", r#""in\nout\n""#),
        ("[<<E\na\nE\n, <<-F\n  b\n  F\n]", r#"["a\n", "b\n"]"#),
        ("upper(<<E\na\nE\n)", r#""A\n""#),
        (
            "<<-E\n  %{ for n in var.names ~}\n  - ${n}\n  %{ endfor ~}\n  end\n  E\n",
            // As Packer: a line that a strip mark joins to the one before does not lose blanks.
            r#""  - a\n  - b\n  end\n""#,
        ),
        (
            "<<-E\n    %{ if var.enabled }\n    on\n    %{ else }\n    off\n    %{ endif }\n    E\n",
            r#""\non\n\n""#,
        ),
    ]);
}

#[test]
fn references_take_every_kind_of_step() {
    table(&[
        ("var.names.0", "\"a\""),
        ("var.names[1]", "\"b\""),
        ("var.disks.0.name", "\"root\""),
        ("var.disks.*.name", r#"["root", "data"]"#),
        ("var.disks[*].name", r#"["root", "data"]"#),
        ("var.disks[ * ].size", "[8, 100]"),
        ("var.disks.*.name[1]", "\"data\""),
        ("var[\"region\"]", "\"eu-west-1\""),
        ("var.tags[\"Name\"]", "\"web\""),
        ("var.region[*]", r#"["eu-west-1"]"#),
        ("var.none[*]", "[]"),
        ("[[1, 2], [3]].0.1", "2"),
        ("[[1, 2], [3]][0][1]", "2"),
        ("{ a = [{ b = 1 }] }.a[0].b", "1"),
        ("(var\n.names\n[0])", "\"a\""),
    ]);
}

#[test]
fn collections_and_for() {
    table(&[
        ("{ a = 1, \"b\" : 2, (\"c\") = 3, 4 = 5 }", r#"{ "4" = 5, a = 1, b = 2, c = 3 }"#),
        ("{\n  a = 1\n\n  b = 2, c = 3,\n}", "{ a = 1, b = 2, c = 3 }"),
        (
            "{ true = 1, null = 2, for = 3, if = 4, in = 5 }",
            r#"{ for = 3, if = 4, in = 5, null = 2, true = 1 }"#,
        ),
        ("{ \"${upper(\"k\")}\" = 1 }", "{ K = 1 }"),
        ("{ (var.region) = 1 }", "{ eu-west-1 = 1 }"),
        ("[for x in [3, 1, 2] : x * 2 if x > 1]", "[6, 4]"),
        ("[for i, x in [\"a\"] : \"${i}${x}\"]", r#"["0a"]"#),
        ("{ for k, v in { a = 1 } : upper(k) => v + 1 }", "{ A = 2 }"),
        (
            "{\n  # a comment\n  for x in [\"a\", \"b\", \"ab\"] :\n  length(x) => x...\n}",
            r#"{ "1" = ["a", "b"], "2" = ["ab"] }"#,
        ),
        ("[]", "[]"),
        ("{}", "{}"),
        ("[1, [2, [3,],],]", "[1, [2, [3]]]"),
        ("max([1, 3, 2]...)", "3"),
        ("max(1, [3, 2]...)", "3"),
        ("upper(\n\"a\",\n)", "\"A\""),
        ("{ a = true ? 1 : 2, b = [for x in [1] : x] }", "{ a = 1, b = [1] }"),
    ]);
}

#[test]
fn bodies_of_every_form() {
    insta::assert_snapshot!(outline("\u{feff}a=1\n\n# c\n// d\n/* e\nf = 2 */ g = 3 /* h */\ni {}\nj { k = 1 }\nl \"m\" n \"o\\\"p\" {\n  q = [\n    1, # one\n    2\n  ] // end\n  r \"s\" { # t\n  }\n}\nü-1_a = \"x\"\nif = 1\nfor = 2\ntrue = 3\nu = <<E\n }\nE\nv = 4"), @r#"
    a = 1
    g = 3
    ü-1_a = "x"
    if = 1
    for = 2
    true = 3
    u = " }\n"
    v = 4
    i []
    j []
      k = 1
    l ["m", "n", "o\"p"]
      q = [1, 2]
      r ["s"]
    "#);
    insta::assert_snapshot!(outline("a {\r\n  b = 1\r\n}\r\n\r\nc = [\r\n  1,\r\n]\r\n"), @"
    c = [1]
    a []
      b = 1
    ");
    assert_eq!(outline(""), "");
    assert_eq!(outline("\n \n\t\n# only\n/* comments */\n"), "");
}

#[test]
fn labels_are_names_or_plain_strings() {
    insta::assert_snapshot!(outline("a b c {}\na \"b c\" \"\" \"d$${e}\" {}\na \"\\u00e9\" é {}\n"), @r#"
    a ["b", "c"]
    a ["b c", "", "d${e}"]
    a ["é", "é"]
    "#);
}

/// A name with a mark that combines with the letter before it is one name.
#[test]
fn names_are_those_of_unicode() {
    insta::assert_snapshot!(outline("日本 = 1\ne\u{301} = 2\n_x = 3\nx\u{b7}y = 4\nⅣ = 5\n"), @"
    日本 = 1
    é = 2
    _x = 3
    x·y = 4
    Ⅳ = 5
    ");
}
