//! `bake lock`, and builds that go by what it has pinned.

use std::fs;

use insta::assert_snapshot;

use crate::support::{Endpoint, Outcome, Running, Web, Workspace, root, shell, template_with};

/// Runs bake in the workspace.
fn bake(workspace: &Workspace, arguments: &[&str]) -> Outcome {
    let mut command = workspace.command(arguments);
    command.current_dir(workspace.path());
    Running::start(command).finish()
}

fn lock_of(workspace: &Workspace) -> String {
    fs::read_to_string(workspace.path().join("bake.lock")).expect("a lock")
}

/// An image that others can be built on.
fn publish(workspace: &Workspace, name: &str) -> String {
    let options = format!("ami_name = \"{name}\"\n  source_ami = \"ami-12345678\"");
    let file = format!("{name}/base.pkr.hcl");
    workspace.write(&file, template_with(&options, &shell(&format!("echo {name}"))));
    bake(workspace, &["build", "--sandbox", &file]).expect(0).image()
}

/// A template that starts from the newest of them.
fn newest(filter: &str) -> String {
    let options = format!(
        "source_ami_filter {{
    filters     = {{ name = \"{filter}\" }}
    owners      = [\"self\"]
    most_recent = true
  }}"
    );
    template_with(&options, &shell("true"))
}

#[test]
fn a_locked_template_makes_the_same_image_another_day() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let file = workspace.path().join("bake.lock");
    let first = publish(&workspace, "base-1");
    workspace.write("t.pkr.hcl", newest("base-*"));
    let said = bake(&workspace, &["lock", "--sandbox", "t.pkr.hcl"]).expect(0).stdout;
    assert_eq!(
        said,
        format!(
            "+ amazon-ebs.t in us-east-1 of the sandbox: {first} (base-1)\n\
             bake.lock: 1 new, 0 changed, 0 dropped, 0 as before\n"
        )
    );
    let build = |options: &[&str]| {
        let arguments = [&["build", "--sandbox"], options, &["t.pkr.hcl"]].concat();
        bake(&workspace, &arguments)
    };
    let before = build(&[]).expect(0);
    assert!(before.stdout.contains(&format!("Found Image ID: {first} (base-1)")));

    let second = publish(&workspace, "base-2");
    for options in [&[][..], &["-locked"]] {
        let after = build(options).expect(0);
        assert!(after.reused(), "{}", after.stdout);
        assert_eq!((after.hash(), after.image()), (before.hash(), before.image()));
        assert!(!after.stdout.contains("bake.lock"), "{}", after.stdout);
    }
    // A pin is as good for the same question by another file of the directory.
    workspace.write("u.pkr.hcl", newest("base-*"));
    assert!(bake(&workspace, &["build", "--sandbox", "-locked", "u.pkr.hcl"]).expect(0).reused());

    let pinned = lock_of(&workspace);
    fs::remove_file(&file).expect("remove the lock");
    let unlocked = build(&[]).expect(0);
    assert_ne!(unlocked.hash(), before.hash());
    let refused = build(&["-locked"]).expect(1).stderr;
    assert_snapshot!(refused, @r#"
    error[no-lock]: there is no `bake.lock` in `.`
     |
     = help: `bake lock t.pkr.hcl` makes one
    "#);

    fs::write(&file, &pinned).expect("put the lock back");
    let said = bake(&workspace, &["lock", "--sandbox", "t.pkr.hcl"]).expect(0).stdout;
    assert_eq!(said, "bake.lock: 0 new, 0 changed, 0 dropped, 1 as before\n");
    assert_eq!(lock_of(&workspace), pinned);

    // What is asked has changed: the pin is for something else.
    workspace.write("t.pkr.hcl", newest("base-?"));
    let refused = build(&["-locked"]).expect(1);
    assert_snapshot!(refused.stderr, @r#"
    error[source-image]: `amazon-ebs.t`: bake.lock has a source image for us-east-1 of the sandbox, but something else was asked then
     --> t.pkr.hcl:4:3
      |
    4 |   source_ami_filter {
      |   ^^^^^^^^^^^^^^^^^
      |
      = help: `bake lock` looks for one and pins it; -locked looks for none
    "#);
    let warned = build(&[]).expect(0);
    assert!(warned.stdout.contains("the source image in bake.lock is for another question"));
    workspace.write("t.pkr.hcl", newest("base-*"));

    bake(&workspace, &["sandbox", "rm", &first]).expect(0);
    let gone = build(&[]).expect(1);
    let text = format!("the source image {first} (base-1) that bake.lock has is not in us-east-1");
    assert!(gone.stdout.contains(&text), "{}", gone.stdout);
    assert!(gone.stdout.contains("`bake lock -update 'amazon-ebs.t'`"), "{}", gone.stdout);
    let said = bake(&workspace, &["lock", "--sandbox", "-update", "amazon-ebs.t", "t.pkr.hcl"]);
    assert_eq!(
        said.expect(0).stdout,
        format!(
            "~ amazon-ebs.t in us-east-1 of the sandbox: {second} (base-2) (was {first} (base-1))\n\
             bake.lock: 0 new, 1 changed, 0 dropped, 0 as before\n"
        )
    );
    assert_eq!(build(&["-locked"]).expect(0).hash(), unlocked.hash());
    workspace.assert_nothing_runs();
}

#[test]
fn image_ids_are_of_one_region_and_not_of_the_sandbox() {
    if !root("the sandbox as a cloud") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let debian = template_with(
        "source_ami_filter {
    filters     = { name = \"debian-12-amd64-*\" }
    owners      = [\"136693071363\"]
    most_recent = true
  }",
        &shell("true"),
    );
    workspace.write("t.pkr.hcl", debian);
    let bake = |arguments: &[&str], region: &str| {
        let mut command = endpoint.used_by(workspace.command(arguments));
        command.current_dir(workspace.path()).env("AWS_REGION", region);
        Running::start(command).finish()
    };
    let said = bake(&["lock", "t.pkr.hcl"], "us-east-1").expect(0).stdout;
    assert!(said.starts_with("+ amazon-ebs.t in us-east-1: ami-"), "{said}");
    let refused = bake(&["build", "-locked", "t.pkr.hcl"], "eu-west-1").expect(1).stderr;
    assert!(refused.contains("bake.lock has no source image for eu-west-1"), "{refused}");
    let refused = bake(&["build", "--sandbox", "-locked", "t.pkr.hcl"], "us-east-1").expect(1);
    assert!(
        refused.stderr.contains("bake.lock has no source image for us-east-1 of the sandbox"),
        "{}",
        refused.stderr
    );
    assert_eq!(endpoint.instances().len(), 0);
    let said = bake(&["lock", "t.pkr.hcl"], "eu-west-1").expect(0).stdout;
    assert!(said.ends_with("1 new, 0 changed, 0 dropped, 1 as before\n"), "{said}");
    assert_eq!(lock_of(&workspace).matches("\"region\": ").count(), 2);
}

/// A template with downloads and no need of a cloud.
fn downloading(downloads: &[(&str, String)]) -> String {
    let data = downloads
        .iter()
        .map(|(name, url)| format!("data \"http\" \"{name}\" {{\n  url = \"{url}\"\n}}\n"));
    let steps = downloads.iter().map(|(name, _)| {
        format!(
            "provisioner \"shell\" {{\n    inline = [\"echo ${{data.http.{name}.body}}\"]\n  }}\n"
        )
    });
    let (data, steps): (String, String) = (data.collect(), steps.collect());
    data + &template_with("source_ami = \"ami-12345678\"", &steps)
}

#[test]
fn downloads_are_what_they_were() {
    let workspace = Workspace::new();
    let web = Web::start("1.2.3");
    let url = |path: &str| format!("{}/{path}", web.url());
    workspace.write("t.pkr.hcl", downloading(&[("a", url("a")), ("b", url("b"))]));
    let hash = || bake(&workspace, &["hash", "t.pkr.hcl"]).expect(0).stdout;
    let unlocked = hash();
    let said = bake(&workspace, &["lock", "t.pkr.hcl"]).expect(0);
    let digest = "c47f5b18b8a430e698b9fe15e51f6119984e78334bcf3f45e210d30c37ef2f9e";
    assert_eq!(
        said.stdout,
        format!(
            "+ data.http.a: sha256 {digest}\n+ data.http.b: sha256 {digest}\n\
             bake.lock: 2 new, 0 changed, 0 dropped, 0 as before\n"
        )
    );
    assert_eq!(said.stderr, "");
    assert_eq!(hash(), unlocked, "a pin moves no template hash");

    web.serve("1.2.4");
    let strict = ["validate", "-evaluate-datasources", "-locked", "t.pkr.hcl"];
    bake(&workspace, &strict).expect(0);
    assert_eq!(web.paths().len(), 2, "nobody is asked again");

    workspace
        .write("t.pkr.hcl", downloading(&[("b", url("other")), ("c", url("c")), ("d", url("d"))]));
    let refused = bake(&workspace, &strict).expect(1).stderr;
    assert_snapshot!(refused.replace(web.url(), "URL"), @r#"
    error[not-pinned]: `data.http.b`: bake.lock has a pin, but it was asked something else then
     --> t.pkr.hcl:1:1
      |
    1 | data "http" "b" {
      | ^^^^^^^^^^^^^^^
      |
      = help: `bake lock` looks it up and pins it; -locked looks nothing up

    error[not-pinned]: `data.http.c`: bake.lock has no pin for it
     --> t.pkr.hcl:4:1
      |
    4 | data "http" "c" {
      | ^^^^^^^^^^^^^^^
      |
      = help: `bake lock` looks it up and pins it; -locked looks nothing up

    error[not-pinned]: `data.http.d`: bake.lock has no pin for it
     --> t.pkr.hcl:7:1
      |
    7 | data "http" "d" {
      | ^^^^^^^^^^^^^^^
      |
      = help: `bake lock` looks it up and pins it; -locked looks nothing up
    "#);
    let warned = bake(&workspace, &["validate", "-evaluate-datasources", "t.pkr.hcl"]).expect(0);
    assert_eq!(warned.stderr.matches("warning[not-pinned]").count(), 3, "{}", warned.stderr);

    let said = bake(&workspace, &["lock", "-only=nothing.*", "t.pkr.hcl"]);
    assert_eq!(said.code, 1, "{}", said.stdout);
    let said = bake(&workspace, &["lock", "t.pkr.hcl"]).expect(0).stdout;
    let new = "30f3fadac3f9d8b6c8a8188a0e7b0c36abc9b90886ac3fa94654e2961c4ff765";
    assert_eq!(
        said,
        format!(
            "- data.http.a\n~ data.http.b: sha256 {new} (was sha256 {digest})\n\
             + data.http.c: sha256 {new}\n+ data.http.d: sha256 {new}\n\
             bake.lock: 2 new, 1 changed, 1 dropped, 0 as before\n"
        )
    );
    let said = bake(&workspace, &["lock", "t.pkr.hcl", "-update"]).expect(0).stdout;
    assert!(said.ends_with("0 new, 0 changed, 0 dropped, 3 as before\n"), "{said}");
}

#[test]
fn a_secret_does_not_get_into_a_lock() {
    let workspace = Workspace::new();
    let web = Web::start("you are hunter2-of-nobody");
    let text = downloading(&[("a", format!("{}/${{var.token}}", web.url()))]);
    let variable =
        "variable \"token\" {\n  default   = \"hunter2-of-nobody\"\n  sensitive = true\n}\n";
    workspace.write("t.pkr.hcl", format!("{variable}{text}"));
    let outcome = bake(&workspace, &["lock", "t.pkr.hcl"]).expect(0);
    assert_snapshot!(outcome.stderr, @r#"
    warning[not-pinned]: `data.http.a` is not pinned: there is a secret in it
     --> t.pkr.hcl:5:1
      |
    5 | data "http" "a" {
      | ^^^^^^^^^^^^^^^ looked up in each build
    "#);
    let lock = lock_of(&workspace);
    assert_snapshot!(lock, @r#"
    {
      "version": 1,
      "pins": []
    }
    "#);
    assert!(!outcome.stdout.contains("hunter2") && !outcome.stderr.contains("hunter2"));

    // A secret in the question alone is no hindrance: it is told as the template writes it.
    web.serve("hello");
    bake(&workspace, &["lock", "t.pkr.hcl"]).expect(0);
    let lock = lock_of(&workspace);
    assert!(lock.contains("var.token") && lock.contains("\"body\": \"hello\""), "{lock}");
    assert!(!lock.contains("hunter2"), "{lock}");
    bake(&workspace, &["validate", "-evaluate-datasources", "-locked", "t.pkr.hcl"]).expect(0);
    assert_eq!(web.paths().len(), 2);
}

#[test]
fn a_lock_that_cannot_be_used_is_told() {
    let workspace = Workspace::new();
    let web = Web::start("1.2.3");
    workspace.write("t.pkr.hcl", downloading(&[("list", format!("{}/a", web.url()))]));
    bake(&workspace, &["lock", "t.pkr.hcl"]).expect(0);
    let good = lock_of(&workspace);

    let said = bake(&workspace, &["lock", "-update", "data.http.lisst", "t.pkr.hcl"]).expect(1);
    assert_snapshot!(said.stderr, @r#"
    error[unknown-pin]: nothing is looked up as `data.http.lisst`
     |
     = help: did you mean `data.http.list`?
    "#);
    assert_eq!(lock_of(&workspace), good);
    let said = bake(&workspace, &["lock", "-update"]).expect(2);
    assert_eq!(said.stderr, "error: name the template whose look-ups are to be pinned\n");
    let updated = bake(&workspace, &["lock", "-update", "t.pkr.hcl"]).expect(0).stdout;
    assert_eq!(updated, "bake.lock: 0 new, 0 changed, 0 dropped, 1 as before\n");

    let bad = good.replace("\"version\": 1", "\"version\": 9");
    workspace.write("bake.lock", bad);
    for command in ["build", "lock"] {
        let said = bake(&workspace, &[command, "t.pkr.hcl"]).expect(1).stderr;
        assert!(said.starts_with("error[newer-lock]: this lock is of version 9"), "{said}");
        assert!(said.contains("bake.lock:2:14"), "{said}");
    }
    workspace.write("bake.lock", good.get(..100).expect("long enough"));
    let said = bake(&workspace, &["build", "t.pkr.hcl"]).expect(1).stderr;
    assert!(said.starts_with("error[json-syntax]") && said.contains("bake.lock:"), "{said}");
    assert_eq!(web.paths().len(), 2, "who names nothing asks nobody: {:?}", web.paths());
}
