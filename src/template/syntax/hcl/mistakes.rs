//! Several mistakes in one text: each is told once, where it is, with what to write.

use super::parse_hcl;
use crate::diagnostic::{Source, Style, render};

/// The errors of a text as people read them.
fn told(text: &str) -> String {
    let (_, found) = parse_hcl(&Source::new("web.pkr.hcl", text));
    render(&found, Style::default()).trim_end().to_owned()
}

/// Line, code and summary of each error: for texts where the rest is told elsewhere.
fn brief(text: &str) -> String {
    let (_, found) = parse_hcl(&Source::new("t", text));
    let lines: Vec<String> = found
        .iter()
        .map(|one| {
            let at = one.primary.as_ref().map(|label| label.span.to_string()).unwrap_or_default();
            let help = one.help.first().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{at} {}{help}", one.summary)
        })
        .collect();
    lines.join("\n")
}

#[test]
fn of_one_block() {
    insta::assert_snapshot!(told(
        r#"source "amazon-ebs" "web" {
  ami_name = "web
  instance_type: "t3.micro"
  "region" = "eu-west-1"
  ssh_username 'admin'
  subnet_id = = "x"
  tags = {
    Name "web"
    Team: 
    Cost = 5
  }
  owners = ["a" "b"]
  a = 1; b = 2
  c = 3,
  launch_block_device_mappings = {
    device_name = “/dev/sda1”
  }
  d.e = 1
  f == 2
  metadata_options
  {
    http_tokens = `required`
  }
  g =
  h = 1 i = 2
  // all right
  j = x ? 1
}
"#
    ), @r#"
    error[unterminated-string]: this string is not closed on its line
     --> web.pkr.hcl:2:14
      |
    2 |   ami_name = "web
      |              ^^^^ no closing `"`
      |
      = help: close it with `"`; for text of several lines use `\n` or a heredoc `<<EOT`

    error[syntax]: expected `=` or a block, found `:`
     --> web.pkr.hcl:3:16
      |
    3 |   instance_type: "t3.micro"
      |                ^ not expected here
      |
      = help: set a value with `=`

    error[syntax]: expected the name of an argument or a block, found `"region"`
     --> web.pkr.hcl:4:3
      |
    4 |   "region" = "eu-west-1"
      |   ^^^^^^^^ in quotes
      |
      = help: names of arguments are written without quotes: `region`

    error[single-quotes]: strings stand in double quotes
     --> web.pkr.hcl:5:16
      |
    5 |   ssh_username 'admin'
      |                ^^^^^^^ not a string in HCL
      |
      = help: write `"admin"`

    error[syntax]: expected an expression, found `=`
     --> web.pkr.hcl:6:15
      |
    6 |   subnet_id = = "x"
      |               ^ not expected here
      |
      = help: set a value with one `=`

    error[syntax]: expected `=` or `:` after the key, found `"`
     --> web.pkr.hcl:8:10
      |
    8 |     Name "web"
      |          ^ not expected here
      |
      = help: a key of an object is followed by `=` or `:`

    error[syntax]: a value is missing after `:`
     --> web.pkr.hcl:9:9
      |
    9 |     Team: 
      |         ^ not followed by a value
      |
      = help: put the value on the same line as the `:`

    error[syntax]: expected `,` or `]`, found `"`
      --> web.pkr.hcl:12:17
       |
    12 |   owners = ["a" "b"]
       |                 ^ not expected here
       |
       = help: elements of a list are separated by commas

    error[syntax]: expected the end of the line, found `;`
      --> web.pkr.hcl:13:8
       |
    13 |   a = 1; b = 2
       |        ^ not expected here
       |
       = help: arguments end with their line: remove the `;`

    error[syntax]: expected the end of the line, found `,`
      --> web.pkr.hcl:14:8
       |
    14 |   c = 3,
       |        ^ not expected here
       |
       = help: arguments are not separated by commas: put each on a line of its own

    error[invalid-character]: `“` is not a quotation mark of HCL
      --> web.pkr.hcl:16:19
       |
    16 |     device_name = “/dev/sda1”
       |                   ^^^^^^^^^^^ typographic quotation mark
       |
       = help: write `"/dev/sda1"`

    error[syntax]: expected `=` or a block, found `.`
      --> web.pkr.hcl:18:4
       |
    18 |   d.e = 1
       |    ^ not expected here
       |
       = help: names in a body have no dots; a map is set with `name = { … }`

    error[syntax]: expected `=` or a block, found `==`
      --> web.pkr.hcl:19:5
       |
    19 |   f == 2
       |     ^^ not expected here
       |
       = help: set a value with one `=`

    error[syntax]: expected `=` or a block, found the end of the line
      --> web.pkr.hcl:20:19
       |
    20 |   metadata_options
       |                   ^ not expected here
       |
       = help: a name is followed by `= value`, or by the `{` of a block on the same line

    error[back-quotes]: strings stand in double quotes
      --> web.pkr.hcl:22:19
       |
    22 |     http_tokens = `required`
       |                   ^^^^^^^^^^ not a string in HCL
       |
       = help: write `"required"`

    error[syntax]: a value is missing after `=`
      --> web.pkr.hcl:24:5
       |
    24 |   g =
       |     ^ not followed by a value
       |
       = help: put the value on the same line as the `=`

    error[syntax]: expected the end of the line, found `i`
      --> web.pkr.hcl:25:9
       |
    25 |   h = 1 i = 2
       |         ^ not expected here
       |
       = help: put each argument on a line of its own

    error[syntax]: expected `:`, found the end of the line
      --> web.pkr.hcl:27:12
       |
    27 |   j = x ? 1
       |            ^ not expected here
       |
       = help: a conditional is written `condition ? value : other`
    "#);
}

