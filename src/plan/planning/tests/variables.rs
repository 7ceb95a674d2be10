//! Variables: types, validation, secrets (`packer-core.md` section 2.3).

use super::*;

/// What the variable `x` of a declaration comes to, as a hashed option.
fn value(declaration: &str, given: Option<&str>) -> Result<String, String> {
    let text = format!(
        "{declaration}\nsource \"vm\" \"app\" {{ source = jsonencode(var.x) }}\nbuild {{ sources = [\"vm.app\"] }}\n"
    );
    let given: Vec<_> = given.iter().map(|given| ("x", *given)).collect();
    let plans = plan_text("a.pkr.hcl", &text, &given)?;
    Ok(plans[0].builder.hashed["source"].as_str().expect("text").to_owned())
}

#[test]
fn text_from_outside_is_read_by_the_type() {
    let object = "variable \"x\" {\n  type = object({ a = string, b = optional(number, 2), c = optional(string) })\n}";
    for (declaration, given, expected) in [
        ("variable \"x\" {}", "[1]", "\"[1]\""),
        ("variable \"x\" { type = string }", "1", "\"1\""),
        ("variable \"x\" { type = number }", "1.5", "1.5"),
        ("variable \"x\" { type = bool }", "true", "true"),
        ("variable \"x\" { type = list(string) }", "[1, \"b\"]", "[\"1\",\"b\"]"),
        ("variable \"x\" { type = map(any) }", "{ a = 1 }", "{\"a\":1}"),
        ("variable \"x\" { type = list(string) }", "null", "null"),
        (object, "{ a = true }", "{\"a\":\"true\",\"b\":2,\"c\":null}"),
        (object, "{ a = \"x\", b = \"3\", c = \"y\" }", "{\"a\":\"x\",\"b\":3,\"c\":\"y\"}"),
        ("variable \"x\" { default = [\"a\"] }", "[\"z\"]", "[\"z\"]"),
        ("variable \"x\" { default = {} }", "text", "\"text\""),
        ("variables { x = 5 }", "6", "6"),
    ] {
        assert_eq!(
            value(declaration, Some(given)).as_deref(),
            Ok(expected),
            "{declaration} {given}"
        );
    }
}

#[test]
fn null_is_a_value() {
    assert_eq!(value("variable \"x\" { default = null }", None).as_deref(), Ok("null"));
    let typed = "variable \"x\" {\n  type    = list(string)\n  default = null\n}";
    assert_eq!(value(typed, None).as_deref(), Ok("null"));
    assert_eq!(value(typed, Some("[1]")).as_deref(), Ok("[\"1\"]"));
}

