//! The language itself. Two blanks before `=>` separate the expression from its value.

use super::{check, printed};

#[test]
fn literals_and_arithmetic() {
    check(
        r#"
1  => 1
-1.50  => -1.5
1e3  => 1000
12345678901234567890123  => 12345678901234567890123
1e30  => 1000000000000000000000000000000
0.1 + 0.2  => 0.3
1 + 2 * 3  => 7
(1 + 2) * 3  => 9
7 - 2 - 1  => 4
10 / 4  => 2.5
7 % 3  => 1
-7 % 3  => -1
5.5 % 2  => 1.5
- 3  => -3
-var.size  => -8
2 - -2  => 4
"1" + 1  => 2
1 - "0.5"  => 0.5
true  => true
!true  => false
!"false"  => true
null  => null
"a\tb\n"  => "a\tb\n"
"\u00e9\U0001F600"  => "é😀"
"$${a} %%{b} $a %b $$ %"  => "$${a} %%{b} $a %b $$ %"
""  => ""
1/3*3  => 1
1/3 + 2/3  => 1
10 / 3 * 3 == 10  => true
2 / 3 * 6 - 4  => 0
1 / 0  => error: division by zero
5 % 0  => error: division by zero
0 / 0  => error: division by zero
1e999999999  => error: this number is out of range
1e4000 * 1e4000  => error: the result is out of range
"a" + 1  => error: `+` takes numbers: "a" is not a number
null + 1  => error: `+` does not take null
[] + 1  => error: `+` takes numbers: a number is required, but this is a tuple
"x" * "y"  => error: `*` takes numbers: "x" is not a number; `*` takes numbers: "y" is not a number
"#,
    );
}

#[test]
fn comparison_and_logic() {
    check(
        r#"
1 == 1.0  => true
1 == "1"  => false
"a" != "b"  => true
null == null  => true
var.none == null  => true
[1, 2] == [1, 2]  => true
[1] == tolist([1])  => false
{ a = 1 } == { a = 1 }  => true
{ a = 1 } == { b = 1 }  => false
1 < 2  => true
"10" > 9  => true
2 >= 2  => true
3 <= 2  => false
"a" < 1  => error: `<` takes numbers: "a" is not a number
true && false  => false
true || false  => true
"true" && true  => true
false && var.nothing  => false
true || var.nothing  => true
true && var.nothing  => error: unknown variable `nothing`
1 + 1 == 2 && 2 < 3 || false  => true
!(1 == 2)  => true
1 == 2 == false  => true
null && true  => error: `&&` does not take null
1 && true  => error: `&&` takes bools: a bool is required, but this is a number
"#,
    );
}

#[test]
fn conditionals() {
    check(
        r#"
true ? 1 : 2  => 1
"true" ? 1 : 2  => 1
false ? 1 : "b"  => "b"
true ? 1 : "b"  => "1"
var.size > 4 ? "big" : "small"  => "big"
true ? null : 1  => null
true ? [1] : [1, 2]  => [1]
true ? [1, "a"] : [1, 2, true]  => ["1", "a"]
true ? [] : ["a"]  => []
true ? { a = 1 } : { b = "x" }  => { a = "1" }
true ? { a = 1 } : {}  => { a = 1 }
true ? tomap({ a = 1 }) : { b = "x" }  => { a = "1" }
true ? { a = 1 } : { a = "x" }  => { a = "1" }
true ? "ok" : var.nothing  => "ok"
false ? var.nothing : "ok"  => "ok"
true ? false ? 1 : 2 : 3  => 2
(true ? 1 : 2) + 1  => 2
true ? 1 : false  => error: both sides of a conditional need one type
true ? [1] : "a"  => error: both sides of a conditional need one type
true ? { a = 1 } : [1]  => error: both sides of a conditional need one type
1 ? 1 : 2  => error: a condition is true or false: a bool is required, but this is a number
null ? 1 : 2  => error: a condition must not be null
"#,
    );
}

