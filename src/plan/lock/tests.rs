//! Files and what is read of them.

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::diagnostic::{Source, Style, render};
use crate::plan::Digest;

fn place(region: &str) -> Option<Place> {
    Some(Place { region: region.to_owned(), sandbox: false })
}

fn image(template: &str, name: &str, region: &str, id: &str) -> Pin {
    Pin {
        template: template.to_owned(),
        name: name.to_owned(),
        place: place(region),
        asked: json!({ "type": SOURCE_IMAGE, "owners": ["amazon"], "filters": [{ "name": ["a*"] }] }),
        answer: Pinned::Image(ImagePin {
            id: id.to_owned(),
            name: "a1".to_owned(),
            architecture: "x86_64".to_owned(),
            creation_date: "2026-01-02T03:04:05.000Z".to_owned(),
        }),
    }
}

fn value(name: &str, asked: &str, value: Json) -> Pin {
    Pin {
        template: "web.pkr.hcl".to_owned(),
        name: name.to_owned(),
        place: None,
        asked: json!({ "type": "consul_key", "arguments": { "key": asked } }),
        answer: Pinned::Value { value, identity: None },
    }
}

fn all() -> Lock {
    let other = |name: &str, answer| Pin { answer, ..value(name, "x", Json::Null) };
    let body = json!({ "url": "https://example.com/", "body": "hello\n" });
    let sha256 = Digest::of(b"hello\n");
    let mut sandboxed = image("web.pkr.hcl", "amazon-ebs.web", "us-east-1", "ami-2");
    sandboxed.place = Some(Place { region: "us-east-1".to_owned(), sandbox: true });
    Lock::new(vec![
        value("consul_key(port)", "port", json!("8080")),
        image("web.pkr.hcl", "amazon-ebs.web", "us-east-1", "ami-1"),
        sandboxed,
        other("vault(secret/data/app, k)", Pinned::Version("vault:secret/data/app#7".to_owned())),
        other("data.http.small", Pinned::Download { sha256, value: Some(body) }),
        other("data.http.large", Pinned::Download { sha256, value: None }),
        other(
            "data.amazon-parameterstore.newest",
            Pinned::Value {
                value: json!({ "value": "ami-3" }),
                identity: Some("arn#1".to_owned()),
            },
        ),
    ])
}

fn read(text: &str) -> Result<Lock, String> {
    Lock::read(&Source::new("bake.lock", text)).map_err(|found| render(&found, Style::default()))
}

