//! File steps from the template to what is uploaded.

use std::fs;

use tokio_util::sync::CancellationToken;

use crate::event::Fact;
use crate::plan::Entry;
use crate::provision::ProvisionError;
use crate::provision::test_support::{Local, plan_steps, run_all, said};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("dist")).unwrap();
    fs::write(folder.path().join("dist/index"), "index").unwrap();
    fs::write(folder.path().join("one"), "one").unwrap();
    folder
}

/// What a step uploads: source name, whether only contents, number of files, destination.
async fn uploads(body: &str) -> Vec<(String, bool, usize, String)> {
    let folder = folder();
    let text = format!("provisioner \"file\" {{\n{body}\n}}");
    let plan = plan_steps(folder.path(), &text).unwrap_or_else(|found| panic!("{found}"));
    let local = Local::default();
    let (result, told) = run_all(&plan, &local, &CancellationToken::new()).await;
    result.unwrap();
    let uploads = local.uploads.lock().unwrap();
    let ends = |fact: &&Fact| matches!(fact, Fact::UploadEnded { .. });
    assert_eq!(told.iter().filter(ends).count(), uploads.len());
    uploads
        .iter()
        .map(|one| (one.name.clone(), one.contents_only, one.tree.files(), one.destination.clone()))
        .collect()
}

#[tokio::test]
async fn sources_come_in_order_with_packers_slashes() {
    let body = "sources = [\"dist/\", \"dist\", \".\"]\nsource = \"one\"\ndestination = \"/tmp/x\"";
    let to = || "/tmp/x".to_owned();
    assert_eq!(
        uploads(body).await,
        [
            ("dist".to_owned(), true, 1, to()),
            ("dist".to_owned(), false, 1, to()),
            (String::new(), true, 3, to()),
            ("one".to_owned(), false, 1, to()),
        ]
    );
}

#[tokio::test]
async fn content_becomes_a_file_that_others_may_read() {
    let folder = folder();
    let text =
        "provisioner \"file\" {\n content = \"to ${build.Host}\"\n destination = \"/etc/x\"\n}";
    let plan = plan_steps(folder.path(), text).unwrap();
    let local = Local::default();
    let (result, told) = run_all(&plan, &local, &CancellationToken::new()).await;
    result.unwrap();
    assert_eq!(said(&told), ["Uploading content => /etc/x"]);
    let upload = local.uploads.lock().unwrap().remove(0);
    match upload.tree.single_file() {
        Some(Entry::File { mode: 0o644, size: 15, .. }) => {}
        other => panic!("{other:?}"),
    }
    // Without text it is an empty file, not nothing.
    assert_eq!(self::uploads("content = \"\"\ndestination = \"/x\"").await.len(), 1);
}

#[tokio::test]
async fn what_a_build_makes_is_read_when_it_is_there() {
    let folder = folder();
    let made = folder.path().join("made");
    let text = format!(
        "provisioner \"file\" {{\n source = \"{}\"\n destination = \"/x\"\n generated = true\n}}",
        made.display()
    );
    let plan = plan_steps(folder.path(), &text).unwrap();
    let local = Local::default();
    let (result, _) = run_all(&plan, &local, &CancellationToken::new()).await;
    assert!(matches!(result, Err(ProvisionError::Read(_))));
    fs::write(&made, "made").unwrap();
    run_all(&plan, &local, &CancellationToken::new()).await.0.unwrap();
    assert_eq!(local.uploads.lock().unwrap()[0].tree.size(), 4);
    assert!(!plan.is_repeatable(), "nobody knows what will be uploaded");
}

fn refused(body: &str) -> String {
    let folder = folder();
    plan_steps(folder.path(), &format!("provisioner \"file\" {{\n{body}\n}}")).unwrap_err()
}

#[test]
fn wrong_combinations_are_found_before_anything_runs() {
    let all = [
        "destination = \"/x\"",
        "source = \"one\"",
        "source = \"gone\"\ndestination = \"/x\"",
        "source = \"one\"\ncontent = \"x\"\ndestination = \"/x\"",
        "content = \"x\"\ndestination = \"/x/\"",
        "source = \"one\"\ndestination = \"\"",
        "source = \"/var/log/x\"\ndestination = \"x\"\ndirection = \"download\"",
        "source = \"one\"\ndestination = \"x\"\ndirection = \"up\"",
    ];
    insta::assert_snapshot!(all.map(refused).join("\n\n"), @r#"
    error[what-to-upload]: a `file` provisioner needs one of `source`, `sources` and `content`
     --> template.pkr.hcl:4:1
      |
    4 | provisioner "file" {
      | ^^^^^^^^^^^^^^^^^^



    error[missing-option]: `destination` is required
     --> template.pkr.hcl:4:1
      |
    4 | provisioner "file" {
      | ^^^^^^^^^^^^^^^^^^ `destination` is not given



    error[missing-source]: cannot read `gone`: No such file or directory (os error 2)
     --> template.pkr.hcl:5:10
      |
    5 | source = "gone"
      |          ^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's
      = help: if a step of this build makes it, set `generated = true`



    error[what-to-upload]: `content` excludes `source` and `sources`
     --> template.pkr.hcl:6:11
      |
    6 | content = "x"
      |           ^^^



    error[what-to-upload]: `content` has no name of its own
     --> template.pkr.hcl:6:15
      |
    6 | destination = "/x/"
      |               ^^^^^
      |
      = help: write the whole path of the file, without a `/` at its end



    error[wrong-value]: `destination` is empty
     --> template.pkr.hcl:6:15
      |
    6 | destination = ""
      |               ^^



    error[unsupported]: downloads are not supported yet
     --> template.pkr.hcl:7:13
      |
    7 | direction = "download"
      |             ^^^^^^^^^^



    error[wrong-value]: there is no direction `up`
     --> template.pkr.hcl:7:13
      |
    7 | direction = "up"
      |             ^^^^
      |
      = help: write `upload`
    "#);
}

#[test]
fn the_hash_knows_names_only_where_they_count() {
    let hash = |source: &str, destination: &str| {
        let folder = folder();
        fs::copy(folder.path().join("one"), folder.path().join("two")).unwrap();
        let text = format!(
            "provisioner \"file\" {{\n source = \"{source}\"\n destination = \"{destination}\"\n}}"
        );
        crate::plan::identity::template_hash(&plan_steps(folder.path(), &text).unwrap())
    };
    assert_eq!(hash("one", "/x"), hash("two", "/x"));
    assert_ne!(hash("one", "/x/"), hash("two", "/x/"));
    assert_ne!(hash("dist", "/x"), hash("dist/", "/x"));
    assert_eq!(hash("dist/", "/x"), hash("./dist/", "/x"));
}