#[test]
fn collections_and_references() {
    check(
        r#"
[1, "a", true, null]  => [1, "a", true, null]
[1, 2,]  => [1, 2]
{ a = 1, b : 2 }  => { a = 1, b = 2 }
{ a = 1, a = 2 }  => { a = 2 }
{ "a" = 1, "a" = 2, a = 3 }  => { a = 3 }
{ for = 1 }  => { for = 1 }
{ for = 1, for = 2, f_r = 3 }  => { f_r = 3, for = 2 }
{ for : 1 }.for  => 1
{ format = 1 }  => { format = 1 }
{ (var.region) = 1 }  => { eu-west-1 = 1 }
{ "${var.region}-a" = 1 }  => { eu-west-1-a = 1 }
{ 1 = 2 }  => { "1" = 2 }
{ true = 2 }  => { true = 2 }
{ null = 2 }  => { null = 2 }
{ (null) = 2 }  => error: a key of an object must not be null
{ var.region = 1 }  => error: this key could be a reference or a name
{ z = 1, a = 2 }  => { a = 2, z = 1 }
var.region  => "eu-west-1"
var["region"]  => "eu-west-1"
var.names[0]  => "a"
var.names["1"]  => "b"
var.names.1  => "b"
var.disks.0.name  => "root"
var.disks[1].size  => 100
var.tags.Name  => "web"
var.tags["Team"]  => "core"
var.disks[*].name  => ["root", "data"]
var.disks.*.name  => ["root", "data"]
var.disks.*.name[0]  => "root"
var.disks[*].name[0]  => error: a string has no elements to index
"a"[*]  => ["a"]
var.none[*]  => []
var.none.*.name  => []
var.size[*]  => [8]
[[1, 2], [3]][*][0]  => [1, 3]
var.disks[*]["size"]  => [8, 100]
{ a = { b = 1 } }.a.b  => 1
[1, 2, 3][1]  => 2
[1][1]  => error: there is no element 1 in `[1]`
[1][-1]  => error: there is no element -1 in `[1]`
[1][0.5]  => error: there is no element 0.5 in `[1]`
[1]["a"]  => error: this index does not fit: "a" is not a number
[1][null]  => error: an index must not be null
toset(["a"])[0]  => error: a set of strings has no elements to index
var.size.x  => error: a number has no attribute `x`
var.none.x  => error: null has no attribute `x`
var.names.x  => error: a tuple has no attribute `x`
var.tags.Nam  => error: `var.tags` has no key `Nam`
var.tags["Nam"]  => error: `var.tags` has no element "Nam"
var.regoin  => error: unknown variable `regoin`
local.nothing  => error: unknown local `nothing`
vra.region  => error: unknown name `vra`
foo  => error: unknown name `foo`
[foo, bar]  => error: unknown name `foo`; unknown name `bar`
"#,
    );
}

#[test]
fn for_expressions() {
    check(
        r#"
[for x in [1, 2]: x * 2]  => [2, 4]
[for i, x in ["a", "b"]: "${i}${x}"]  => ["0a", "1b"]
[for k, v in { b = 1, a = 2 }: "${k}=${v}"]  => ["a=2", "b=1"]
[for v in { b = 1, a = 2 }: v]  => [2, 1]
[for x in toset(["b", "a", "b"]): x]  => ["a", "b"]
[for k, v in toset(["b"]): k]  => ["b"]
[for x in [1, 2, 3, 4]: x if x % 2 == 0]  => [2, 4]
[for x in []: x]  => []
{for x in ["a", "b"]: x => upper(x)}  => { a = "A", b = "B" }
{for i, x in ["a", "b"]: x => i}  => { a = 0, b = 1 }
{for x in ["a", "b", "a"]: x => 1...}  => { a = [1, 1], b = [1] }
{for x in ["a", "a"]: x => 1}  => error: the key "a" comes up twice
{for x in [1, 2]: x => x if x > 1}  => { "2" = 2 }
{for k, v in var.tags: lower(k) => v}  => { name = "web", team = "core" }
[for x in [[1, 2], [3]]: [for y in x: y + 1]]  => [[2, 3], [4]]
[for x in [1]: x + var.size]  => [9]
[for var in [1]: var]  => [1]
[for x in 5: x]  => error: cannot iterate over a number
[for x in null: x]  => error: cannot iterate over null
[for x in "abc": x]  => error: cannot iterate over a string
{for x in [null]: x => 1}  => error: a key of an object must not be null
[for x in [1, 2]: y]  => error: unknown name `y`
[for x in [1]: x if "maybe"]  => error: a condition is true or false: "maybe" is neither `true` nor `false`
"#,
    );
}