#[test]
fn a_lock_is_a_file_that_people_can_read() {
    let lock = Lock::new(vec![
        image("web.pkr.hcl", "amazon-ebs.web", "us-east-1", "ami-1"),
        value("consul_key(port)", "port", json!("8080")),
    ]);
    assert_snapshot!(lock.write(), @r#"
    {
      "version": 1,
      "pins": [
        {
          "template": "web.pkr.hcl",
          "name": "amazon-ebs.web",
          "region": "us-east-1",
          "asked": {
            "filters": [
              {
                "name": [
                  "a*"
                ]
              }
            ],
            "owners": [
              "amazon"
            ],
            "type": "source-image"
          },
          "image": {
            "id": "ami-1",
            "name": "a1",
            "architecture": "x86_64",
            "creation_date": "2026-01-02T03:04:05.000Z"
          }
        },
        {
          "template": "web.pkr.hcl",
          "name": "consul_key(port)",
          "asked": {
            "arguments": {
              "key": "port"
            },
            "type": "consul_key"
          },
          "value": "8080"
        }
      ]
    }
    "#);
}

#[test]
fn what_is_written_is_read() {
    assert_eq!(read(&all().write()), Ok(all()));
    assert_eq!(read(&format!("\u{feff}{}", all().write())), Ok(all()));
    assert_eq!(read(&Lock::default().write()), Ok(Lock::default()));
}

#[test]
fn a_lock_of_a_newer_version_is_refused() {
    let text = "{\n  \"version\": 2,\n  \"pins\": {\"new\": \"form\"}\n}\n";
    assert_snapshot!(read(text).expect_err("newer"), @r#"
    error[newer-lock]: this lock is of version 2, made by a newer bake
     --> bake.lock:2:14
      |
    2 |   "version": 2,
      |              ^ this bake knows version 1
      |
      = help: use a newer bake, or remove the file and run `bake lock`
    "#);
}

#[test]
fn a_garbled_lock_is_told_with_its_place() {
    let text = all().write();
    let cut = text.get(..400).expect("long enough");
    assert_snapshot!(read(cut).expect_err("cut off"), @r#"
    error[json-syntax]: this string is not closed
      --> bake.lock:23:9
       |
    23 |         "nam
       |         ^^^^ starts here
       |
       = help: add `"`
       = help: restore the file from version control, or remove it and run `bake lock`
    "#);
    let conflict = text.replacen("    {\n", "<<<<<<< HEAD\n    {\n", 1);
    assert_snapshot!(read(&conflict).expect_err("a conflict"), @"
    error[json-syntax]: expected a value, found `<`
     --> bake.lock:4:1
      |
    4 | <<<<<<< HEAD
      | ^ not the start of a value
      |
      = help: restore the file from version control, or remove it and run `bake lock`
    ");
    let misspelt = text.replacen("\"region\"", "\"regoin\"", 1);
    assert_snapshot!(read(&misspelt).expect_err("unknown"), @r#"
    error[wrong-lock]: this lock is not understood: unknown field `regoin`, expected one of `template`, `name`, `region`, `cloud`, `asked`, `image`, `identity`, `sha256`, `value`
     --> bake.lock:7:14
      |
    7 |       "regoin": "us-east-1",
      |              ^
      |
      = help: restore the file from version control, or remove it and run `bake lock`
    "#);
}

#[test]
fn a_lock_that_makes_no_sense_is_refused() {
    let refused = |text: &str| {
        let said = read(text).expect_err(text);
        said.lines().next().unwrap_or_default().to_owned()
    };
    let pin = |more: &str| {
        format!(r#"{{"version":1,"pins":[{{"template":"t","name":"n","asked":{{}}{more}}}]}}"#)
    };
    let said = [
        refused("[]"),
        refused("{}"),
        refused(r#"{"version":"1","pins":[]}"#),
        refused(r#"{"version":0,"pins":[]}"#),
        refused(r#"{"version":1}"#),
        refused(&pin("")),
        refused(&pin(r#","value":1,"sha256":"00","identity":"x""#)),
        refused(&pin(r#","sha256":"00""#)),
        refused(&pin(r#","value":1,"cloud":"moon","region":"r""#)),
        refused(&pin(r#","value":1,"cloud":"sandbox""#)),
        refused(&pin(
            r#","image":{"id":"i","name":"n","architecture":"a","creation_date":"c"},"region":"r""#,
        )),
        refused(&pin(&format!(r#","sha256":"{}","value":{{"body":"b"}}"#, "0".repeat(64)))),
        refused(
            r#"{"version":1,"pins":[{"template":"t","name":"n","asked":{},"value":1},{"template":"t","name":"n","asked":{},"value":2}]}"#,
        ),
    ];
    assert_snapshot!(said.join("\n"), @"
    error[wrong-lock]: a lock is an object, not an array
    error[wrong-lock]: there is no `version`
    error[wrong-lock]: this is no version of a lock
    error[wrong-lock]: this is no version of a lock
    error[wrong-lock]: this lock is not understood: missing field `pins`
    error[wrong-lock]: `n` must be pinned to one of `image`, `value`, `identity` and `sha256`
    error[wrong-lock]: `n` must be pinned to one of `image`, `value`, `identity` and `sha256`
    error[wrong-lock]: the `sha256` of `n` is not 64 hexadecimal digits
    error[wrong-lock]: `moon` is no cloud that bake knows
    error[wrong-lock]: `n` has a cloud and no region
    error[wrong-lock]: the pin of `n` does not fit what it asks
    error[wrong-lock]: the `body` of `n` does not have its `sha256`
    error[wrong-lock]: `n` is pinned twice
    ");
}

#[test]
fn a_pin_answers_its_question_whoever_asks() {
    let lock = Lock::new(vec![
        image("web.pkr.hcl", "amazon-ebs.web", "us-east-1", "ami-1"),
        image("db.pkr.hcl", "amazon-ebs.db", "us-east-1", "ami-2"),
    ]);
    let pins = Pins::new(lock, "db.pkr.hcl", false, false);
    let asked = image("", "", "", "").asked;
    let id = |name: &str, place: Option<Place>, asked: &Json| match pins.find(
        name,
        place.as_ref(),
        asked,
    ) {
        Found::Pin(Pin { answer: Pinned::Image(image), .. }) => image.id.clone(),
        Found::Stale(pin) => format!("stale: {}", pin.name),
        Found::Pin(_) | Found::Nothing => "nothing".to_owned(),
    };
    assert_eq!(id("amazon-ebs.db", place("us-east-1"), &asked), "ami-2", "its own");
    assert_eq!(id("amazon-ebs.web", place("us-east-1"), &asked), "ami-1", "by name");
    assert_eq!(id("amazon-ebs.db", place("eu-west-1"), &asked), "nothing", "another region");
    let sandbox = Some(Place { region: "us-east-1".to_owned(), sandbox: true });
    assert_eq!(id("amazon-ebs.db", sandbox, &asked), "nothing", "another cloud");
    let other = json!({ "type": SOURCE_IMAGE, "owners": ["self"] });
    assert_eq!(id("amazon-ebs.db", place("us-east-1"), &other), "stale: amazon-ebs.db");
    assert_eq!(id("amazon-ebs.web", place("us-east-1"), &other), "nothing", "of another template");
}

#[test]
fn a_new_look_keeps_what_it_is_not_about() {
    let old = Lock::new(vec![
        image("web.pkr.hcl", "amazon-ebs.web", "us-east-1", "ami-1"),
        image("web.pkr.hcl", "amazon-ebs.web", "eu-west-1", "ami-2"),
        image("db.pkr.hcl", "amazon-ebs.db", "us-east-1", "ami-3"),
        value("consul_key(port)", "port", json!("8080")),
        value("consul_key(gone)", "gone", json!("x")),
    ]);
    let now = vec![
        image("web.pkr.hcl", "amazon-ebs.web", "us-east-1", "ami-9"),
        value("consul_key(port)", "port", json!("8080")),
        value("consul_key(new)", "new", json!("y")),
    ];
    let told = |changes: &[Change]| {
        let one = |change: &Change| {
            let sign = match change {
                Change::New(_) => '+',
                Change::Changed { .. } => '~',
                Change::Dropped(_) => '-',
            };
            format!("{sign} {}: {}", change.pin().name, change.pin().answer)
        };
        changes.iter().map(one).collect::<Vec<_>>().join("\n")
    };
    let (lock, changes) = old.renewed("web.pkr.hcl", true, now.clone());
    assert_snapshot!(told(&changes), @r#"
    ~ amazon-ebs.web: ami-9 (a1)
    - consul_key(gone): "x"
    + consul_key(new): "y"
    "#);
    let names: Vec<_> = lock.pins().iter().map(|pin| pin.answer.to_string()).collect();
    assert_eq!(names, ["ami-3 (a1)", "ami-2 (a1)", "ami-9 (a1)", "\"y\"", "\"8080\""]);

    let (partial, changes) = old.renewed("web.pkr.hcl", false, now.clone());
    assert_eq!(changes.len(), 2, "nothing is dropped when not all builds are looked at");
    assert_eq!(partial.pins().len(), lock.pins().len() + 1);
    assert_eq!(lock.renewed("web.pkr.hcl", true, now), (lock.clone(), Vec::new()));
}

#[test]
fn names_for_an_update() {
    let named = |name: &str| Scope::Named(name.to_owned());
    assert!(named("vault").holds("vault(secret/data/app, k)"));
    assert!(named("vault(secret/data/app, k)").holds("vault(secret/data/app, k)"));
    assert!(!named("vault").holds("vault2(x)"));
    assert!(!named("data.http").holds("data.http.list"));
    assert!(Scope::All.holds("x") && !Scope::Nothing.holds("x"));
}

#[test]
fn a_template_is_called_by_its_file() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let path = directory.path();
    assert_eq!((label(path), beside(path)), (".".to_owned(), Some(path.join(LOCK_FILE))));
    let file = path.join("web.pkr.hcl");
    assert_eq!(
        (label(&file), beside(&file)),
        ("web.pkr.hcl".to_owned(), Some(path.join(LOCK_FILE)))
    );
    assert_eq!(beside("web.json".as_ref()), Some(LOCK_FILE.into()));
    assert_eq!(beside("-".as_ref()), None);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[{}\\[\\]\",:a-z0-9 \\n\u{e9}]{0,200}") {
        drop(read(&text));
        drop(read(&format!("{{\"version\":1,\"pins\":{text}}}")));
    }

    #[test]
    fn any_pin_comes_back(
        name in ".{0,12}", region in ".{0,12}", sandbox: bool, id in ".{0,12}", key in ".{0,12}",
    ) {
        let mut pin = image("t", &name, &region, &id);
        pin.place = Some(Place { region, sandbox });
        pin.asked[key] = json!([{ "b": 1, "a": null }]);
        pin.asked["type"] = json!(SOURCE_IMAGE);
        let lock = Lock::new(vec![pin]);
        prop_assert_eq!(read(&lock.write()), Ok(lock));
    }
}
