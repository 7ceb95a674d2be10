//! Functions on types and marks.

use crate::template::evaluate::tests::check;

pub(super) const TABLE: &str = r#"
tostring(1)  => "1"
tostring([])  => error: `tostring`: a string is required, but this is a tuple
tonumber("1e2")  => 100
tonumber("0x10")  => error: `tonumber`: "0x10" is not a number
tonumber(null)  => null
tobool("1")  => true
tobool("True")  => error: `tobool`: "True" is neither `true` nor `false`
tolist([1, "a"])  => ["1", "a"]
tolist([1, true])  => error: `tolist`: all elements must be of one type, but here are a bool and a number
tolist(1)  => error: `tolist`: a list is required, but this is a number
toset([1, "a", 1])  => ["1", "a"]
tomap({ a = 1, b = "x" })  => { a = "1", b = "x" }
type([1])  => "tuple([number])"
type(tolist([1]))  => "list(number)"
sensitive("a")  => "a" !sensitive
nonsensitive(var.secret)  => "hunter2"
nonsensitive([var.secret])  => ["hunter2"]
tonumber(var.secret)  => error: `tonumber`: this sensitive value is not a number
can(1)  => true
can(upper([]))  => false
can()  => error: `can` takes one argument
can(var.later.x)  => (unknown)
convert("1", number)  => 1
convert(["a", "a"], set(string))  => ["a"]
convert(null, string)  => null
convert("x", number)  => error: this does not convert: "x" is not a number
convert("x")  => error: `convert` takes a value and a type
try(upper([]), "x")  => "x"
try(upper([]))  => error: no argument of `try` succeeded
try()  => error: `try` takes at least one argument
try(var.secret, "x")  => "hunter2" !sensitive
issensitive(var.secret)  => true
issensitive("a")  => false
issensitive("x${var.secret}")  => true
issensitive([var.secret])  => false
issensitive(null)  => false
nonsensitive("a")  => "a"
nonsensitive(null)  => null
sensitive(null)  => null !sensitive
sensitive([1, 2])  => [1, 2] !sensitive
tobool(null)  => null
tobool("x")  => error: `tobool`: "x" is neither `true` nor `false`
tobool(1)  => error: `tobool`: a bool is required, but this is a number
tolist(toset(["b", "a"]))  => ["a", "b"]
tomap([])  => error: `tomap`: a map is required, but this is a tuple
tonumber(true)  => error: `tonumber`: a number is required, but this is a bool
toset("a")  => error: `toset`: a set is required, but this is a string
tostring(true)  => "true"
tostring(null)  => null
tostring(var.later)  => (unknown)
type(null)  => "any"
type("a")  => "string"
type(var.later_list)  => "list(string)"
list("a")  => error: unknown function `list`
provider::aws::arn_parse("a")  => error: unknown function `provider::aws::arn_parse`
"#;

#[test]
fn as_documented() {
    check(TABLE);
}