#[test]
fn newlines_count_only_where_hcl_says_so() {
    for (text, expected) in [
        ("[\n  1,\n  2\n]", "[1, 2]"),
        ("{\n  a = 1\n  b = 2, c = 3\n}", "{ a = 1, b = 2, c = 3 }"),
        ("(\n  1\n  +\n  2\n)", "3"),
        ("true\n ? 1\n : 2", "1"),
        (
            "{for x in\n [1, 2] :\n x => x > 1 ?\n \"b\" :\n \"a\"\n if\n true}",
            "{ \"1\" = \"a\", \"2\" = \"b\" }",
        ),
        (
            "[for x in [1] || [2] == 1 ||\n true ? [1] : [2] : x]",
            "error: `||` takes bools: a bool is required, but this is a tuple",
        ),
        ("upper(\n  \"a\",\n)", "\"A\""),
        ("\"${\n  1 +\n  1\n}\"", "2"),
        ("# before\n1 /* in\nside */ + 1 // after\n", "2"),
        ("[1, # one\n 2 // two\n]", "[1, 2]"),
        ("{\r\n  a = 1\r\n  b = 2\r\n}", "{ a = 1, b = 2 }"),
        ("\u{feff}1", "1"),
        ("{ /* c */ for /* c */ = 1 }", "{ for = 1 }"),
        ("{\n  # note\n  for = 1\n}", "{ for = 1 }"),
    ] {
        assert_eq!(printed(text), expected, "{text}");
    }
}

#[test]
fn templates() {
    check(
        r#"
"a${1}b"  => "a1b"
"${1}"  => 1
"${[1, 2]}"  => [1, 2]
"${null}"  => null
"${true}${0.10}"  => "true0.1"
"${"nested ${"deep"}"}"  => "nested deep"
"a ${~ "b" ~} c"  => "abc"
"%{ if true }yes%{ else }no%{ endif }"  => "yes"
"%{ if false }yes%{ endif }"  => ""
"%{ for x in ["a", "b"] }${x},%{ endfor }"  => "a,b,"
"%{ for i, x in ["a", "b"] }${i}${x}%{ endfor }"  => "0a1b"
"%{ for x in [] }${x}%{ endfor }"  => ""
"a ${~ "b" ~}  c %{ if true ~} \n yes %{ else } no %{~ endif ~}  x"  => "abc yes x"
"%{ if "true" }1%{ endif }"  => "1"
"%{if true}%{for x in [1,2]}%{if x > 1}${x}%{endif}%{endfor}%{endif}"  => "2"
"%{ if true }${1}%{ endif }"  => "1"
"x${null}"  => error: a null value cannot be part of a string
"x${[1]}"  => error: a tuple cannot be part of a string
"x${{}}"  => error: an object cannot be part of a string
"x${toset(["a"])}"  => error: a set of strings cannot be part of a string
"${foo}${bar}"  => error: unknown name `foo`; unknown name `bar`
"%{ for x in 1 }%{ endfor }"  => error: cannot iterate over a number
"%{ if null }%{ endif }"  => error: a condition must not be null
"e\u0301"  => "é"
"#,
    );
}

