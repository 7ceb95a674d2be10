use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use proptest::prelude::*;

use super::format_hcl;
use crate::diagnostic::Source;
use crate::template::syntax::layout_tokens;
use crate::template::syntax::token::{Kind, Token};

fn format(text: &str) -> String {
    format_hcl(&Source::new("test.pkr.hcl", text)).expect("parses")
}

fn arrange(text: &str) -> String {
    super::lines::arrange(&Source::new("test.pkr.hcl", text))
}

fn tokens(text: &str) -> Vec<Token> {
    layout_tokens(&Source::new("test.pkr.hcl", text))
}

/// The tokens of a text as text: what layout must not change. Blanks before the end marker of a
/// heredoc are part of that token.
fn spelled(text: &str) -> Vec<&str> {
    tokens(text).iter().filter_map(|token| text.get(token.range.clone())).collect()
}

#[track_caller]
fn assert_sound(text: &str) {
    let once = format(text);
    assert_eq!(spelled(&once), spelled(text));
    assert_eq!(format(&once), once);
    let open =
        once.lines().find(|line| line.trim().is_empty() && !line.trim_end_matches('\r').is_empty());
    assert_eq!(open, None, "a line of blanks is left");
}

#[test]
fn brackets_indent_lines() {
    assert_snapshot!(format(r#"
source "amazon-ebs" "web" {
ami_name = "a"
      tags = {
  a = 1
        }
filters = foo(bar({
x = 1
}), [
1,2
])
list = [{
x=1
}, {
y=2
}]
}
"#), @r#"

    source "amazon-ebs" "web" {
      ami_name = "a"
      tags = {
        a = 1
      }
      filters = foo(bar({
        x = 1
        }), [
        1, 2
      ])
      list = [{
        x = 1
        }, {
        y = 2
      }]
    }
    "#);
}

#[test]
fn values_of_neighbouring_lines_align() {
    assert_snapshot!(format(r#"
a=1
bbb =2
cc= [1,
2]
日本 = 3
e = 4
f {
g=1
hhh=2

i=3
# comment
jj=4
}
x = { a = 1, bb = 2 }
yyy = { a = 1
}
"#), @"

    a   = 1
    bbb = 2
    cc = [1,
    2]
    日本 = 3
    e  = 4
    f {
      g   = 1
      hhh = 2

      i = 3
      # comment
      jj = 4
    }
    x = { a = 1, bb = 2 }
    yyy = { a = 1
    }
    ");
}

#[test]
fn comments_of_neighbouring_lines_align() {
    assert_snapshot!(format(r"
a=1# one
bbb =22  // two
# alone
   # alone
c=[  # open
1,   # item
]  # closed
d = 1 /* inside */ + 2
"), @"

    a   = 1  # one
    bbb = 22 // two
    # alone
    # alone
    c = [ # open
      1,  # item
    ]     # closed
    d = 1 /* inside */ + 2
    ");
}

/// The `*` that begins a comment does not end it.
#[test]
fn comments_are_left_as_they_are() {
    assert_eq!(format("a=1 /*/ x/y */\n"), "a = 1 /*/ x/y */\n");
}

#[test]
fn operators_stand_apart_and_brackets_do_not() {
    assert_snapshot!(format(r#"
a = x==y&&! z||-1<- 2
b = 1 -1
c = foo (1,- 2, [ 3 ] [ 0 ], xs ...)
d = x?y:{ }
e = [for x in [1]: x if x>1]
f = { for k,v in m:k=>v... }
g = a . b [ 0 ] . c . * . d.0 . 1
h = x-1
"#), @"

    a = x == y && !z || -1 < -2
    b = 1 - 1
    c = foo(1, -2, [3][0], xs...)
    d = x ? y : {}
    e = [for x in [1] : x if x > 1]
    f = { for k, v in m : k => v... }
    g = a.b[0].c.*.d.0.1
    h = x-1
    ");
}

#[test]
fn only_sequences_change_in_templates() {
    assert_snapshot!(format(r#"
a = "  ${ b+1 } $${ c } %{ if x }  %{ endif }\" ${ "  ${ d }  " }"
bb = "${ {a=1} }"
c = <<-EOT
    text   ${ x }
  EOTX
      EOT
dd=1
"#), @r#"

    a  = "  ${b + 1} $${ c } %{if x}  %{endif}\" ${"  ${d}  "}"
    bb = "${ { a = 1 } }"
    c  = <<-EOT
        text   ${x}
      EOTX
          EOT
    dd = 1
    "#);
}

/// Packer's `fmt` moves everything after such a heredoc out by two levels.
#[test]
fn sequences_of_several_lines_in_heredocs_keep_the_indentation() {
    assert_snapshot!(format(r"
a {
b = <<EOT
${join(
x,
y
)}
EOT
c = 1
}
"), @"

    a {
      b = <<EOT
    ${join(
        x,
        y
      )}
    EOT
      c = 1
    }
    ");
}

#[test]
fn blank_lines_and_line_ends_stay() {
    assert_eq!(format("\n\n\na=1  \n\n\n\nb=2\n\n"), "\n\n\na = 1\n\n\n\nb = 2\n\n");
    assert_eq!(format("a=1\r\nbb=<<A\r\n x \r\nA\r\n"), "a  = 1\r\nbb = <<A\r\n x \r\nA\r\n");
    assert_eq!(format("a=1   "), "a = 1");
    assert_eq!(format(""), "");
    assert_eq!(format("  \n"), "\n");
    assert_eq!(format("\u{feff}a=1\n"), "a = 1\n");
}

#[test]
fn what_does_not_parse_is_an_error() {
    let found = format_hcl(&Source::new("test.pkr.hcl", "a = [1\n")).expect_err("is not closed");
    assert!(found.has_errors());
}

#[test]
fn tokens_are_those_of_hcl() {
    let text = "a.0.1 1.5e-3 1 .5 x-1 \"a${~ b ~}\\\"\" <<A\n$${\nA\n";
    let kinds: Vec<_> = tokens(text).iter().map(|token| token.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == Kind::Number).count(), 5);
    assert_snapshot!(spelled(text).join("|"), @r#"
    a|.|0|.|1|1.5e-3|1|.|5|x-1|"|a|${~|b|~}|\"|"|<<A
    |$${
    |A|
    "#);
}

fn templates() -> Vec<PathBuf> {
    fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).expect("directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "hcl") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    for directory in ["fixtures", "templates"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory), &mut files);
    }
    files
}

#[test]
fn fixtures_and_templates_only_change_their_layout() {
    let mut seen = 0;
    for file in templates() {
        // Templates that are wrong are fixtures, too.
        let Ok(text) = String::from_utf8(std::fs::read(&file).expect("a file")) else { continue };
        if format_hcl(&Source::new("test.pkr.hcl", text.as_str())).is_ok() {
            assert_sound(&text);
            seen += 1;
        }
    }
    assert!(seen >= 2, "only {seen} files");
}

/// An expression, with blanks where they may be.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x".to_owned()),
        Just("var.a-b".to_owned()),
        Just("12.5".to_owned()),
        Just("a.0.1".to_owned()),
        Just("\"t ${ x }  %{ if y }é%{ endif }\\\"\"".to_owned()),
        Just("\"$${ {\"".to_owned()),
        Just("{ }".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let pair = (inner.clone(), inner.clone(), "[ ]{1,2}", "[ ]{0,2}");
        prop_oneof![
            (pair.clone(), prop::sample::select(vec!["+", "-", "==", "&&", "<", "%", "/"]))
                .prop_map(|((a, b, gap, _), operator)| format!("({a}{gap}{operator}{gap}{b})")),
            (inner.clone(), "[ ]{0,2}", prop::sample::select(vec!["-", "!", "- -"]))
                .prop_map(|(a, gap, sign)| format!("({sign}{gap}{a})")),
            pair.clone().prop_map(|(a, b, _, gap)| format!("[{gap}{a}{gap},{gap}{b}{gap}]")),
            pair.clone().prop_map(|(a, b, _, gap)| format!("[\n{gap}{a},\n\n{gap}{b}\n{gap}]")),
            pair.clone().prop_map(|(a, b, _, gap)| format!("foo{gap}({gap}{a},{b}{gap})")),
            pair.clone().prop_map(|(a, b, _, gap)| format!("{{a{gap}={gap}{a}{gap},b={b}{gap}}}")),
            pair.clone()
                .prop_map(|(a, b, _, gap)| format!("{{ # c\n{gap}a={a}\n{gap}bcd{gap}:{b}\n}}")),
            pair.clone().prop_map(|(a, b, gap, _)| format!("(x{gap}?{a}:{gap}{b})")),
            pair.clone().prop_map(|(a, b, gap, _)| format!("[for x{gap}in {a}{gap}:{b} if{gap}x]")),
            pair.prop_map(|(a, b, _, gap)| {
                // Longer than those within, or the first of them would end this one.
                let marker = "E".repeat(1 + a.matches("<<-").count() + b.matches("<<-").count());
                format!("foo(<<-{marker}\n {a} ${{{gap}{b}{gap}}}\n  {marker}\n)")
            }),
            inner.prop_map(|a| format!("({a})[ 0 ] . b")),
        ]
    })
}

fn body() -> impl Strategy<Value = String> {
    let item = (expression(), "[a-z]{1,5}", "[ \t]{0,3}", "( # c[ ]?| // d| /\\* e \\*/|)")
        .prop_map(|(value, name, gap, comment)| {
            // A heredoc's marker stands alone, so that nothing follows the value's last line then.
            format!("{gap}{name}{gap}={gap}{value}{comment}\n")
        })
        .boxed();
    let line = prop_oneof![
        4 => item.clone(),
        1 => prop::collection::vec(item, 0..3)
            .prop_map(|items| format!("  b \"x\"{{\n{}  }}\n", items.concat())),
        1 => Just("   # comment  \n".to_owned()),
        1 => Just("  \n\n".to_owned()),
        1 => Just("one{ a=1 }\r\n".to_owned()),
    ];
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn layout_is_all_that_changes(text in body()) {
        // Names may be there twice, which no file may have and layout does not ask.
        let once = arrange(&text);
        prop_assert_eq!(spelled(&once), spelled(&text));
        prop_assert_eq!(arrange(&once), once);
    }

    #[test]
    fn any_text_is_survived(text in "[a-z0-9 .,=\"${}%<>A\\n\\\\~#/*()\\[\\]é-]{0,60}") {
        arrange(&text);
    }
}
