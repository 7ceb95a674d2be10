//! What holds for every function.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{Body, Function, Known, all, find};
use super::filesystem::files;
use crate::diagnostic::{Diagnostics, Source};
use crate::template::evaluate::tests::scope;
use crate::template::evaluate::{Scope, evaluate};
use crate::template::syntax::parse_expression;
use crate::value::{Kind, Marks, Type, Value};

/// A call of each function that succeeds: one argument for each parameter, and two where one may
/// come any number of times.
const CALLS: &str = r#"
abs ~ 1
abspath ~ "a"
alltrue ~ [true]
anytrue ~ [true]
base64decode ~ "aGk="
base64encode ~ "hi"
base64gunzip ~ base64gzip("hi")
base64gzip ~ "hi"
base64sha256 ~ "hi"
base64sha512 ~ "hi"
basename ~ "a/b"
bcrypt ~ "hi" ~ 4
ceil ~ 1.5
chomp ~ "a\n"
chunklist ~ ["a"] ~ 1
cidrcontains ~ "10.0.0.0/8" ~ "10.0.0.1"
cidrhost ~ "10.0.0.0/8" ~ 1
cidrnetmask ~ "10.0.0.0/8"
cidrsubnet ~ "10.0.0.0/8" ~ 1 ~ 1
cidrsubnets ~ "10.0.0.0/8" ~ 1 ~ 1
coalesce ~ "a" ~ "b"
coalescelist ~ ["a"] ~ ["b"]
compact ~ ["a"]
concat ~ ["a"] ~ ["b"]
contains ~ ["a"] ~ "a"
csvdecode ~ "a\n1"
dirname ~ "a/b"
distinct ~ ["a"]
element ~ ["a"] ~ 0
endswith ~ "ab" ~ "b"
env ~ "REGION"
file ~ "a.txt"
filebase64 ~ "c.txt"
filebase64sha256 ~ "a.txt"
filebase64sha512 ~ "a.txt"
fileexists ~ "a.txt"
filemd5 ~ "a.txt"
fileset ~ "." ~ "*"
filesha1 ~ "a.txt"
filesha256 ~ "a.txt"
filesha512 ~ "a.txt"
flatten ~ [["a"]]
floor ~ 1.5
format ~ "%s %s" ~ "a" ~ "b"
formatdate ~ "YYYY" ~ "2026-11-21T07:08:09Z"
formatlist ~ "%s %s" ~ ["a"] ~ ["b"]
indent ~ 1 ~ "a\nb"
index ~ ["a"] ~ "a"
issensitive ~ "a"
join ~ "," ~ ["a"] ~ ["b"]
jsondecode ~ "1"
jsonencode ~ 1
keys ~ { a = 1 }
legacy_isotime
legacy_strftime
length ~ "a"
log ~ 8 ~ 2
lookup ~ { a = 1 } ~ "a" ~ 2
lower ~ "A"
matchkeys ~ ["a"] ~ ["b"] ~ ["b"]
max ~ 1 ~ 2
md5 ~ "a"
merge ~ { a = 1 } ~ { b = 1 }
min ~ 1 ~ 2
nonsensitive ~ "a"
one ~ ["a"]
parseint ~ "1" ~ 10
pathexpand ~ "a"
plantimestamp
pow ~ 2 ~ 3
range ~ 1 ~ 2
regex ~ "a" ~ "a"
regex_replace ~ "a" ~ "a" ~ "b"
regexall ~ "a" ~ "a"
replace ~ "a" ~ "a" ~ "b"
reverse ~ ["a"]
rfc3339_parse ~ "2026-11-21T07:08:09Z"
sensitive ~ "a"
setintersection ~ ["a"] ~ ["a"] ~ ["a"]
setproduct ~ ["a"] ~ ["b"]
setsubtract ~ ["a"] ~ ["b"]
setsymmetricdifference ~ ["a"] ~ ["b"] ~ ["c"]
setunion ~ ["a"] ~ ["b"] ~ ["c"]
sha1 ~ "a"
sha256 ~ "a"
sha512 ~ "a"
signum ~ 1
slice ~ ["a"] ~ 0 ~ 1
sort ~ ["a"]
split ~ "," ~ "a,b"
startswith ~ "ab" ~ "a"
strcontains ~ "ab" ~ "a"
strrev ~ "ab"
substr ~ "ab" ~ 0 ~ 1
sum ~ [1]
templatefile ~ "t.tpl" ~ { name = "x" }
templatestring ~ "$${name}" ~ { name = "x" }
textdecodebase64 ~ "aGk=" ~ "UTF-8"
textencodebase64 ~ "hi" ~ "UTF-8"
timeadd ~ "2026-11-21T07:08:09Z" ~ "1h"
timecmp ~ "2026-11-21T07:08:09Z" ~ "2026-11-21T07:08:09Z"
timestamp
title ~ "a"
tobool ~ true
tolist ~ ["a"]
tomap ~ { a = 1 }
tonumber ~ 1
toset ~ ["a"]
tostring ~ "a"
transpose ~ { a = ["b"] }
trim ~ "a" ~ "b"
trimprefix ~ "a" ~ "b"
trimspace ~ " a"
trimsuffix ~ "a" ~ "b"
type ~ "a"
unix_timestamp_parse ~ 1
upper ~ "a"
urldecode ~ "a"
urlencode ~ "a"
uuid
uuidv4
uuidv5 ~ "dns" ~ "a"
values ~ { a = 1 }
yamldecode ~ "1"
yamlencode ~ 1
zipmap ~ ["a"] ~ [1]
"#;

