//! Texts in HCL mean what they meant in JSON.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::super::evaluate::{FunctionContext, Scope, evaluate};
use super::super::syntax::parse_hcl;
use super::Names;
use super::call::Place;
use super::rewrite::Rewrite;
use super::text::{Part, Text};
use crate::diagnostic::Source;
use crate::value::Value;

/// The value of an argument that is written so.
fn value(written: &str) -> Value {
    let (body, found) = parse_hcl(&Source::new("t.hcl", format!("x = {written}\n")));
    assert!(!found.has_errors(), "{written}\n{found:?}");
    let context = Arc::new(FunctionContext::new(
        PathBuf::from("/"),
        PathBuf::from("/"),
        Timestamp::UNIX_EPOCH,
        |_| [0; 16],
        |_| None,
    ));
    let attribute = body.attributes.first().expect("an argument");
    evaluate(&attribute.expression, &Scope::new(context)).expect("a value")
}

fn rewritten(text: &str, place: Place) -> (String, Vec<String>) {
    let names = Names::default();
    let rewrite = Rewrite::new(&names);
    let spelled = rewrite.text(text, place).spell();
    let (_, problems) = rewrite.take();
    (spelled, problems)
}

proptest! {
    #[test]
    fn text_without_templates_keeps_its_value(
        text in "([a-z ]|[$%{}\"'\\\\\n\r\t]|\\$\\{|%\\{|EOT|é|\u{1}|𝄞){0,12}",
        money in "[$%]{0,3}",
    ) {
        prop_assume!(!text.contains("{{"));
        let (spelled, _) = rewritten(&text, Place::Builder);
        prop_assert_eq!(value(&spelled), Value::string(&text));
        let lines = Text { parts: vec![Part::Text(format!("{text}\n{text}\n"))] };
        if let Some(heredoc) = lines.heredoc() {
            prop_assert_eq!(value(&heredoc), Value::string(format!("{text}\n{text}\n")));
        }
        // In front of an interpolation, too.
        let parts = vec![
            Part::Text(format!("{text}{money}")),
            Part::Expression("\"v\"".to_owned()),
            Part::Text(text.clone()),
        ];
        let expected = Value::string(format!("{text}{money}v{text}"));
        prop_assert_eq!(value(&Text { parts }.spell()), expected);
    }

    #[test]
    fn any_text_can_be_written(text in any::<String>()) {
        let (spelled, _) = rewritten(&text, Place::Step);
        let (_, found) = parse_hcl(&Source::new("t.hcl", format!("x = {spelled}\n")));
        prop_assert!(!found.has_errors(), "{spelled}");
    }
}

#[test]
fn functions_become_what_means_the_same() {
    let same = |text: &str| (text.to_owned(), Vec::<String>::new());
    for (text, expected) in [
        ("{{user `x`}}", "var.x"),
        ("a{{user `x`}}b", "\"a${var.x}b\""),
        ("{{`x` | user | upper}}", "upper(var.x)"),
        ("{{build `ID`}}", "build.ID"),
        ("{{build `a b`}}", "build[\"a b\"]"),
        ("{{build_name}} {{build_type}}", "\"${source.name} ${source.type}\""),
        ("{{template_dir}}", "abspath(path.root)"),
        ("{{pwd}}{{packer_version}}", "\"${path.cwd}${packer.version}\""),
        ("{{isotime}} {{isotime `2006`}}", "\"${legacy_isotime()} ${legacy_isotime(\"2006\")}\""),
        ("{{strftime `%Y`}}", "legacy_strftime(\"%Y\")"),
        ("{{timestamp}} {{uuid}}", "\"{{timestamp}} {{uuid}}\""),
        ("{{timestamp | upper}}", "upper(rfc3339_parse(legacy_isotime()).unix)"),
        ("{{replace `a` `b` -1 `c`}}", "replace(\"c\", \"a\", \"b\")"),
        ("{{replace `a` `b` 2 `c`}}", "\"{{replace `a` `b` 2 `c`}}\""),
        ("{{replace_all `` `b` `c`}}", "\"{{replace_all `` `b` `c`}}\""),
        ("{{split `a-b` `-` 1}}", "split(\"-\", \"a-b\")[1]"),
        (
            "{{clean_resource_name (user `x`)}}",
            "\"{{clean_resource_name (${jsonencode(var.x)})}}\"",
        ),
        ("{{- .Path -}}", "\"{{- .Path -}}\""),
        ("{{`{{`}}x", "\"{{`{{`}}x\""),
        ("{{upper `{{`}}", "\"{{upper `{{`}}\""),
    ] {
        assert_eq!(rewritten(text, Place::Step), same(expected), "{text}");
    }
}

#[test]
fn what_works_nowhere_in_hcl_is_told() {
    for text in ["{{if env `X`}}y{{end}}", "{{`X` | printf `%s` | env}}", "{{env `X`}}"] {
        let (_, problems) = rewritten(text, Place::Builder);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    }
}

#[test]
fn variables_may_be_given_although_they_are_made_of_others() {
    let (spelled, problems) = rewritten("{{env `A`}}-{{timestamp}}-{{uuid}}", Place::Local);
    assert_eq!(spelled, "\"${var.env_A}-${rfc3339_parse(legacy_isotime()).unix}-${uuidv4()}\"");
    assert!(problems.is_empty());
}
