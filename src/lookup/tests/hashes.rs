//! Look-ups and the two hashes.

use serde_json::json;

use super::harness::{Asking, Fake, body, echo};
use crate::plan::Plan;
use crate::plan::identity::{image_hash, template_hash};
use crate::template::lookup::Answer;
use crate::value::Value;

fn template(url: &str, path: &str) -> String {
    format!(
        r#"
locals {{ image = data.http.image.body }}
data "http" "image" {{ url = "{url}" }}
source "vm" "app" {{ source = local.image }}
build {{
  sources = ["vm.app"]
  provisioner "run" {{ inline = ["login ${{vault("{path}", "password")}}"] }}
}}
"#
    )
}

fn recipe(plan: &Plan) -> String {
    template_hash(plan).hex()
}

fn image(plan: &Plan) -> String {
    image_hash(plan, &[], &json!({})).hex()
}

#[test]
fn the_template_hash_covers_what_is_asked() {
    let hash = |text: &str| recipe(&Asking::new(text).unsettled()[0]);
    let first = hash(&template("http://a", "secret/a"));
    assert_eq!(first, hash(&template("http://a", "secret/a").replace(" = ", "  =  ")));
    // Through a local and a data source, and in the option itself.
    assert_ne!(first, hash(&template("http://b", "secret/a")));
    assert_ne!(first, hash(&template("http://a", "secret/b")));
    // A variable's value, not how it is called where it was looked up.
    let variable = "variable \"host\" { default = \"a\" }\n".to_owned()
        + &template("http://${var.host}", "secret/a");
    assert_eq!(hash(&variable), first);
}

#[tokio::test]
async fn the_image_hash_covers_what_was_found() {
    let text = template("http://a", "secret/a");
    let asking = Asking::new(&text);
    let found = async |answer| {
        let plans = asking.settled(&Fake::new(answer)).await;
        image(&plans.unwrap_or_else(|error| panic!("{error}"))[0])
    };
    let first = found(echo).await;
    assert_eq!(first, found(echo).await);
    let other_value = |kind: &str, request: &serde_json::Value| match kind {
        "http" => body("another image"),
        _ => echo(kind, request),
    };
    assert_ne!(first, found(other_value).await);
    // A secret counts by its version; its value must not be guessed from a hash.
    let other_secret = |kind: &str, request: &serde_json::Value| match kind {
        "vault" => {
            Answer::Found { value: Value::string("another"), identity: Some("vault#1".to_owned()) }
        }
        _ => echo(kind, request),
    };
    assert_eq!(first, found(other_secret).await);
    let other_version = |kind: &str, request: &serde_json::Value| match kind {
        "vault" => {
            Answer::Found { value: Value::string("another"), identity: Some("vault#2".to_owned()) }
        }
        _ => echo(kind, request),
    };
    assert_ne!(first, found(other_version).await);
}

#[tokio::test]
async fn legacy_variables_count_by_how_they_come_about() {
    let template = |path: &str| {
        format!(
            r#"{{
  "variables": {{
    "password": "{{{{ vault `{path}` `password` }}}}",
    "login": "admin:{{{{ user `password` }}}}"
  }},
  "builders": [{{ "type": "vm", "source": "x {{{{ user `login` }}}}" }}]
}}"#
        )
    };
    let (a, b) = (template("secret/a"), template("secret/b"));
    let asking = |text| Asking { file: "a.json", ..Asking::new(text) };
    assert_ne!(recipe(&asking(&a).unsettled()[0]), recipe(&asking(&b).unsettled()[0]));
    let found = async |answer| {
        let plans = asking(&a).settled(&Fake::new(answer)).await;
        image(&plans.unwrap_or_else(|error| panic!("{error}"))[0])
    };
    let version = |_: &str, _: &serde_json::Value| Answer::Found {
        value: Value::string("secret/a/password"),
        identity: Some("vault#2".to_owned()),
    };
    assert_ne!(found(echo).await, found(version).await);
}