/// Functions without a call above: those that get expressions, those that need a key (see
/// `crypto`), and look-ups over the network, which have tests of their own.
const WITHOUT: [&str; 8] = [
    "can",
    "convert",
    "try",
    "rsadecrypt",
    "aws_secretsmanager",
    "aws_secretsmanager_raw",
    "consul_key",
    "vault",
];

fn calls() -> BTreeMap<&'static str, Vec<&'static str>> {
    CALLS
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut parts = line.split(" ~ ");
            (parts.next().expect("a name"), parts.collect())
        })
        .collect()
}

fn result(scope: &Scope<'_>, text: &str) -> Result<Value, Diagnostics> {
    let source = Source::new("test.hcl", text);
    parse_expression(&source, None).and_then(|one| evaluate(&one, scope))
}

fn failure(scope: &Scope<'_>, text: &str) -> String {
    match result(scope, text) {
        Ok(value) => format!("no error but {value}"),
        Err(found) => found.iter().next().expect("a finding").summary.clone(),
    }
}

/// Each function with a call, a scope for it, and all its arguments.
fn each(check: impl Fn(&'static Function, &[&str], &Scope<'_>)) {
    let (_directory, scope) = files();
    let scope = scope
        .allow_env()
        .with("later", Value::unknown(Type::Any))
        .with("secret_later", Value::unknown(Type::Any).marked(Marks::SENSITIVE));
    for (name, arguments) in calls() {
        check(find(name).unwrap_or_else(|| panic!("no function {name}")), &arguments, &scope);
    }
}

fn with(name: &str, arguments: &[&str], at: usize, other: &str) -> String {
    let mut arguments = arguments.to_vec();
    arguments[at] = other;
    format!("{name}({})", arguments.join(", "))
}

#[test]
fn every_function_has_a_call_that_succeeds() {
    let calls = calls();
    let without: Vec<&str> = all()
        .map(|function| function.name)
        .filter(|name| !calls.contains_key(name) && !WITHOUT.contains(name))
        .collect();
    assert!(without.is_empty(), "{without:?}");
    each(|function, arguments, scope| {
        assert!(matches!(function.body, Body::Plain(_)), "{}", function.name);
        let text = format!("{}({})", function.name, arguments.join(", "));
        let value = result(scope, &text).unwrap_or_else(|found| panic!("{text}: {found:?}"));
        let of = function.returns.to_type();
        assert!(crate::value::convert(&value, &of).is_ok(), "{text}: {value} is not {of}");
    });
}