#[test]
fn of_brackets() {
    insta::assert_snapshot!(brief("source \"a\" \"b\" {\n  inline = [\n    \"x\",\n    \"y\"\n  name = \"z\"\n  tags = {\n    a = 1\n  b = 2\n}\n\nbuild {\n  c = upper(\"x\"\n  d = [1, 2)\n  e = foo[0\n}\n"), @"
    t:2:12 `[` is never closed (close it with `]`)
    t:6:10 `{` is never closed (close it with `}`)
    t:12:12 `(` is never closed (close it with `)`)
    t:13:12 expected `]`, found `)`
    t:14:10 `[` is never closed (close it with `]`)
    ");
    insta::assert_snapshot!(brief("source \"a\" \"b\" {\n  a = 1\n\nbuild {\n  b = 2\n}\n\nlocals {\n  c = 3 +\n}\n"), @"
    t:1:16 `{` is never closed (close it with `}`)
    t:9:9 a value is missing after `+` (put the value on the same line, or the whole expression in parentheses)
    ");
    insta::assert_snapshot!(brief("a {\n  b = 1\n}\n}\nc {\n  d = \n}\n"), @"
    t:4:1 nothing is open that `}` could close (remove it, or look for a bracket above that was closed too early)
    t:6:5 a value is missing after `=` (put the value on the same line as the `=`)
    ");
    insta::assert_snapshot!(brief("a {\nb = {\nc = 1\n}\nd = = 2\n"), @"
    t:1:3 `{` is never closed (close it with `}`)
    t:5:5 expected an expression, found `=` (set a value with one `=`)
    ");
    insta::assert_snapshot!(brief("a {\n  b = {\n    c = [\n      1\n"), @"
    t:1:3 `{` is never closed (close it with `}`)
    t:2:7 `{` is never closed (close it with `}`)
    t:3:9 `[` is never closed (close it with `]`)
    ");
    insta::assert_snapshot!(brief("a {\n  b = {\n    c = 1\n  ]\n  d = \n}\n"), @"
    t:4:3 expected `}`, found `]`
    t:5:5 a value is missing after `=` (put the value on the same line as the `=`)
    ");
    insta::assert_snapshot!(brief("a {\n  b = (1 +\n    2\n  c = 3 3\n}\n"), @"
    t:2:7 `(` is never closed (close it with `)`)
    t:4:9 expected the end of the line, found `3`
    ");
    insta::assert_snapshot!(brief("build \"x\" {\n  provisioner \"shell\" {\n    inline = [\"a\"]\n\n  provisioner \"shell\" {\n    inline = [\"b\"]\n  }\n}\n"), @"t:2:23 `{` is never closed (close it with `}`)");
}

#[test]
fn of_strings() {
    insta::assert_snapshot!(brief("a {\n  b = \"x\n  c = \"${var.x\"\n  d = upper(\"${x\")\n  e = foo(\"y, 1)\n  f = \"x\" y\"\n  g = \"\\d \\u12 ${1 +}\"\n  h = \"a ${ } b\"\n  i = 'x'\n  j = “x”\n  k = `x`\n  l = ‘x\n  m = \"${[1, 2}\"\n}\n"), @r#"
    t:2:7 this string is not closed on its line (close it with `"`; for text of several lines use `\n` or a heredoc `<<EOT`)
    t:3:8 this template sequence is never closed (close it with `}`, or write `$${` for a plain `${`)
    t:4:14 this template sequence is never closed (close it with `}`, or write `$${` for a plain `${`)
    t:5:11 this string is not closed on its line (close it with `"`; for text of several lines use `\n` or a heredoc `<<EOT`)
    t:6:12 this string is not closed on its line (close it with `"`; for text of several lines use `\n` or a heredoc `<<EOT`)
    t:7:8 `\d` is not an escape sequence (write `\\d` for a backslash and `d`)
    t:7:11 `\u12` is not an escape sequence (`\u` is followed by the 4 hexadecimal digits of a character)
    t:7:20 a value is missing after `+`
    t:8:10 expected an expression, found `}` (write an expression between the braces, or `$${` for a plain `${`)
    t:9:7 strings stand in double quotes (write `"x"`)
    t:10:7 `“` is not a quotation mark of HCL (write `"x"`)
    t:11:7 strings stand in double quotes (write `"x"`)
    t:12:7 `‘` is not a quotation mark of HCL (write a plain `"` before and after the text)
    t:13:10 `[` is never closed (close it with `]`)
    "#);
    insta::assert_snapshot!(brief("source \"a\" \"b {\n  c = = 1\n}\nd = 1 +\n"), @r#"
    t:1:12 this string is not closed on its line (close it with `"`)
    t:2:7 expected an expression, found `=` (set a value with one `=`)
    t:4:7 a value is missing after `+` (put the value on the same line, or the whole expression in parentheses)
    "#);
    insta::assert_snapshot!(brief("a = [<<A\nx\nA, 1]\nb = 1 2\nc = foo(<<-E\n  y\n  E)\nd = <<\"EOT\"\n x\nEOT\ne = <<X y\nz\nX\nf = = 1\ng = <<\nh = 1 << 2\ni = <<NEVER\nnever\n"), @"
    t:1:6 this heredoc never ends (put `A` on a line of its own after the text)
    t:4:7 expected the end of the line, found `2`
    t:5:9 this heredoc never ends (put `E` on a line of its own after the text)
    t:8:5 a heredoc needs a marker, such as `<<EOT` (write the marker without quotes)
    t:11:5 the text of a heredoc begins on the next line (put nothing after the marker, not even a blank)
    t:14:5 expected an expression, found `=` (set a value with one `=`)
    t:15:5 a heredoc needs a marker, such as `<<EOT`
    t:16:7 a heredoc needs a marker, such as `<<EOT`
    t:17:5 this heredoc never ends (put `NEVER` on a line of its own after the text)
    ");
    insta::assert_snapshot!(brief("a = <<EOT\n${ x\nEOT\nb = = 1\n"), @"t:2:1 this template sequence is never closed (close it with `}`, or write `$${` for a plain `${`)");
    insta::assert_snapshot!(brief("a = \"%{ if x }y\"\nb = \"%{ endif }\"\nc = \"%{ if x }%{ else }%{ else }%{ endif }\"\nd = \"%{ for x y }%{ endfor }\"\ne = \"%{ while x }\"\nf = \"%{ }\"\n"), @"
    t:1:6 this directive has no `endif` (close it with `%{ endif }`)
    t:2:6 there is no `%{ if … }` that this belongs to (directives are `%{ if … }`, `%{ else }`, `%{ endif }`, `%{ for … in … }` and `%{ endfor }`; `%%{` is a plain `%{`)
    t:3:24 there is an `else` already (directives are `%{ if … }`, `%{ else }`, `%{ endif }`, `%{ for … in … }` and `%{ endfor }`; `%%{` is a plain `%{`)
    t:4:15 expected `in`, found `y` (elements are named by `for x in list` or `for k, v in map`)
    t:5:6 this is not a template directive (directives are `%{ if … }`, `%{ else }`, `%{ endif }`, `%{ for … in … }` and `%{ endfor }`; `%%{` is a plain `%{`)
    t:6:6 this is not a template directive (directives are `%{ if … }`, `%{ else }`, `%{ endif }`, `%{ for … in … }` and `%{ endfor }`; `%%{` is a plain `%{`)
    ");
}

#[test]
fn of_characters() {
    insta::assert_snapshot!(brief("a\u{a0}= 1\nb = \u{200b}2\nc = 3\u{feff}\nd = 1\0\ne = 4\rf = 5\n@g = 6\nh = $i\nj = k\\l\nm = ~n\n# a comment — with “all”\u{a0}kinds\n/* and ' \" ${ */\n\to\t=\t7\n"), @r"
    t:1:2 U+00A0 is a blank that HCL does not know (replace it with a space)
    t:2:5 U+200B is a character that cannot be seen (remove it)
    t:3:6 U+FEFF is a character that cannot be seen (remove it)
    t:4:6 there is a NUL character here (remove it; save the file as UTF-8 if it is in another encoding)
    t:5:6 a carriage return is no line end of HCL (end lines with a line feed)
    t:6:1 expected the name of an argument or a block, found `@`
    t:7:5 expected an expression, found `$` (names have no `$` in front)
    t:8:6 expected the end of the line, found `\`
    t:9:5 expected an expression, found `~`
    ");
}

#[test]
fn of_items() {
    insta::assert_snapshot!(brief("a\nb \"c\"\nd = {\n  e\n  f = 1 g = 2\n  h => 3\n  i =\n  j.k = 4\n}\nl { m = 1, n = 2 }\no { p = 1; }\nq { r { s = 1 } }\nt { u = 1\n  v = 2\n}\nw {\n  x = 1 }\ny \"z\" = {\n  aa = 1\n}\nbb \"${cc}\" {\n}\ndd 1 {\n}\nee.ff {\n}\n\"gg\" \"hh\" {\n}\nii \"jj\"\n{\n}\nkk =\nll = [\n  1,,\n  2 3,\n  ,\n]\n- mm\n{ nn = 1 }\n"), @r#"
    t:1:2 expected `=` or a block, found the end of the line (a name is followed by `= value`, or by the `{` of a block on the same line)
    t:2:6 expected `{`, found the end of the line (to set `b`, write `b = …`; the `{` of a block stands on the same line)
    t:4:4 expected `=` or `:` after the key, found the end of the line (an item is written `key = value`)
    t:5:9 expected `,`, a new line or `}` after the item, found `g` (items of an object are separated by commas or line ends)
    t:6:5 expected `=` or `:` after the key, found `=>` (a key of an object is followed by `=` or `:`)
    t:7:5 a value is missing after `=` (put the value on the same line as the `=`)
    t:8:3 this key could be a reference or a name (write `(j.k)` for the value of the reference, or `"j.k"` for the name)
    t:10:10 expected the end of the line, found `,` (put each argument of a block on a line of its own, without commas)
    t:11:10 expected the end of the line, found `;` (arguments end with their line: remove the `;`)
    t:12:5 a block on one line holds no other block (put the inner block on lines of its own)
    t:13:10 expected `}`, found the end of the line (begin the line after the `{` with the argument, or end the block on its line)
    t:17:9 expected the end of the line, found `}` (put the `}` on a line of its own)
    t:18:7 expected `{`, found `=` (a block has no `=`: remove it)
    t:21:5 a label cannot have a template sequence (write the label out; `$${` is a plain `${`)
    t:23:4 expected `=` or a block, found `1` (set a value with `=`; a label that is no name stands in quotes)
    t:25:3 expected `=` or a block, found `.` (names in a body have no dots; a map is set with `name = { … }`)
    t:27:1 expected the name of an argument or a block, found `"gg"` (names of arguments are written without quotes: `gg`)
    t:29:8 expected `{`, found the end of the line (the `{` of a block stands on the line of its type)
    t:32:4 a value is missing after `=` (put the value on the same line as the `=`)
    t:34:5 expected an expression, found `,` (remove the comma, or put a value in front of it)
    t:35:5 expected `,` or `]`, found `3` (elements of a list are separated by commas)
    t:36:3 expected an expression, found `,` (remove the comma, or put a value in front of it)
    t:38:1 expected the name of an argument or a block, found `-` (a comment begins with `#` or `//`)
    t:39:1 expected the name of an argument or a block, found `{` (a body begins after the type of a block and its labels: `type "label" {`)
    "#);
}

#[test]
fn of_expressions() {
    insta::assert_snapshot!(brief("a = b c\nd = 1 + * 2\ne = (1, 2)\nf = [for x in y]\ng = [for x y : z]\nh = {for k, v in m : v}\ni = [for k, v in m : k => v]\nj = [for v in m : v...]\nk = f(1 2)\nl = f(xs..., 1)\nm = f(1,\nn = x[]\no = .5\np = +1\nq = a.b.\nr = a..b\ns = not x\nt = x and y\nu = /etc/passwd\nv = t3.micro\nw = 10GB\nx = ${y}\nz = a ? b\naa = a = b\nbb = {a = 1, b}\ncc = a::b\ndd = !\nee = 1 & 2\nff = x if y\n"), @r#"
    t:1:7 expected the end of the line, found `c` (text stands in double quotes, and each argument on a line of its own)
    t:2:9 expected an expression, found `*`
    t:3:7 expected `)`, found `,` (a list is written in square brackets: `[a, b]`)
    t:4:16 expected `:`, found `]` (a `for` expression is written `[for x in list : value]` or `{for k, v in map : key => value}`)
    t:5:12 expected `in`, found `y` (elements are named by `for x in list` or `for k, v in map`)
    t:6:23 expected `=>`, found `}` (a `for` expression is written `[for x in list : value]` or `{for k, v in map : key => value}`)
    t:7:24 expected `]`, found `=>` (a list has no keys; for an object write `{for … : key => value}`)
    t:8:20 expected `]`, found `...` (only the values of an object can be grouped: `{for … : key => value...}`)
    t:9:9 expected `,` or `)`, found `2` (arguments of a function are separated by commas)
    t:10:12 expected `)`, found `,` (only the last argument can be spread)
    t:11:6 `(` is never closed (close it with `)`)
    t:12:6 an index is missing in `[]` (write `[0]`, `["key"]`, or `[*]` for all elements)
    t:13:5 expected an expression, found `.` (a number begins with a digit: `0.5`)
    t:14:5 expected an expression, found `+` (numbers have no `+` in front)
    t:15:8 a name is missing after `.`
    t:16:6 a name is missing after `.`
    t:17:9 expected the end of the line, found `x` (the operator is `!`)
    t:18:7 expected the end of the line, found `and` (the operator is `&&`)
    t:19:5 expected an expression, found `/` (text stands in double quotes)
    t:21:7 expected the end of the line, found `GB` (text stands in double quotes, and each argument on a line of its own)
    t:22:5 expected an expression, found `$` (`${ … }` belongs inside a string; write the expression by itself)
    t:23:10 expected `:`, found the end of the line (a conditional is written `condition ? value : other`)
    t:24:8 expected the end of the line, found `=` (a name holds letters, digits, `_` and `-`)
    t:25:15 expected `=` or `:` after the key, found `}` (an item is written `key = value`)
    t:26:10 expected `(`, found the end of the line (a name with `::` is that of a function)
    t:27:6 a value is missing after `!` (put the value on the same line, or the whole expression in parentheses)
    t:28:8 there is no operator `&` (the operator is `&&`)
    t:29:8 expected the end of the line, found `if` (a conditional is written `condition ? value : other`)
    "#);
}

#[test]
fn a_text_full_of_mistakes_is_cut_short() {
    let (_, found) = parse_hcl(&Source::new("t", "a = = 1\n".repeat(5000)));
    assert_eq!(found.len(), 101);
    let last = found.iter().last().map(|one| one.summary.clone());
    assert_eq!(last.as_deref(), Some("and 4900 more errors"));
}

#[test]
fn line_ends_of_windows_change_no_error() {
    let text = "a {\n  b = = 1\n  c = \"x\n  d = [1\n}\ne = <<E\n  E,\nf: 1\n";
    let unix = brief(text);
    assert_eq!(brief(&text.replace('\n', "\r\n")), unix);
    insta::assert_snapshot!(unix, @r#"
    t:2:7 expected an expression, found `=` (set a value with one `=`)
    t:3:7 this string is not closed on its line (close it with `"`; for text of several lines use `\n` or a heredoc `<<EOT`)
    t:4:7 `[` is never closed (close it with `]`)
    t:6:5 this heredoc never ends (put `E` on a line of its own after the text)
    t:8:2 expected `=` or a block, found `:` (set a value with `=`)
    "#);
}
