//! What a user reads about an expression that cannot be evaluated.

use super::rendered;

/// What is said of each expression.
fn all(expressions: &[&str]) -> String {
    expressions.iter().map(|text| format!("---- {text}\n{}\n\n", rendered(text))).collect()
}

#[test]
fn unknown_names() {
    insta::assert_snapshot!(all(&[
        r#"var.regoin"#,
        r#"var.zone"#,
        r#"local.greting"#,
        r#"vra.region"#,
        r#"foo"#,
        r#"uppr("a")"#,
        r#"isotime()"#,
        r#"var.tags.Nam"#,
        r#"var.tags["Nane"]"#,
        r#"var.disks[0].nmae"#,
        r#"data.amazon-ami.x"#,
    ]), @r#"
    ---- var.regoin
    error[unknown-variable]: unknown variable `regoin`
     --> test.hcl:1:5
      |
    1 | var.regoin
      |     ^^^^^^ not declared
      |
      = help: did you mean `region`?

    ---- var.zone
    error[unknown-variable]: unknown variable `zone`
     --> test.hcl:1:5
      |
    1 | var.zone
      |     ^^^^ not declared
      |
      = help: did you mean `none`?

    ---- local.greting
    error[unknown-local]: unknown local `greting`
     --> test.hcl:1:7
      |
    1 | local.greting
      |       ^^^^^^^ not declared
      |
      = help: did you mean `greeting`?

    ---- vra.region
    error[unknown-name]: unknown name `vra`
     --> test.hcl:1:1
      |
    1 | vra.region
      | ^^^ not known here
      |
      = help: did you mean `var`?

    ---- foo
    error[unknown-name]: unknown name `foo`
     --> test.hcl:1:1
      |
    1 | foo
      | ^^^ not known here
      |
      = help: a variable is `var.foo`, a local is `local.foo`, text is `"foo"`

    ---- uppr("a")
    error[unknown-function]: unknown function `uppr`
     --> test.hcl:1:1
      |
    1 | uppr("a")
      | ^^^^ not a function
      |
      = help: did you mean `upper`?

    ---- isotime()
    error[unknown-function]: unknown function `isotime`
     --> test.hcl:1:1
      |
    1 | isotime()
      | ^^^^^^^ not a function
      |
      = help: write `legacy_isotime(layout)`, or `formatdate(format, timestamp())`

    ---- var.tags.Nam
    error[unknown-attribute]: `var.tags` has no key `Nam`
     --> test.hcl:1:10
      |
    1 | var.tags.Nam
      |          ^^^ not there
      |
      = help: did you mean `Name`?

    ---- var.tags["Nane"]
    error[unknown-element]: `var.tags` has no element "Nane"
     --> test.hcl:1:10
      |
    1 | var.tags["Nane"]
      |          ^^^^^^ not there
      |
      = note: `var.tags` is { Name = "web", Team = "core" }
      = help: did you mean `Name`?

    ---- var.disks[0].nmae
    error[unknown-attribute]: `var.disks[0]` has no attribute `nmae`
     --> test.hcl:1:14
      |
    1 | var.disks[0].nmae
      |              ^^^^ not there
      |
      = help: did you mean `name`?

    ---- data.amazon-ami.x
    error[unknown-name]: unknown name `data`
     --> test.hcl:1:1
      |
    1 | data.amazon-ami.x
      | ^^^^ not known here
      |
      = help: a data source is declared by `data "TYPE" "NAME" { … }`
    "#);
}

#[test]
fn wrong_types() {
    insta::assert_snapshot!(all(&[
        r#"var.region + 1"#,
        r#"-var.names"#,
        r#""a" < var.size"#,
        r#"var.region ? 1 : 2"#,
        r#"true ? var.names : var.size"#,
        r#""x-${var.names}""#,
        r#""x-${var.none}""#,
        r#"upper(var.names)"#,
        r#"upper(var.none)"#,
        r#"substr(var.region, "x", 1)"#,
        r#"join(",", var.disks)"#,
        r#"var.names.x"#,
        r#"var.size[0]"#,
        r#"var.none.x"#,
        r#"var.names[var.size]"#,
        r#"[for x in var.size : x]"#,
        r#"{for d in var.disks : "k" => d}"#,
        r#"{ (var.none) = 1 }"#,
        r#"toset(var.names)[0]"#,
        r#"var.names["a"]"#,
    ]), @r#"
    ---- var.region + 1
    error[type-mismatch]: `+` takes numbers: "eu-west-1" is not a number
     --> test.hcl:1:1
      |
    1 | var.region + 1
      | ^^^^^^^^^^ wrong type
      |
      = note: `var.region` is "eu-west-1"

    ---- -var.names
    error[type-mismatch]: `-` takes numbers: a number is required, but this is a tuple
     --> test.hcl:1:2
      |
    1 | -var.names
      |  ^^^^^^^^^ wrong type
      |
      = note: `var.names` is ["a", "b"]

    ---- "a" < var.size
    error[type-mismatch]: `<` takes numbers: "a" is not a number
     --> test.hcl:1:1
      |
    1 | "a" < var.size
      | ^^^ wrong type

    ---- var.region ? 1 : 2
    error[type-mismatch]: a condition is true or false: "eu-west-1" is neither `true` nor `false`
     --> test.hcl:1:1
      |
    1 | var.region ? 1 : 2
      | ^^^^^^^^^^ wrong type
      |
      = note: `var.region` is "eu-west-1"

    ---- true ? var.names : var.size
    error[inconsistent-types]: both sides of a conditional need one type
     --> test.hcl:1:1
      |
    1 | true ? var.names : var.size
      | ^^^^^^^---------^^^--------
      |        |           |
      |        |           this is a number
      |        this is a tuple
      |
      = help: convert one side, for instance with `tostring`, `tolist` or `jsonencode`

    ---- "x-${var.names}"
    error[type-mismatch]: a tuple cannot be part of a string
     --> test.hcl:1:6
      |
    1 | "x-${var.names}"
      |      ^^^^^^^^^ this is a tuple
      |
      = note: `var.names` is ["a", "b"]
      = help: join its elements with `join`, or encode it with `jsonencode`

    ---- "x-${var.none}"
    error[null-in-template]: a null value cannot be part of a string
     --> test.hcl:1:6
      |
    1 | "x-${var.none}"
      |      ^^^^^^^^ null
      |
      = note: `var.none` is null
      = help: give it a default with `coalesce`, or leave it out with `%{ if … }`

    ---- upper(var.names)
    error[type-mismatch]: `text` of `upper` does not fit: a string is required, but this is a tuple
     --> test.hcl:1:7
      |
    1 | upper(var.names)
      |       ^^^^^^^^^ wrong type
      |
      = note: `var.names` is ["a", "b"]
      = note: upper(text: string): makes all letters upper case

    ---- upper(var.none)
    error[null-argument]: `text` of `upper` must not be null
     --> test.hcl:1:7
      |
    1 | upper(var.none)
      |       ^^^^^^^^ null
      |
      = note: `var.none` is null

    ---- substr(var.region, "x", 1)
    error[type-mismatch]: `offset` of `substr` does not fit: "x" is not a number
     --> test.hcl:1:20
      |
    1 | substr(var.region, "x", 1)
      |                    ^^^ wrong type
      |
      = note: substr(text: string, offset: number, length: number): a part of a text; a negative offset counts from the end, length -1 means the rest

    ---- join(",", var.disks)
    error[type-mismatch]: `lists` of `join` does not fit: at `[0]`: a string is required, but this is an object
     --> test.hcl:1:11
      |
    1 | join(",", var.disks)
      |           ^^^^^^^^^ wrong type inside
      |
      = note: `var.disks` is [{ name = "root", size = 8 }, { name = "data", size = 100 }]
      = note: join(separator: string, lists: list(string)...): puts the elements of lists of strings together

    ---- var.names.x
    error[unknown-attribute]: a tuple has no attribute `x`
     --> test.hcl:1:11
      |
    1 | var.names.x
      | ---       ^ not there
      | |
      | `var.names` is a tuple
      |
      = note: `var.names` is ["a", "b"]
      = help: take one element with `[0]`, or the attribute of each with `[*].x`

    ---- var.size[0]
    error[not-indexable]: a number has no elements to index
     --> test.hcl:1:10
      |
    1 | var.size[0]
      | ---      ^
      | |
      | `var.size` is a number
      |
      = note: `var.size` is 8

    ---- var.none.x
    error[unknown-attribute]: null has no attribute `x`
     --> test.hcl:1:10
      |
    1 | var.none.x
      | ---      ^ not there
      | |
      | `var.none` is null

    ---- var.names[var.size]
    error[unknown-element]: there is no element 8 in `var.names`
     --> test.hcl:1:11
      |
    1 | var.names[var.size]
      |           ^^^^^^^^ `var.names` has 2 elements, counted from 0
      |
      = note: `var.names` is ["a", "b"]
      = note: `var.size` is 8

    ---- [for x in var.size : x]
    error[not-iterable]: cannot iterate over a number
     --> test.hcl:1:11
      |
    1 | [for x in var.size : x]
      |           ^^^^^^^^ this is a number
      |
      = note: `var.size` is 8
      = help: `for` takes a list, a set, a map or an object

    ---- {for d in var.disks : "k" => d}
    error[duplicate-key]: the key "k" comes up twice
     --> test.hcl:1:23
      |
    1 | {for d in var.disks : "k" => d}
      |                       ^^^ not unique
      |
      = note: `var.disks` is [{ name = "root", size = 8 }, { name = "data", size = 100 }]
      = help: write `...` after the value to collect all values of a key in a list

    ---- { (var.none) = 1 }
    error[null-key]: a key of an object must not be null
     --> test.hcl:1:3
      |
    1 | { (var.none) = 1 }
      |   ^^^^^^^^^^ null

    ---- toset(var.names)[0]
    error[not-indexable]: a set of strings has no elements to index
     --> test.hcl:1:18
      |
    1 | toset(var.names)[0]
      | ---------------- ^
      | |
      | `toset(var.names)` is a set of strings
      |
      = note: `toset(var.names)` is ["a", "b"]
      = help: elements of a set have no order: convert it with `tolist`

    ---- var.names["a"]
    error[type-mismatch]: this index does not fit: "a" is not a number
     --> test.hcl:1:11
      |
    1 | var.names["a"]
      |           ^^^ wrong type
    "#);
}

#[test]
fn arithmetic() {
    insta::assert_snapshot!(all(&[
        r#"var.size / (var.size - 8)"#,
        r#"10 % 0"#,
        r#"1e4000 * var.size * 1e4000"#,
    ]), @"
    ---- var.size / (var.size - 8)
    error[division-by-zero]: division by zero
     --> test.hcl:1:1
      |
    1 | var.size / (var.size - 8)
      | ^^^^^^^^^^^--------------
      |            |
      |            this is zero
      |
      = note: `var.size` is 8

    ---- 10 % 0
    error[division-by-zero]: division by zero
     --> test.hcl:1:1
      |
    1 | 10 % 0
      | ^^^^^-
      |      |
      |      this is zero

    ---- 1e4000 * var.size * 1e4000
    error[number-range]: the result is out of range
     --> test.hcl:1:1
      |
    1 | 1e4000 * var.size * 1e4000
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^ too large or too small
      |
      = note: numbers lie within 10^±4096
      = note: `var.size` is 8
    ");
}

#[test]
fn calls() {
    insta::assert_snapshot!(all(&[
        r#"upper()"#,
        r#"upper("a", "b")"#,
        r#"substr("a", 1)"#,
        r#"upper(var.names...)"#,
        r#"upper(var.size...)"#,
        r#"parseint(var.region, 10)"#,
        r#"file("missing.txt")"#,
        r#"yamldecode("a: [1")"#,
        r#"regex("(", var.region)"#,
        r#"try(var.nothing, 1 / 0)"#,
        r#"can()"#,
        r#"convert(1, strin)"#,
        r#"format("%d items", var.region)"#,
    ]), @r#"
    ---- upper()
    error[wrong-arguments]: `upper` takes 1 argument, not 0
     --> test.hcl:1:1
      |
    1 | upper()
      | ^^^^^^^ `text` is missing
      |
      = note: upper(text: string): makes all letters upper case

    ---- upper("a", "b")
    error[wrong-arguments]: `upper` takes 1 argument, not 2
     --> test.hcl:1:1
      |
    1 | upper("a", "b")
      | ^^^^^^^^^^^^^^^
      |
      = note: upper(text: string): makes all letters upper case

    ---- substr("a", 1)
    error[wrong-arguments]: `substr` takes 3 arguments, not 2
     --> test.hcl:1:1
      |
    1 | substr("a", 1)
      | ^^^^^^^^^^^^^^ `length` is missing
      |
      = note: substr(text: string, offset: number, length: number): a part of a text; a negative offset counts from the end, length -1 means the rest

    ---- upper(var.names...)
    error[wrong-arguments]: `upper` takes 1 argument, not 2
     --> test.hcl:1:1
      |
    1 | upper(var.names...)
      | ^^^^^^^^^^^^^^^^^^^
      |
      = note: upper(text: string): makes all letters upper case

    ---- upper(var.size...)
    error[type-mismatch]: only a list can be spread with `...`, but this is a number
     --> test.hcl:1:7
      |
    1 | upper(var.size...)
      |       ^^^^^^^^ not a list
      |
      = note: `var.size` is 8

    ---- parseint(var.region, 10)
    error[function-failed]: `parseint`: "eu-west-1" is not a whole number in base 10
     --> test.hcl:1:10
      |
    1 | parseint(var.region, 10)
      |          ^^^^^^^^^^
      |
      = note: `var.region` is "eu-west-1"

    ---- file("missing.txt")
    error[function-failed]: `file`: no such file: `/work/missing.txt`
     --> test.hcl:1:6
      |
    1 | file("missing.txt")
      |      ^^^^^^^^^^^^^
      |
      = help: paths start from the directory of the template

    ---- yamldecode("a: [1")
    error[function-failed]: `yamldecode`: this YAML cannot be decoded: while parsing a flow sequence, expected ',' or ']' at line 2, column 1
     --> test.hcl:1:12
      |
    1 | yamldecode("a: [1")
      |            ^^^^^^^

    ---- regex("(", var.region)
    error[function-failed]: `regex`: invalid regular expression: unclosed group
     --> test.hcl:1:7
      |
    1 | regex("(", var.region)
      |       ^^^

    ---- try(var.nothing, 1 / 0)
    error[try-failed]: no argument of `try` succeeded
     --> test.hcl:1:1
      |
    1 | try(var.nothing, 1 / 0)
      | ^^^^^^^^-------^^-----^
      | |       |        |
      | |       |        division by zero
      | |       unknown variable `nothing`
      | all failed

    ---- can()
    error[wrong-arguments]: `can` takes one argument
     --> test.hcl:1:1
      |
    1 | can()
      | ^^^^^
      |
      = note: can(expression: any): whether an expression can be evaluated without error

    ---- convert(1, strin)
    error[unknown-type]: unknown type `strin`
     --> test.hcl:1:12
      |
    1 | convert(1, strin)
      |            ^^^^^ not a type
      |
      = help: did you mean `string`?

    ---- format("%d items", var.region)
    error[function-failed]: `format`: `%d` does not fit: "eu-west-1" is not a number
     --> test.hcl:1:20
      |
    1 | format("%d items", var.region)
      |                    ^^^^^^^^^^
      |
      = note: `var.region` is "eu-west-1"
    "#);
}

#[test]
fn sensitive_values_are_masked() {
    insta::assert_snapshot!(all(&[
        r#"var.secret + 1"#,
        r#"var.secret ? 1 : 2"#,
        r#"[1][var.secret]"#,
        r#"tonumber(var.secret)"#,
        r#""${var.secret}" + var.region"#,
        r#"regex("x", var.secret)"#,
    ]), @r#"
    ---- var.secret + 1
    error[type-mismatch]: `+` takes numbers: this sensitive value is not a number
     --> test.hcl:1:1
      |
    1 | var.secret + 1
      | ^^^^^^^^^^ wrong type
      |
      = note: `var.secret` is (sensitive value)

    ---- var.secret ? 1 : 2
    error[type-mismatch]: a condition is true or false: this sensitive value is neither `true` nor `false`
     --> test.hcl:1:1
      |
    1 | var.secret ? 1 : 2
      | ^^^^^^^^^^ wrong type
      |
      = note: `var.secret` is (sensitive value)

    ---- [1][var.secret]
    error[type-mismatch]: this index does not fit: this sensitive value is not a number
     --> test.hcl:1:5
      |
    1 | [1][var.secret]
      |     ^^^^^^^^^^ wrong type
      |
      = note: `var.secret` is (sensitive value)

    ---- tonumber(var.secret)
    error[function-failed]: `tonumber`: this sensitive value is not a number
     --> test.hcl:1:10
      |
    1 | tonumber(var.secret)
      |          ^^^^^^^^^^
      |
      = note: `var.secret` is (sensitive value)

    ---- "${var.secret}" + var.region
    error[type-mismatch]: `+` takes numbers: this sensitive value is not a number
     --> test.hcl:1:1
      |
    1 | "${var.secret}" + var.region
      | ^^^^^^^^^^^^^^^ wrong type
      |
      = note: `var.secret` is (sensitive value)

    error[type-mismatch]: `+` takes numbers: "eu-west-1" is not a number
     --> test.hcl:1:19
      |
    1 | "${var.secret}" + var.region
      |                   ^^^^^^^^^^ wrong type
      |
      = note: `var.region` is "eu-west-1"

    ---- regex("x", var.secret)
    error[function-failed]: `regex`: (sensitive value) does not match the pattern
     --> test.hcl:1:12
      |
    1 | regex("x", var.secret)
      |            ^^^^^^^^^^
      |
      = note: `var.secret` is (sensitive value)
      = help: use `regexall`, or `try(regex(…), null)`, when it need not match
    "#);
}

#[test]
fn several_errors_of_one_expression() {
    insta::assert_snapshot!(all(&[
        r#""${var.a}-${var.b}""#,
        r#"{ a = var.a, b = 1 + var.names }"#,
        r#"[var.a, upper(), local.b]"#,
    ]), @r#"
    ---- "${var.a}-${var.b}"
    error[unknown-variable]: unknown variable `a`
     --> test.hcl:1:8
      |
    1 | "${var.a}-${var.b}"
      |        ^ not declared
      |
      = note: there is `disks`, `enabled`, `later`, `later_bool`, `later_list`, `later_text`, `names`, `none`, and 4 more
      = help: declare it with `variable "a" {}`

    error[unknown-variable]: unknown variable `b`
     --> test.hcl:1:17
      |
    1 | "${var.a}-${var.b}"
      |                 ^ not declared
      |
      = note: there is `disks`, `enabled`, `later`, `later_bool`, `later_list`, `later_text`, `names`, `none`, and 4 more
      = help: declare it with `variable "b" {}`

    ---- { a = var.a, b = 1 + var.names }
    error[unknown-variable]: unknown variable `a`
     --> test.hcl:1:11
      |
    1 | { a = var.a, b = 1 + var.names }
      |           ^ not declared
      |
      = note: there is `disks`, `enabled`, `later`, `later_bool`, `later_list`, `later_text`, `names`, `none`, and 4 more
      = help: declare it with `variable "a" {}`

    error[type-mismatch]: `+` takes numbers: a number is required, but this is a tuple
     --> test.hcl:1:22
      |
    1 | { a = var.a, b = 1 + var.names }
      |                      ^^^^^^^^^ wrong type
      |
      = note: `var.names` is ["a", "b"]

    ---- [var.a, upper(), local.b]
    error[unknown-variable]: unknown variable `a`
     --> test.hcl:1:6
      |
    1 | [var.a, upper(), local.b]
      |      ^ not declared
      |
      = note: there is `disks`, `enabled`, `later`, `later_bool`, `later_list`, `later_text`, `names`, `none`, and 4 more
      = help: declare it with `variable "a" {}`

    error[wrong-arguments]: `upper` takes 1 argument, not 0
     --> test.hcl:1:9
      |
    1 | [var.a, upper(), local.b]
      |         ^^^^^^^ `text` is missing
      |
      = note: upper(text: string): makes all letters upper case

    error[unknown-local]: unknown local `b`
     --> test.hcl:1:24
      |
    1 | [var.a, upper(), local.b]
      |                        ^ not declared
      |
      = note: there is `greeting`
      = help: declare it in a `locals` block: `b = …`
    "#);
}

#[test]
fn elements_of_a_splat() {
    insta::assert_snapshot!(all(&[
        r#"var.names[*].name"#,
        r#"var.disks.*.name.first"#,
        r#"var.disks[*].nmae"#,
        r#"var.disks[*].name[0]"#,
    ]), @r#"
    ---- var.names[*].name
    error[unknown-attribute]: a string has no attribute `name`
     --> test.hcl:1:14
      |
    1 | var.names[*].name
      | ---          ^^^^ not there
      | |
      | an element of `var.names` is a string
      |
      = note: an element of `var.names` is "a"

    ---- var.disks.*.name.first
    error[unknown-attribute]: a string has no attribute `first`
     --> test.hcl:1:18
      |
    1 | var.disks.*.name.first
      | ---              ^^^^^ not there
      | |
      | `.name` of an element of `var.disks` is a string
      |
      = note: `.name` of an element of `var.disks` is "root"

    ---- var.disks[*].nmae
    error[unknown-attribute]: an element of `var.disks` has no attribute `nmae`
     --> test.hcl:1:14
      |
    1 | var.disks[*].nmae
      |              ^^^^ not there
      |
      = help: did you mean `name`?

    ---- var.disks[*].name[0]
    error[not-indexable]: a string has no elements to index
     --> test.hcl:1:19
      |
    1 | var.disks[*].name[0]
      | ---               ^
      | |
      | `.name` of an element of `var.disks` is a string
      |
      = note: `.name` of an element of `var.disks` is "root"
    "#);
}

#[test]
fn keys_that_are_no_strings() {
    insta::assert_snapshot!(all(&[
        r#"{ (var.names) = 1 }"#,
        r#"{ for name in [var.disks] : name => 1 }"#,
    ]), @r#"
    ---- { (var.names) = 1 }
    error[type-mismatch]: a key has to be a string, but this is a tuple
     --> test.hcl:1:3
      |
    1 | { (var.names) = 1 }
      |   ^^^^^^^^^^^ wrong type
      |
      = note: `var.names` is ["a", "b"]

    ---- { for name in [var.disks] : name => 1 }
    error[type-mismatch]: a key has to be a string, but this is a tuple
     --> test.hcl:1:29
      |
    1 | { for name in [var.disks] : name => 1 }
      |                             ^^^^ wrong type
      |
      = note: `name` is [{ name = "root", size = 8 }, { name = "data", size = 100 }]
    "#);
}