#[test]
fn null_is_refused_where_it_makes_no_sense() {
    each(|function, arguments, scope| {
        for at in 0..arguments.len() {
            let parameter = function.parameters.get(at).or(function.variadic.as_ref());
            let parameter = parameter.expect("a parameter");
            if !parameter.nullable {
                let text = with(function.name, arguments, at, "null");
                let expected =
                    format!("`{}` of `{}` must not be null", parameter.name, function.name);
                assert_eq!(failure(scope, &text), expected, "{text}");
            }
        }
    });
}

#[test]
fn what_is_not_known_gives_what_is_not_known() {
    each(|function, arguments, scope| {
        for at in 0..arguments.len() {
            let parameter = function.parameters.get(at).or(function.variadic.as_ref());
            if parameter.expect("a parameter").known == Known::Nothing {
                continue;
            }
            for (argument, sensitive) in [("later", false), ("secret_later", true)] {
                let text = with(function.name, arguments, at, argument);
                let value = result(scope, &text).unwrap_or_else(|found| panic!("{found:?}"));
                assert_eq!(value.kind, Kind::Unknown(function.returns.to_type()), "{text}");
                assert_eq!(value.marks.sensitive, sensitive, "{text}");
            }
        }
        if function.variadic.is_some() {
            let all = arguments.get(..function.parameters.len()).expect("as many as parameters");
            let all: String = all.iter().map(|one| format!("{one}, ")).collect();
            let text = format!("{}({all}secret_later...)", function.name);
            let value = result(scope, &text).unwrap_or_else(|found| panic!("{found:?}"));
            assert_eq!(value.kind, Kind::Unknown(function.returns.to_type()), "{text}");
            assert!(value.marks.sensitive, "{text}");
        }
    });
}

#[test]
fn what_is_made_of_a_secret_is_one() {
    each(|function, arguments, scope| {
        // These look at the mark itself.
        if matches!(function.name, "nonsensitive" | "issensitive") {
            return;
        }
        for at in 0..arguments.len() {
            let secret = format!("sensitive({})", arguments[at]);
            let text = with(function.name, arguments, at, &secret);
            let value = result(scope, &text).unwrap_or_else(|found| panic!("{found:?}"));
            assert!(value.all_marks().sensitive, "{text} is {value:?}");
        }
    });
}

#[test]
fn only_what_changes_from_run_to_run_is_volatile() {
    each(|function, arguments, scope| {
        let text = format!("{}({})", function.name, arguments.join(", "));
        let value = result(scope, &text).unwrap_or_else(|found| panic!("{found:?}"));
        let volatile = matches!(
            function.name,
            "bcrypt"
                | "legacy_isotime"
                | "legacy_strftime"
                | "plantimestamp"
                | "timestamp"
                | "uuid"
                | "uuidv4"
        );
        assert_eq!(value.all_marks().volatile, volatile, "{text}");
    });
}

#[test]
fn the_number_of_arguments_is_checked() {
    each(|function, arguments, scope| {
        let least = function.parameters.len();
        if least > 0 {
            let few = arguments.get(..least - 1).expect("as many as parameters").join(", ");
            let text = format!("{}({few})", function.name);
            let found = failure(scope, &text);
            assert!(found.starts_with(&format!("`{}` takes ", function.name)), "{text}: {found}");
        }
        if function.variadic.is_none() {
            let mut many = arguments.to_vec();
            many.push("1");
            let text = format!("{}({})", function.name, many.join(", "));
            let found = failure(scope, &text);
            assert!(found.starts_with(&format!("`{}` takes ", function.name)), "{text}: {found}");
        }
    });
}

