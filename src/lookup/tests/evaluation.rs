//! Rounds: what is asked, when, and how often.

use insta::assert_snapshot;

use super::harness::{Asking, Fake, body, echo, source};
use crate::template::lookup::{Answer, Refusal};

const BUILD: &str = "\nbuild {\n  sources = [\"vm.app\"]\n}\n";

fn with_build(text: &str) -> String {
    format!("{text}{BUILD}")
}

#[tokio::test]
async fn what_a_data_source_gives_feeds_the_next() {
    let text = with_build(
        r#"
data "http" "first" { url = "http://a" }
data "http" "second" { url = "http://b/${local.middle}" }
locals { middle = upper(trim(data.http.first.body, "[]")) }
source "vm" "app" {
  source = data.http.second.body
  note   = "${data.http.first.body} again"
}
"#,
    );
    let fake = Fake::new(echo);
    let plans = Asking::new(&text).settled(&fake).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(source(&plans[0]), "[http://b/HTTP://A]");
    assert_eq!(plans[0].builder.evaluated["note"], "[http://a] again");
    let urls = [r#""url":"http://a""#, r#""url":"http://b/HTTP://A""#];
    let asked = fake.asked();
    assert_eq!(asked.len(), urls.len(), "each is asked once: {asked:?}");
    assert!(asked.iter().zip(urls).all(|(asked, url)| asked.contains(url)), "{asked:?}");
}

#[tokio::test]
async fn equal_questions_are_one_and_those_of_a_round_go_together() {
    let text = with_build(
        r#"
data "http" "a" { url = "http://same" }
data "http" "b" {
  url    = "http://same"
  method = "GET"
}
source "vm" "app" {
  source = "${data.http.a.body}${data.http.b.body}${consul_key("x")}${consul_key("x")}"
}
"#,
    );
    let fake = Fake::new(echo);
    let plans = Asking::new(&text).settled(&fake).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(source(&plans[0]), "[http://same][http://same]value-of-xvalue-of-x");
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn a_secret_in_a_local_reaches_a_data_source_and_stays_secret() {
    let text = with_build(
        r#"
locals { token = vault("secret/data/api", "token") }
data "http" "list" {
  url             = "http://a"
  request_headers = { Authorization = "Bearer ${local.token}" }
}
data "null" "copy" { input = local.token }
source "vm" "app" {
  source = data.http.list.body
  note   = data.null.copy.output
}
"#,
    );
    let fake = Fake::new(|kind, request| match kind {
        "http" => body(format!("you said {}", request["headers"]["Authorization"])),
        _ => echo(kind, request),
    });
    let plans = Asking::new(&text).settled(&fake).await.unwrap_or_else(|error| panic!("{error}"));
    let secrets = &plans[0].builder.secrets;
    assert!(secrets.contains("secret/data/api/token"), "{secrets:?}");
    // The server sent the header back.
    assert!(secrets.iter().any(|one| one.contains("Bearer")), "{secrets:?}");
    let hashed = plans[0].builder.hashed["source"].to_string();
    assert!(hashed.contains("sensitive") && !hashed.contains("you said"), "{hashed}");
}

#[tokio::test]
async fn only_what_a_selected_build_needs_is_asked() {
    let text = r#"
data "http" "one" { url = "http://one" }
data "http" "two" { url = "http://two" }
data "http" "chained" { url = "http://chained/${data.http.two.body}" }
data "http" "nobody" { url = "http://nobody" }
locals {
  one    = data.http.one.body
  nobody = vault("never", "asked")
}
source "vm" "one" { source = local.one }
source "vm" "two" { source = data.http.chained.body }
build {
  sources = ["vm.one", "vm.two"]
  provisioner "run" {
    only   = ["vm.two"]
    inline = [consul_key("two")]
  }
}
"#;
    let fake = Fake::new(echo);
    let asking = Asking { only: &["vm.one"], ..Asking::new(text) };
    asking.settled(&fake).await.unwrap_or_else(|error| panic!("{error}"));
    let asked = fake.asked();
    assert!(asked.len() == 1 && asked[0].contains("http://one"), "{asked:?}");
    let fake = Fake::new(echo);
    let asking = Asking { only: &["vm.two"], ..Asking::new(text) };
    asking.settled(&fake).await.unwrap_or_else(|error| panic!("{error}"));
    let asked = fake.asked().join("\n");
    assert!(fake.asked().len() == 3 && !asked.contains("http://one"), "{asked}");
}

#[tokio::test]
async fn names_and_sources_of_builds_may_be_looked_up() {
    let text = r#"
data "http" "name" { url = "http://name" }
data "http" "other" { url = "http://other" }
source "vm" "app" { source = data.http.other.body }
build {
  name    = trim(data.http.name.body, "[]:/htp")
  sources = ["vm.app"]
}
"#;
    let fake = Fake::new(echo);
    let plans = Asking::new(text).settled(&fake).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plans[0].name, "name.vm.app");
    let asking = Asking { only: &["nothing.*"], ..Asking::new(text) };
    let fake = Fake::new(echo);
    let error = asking.settled(&fake).await.expect_err("nothing is selected");
    assert!(error.contains("nothing-selected"), "{error}");
    assert_eq!(fake.asked().len(), 1, "the name decides what is selected");
}

#[tokio::test]
async fn a_failed_look_up_is_an_error_at_its_place() {
    let text = with_build(
        r#"
data "http" "list" { url = "http://a" }
source "vm" "app" {
  source = data.http.list.body
  note   = vault("secret/a", "b")
}
"#,
    );
    let fake = Fake::new(|kind, _| {
        Answer::Refused(Refusal::new(format!("no {kind} today")).hint("try again tomorrow"))
    });
    let error = Asking::new(&text).settled(&fake).await.expect_err("refusals");
    assert_snapshot!(error, @r#"
    error[lookup-failed]: `data.http.list`: no http today
     --> a.pkr.hcl:2:1
      |
    2 | data "http" "list" { url = "http://a" }
      | ^^^^^^^^^^^^^^^^^^
      |
      = help: try again tomorrow
    "#);
    let text = text.replace("source = data.http.list.body\n", "");
    let error = Asking::new(&text).settled(&fake).await.expect_err("refusals");
    assert_snapshot!(error, @r#"
    error[function-failed]: `vault`: no vault today
     --> a.pkr.hcl:4:14
      |
    4 |     note   = vault("secret/a", "b")
      |              ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: try again tomorrow
    "#);
    let text = text.replace("vault(\"secret/a\", \"b\")", "try(vault(\"a\", \"b\"), \"instead\")");
    let plans = Asking::new(&text).settled(&fake).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(plans[0].builder.evaluated["note"], "instead");
}

#[tokio::test]
async fn nothing_is_asked_when_the_template_is_wrong_anyway() {
    let text = with_build(
        "data \"http\" \"a\" { url = \"http://a\" }\n\
         source \"vm\" \"app\" {\n  source = data.http.a.body\n  nonsense = 1\n}\n",
    );
    let fake = Fake::new(echo);
    let error = Asking::new(&text).settled(&fake).await.expect_err("an unknown option");
    assert!(error.contains("unknown-option"), "{error}");
    assert!(fake.asked().is_empty());
}

#[tokio::test]
async fn options_of_data_sources_are_checked_like_all_others() {
    let text = with_build(
        r#"
data "http" "a" {
  url             = "ftp://a"
  method          = "GETT"
  request_headers = { "a b" = "x", ok = "a\nb" }
}
data "amazon-ami" "b" {
  filters    = { name = "x" }
  access_key = "AKIA"
}
data "amazon-parameterstore" "c" {
  name            = ["x"]
  with_decription = true
}
source "vm" "app" {}
"#,
    );
    let error = Asking::new(&text).settled(&Fake::new(echo)).await.expect_err("errors");
    assert_snapshot!(error, @r#"
    error[wrong-value]: `GETT` is no method
     --> a.pkr.hcl:4:21
      |
    4 |   method          = "GETT"
      |                     ^^^^^^
      |
      = help: did you mean `GET`?

    error[wrong-value]: `ftp` is no scheme that bake knows
     --> a.pkr.hcl:3:21
      |
    3 |   url             = "ftp://a"
      |                     ^^^^^^^^^
      |
      = help: write `https://…` or `http://…`

    error[wrong-value]: `a b` cannot name a header
     --> a.pkr.hcl:5:21
      |
    5 |   request_headers = { "a b" = "x", ok = "a\nb" }
      |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: letters, digits and `-` only

    error[wrong-value]: the header `ok` cannot have this value
     --> a.pkr.hcl:5:21
      |
    5 |   request_headers = { "a b" = "x", ok = "a\nb" }
      |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: a header is one line without control characters

    error[missing-option]: `owners` is required
     --> a.pkr.hcl:7:1
      |
    7 | data "amazon-ami" "b" {
      | ^^^^^^^^^^^^^^^^^^^^^
      |
      = help: name accounts, or `self`, `amazon`, `aws-marketplace`: anybody may give an image any name

    error[wrong-option]: `access_key` and `secret_key` belong together
     --> a.pkr.hcl:9:16
      |
    9 |   access_key = "AKIA"
      |                ^^^^^^

    error[unknown-option]: unknown option `with_decription`
      --> a.pkr.hcl:13:3
       |
    13 |   with_decription = true
       |   ^^^^^^^^^^^^^^^ not known here
       |
       = help: did you mean `with_decryption`?

    error[wrong-type]: wrong type for `name`: a string is required, but this is a tuple
      --> a.pkr.hcl:12:21
       |
    12 |   name            = ["x"]
       |                     ^^^^^ string is expected
    "#);
}

#[tokio::test]
async fn random_values_are_the_same_in_all_rounds() {
    let text = with_build(
        r#"
data "http" "a" { url = "http://${uuidv4()}" }
source "vm" "app" { source = data.http.a.body }
"#,
    );
    let fake = Fake::new(echo);
    let plans = Asking::new(&text).settled(&fake).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(fake.asked().len(), 1, "{:?}", fake.asked());
    assert!(!plans[0].is_repeatable(), "an image of a random look-up is not repeatable");
}

#[tokio::test]
async fn legacy_variables_look_secrets_up() {
    let text = r#"{
  "variables": {
    "password": "{{ vault `secret/data/db` `password` }}",
    "url": "db://admin:{{ user `password` }}@host",
    "image": "{{ consul_key `images/base` }}",
    "unused": "{{ vault `overridden` `x` }}"
  },
  "builders": [{ "type": "vm", "source": "{{ user `image` }}", "note": "{{ user `url` }}" }]
}"#;
    let asking = Asking { file: "a.json", variables: &[("unused", "given")], ..Asking::new(text) };
    let before = asking.unsettled();
    assert!(before[0].builder.late.contains("source") && before[0].builder.late.contains("note"));
    let fake = Fake::new(echo);
    let plans = asking.settled(&fake).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(source(&plans[0]), "value-of-images/base");
    assert!(plans[0].builder.secrets.contains("db://admin:secret/data/db/password@host"));
    assert_eq!(fake.asked().len(), 2, "{:?}", fake.asked());
    let fake = Fake::new(|kind, _| Answer::Refused(Refusal::new(format!("no {kind} today"))));
    let error = asking.settled(&fake).await.expect_err("refusals");
    assert_snapshot!(error, @r#"
    error[template-error]: no consul_key today
     --> a.json:5:14
      |
    5 |     "image": "{{ consul_key `images/base` }}",
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error[template-error]: no vault today
     --> a.json:3:17
      |
    3 |     "password": "{{ vault `secret/data/db` `password` }}",
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[tokio::test]
async fn what_only_the_build_knows_is_not_looked_up() {
    use crate::template::schema::BuildData;
    use crate::value::Value;

    let text = with_build("source \"vm\" \"app\" {}\n").replace(
        "sources = [\"vm.app\"]\n",
        "sources = [\"vm.app\"]\n  provisioner \"run\" {\n    inline = [vault(\"x\", build.ID)]\n  }\n",
    );
    let fake = Fake::new(echo);
    let plans = Asking::new(&text).settled(&fake).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(fake.asked().is_empty(), "its argument is unknown: {:?}", fake.asked());
    let component = &plans[0].steps[0].planned.component;
    let data = BuildData::from([("ID".to_owned(), Value::string("i-1"))]);
    let resolve = component.evaluate.resolve(Some(&data));
    let found = resolve.evaluate(&component.body.attributes[0].expression).expect_err("too late");
    assert!(found.iter().any(|one| one.summary.contains("only known while the build runs")));
}