#[test]
fn values_of_a_wrong_type_are_said_with_the_form() {
    let list = "variable \"x\" { type = list(string) }";
    insta::assert_snapshot!(value(list, Some("a,b")).expect_err("an error"), @r#"
    error[syntax]: expected the end of the expression, found `,`
     --> <-var x>:1:2
      |
    1 | a,b
      |  ^ not expected here
      |
      = help: `x` is of the type list(string): write it as in HCL, such as `["a", "b"]`
    "#);
    insta::assert_snapshot!(value(list, Some("a")).expect_err("an error"), @r#"
    error[not-constant]: this is no constant
     --> <-var x>:1:1
      |
    1 | a
      | ^ must be a constant
      |
      = help: `x` is of the type list(string): write it as in HCL, such as `["a", "b"]`
    "#);
    insta::assert_snapshot!(value(list, Some("{ a = 1 }")).expect_err("an error"), @r#"
    error[wrong-type]: wrong type for variable `x`: a list of strings is required, but this is an object
     --> <-var x>:1:1
      |
    1 | { a = 1 }
      | ^^^^^^^^^
      |
     ::: a.pkr.hcl:1:23
      |
    1 | variable "x" { type = list(string) }
      |                       ------------ declared here
    "#);
    let object = "variable \"x\" { type = object({ a = string, b = optional(number) }) }";
    insta::assert_snapshot!(value(object, Some("{ b = 1 }")).expect_err("an error"), @r#"
    error[wrong-type]: wrong type for variable `x`: attribute `a` is required
     --> <-var x>:1:1
      |
    1 | { b = 1 }
      | ^^^^^^^^^
      |
     ::: a.pkr.hcl:1:23
      |
    1 | variable "x" { type = object({ a = string, b = optional(number) }) }
      |                       -------------------------------------------- declared here
    "#);
    insta::assert_snapshot!(value(object, Some("{ a = 1, b = \"x\" }")).expect_err("an error"), @r#"
    error[wrong-type]: wrong type for variable `x`: at `.b`: "x" is not a number
     --> <-var x>:1:1
      |
    1 | { a = 1, b = "x" }
      | ^^^^^^^^^^^^^^^^^^
      |
     ::: a.pkr.hcl:1:23
      |
    1 | variable "x" { type = object({ a = string, b = optional(number) }) }
      |                       -------------------------------------------- declared here
    "#);
    insta::assert_snapshot!(value("variable \"x\" { default = [\"a\"] }", Some("[1, 2]")).expect_err("an error"), @"
    error[wrong-type]: wrong type for variable `x`: a tuple of 1 element is required, but this has 2
     --> <-var x>:1:1
      |
    1 | [1, 2]
      | ^^^^^^
      |
      = note: its default has the type tuple([string])
    ");
    insta::assert_snapshot!(value("variable \"x\" {\n  type = string\n  default = upper(\"a\")\n}\nvariable \"y\" { default = var.x }", None).expect_err("an error"), @r#"
    error[not-constant]: a default can only call `env`
     --> a.pkr.hcl:3:13
      |
    3 |   default = upper("a")
      |             ^^^^^ not allowed here
      |
      = help: use a `locals` block for values that are computed

    error[not-constant]: a default cannot refer to anything
     --> a.pkr.hcl:5:26
      |
    5 | variable "y" { default = var.x }
      |                          ^^^^^ must be a constant
      |
      = help: use a `locals` block for values that depend on others
    "#);
}

#[test]
fn json_quotes_types() {
    let text = r#"{
  "variable": { "x": { "type": "list(string)", "default": [7] } },
  "source": { "vm": { "app": { "source": "${var.x[0]}" } } },
  "build": { "sources": ["vm.app"] }
}"#;
    let plan = one("a.pkr.json", text);
    assert_eq!(plan.builder.hashed["source"], "7");
    let object = text
        .replace("list(string)", r#"object({ a = optional(string, \"d\") })"#)
        .replace("[7]", "{}")
        .replace("var.x[0]", "var.x.a");
    assert_eq!(one("a.pkr.json", &object).builder.hashed["source"], "d");
    insta::assert_snapshot!(
        plan_text("a.pkr.json", &object.replace("optional", "optinal"), &[])
            .expect_err("an error"),
        @r#"
    error[unknown-type]: unknown type `optinal`
     --> a.pkr.json:2:32
      |
    2 |   "variable": { "x": { "type": "object({ a = optinal(string, \"d\") })", "default": {} } },
      |                                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ not a type
      |
      = help: types are `string`, `number`, `bool`, `any`, `list(…)`, `set(…)`, `map(…)`, `object({ … })` and `tuple([ … ])`
    "#
    );
    insta::assert_snapshot!(
        plan_text("a.pkr.json", &text.replace("list(string)", "lits(string)"), &[])
            .expect_err("an error"),
        @r#"
    error[unknown-type]: unknown type `lits`
     --> a.pkr.json:2:33
      |
    2 |   "variable": { "x": { "type": "lits(string)", "default": [7] } },
      |                                 ^^^^ not a type
      |
      = help: did you mean `list`?
    "#
    );
}

#[test]
fn a_validation_is_checked_before_and_with_the_value() {
    let text = r#"
variable "x" {
  default = "ab"
  validation {
    condition     = length(var.x) > 2
    error_message = "The name must have three letters."
  }
  validation {
    condition     = var.y == "b"
    error_message = "no sentence"
  }
  validation {
    condition     = true
    error_message = ""
  }
  validation {
    condition     = var.x != local.z
    error_message = "Wrong ${var.x}."
  }
}
"#;
    insta::assert_snapshot!(value(text, None).expect_err("an error"), @r#"
    error[wrong-reference]: a validation can only use its own variable
     --> a.pkr.hcl:9:21
      |
    9 |     condition     = var.y == "b"
      |                     ^^^^^ not `var.x`

    error[wrong-message]: an `error_message` must begin with an upper-case letter
      --> a.pkr.hcl:10:21
       |
    10 |     error_message = "no sentence"
       |                     ^^^^^^^^^^^^^
       |
       = help: write a whole sentence, such as "The name must be short."

    error[wrong-condition]: a condition must be about `var.x`
      --> a.pkr.hcl:13:21
       |
    13 |     condition     = true
       |                     ^^^^ does not refer to the variable

    error[wrong-message]: an `error_message` must not be empty
      --> a.pkr.hcl:14:21
       |
    14 |     error_message = ""
       |                     ^^
       |
       = help: write a whole sentence, such as "The name must be short."

    error[wrong-reference]: a validation can only use its own variable
      --> a.pkr.hcl:17:30
       |
    17 |     condition     = var.x != local.z
       |                              ^^^^^^^ not `var.x`

    error[wrong-message]: an `error_message` must be a constant text
      --> a.pkr.hcl:18:21
       |
    18 |     error_message = "Wrong ${var.x}."
       |                     ^^^^^^^^^^^^^^^^^
       |
       = help: write a whole sentence, such as "The name must be short."
    "#);
    let rule = |condition: &str| {
        format!(
            "variable \"x\" {{\n  default = \"ab\"\n  validation {{\n    condition = {condition}\n    error_message = \"Too short.\"\n  }}\n}}"
        )
    };
    insta::assert_snapshot!(value(&rule("length(var.x) > 2"), None).expect_err("an error"), @r#"
    error[invalid-variable]: invalid value for variable `x`: Too short.
     --> a.pkr.hcl:4:17
      |
    1 | variable "x" {
      | ------------ declared here
    ...
    4 |     condition = length(var.x) > 2
      |                 ^^^^^^^^^^^^^^^^^ this is false
      |
      = note: `var.x` is "ab"
    "#);
    insta::assert_snapshot!(value(&rule("var.x == \"ab\" ? null : true"), None).expect_err("an error"), @r#"
    error[wrong-condition]: a condition must be true or false, not null
     --> a.pkr.hcl:4:17
      |
    4 |     condition = var.x == "ab" ? null : true
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^ this is null
    "#);
    insta::assert_snapshot!(value(&rule("var.x"), None).expect_err("an error"), @r#"
    error[wrong-condition]: a condition must be true or false: "ab" is neither `true` nor `false`
     --> a.pkr.hcl:4:17
      |
    4 |     condition = var.x
      |                 ^^^^^
    "#);
    assert!(value(&rule("length(var.x) > 2"), Some("abc")).is_ok(), "only the final value counts");
    assert!(value(&rule("can(regex(\"^a\", var.x))"), None).is_ok());
}

#[test]
fn secrets_of_every_type_are_known() {
    let text = r#"
variable "x" {
  type      = object({ pin = number, names = list(string) })
  default   = { pin = 4711, names = ["alice", "b\nc"] }
  sensitive = true
}
local "derived" {
  expression = { token = "t-1" }
  sensitive  = true
}
locals { plain = "p" }
"#;
    let environment = environment_text("a.pkr.hcl", text, &[]).expect("environment");
    let mut secrets = environment.secrets();
    secrets.sort();
    assert_eq!(secrets, ["4711", "alice", "b\nc", "t-1"]);
    // The mark of a part is enough: the value does not get into errors.
    let shown = value(&format!("{text}\nlocals {{ bad = local.derived.token + 1 }}"), None);
    let shown = shown.expect_err("an error");
    assert!(!shown.contains("t-1\""), "{shown}");
}

#[test]
fn legacy_variables_that_use_each_other_are_told_once() {
    let text = r#"{
  "variables": {
    "a": "{{user `b`}}", "b": "{{user `c`}}", "c": "{{user `b`}}",
    "d": "{{user `e`}}", "e": "{{user `gone`}}"
  },
  "builders": [{ "type": "vm" }]
}"#;
    insta::assert_snapshot!(plan_text("a.json", text, &[]).expect_err("errors"), @r#"
    error[template-error]: variables use each other: b → c → b
     --> a.json:3:31
      |
    3 |     "a": "{{user `b`}}", "b": "{{user `c`}}", "c": "{{user `b`}}",
      |                               ^^^^^^^^^^^^^^

    error[template-error]: variable `gone` is not declared
     --> a.json:4:31
      |
    4 |     "d": "{{user `e`}}", "e": "{{user `gone`}}"
      |                               ^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn what_the_registry_would_say_is_not_known() {
    let text = r#"
source "vm" "app" {
  size   = 2
  source = "${packer.version} ${packer.versionFingerprint} ${packer.iterationID}"
}
build { sources = ["vm.app"] }
"#;
    let plan = one("a.pkr.hcl", text);
    assert!(plan.builder.late.contains("source"));
    let gone = text.replace("packer.iterationID", "packer.iteration");
    insta::assert_snapshot!(plan_text("a.pkr.hcl", &gone, &[]).expect_err("errors"), @r#"
    error[unknown-attribute]: `packer` has no attribute `iteration`
     --> a.pkr.hcl:4:69
      |
    4 |   source = "${packer.version} ${packer.versionFingerprint} ${packer.iteration}"
      |                                                                     ^^^^^^^^^ not there
      |
      = help: did you mean `iterationID`?
    "#);
}