#[test]
fn arguments_of_another_type_are_refused() {
    each(|function, arguments, scope| {
        for at in 0..arguments.len() {
            let parameter = function.parameters.get(at).or(function.variadic.as_ref());
            let parameter = parameter.expect("a parameter");
            if parameter.of.to_type() == Type::Any {
                continue;
            }
            // An object fits no parameter that has a type.
            let text = with(function.name, arguments, at, "{ a = {} }");
            let expected = format!("`{}` of `{}` does not fit", parameter.name, function.name);
            let found = failure(scope, &text);
            assert!(found.starts_with(&expected), "{text}: {found}");
        }
    });
}

#[test]
fn secrets_stay_out_of_errors_of_functions() {
    let scope = scope();
    let scope =
        Arc::new(scope.with("s", Value::string("hunter2").marked(crate::value::Marks::SENSITIVE)));
    for call in [
        "regex(s, \"a\")",
        "regex(\"x\", s)",
        "parseint(s, 10)",
        "base64decode(s)",
        "file(s)",
        "fileset(s, s)",
        "templatefile(s, {})",
        "uuidv5(s, s)",
        "timeadd(s, s)",
        "formatdate(s, s)",
        "cidrhost(s, 1)",
        "cidrsubnet(s, 1, 1)",
        "index([\"a\"], s)",
        "lookup({}, s)",
        "jsondecode(s)",
        "tonumber(s)",
        "s + 1",
        "[1][s]",
        "{ a = 1 }[s]",
        "var.names[s]",
        "convert(s, number)",
        "format(\"%d\", s)",
        "sum([s])",
        "[for x in s : x]",
        "s.x",
        "s ? 1 : 2",
        "{for x in [s, s] : x => 1}",
        "merge(s)",
        "range(s)",
        "format(s, 1)",
        "textencodebase64(\"a\", s)",
        "cidrcontains(s, s)",
        "tomap({ a = s, b = [1] })",
        "tolist([s, []])",
        "coalesce([s], 1)",
        "element([s], s)",
        "slice([s], s, 1)",
        "regex_replace(s, s, \"(\")",
    ] {
        let source = Source::new("test.hcl", call);
        let result = parse_expression(&source, None).and_then(|one| evaluate(&one, &scope));
        let text = match result {
            Ok(value) => value.to_string(),
            Err(found) => crate::diagnostic::render(&found, crate::diagnostic::Style::default()),
        };
        assert!(!text.contains("hunter2"), "{call}: {text}");
    }
}

/// Arguments of all kinds, also those that nobody expects.
const ARGUMENTS: [&str; 24] = [
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e300",
    "\"\"",
    "\"a\"",
    "\"10.0.0.0/8\"",
    "\"2026-11-21T07:08:09Z\"",
    "\"%d %s\"",
    "\"é\\u0000\"",
    "[]",
    "[null]",
    "[\"a\", \"b\"]",
    "[1, [2]]",
    "toset([\"b\", \"a\"])",
    "{}",
    "{ a = 1 }",
    "tomap({ a = \"x\" })",
    "var.later",
    "[var.later]",
    "var.secret",
    "[var.secret]...",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 1500, failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn no_call_panics_or_tells_a_secret(
        function in 0..150usize,
        arguments in proptest::collection::vec(0..ARGUMENTS.len(), 0..4),
    ) {
        let functions: Vec<_> = all().collect();
        let name = functions[function % functions.len()].name;
        let mut written: Vec<&str> = arguments.iter().map(|at| ARGUMENTS[*at]).collect();
        // Only the last argument can be spread.
        written.sort_by_key(|text| text.ends_with("..."));
        written.dedup_by(|a, b| a.ends_with("...") && b.ends_with("..."));
        let call = format!("{name}({})", written.join(", "));
        let source = Source::new("test.hcl", &call);
        let scope = scope();
        let text = match parse_expression(&source, None).and_then(|one| evaluate(&one, &scope)) {
            // Digests and the like do not show it; `nonsensitive` is meant to.
            Ok(value) if name == "nonsensitive" => value.type_of().to_string(),
            Ok(value) => value.to_string(),
            Err(found) => crate::diagnostic::render(&found, crate::diagnostic::Style::default()),
        };
        proptest::prop_assert!(!text.contains("hunter2"), "{call}: {text}");
    }
}