#[test]
fn heredocs() {
    for (text, expected) in [
        ("<<EOT\nhello\n  world\nEOT\n", "hello\n  world\n"),
        ("<<EOT\nhello\nEOT", "hello\n"),
        ("<<EOT\nEOT\n", ""),
        ("<<EOT\n\nEOT\n", "\n"),
        ("<<EOT\n  \\n is text, \"too\"\n  EOT\n", "  \\n is text, \"too\"\n"),
        ("<<EOT\nEOT2\n EOT x\nEOTEOT\nEOT\n", "EOT2\n EOT x\nEOTEOT\n"),
        ("<<EOT\na ${1 + 1} $${b} %%{c}\nEOT\n", "a 2 ${b} %{c}\n"),
        ("<<-EOT\n    a\n      b\n    c\n  EOT\n", "a\n  b\nc\n"),
        ("<<-EOT\n    a\n\n      \n    c\n    EOT\n", "a\n\n      \nc\n"),
        ("<<-EOT\n    ${1}\n      b\n  EOT\n", "1\n  b\n"),
        ("<<-EOT\n  a\n${1}\n  EOT\n", "  a\n1\n"),
        // Answers of HCL in Go (Terraform 1.11.4).
        (
            "<<-EOT\n    a\n      b\n    %{ for x in [\"1\",\"2\"] ~}\n    - ${x}\n      - deep\n    %{ endfor ~}\n    end\n  EOT\n",
            "a\n  b\n    - 1\n  - deep\n    - 2\n  - deep\n    end\n",
        ),
        (
            "<<-EOT\n    a\n    %{ for x in [\"1\",\"2\"] }\n    - ${x}\n    %{ endfor }\n    end\n\n    ${\"x\"} y\n  EOT\n",
            "a\n\n- 1\n\n- 2\n\nend\n\nx y\n",
        ),
        (
            "<<EOT\n a $${b} %%{c}\n   EOT2\n EOT x\n%{~ if false }\nhi\n%{~ endif }\n \\n ${~ 1 ~}\n   z\n   EOT\n",
            " a ${b} %{c}\n   EOT2\n EOT x\n \\n1   z\n",
        ),
        ("<<EOT\r\na\r\nb\r\nEOT\r\n", "a\r\nb\r\n"),
        ("upper(<<EOT\nab\nEOT\n)", "AB\n"),
        ("[<<A\na\nA\n, <<B\nb\nB\n][1]", "b\n"),
        ("\"${<<EOT\nin\nEOT\n}\"", "in\n"),
        ("<<EOT\n${<<IN\nx\nIN\n}\nEOT\n", "x\n\n"),
    ] {
        let value = crate::value::Value::string(expected).to_string();
        assert_eq!(printed(text), value, "{text}");
    }
}

#[test]
fn unknown_values_stay_unknown() {
    check(
        r#"
var.later  => (unknown)
var.later.x.y[0]  => (unknown)
var.later[*].x  => (unknown)
var.later + 1  => (unknown)
-var.later  => (unknown)
var.later == 1  => (unknown)
var.later_text == 1  => false
var.later && false  => false
false && var.later  => false
true && var.later  => (unknown)
var.later || true  => true
var.later || false  => (unknown)
"a${var.later}"  => (unknown)
"a${var.later_list}"  => error: a list of strings cannot be part of a string
var.later_text + 1  => (unknown)
var.later_list + 1  => error: `+` takes numbers: a number is required, but this is a list of strings
[var.later, 1]  => [(unknown), 1]
{ a = var.later }.a  => (unknown)
{ (var.later) = 1 }  => (unknown)
var.later ? 1 : 2  => (unknown)
var.later_bool ? 1 : [2]  => error: both sides of a conditional need one type
var.later_list ? 1 : 2  => error: a condition is true or false: a bool is required, but this is a list of strings
true ? 1 : var.later  => 1
[for x in var.later: x]  => (unknown)
[for x in [1]: x if var.later]  => (unknown)
{for x in [var.later]: x => 1}  => (unknown)
[for x in [var.later]: x]  => [(unknown)]
"%{ if var.later }a%{ endif }"  => (unknown)
"%{ for x in var.later }a%{ endfor }"  => (unknown)
var.names[var.later]  => (unknown)
upper(var.later)  => (unknown)
upper(var.later_list)  => error: `text` of `upper` does not fit: a string is required, but this is a list of strings
join(",", [var.later])  => (unknown)
join(var.later...)  => (unknown)
try(var.later.x, 1)  => (unknown)
try(var.size, var.later)  => 8
can(var.later.x)  => (unknown)
"#,
    );
}

