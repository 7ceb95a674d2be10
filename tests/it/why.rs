//! `bake why`, the flags of `bake hash`, and `bake inputs`, as their users run them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;

use crate::support::{Endpoint, Outcome, Running, Workspace, root, shell, template_with};

/// Copies the recipe of the mutations to a directory of a workspace.
fn recipe(workspace: &Workspace, to: &str) {
    let from = crate::support::repository().join("fixtures/identity/recipe");
    copy(&from, &workspace.path().join(to));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("make directory");
    for entry in fs::read_dir(from).expect("read directory") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copy");
        }
    }
}

fn edit(workspace: &Workspace, name: &str, from: &str, to: &str) {
    let path = workspace.path().join(name);
    let text = fs::read_to_string(&path).expect("read");
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).expect("write");
}

/// bake in the workspace's directory.
fn bake(workspace: &Workspace, arguments: &[&str]) -> Outcome {
    let mut command = workspace.command(arguments);
    command.current_dir(workspace.path());
    Running::start(command).finish()
}

fn git(workspace: &Workspace, arguments: &[&str]) {
    let status = Command::new("git")
        .args(["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(workspace.path())
        .env("HOME", workspace.path())
        .status();
    assert!(status.expect("git").success(), "{arguments:?}");
}

#[test]
fn two_templates_are_compared() {
    let workspace = Workspace::new();
    recipe(&workspace, "a");
    recipe(&workspace, "b");
    let same = bake(&workspace, &["why", "a", "b/app.pkr.hcl"]).expect(0);
    assert_snapshot!(same.stdout, @"
    amazon-ebs.app: nothing differs
    (Nothing was looked up: source images and look-ups are compared as the templates ask for them.)
    ");
    edit(&workspace, "b/app.pkr.hcl", "t3.small", "t3.large");
    edit(&workspace, "b/scripts/install.sh", "echo install", "echo Install");
    workspace.write("b/files/new", "x");
    let different = bake(&workspace, &["why", "a", "b"]).expect(1);
    assert_snapshot!(different.stdout, @r#"
    amazon-ebs.app: 3 inputs differ; the image would be built again
      builder amazon-ebs: instance_type: "t3.large" instead of "t3.small"  (app.pkr.hcl:20)
      step 2 (file): files/new: added  (app.pkr.hcl:61)
      step 4 (shell): scripts/install.sh: changed  (app.pkr.hcl:71)
        -   3: echo install
        +   3: echo Install
    (Nothing was looked up: source images and look-ups are compared as the templates ask for them.)
    "#);
    assert_eq!(different.stderr, "");
    let json = bake(&workspace, &["why", "-json", "a", "b"]).expect(1).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["same"], false);
    assert_eq!(json["builds"][0]["differences"].as_array().map(Vec::len), Some(3));
    assert_eq!(json["builds"][0]["differences"][0]["option"], "instance_type");
}

#[test]
fn a_revision_of_git_is_compared() {
    let workspace = Workspace::new();
    recipe(&workspace, "images/app");
    workspace.write("elsewhere", "x");
    git(&workspace, &["init", "-q"]);
    git(&workspace, &["add", "images", "elsewhere"]);
    git(&workspace, &["commit", "-q", "-m", "first"]);
    let same = bake(&workspace, &["why", "HEAD:images/app", "images/app"]).expect(0);
    assert!(same.stdout.starts_with("amazon-ebs.app: nothing differs\n"), "{}", same.stdout);
    edit(&workspace, "images/app/files/app.conf", "port = 80", "port = 81");
    let told = bake(&workspace, &["why", "HEAD:images/app/app.pkr.hcl", "images/app"]).expect(1);
    assert_snapshot!(told.stdout, @"
    amazon-ebs.app: 1 input differs; the image would be built again
      step 2 (file): files/app.conf: changed  (app.pkr.hcl:61)
        -   1: port = 80
        +   1: port = 81
    (Nothing was looked up: source images and look-ups are compared as the templates ask for them.)
    ");
    // From a directory below, and the path as git reads it.
    let mut command = workspace.command(["why", "HEAD:./app", "app"]);
    command.current_dir(workspace.path().join("images"));
    assert_eq!(Running::start(command).finish().expect(1).stdout, told.stdout);
    let refused = [
        &["why", "nothing:images/app", "images/app"][..],
        &["why", "HEAD:app", "images/app"],
        &["why", "images/app", "images/ap"],
        &["why", "images/app", "0123456789abcdef"],
        &["why", "images/app", "01234567-89ab-7def-8123-456789abcdef"],
    ];
    let said: String =
        refused.iter().map(|words| bake(&workspace, words).expect(2).stderr).collect();
    assert_snapshot!(said.replace(workspace.path().to_str().expect("UTF-8"), "[workspace]"), @"
    error: git knows no revision `nothing`
    error: `app` is not in revision `HEAD`
    error: `images/ap` is no file, no `REV:PATH`, no hash of 8 to 64 digits, no id of a run and no id of an image
    error: there is no record of a hash `0123456789abcdef` in `[workspace]/state/bake/plans`
      = note: bake keeps a record of each image that it builds or takes on this machine, and in S3 where `-records` says; in S3 only whole image hashes are found
      = help: give the place with `-records s3://BUCKET/PREFIX`, or compare the templates instead: `bake why REV:PATH PATH`
    error: there is no run `01234567-89ab-7def-8123-456789abcdef` in `[workspace]/state/bake/runs`
      = note: the ledger of a run stays on the machine that it ran on; `bake runs` lists those of this one
    ");
}

#[test]
fn without_git_a_revision_cannot_be_read() {
    let workspace = Workspace::new();
    recipe(&workspace, "a");
    let mut command = workspace.command(["why", "HEAD:a", "a"]);
    command.current_dir(workspace.path()).env("PATH", workspace.path());
    let refused = Running::start(command).finish().expect(2);
    assert_snapshot!(refused.stderr, @"error: `REV:PATH` is read by git, which is not installed");
}

#[test]
fn what_was_built_is_compared_by_hash_run_and_image() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let options = "source_ami = \"ami-12345678\"";
    let path = workspace.write("t.pkr.hcl", template_with(options, &shell("echo one")));
    let first = endpoint.build(&workspace, &[], &path).expect(0);
    workspace.write("t.pkr.hcl", template_with(options, &shell("echo two")));
    let second = endpoint.build(&workspace, &[], &path).expect(0);
    let records = workspace.path().join("state/bake/plans");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&records), 0o700);
    assert_eq!(mode(&records.join(format!("{}.json", first.hash()))), 0o600);

    let old = first.hash();
    let told = bake(&workspace, &["why", &old[..12], &second.hash()]).expect(1);
    assert_snapshot!(told.stdout, @"
    amazon-ebs.t: 1 input differs; the image would be built again
      step 1 (shell): inline: changed  (t.pkr.hcl:10)
        -   1: echo one
        +   1: echo two
    ");
    let by_image = ["why", "--sandbox", &first.image(), &second.image()];
    assert_eq!(bake(&workspace, &by_image).expect(1).stdout, told.stdout);
    let template = bake(&workspace, &["why", &old, "t.pkr.hcl"]).expect(1);
    assert!(template.stdout.starts_with(told.stdout.as_str()), "{}", template.stdout);
    bake(&workspace, &["why", &second.hash(), "t.pkr.hcl"]).expect(0);

    // A reused image is recorded, too: without the record of the first time.
    fs::remove_dir_all(&records).expect("remove records");
    assert!(endpoint.build(&workspace, &[], &path).expect(0).reused());
    bake(&workspace, &["why", &second.hash(), "t.pkr.hcl"]).expect(0);
    let gone = bake(&workspace, &["why", "--sandbox", &first.image(), "t.pkr.hcl"]).expect(2);
    assert!(gone.stderr.contains("there is no record of it"), "{}", gone.stderr);

    // What somebody has changed is not believed.
    let record = records.join(format!("{}.json", second.hash()));
    let text = fs::read_to_string(&record).expect("a record");
    fs::write(&record, text.replace("echo two", "echo six")).expect("write");
    let refused = bake(&workspace, &["why", &second.hash(), "t.pkr.hcl"]).expect(2);
    assert!(refused.stderr.contains("does not fit its template hash"), "{}", refused.stderr);
    // And records that cannot be kept fail no build.
    fs::remove_dir_all(&records).expect("remove records");
    fs::write(&records, "").expect("a file in its place");
    let built = endpoint.build(&workspace, &[], &path).expect(0);
    assert!(built.stdout.contains("is not kept"), "{}", built.stdout);
}

#[test]
fn a_hash_is_checked_and_explained() {
    let workspace = Workspace::new();
    recipe(&workspace, "a");
    let hash = bake(&workspace, &["hash", "a"]).expect(0).stdout;
    let hash = hash.trim_end();
    bake(&workspace, &["hash", "-check", hash, "a"]).expect(0);
    bake(&workspace, &["hash", "-check", &hash[..8], "a"]).expect(0);
    let explained = bake(&workspace, &["hash", "-explain", "a"]).expect(0).stdout;
    assert_snapshot!(explained, @"
    18acf152e3de721f3ec8002253530738edfc086f8e8766a5e65da5885ff04d35  amazon-ebs.app (template hash)
    b022e3c3d80002ddb533dc6f0d441f1b1e27d26ee6fce0b0528a70e17cf56a93    builder amazon-ebs
    a5470a9c90fb99cf6a00056891564db9dca8b6409d01106fd26c32251bf4327a    builder amazon-ebs: source_ami_filter
    6e16e2ff035bac9029421b52acc8161b94963a6e2162331e6effe50613aae4dc    builder amazon-ebs: instance_type
    c6a678e3fdbb5c5745cb4251a66be3a76411c347acd5047d2092bd144728281d    builder amazon-ebs: user_data
    6d76eef41f9fce5c987d4e4156760fd260368959c9fb296878d7d01e7b226163    builder amazon-ebs: metadata_options
    3d9a13ea8e39a9669cc31f7c8d07d051012e87bbca1e1d0df1b6dff28dd929dc    builder amazon-ebs: ssh_username
    5722449ec460337a185cdac0a49db38c331610ef228a95cff014f3eb35f02d78    builder amazon-ebs: launch_block_device_mappings
    1e7eb4d678200e9f070940ac2bb7526360dbfd451eeaad704973c2e008a8f464    step 1 (shell)
    2791181b8857a78a3861a734a5b6031c6b87df6798a88e3af75e4201f4811885    step 1 (shell): inline
    5d6de2faa426e3c5a20bee6097709a1f723d61a2a438a89de8c605ffb598ae3a    step 1 (shell): environment_vars
    bfdde6f5651ac5e4e6711f3c2836d5f8c5c4b381a50eb87c51d990b7eb36501b    step 2 (file)
    a073063f715edc49ab4af4b274a8fe972b05a175e7c260a3df2c8d8a7aa5eecc    step 2 (file): destination
    49de2a88558ecf10e684b989649196703bf738985b46ded7348a8e6d26598cb1    step 2 (file): files
    18fdcf0ff0c6af396ac11109057b2475555befd4af65180e2377f5558f696972    step 2 (file): files/app.conf
    49de2a88558ecf10e684b989649196703bf738985b46ded7348a8e6d26598cb1    step 2 (file): files/bin
    67ad2d07f0bea4b648f8aa01ad25b7ff1a691dcc4e6898f83aa7c2c4becababd    step 2 (file): files/bin/run (executable)
    49de2a88558ecf10e684b989649196703bf738985b46ded7348a8e6d26598cb1    step 2 (file): files/sub
    0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f    step 2 (file): files/sub/b
    bfdde6f5651ac5e4e6711f3c2836d5f8c5c4b381a50eb87c51d990b7eb36501b    step 3 (file)
    c22b754e93de54e2882edbbeef4f0774845bcf65a22d5c977d384c469d34f741    step 3 (file): content
    37af77d4644d0517fa515c0eadbe1d9245fa57399aa564195d8a30b6359a55c5    step 3 (file): destination
    1e7eb4d678200e9f070940ac2bb7526360dbfd451eeaad704973c2e008a8f464    step 4 (shell)
    8b73e684ba0f34ff800b21105a935086f88abe6d784d4a5c71316a759a155377    step 4 (shell): env
    ae1e0cf88d5d09fd14beb5312bcb771b628018e8adc506cbe92f772e8226bfb2    step 4 (shell): execute_command
    727524e03d6cda72cfbed39332703cb1acdb3e92a90e7c050dbed56832d40e44    step 4 (shell): scripts/install.sh
    e8c3f2f21d5168000c0c92a518f9c6ca441acab7f0bf67e462da029a996293d3    step 4 (shell): scripts/tidy.sh
    1e7eb4d678200e9f070940ac2bb7526360dbfd451eeaad704973c2e008a8f464    step 5 (shell)
    3409ede1c150e6066274c0d4d1572093efcafcdc86fb14c1a9eed232a70e3dec    step 5 (shell): inline
    1e7eb4d678200e9f070940ac2bb7526360dbfd451eeaad704973c2e008a8f464    error-cleanup step (shell)
    908bfd2196ecd7a73e19257264e597b8bd97ce49a4fa410c777b0223b28126e7    error-cleanup step (shell): inline
    ");
    edit(&workspace, "a/motd", "kind", "good");
    let other = bake(&workspace, &["hash", "-check", hash, "a"]).expect(1);
    let path = workspace.path().to_str().expect("UTF-8");
    assert_snapshot!(other.stderr.replace(hash, "[hash]").replace(path, "[workspace]"), @"
    error: no build has the hash [hash]
      = note: there is no record of it in `[workspace]/state/bake/plans`, so it cannot be told what differs
    ");
    bake(&workspace, &["hash", "-check", "xyz", "a"]).expect(2);
    let json = bake(&workspace, &["hash", "-json", "-explain", "a"]).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(format!("{}\n", json[0]["template_hash"].as_str().expect("a hash")), other.stdout);
    assert_eq!(json[0]["image_hash"], serde_json::Value::Null);
    assert_eq!(json[0]["repeatable"], true);
    assert_eq!(json[0]["inputs"].as_array().map(Vec::len), Some(explained.lines().count() - 1));
}

#[test]
fn a_resolved_hash_is_that_of_the_image() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let options = "source_ami_filter {\n filters = { name = \"debian-12-amd64-*\" }\n owners = [\"136693071363\"]\n most_recent = true\n }";
    let path = workspace.write("t.pkr.hcl", template_with(options, &shell("echo one")));
    let built = workspace.build(&path).expect(0);
    let resolve = ["hash", "-resolve", "--sandbox"];
    let resolved = bake(&workspace, &[&resolve[..], &["t.pkr.hcl"]].concat()).expect(0);
    assert_eq!(resolved.stdout, format!("{}\n", built.hash()));
    // An image hash says nothing to who does not look anything up.
    let unresolved = bake(&workspace, &["hash", "-check", &built.hash(), "t.pkr.hcl"]).expect(1);
    assert_snapshot!(unresolved.stderr.replace(&built.hash(), "[hash]"), @"
    error: no build has the hash [hash]
      = note: it is the image hash of an image that was made of this recipe; which source image that would start from today was not looked up
      = help: with -resolve, image hashes are compared
    ");
    workspace.write("t.pkr.hcl", template_with(options, &shell("echo two")));
    let hash = built.hash();
    let check = [&resolve[..], &["-check", &hash, "t.pkr.hcl"]].concat();
    let differs = bake(&workspace, &check).expect(1);
    assert!(differs.stdout.contains("step 1 (shell): inline: changed"), "{}", differs.stdout);
    workspace.write("n.pkr.hcl", "source \"null\" \"n\" {\n communicator = \"none\"\n}\nbuild {\n sources = [\"source.null.n\"]\n}\n");
    let refused = bake(&workspace, &[&resolve[..], &["n.pkr.hcl"]].concat()).expect(1);
    assert!(
        refused.stderr.contains("images of the builder `null` have no hash"),
        "{}",
        refused.stderr
    );
    workspace.assert_nothing_runs();
}

#[test]
fn inputs_are_listed_for_path_filters() {
    let workspace = Workspace::new();
    recipe(&workspace, "images/app");
    workspace.write("images/app/values.auto.pkrvars.hcl", "release = \"2\"\n");
    workspace.write("images/app/note.tftpl", "for ${who}\n");
    workspace.write("boot", "#!/bin/sh\n");
    edit(
        &workspace,
        "images/app/app.pkr.hcl",
        "locals {",
        "variable \"who\" {\n  default = env(\"WHO\")\n}\nlocals {\n  note = templatefile(\"note.tftpl\", { who = var.who })\n  keys = fileset(\".\", \"keys/*.pub\")\n  is = fileexists(\"marker\")\n",
    );
    edit(
        &workspace,
        "images/app/app.pkr.hcl",
        "user_data     = \"#!/bin/sh\\necho one\\necho two\\n\"",
        "user_data_file = \"boot\"",
    );
    let mut command = workspace.command(["inputs", "images/app"]);
    command.current_dir(workspace.path()).env("PKR_VAR_token", "x");
    let listed = Running::start(command).finish().expect(0);
    assert_snapshot!(listed.stdout, @"
    file         boot
    file         images/app/app.pkr.hcl
    file         images/app/files/app.conf
    file         images/app/files/bin/run
    file         images/app/files/sub/b
    file         images/app/marker
    file         images/app/motd
    file         images/app/note.tftpl
    file         images/app/scripts/install.sh
    file         images/app/scripts/tidy.sh
    file         images/app/values.auto.pkrvars.hcl
    directory    images/app
    directory    images/app/files
    pattern      images/app/*.auto.pkrvars.hcl
    pattern      images/app/*.auto.pkrvars.json
    pattern      images/app/*.pkr.hcl
    pattern      images/app/*.pkr.json
    variable     release
    variable     token
    variable     who
    environment  PKR_VAR_token
    environment  WHO
    ");
    let mut command = workspace.command(["inputs", "-paths", "."]);
    command.current_dir(workspace.path().join("images/app"));
    // Its user data is beside the working directory that it was written for.
    let refused = Running::start(command).finish().expect(1);
    assert!(refused.stderr.contains("`boot` cannot be read"), "{}", refused.stderr);
    let paths = bake(&workspace, &["inputs", "-paths", "images/app"]).expect(0).stdout;
    assert!(paths.lines().any(|line| line == "images/app/files/"), "{paths}");
    assert!(paths.lines().is_sorted(), "{paths}");
    let json = bake(&workspace, &["inputs", "-json", "images/app"]).expect(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["environment"], serde_json::json!(["WHO"]));
}