#[test]
fn marks_travel() {
    check(
        r#"
var.secret  => "hunter2" !sensitive
"a${var.secret}"  => "ahunter2" !sensitive
upper(var.secret)  => "HUNTER2" !sensitive
var.secret == "x"  => false !sensitive
[var.secret, 1][1]  => 1
[var.secret, 1]  => ["hunter2", 1] !sensitive
{ (var.secret) = 1 }.hunter2  => 1 !sensitive
var.secret == "hunter2" ? 1 : 2  => 1 !sensitive
var.names[var.secret == "x" ? 0 : 1]  => "b" !sensitive
[for x in [1]: x if var.secret == "hunter2"]  => [1] !sensitive
[for x in [var.secret, "b"]: upper(x)][1]  => "B"
{for x in [var.secret]: x => 1}.hunter2  => 1 !sensitive
"%{ if var.secret == "x" }a%{ endif }b"  => "b" !sensitive
join(",", [var.secret, "a"])  => "hunter2,a" !sensitive
[{ a = var.secret }][*].a  => ["hunter2"] !sensitive
"#,
    );
}

#[test]
fn try_and_can_are_lazy() {
    check(
        r#"
try(var.nothing, "default")  => "default"
try(var.nothing.deep[0], var.also_nothing, 3)  => 3
try(var.region, "default")  => "eu-west-1"
try(1 / 0, 2)  => 2
can(var.nothing)  => false
can(var.region)  => true
can(regex("[", "a"))  => false
try()  => error: `try` takes at least one argument
can(1, 2)  => error: `can` takes one argument
try(foo, bar)  => error: no argument of `try` succeeded
convert("1", number)  => 1
convert([1, 2], set(string))  => ["1", "2"]
convert({ a = 1 }, object({ a = string, b = optional(bool, true) }))  => { a = "1", b = true }
convert("x", number)  => error: this does not convert: "x" is not a number
convert("x", nummber)  => error: unknown type `nummber`
"#,
    );
}

#[test]
fn bombs_are_refused() {
    check(
        r#"
[for a in range(1000): [for b in range(1000): [for c in range(1000): c]]]  => error: this makes too many values
[for a in range(200): join("", [for b in range(100): format("%10000s", "x")])]  => error: this makes too much text
length([for x in range(100000): x])  => 100000
"#,
    );
}

#[test]
fn deep_expressions_fit_the_stack() {
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    assert_eq!(printed(&nested("(", "1", ")", 60)), "1");
    assert_eq!(printed(&format!("1{}", " + 1".repeat(120))), "121");
    assert_eq!(printed(&nested("[for x in [1] : ", "x", "][0]", 30)), "1");
    assert_eq!(printed(&nested("upper(", "\"a\"", ")", 30)), "\"A\"");
    assert_eq!(printed(&nested("\"x${", "1", "}\"", 30)), format!("\"{}1\"", "x".repeat(30)));
    assert_eq!(printed(&nested("true ? ", "1", " : 2", 30)), "1");
    assert_eq!(printed(&nested("try(", "foo, 1", ")", 30)), "1");
    let text = nested("%{ if true }", "a", "%{ endif }", 60);
    assert_eq!(printed(&format!("\"{text}\"")), "\"a\"");
    let json = nested("[", "1", "]", 120);
    assert!(printed(&format!("jsondecode(\"{json}\")")).starts_with("[[["));
}
