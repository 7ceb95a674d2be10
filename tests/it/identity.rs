//! The same inputs are the same image.

mod golden;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use insta::assert_snapshot;

use crate::support::{
    Endpoint, Running, Workspace, readable, root, shell, template, template_with,
};

/// A template with everything that a hash is about.
const RECIPE: &str = r##"
source "amazon-ebs" "t" {
  instance_type = "t3.micro"
  ssh_username  = "admin"
  user_data     = "#!/bin/sh"
  source_ami_filter {
    filters     = { name = "debian-12-amd64-*" }
    owners      = ["136693071363"]
    most_recent = true
  }
}
build {
  sources = ["source.amazon-ebs.t"]
  provisioner "file" {
    source      = "${path.root}/files/"
    destination = "/tmp/files"
  }
  provisioner "shell" {
    environment_vars = ["A=1", "B=2"]
    script           = "${path.root}/script.sh"
  }
  provisioner "shell" {
    inline = ["true"]
  }
}
"##;

/// Writes the recipe with all its files to a directory of a workspace.
fn recipe(workspace: &Workspace, directory: &str) {
    let write = |name: &str, text: &str| workspace.write(&format!("{directory}/{name}"), text);
    write("t.pkr.hcl", RECIPE);
    write("script.sh", "#!/bin/sh\necho script\n");
    write("files/a", "a");
    write("files/sub/b", "b");
    let files = workspace.path().join(directory).join("files");
    fs::create_dir(files.join("empty")).expect("make directory");
    symlink("a", files.join("link")).expect("link");
}

/// What `bake hash` prints for a template, where there is no network and no account.
fn template_hash(workspace: &Workspace, template: &Path) -> String {
    let mut command = workspace.command(["hash"]);
    command.arg(template).env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env_remove("HOME");
    Running::start(command).finish().expect(0).stdout
}

#[test]
fn a_second_build_takes_the_image_that_is_there() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let template = Path::new("templates/quickstart.pkr.hcl");
    let first = endpoint.build(&workspace, &[], template).expect(0);
    let second = endpoint.build(&workspace, &[], template).expect(0);
    assert!(!first.reused() && second.reused());
    assert_eq!(second.image(), first.image());
    assert_eq!(second.hash(), first.hash());
    assert_eq!(endpoint.instances().len(), 1, "the second build launched one");
    assert!(second.elapsed < Duration::from_secs(5), "{:?}", second.elapsed);
    assert_snapshot!(readable(&second.stdout), @r#"
    ==> amazon-ebs.quickstart: Found Image ID: ami-[id] (debian-12-amd64-20250530-2128)
    ==> amazon-ebs.quickstart: Sandbox base that stands in for it: host ([system])
    ==> amazon-ebs.quickstart: Image hash: [hash]
    ==> amazon-ebs.quickstart: Image name: quickstart-[hash]
    ==> amazon-ebs.quickstart: Prevalidating AMI Name: quickstart-[hash]
    ==> amazon-ebs.quickstart: An image of this hash exists: ami-[id] (quickstart-[hash]); nothing to build
    ==> amazon-ebs.quickstart: Steps took: prepare [time]
    Build 'amazon-ebs.quickstart' finished after [time].

    ==> Wait completed after [time]

    ==> Builds finished. The artifacts of successful builds are:
    --> amazon-ebs.quickstart: AMIs were reused:
    us-east-1: ami-[id]
    image hash: [hash]
    "#);
}

#[test]
fn a_changed_byte_of_a_script_is_another_image() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    recipe(&workspace, "d");
    let build = || workspace.build(workspace.path().join("d")).expect(0);
    let first = build();
    workspace.write("d/script.sh", "#!/bin/sh\necho Script\n");
    let second = build();
    assert!(!second.reused());
    assert_ne!(second.hash(), first.hash());
    assert_ne!(second.image(), first.image());
    workspace.write("d/script.sh", "#!/bin/sh\necho script\n");
    let third = build();
    assert!(third.reused());
    assert_eq!(third.image(), first.image());
}

#[test]
fn what_does_not_shape_an_image_does_not_move_its_hash() {
    let workspace = Workspace::new();
    recipe(&workspace, "original");
    let original = template_hash(&workspace, &workspace.path().join("original"));
    let edits: [(&str, &str, &str); 9] = [
        ("a tag", "ssh_username ", "tags = { Name = \"x\" }\n ssh_username"),
        ("the region", "ssh_username ", "region = \"eu-west-3\"\n ssh_username"),
        ("a time limit", "ssh_username ", "ssh_timeout = \"9m\"\n ssh_username"),
        ("the name", "ssh_username ", "ami_name = \"x-{{timestamp}}\"\n ssh_username"),
        ("the description", "ssh_username ", "ami_description = \"d\"\n ssh_username"),
        ("a comment", "build {", "# a comment\nbuild { // another\n /* third */"),
        ("the layout", "inline = [\"true\"]", "\n\n   inline    = [\n\"true\",\n]"),
        ("a retry", "inline = [\"true\"]", "inline = [\"true\"]\n max_retries = 3"),
        ("a default", "inline = [\"true\"]", "inline = [\"true\"]\n valid_exit_codes = [0]"),
    ];
    for (what, from, to) in edits {
        recipe(&workspace, what);
        assert!(RECIPE.contains(from));
        workspace.write(&format!("{what}/t.pkr.hcl"), RECIPE.replacen(from, to, 1));
        let edited = template_hash(&workspace, &workspace.path().join(what));
        assert_eq!(edited, original, "{what} moves the hash");
    }
}

#[test]
fn where_and_when_files_lie_does_not_move_the_hash() {
    let workspace = Workspace::new();
    recipe(&workspace, "original");
    let hash = |directory: &str| template_hash(&workspace, &workspace.path().join(directory));
    let original = hash("original");

    recipe(&workspace, "a/checkout of another/place");
    assert_eq!(hash("a/checkout of another/place"), original, "the path of the checkout");

    recipe(&workspace, "old");
    let touched = Command::new("touch")
        .args(["-d", "2001-02-03"])
        .args(["t.pkr.hcl", "script.sh", "files/a", "files/sub", "files/sub/b"])
        .current_dir(workspace.path().join("old"))
        .status();
    assert!(touched.expect("touch").success());
    assert_eq!(hash("old"), original, "modification times");

    recipe(&workspace, "umask");
    for (name, mode) in [("script.sh", 0o600), ("files/a", 0o640), ("files/sub", 0o700)] {
        let path = workspace.path().join("umask").join(name);
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("set mode");
    }
    assert_eq!(hash("umask"), original, "the umask of the checkout");

    recipe(&workspace, "split");
    let (sources, builds) = RECIPE.split_at(RECIPE.find("build {").expect("a build"));
    workspace.write("split/t.pkr.hcl", sources);
    workspace.write("split/builds.pkr.hcl", builds);
    assert_eq!(hash("split"), original, "the split into files");

    let mut command = workspace.command(["hash", "."]);
    command.current_dir(workspace.path().join("original"));
    let here = Running::start(command).finish().expect(0).stdout;
    assert_eq!(here, original, "the working directory");
}

#[test]
fn what_shapes_an_image_moves_its_hash() {
    let workspace = Workspace::new();
    recipe(&workspace, "original");
    let mut seen = vec![template_hash(&workspace, &workspace.path().join("original"))];
    let mut moved = |what: &str| {
        let hash = template_hash(&workspace, &workspace.path().join(what));
        assert!(!seen.contains(&hash), "{what} does not move the hash");
        seen.push(hash);
    };
    for (what, from, to) in [
        ("instance type", "t3.micro", "t3.small"),
        ("user data", "#!/bin/sh", "#!/bin/bash"),
        ("source filter", "debian-12-amd64-*", "debian-13-amd64-*"),
        ("login user", "\"admin\"", "\"debian\""),
        ("environment", "B=2", "B=3"),
        ("command", "[\"true\"]", "[\"true \"]"),
        ("execute_command", "inline = [", "execute_command = \"sudo {{ .Path }}\"\n inline = ["),
        ("destination", "/tmp/files", "/tmp/file"),
        ("slash at the end of a source", "/files/", "/files"),
    ] {
        recipe(&workspace, what);
        assert!(RECIPE.contains(from));
        workspace.write(&format!("{what}/t.pkr.hcl"), RECIPE.replacen(from, to, 1));
        moved(what);
    }
    let change = |what: &str, change: &dyn Fn(&Path)| {
        recipe(&workspace, what);
        change(&workspace.path().join(what));
    };
    change("order of steps", &|at| {
        let mut text = RECIPE.replace("[\"true\"]", "[\"$1\"]");
        let start = text.rfind("  provisioner").expect("a step");
        let last = text.split_off(start);
        let step = last.trim_end().strip_suffix('}').expect("the build's end");
        let before = text.find("  provisioner").expect("a step");
        text.insert_str(before, step);
        fs::write(at.join("t.pkr.hcl"), text.replace("[\"$1\"]", "[\"true\"]") + "}\n")
            .expect("write");
    });
    moved("order of steps");
    change("byte of a file", &|at| fs::write(at.join("files/sub/b"), "B").expect("write"));
    moved("byte of a file");
    change("name of a file", &|at| {
        fs::rename(at.join("files/a"), at.join("files/A")).expect("rename");
    });
    moved("name of a file");
    change("executable bit", &|at| {
        fs::set_permissions(at.join("files/a"), Permissions::from_mode(0o755)).expect("set mode");
    });
    moved("executable bit");
    change("target of a link", &|at| {
        fs::remove_file(at.join("files/link")).expect("remove");
        symlink("sub", at.join("files/link")).expect("link");
    });
    moved("target of a link");
    change("empty directory", &|at| fs::remove_dir(at.join("files/empty")).expect("remove"));
    moved("empty directory");
}

#[test]
fn force_builds_again_and_replaces() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let options = "ami_name = \"fixed\"\n  source_ami = \"ami-12345678\"";
    let path = workspace.write("t.pkr.hcl", template_with(options, &shell("true")));
    let first = workspace.build(&path).expect(0);
    let again = workspace.build_with(&["-force"], &path).expect(0);
    assert!(!again.reused());
    assert_ne!(again.image(), first.image());
    assert_eq!(again.hash(), first.hash());
    let listed = workspace.images();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert!(listed[0].contains(&again.image()), "{listed:?}");
}

#[test]
fn a_name_that_is_taken_by_another_image_is_refused_before_anything_is_made() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let options = "ami_name = \"fixed\"\n  source_ami = \"ami-12345678\"";
    let first = workspace.write("first.pkr.hcl", template_with(options, &shell("true")));
    let other = workspace.write("other.pkr.hcl", template_with(options, &shell("false")));
    let first = endpoint.build(&workspace, &[], &first).expect(0);
    let refused = endpoint.build(&workspace, &[], &other).expect(1);
    assert!(refused.stdout.contains(&format!("the name `fixed` is taken by {}", first.image())));
    assert_eq!(endpoint.instances().len(), 1);
    assert_eq!(endpoint.images().len(), 1);
}

#[test]
fn the_hash_is_known_to_names_and_tags() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let options = "source_ami = \"ami-12345678\"
  ami_name = \"x-{{ .ImageHash }}\"
  tags = { Go = \"{{ .ImageHash }}\", Hcl = build.ImageHash, Short = substr(build.ImageHash, 0, 8) }";
    let path = workspace.write("t.pkr.hcl", template_with(options, &shell("true")));
    let hash = endpoint.build(&workspace, &[], &path).expect(0).hash();
    let image = endpoint.images().remove(0);
    assert_eq!(image.name(), Some(format!("x-{hash}").as_str()));
    let tag = |key: &str| {
        image.tags().iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value())
    };
    assert_eq!(tag("Go"), Some(hash.as_str()));
    assert_eq!(tag("Hcl"), Some(hash.as_str()));
    assert_eq!(tag("Short"), Some(&hash[..8]));
    assert_eq!(tag("bake:image-hash"), Some(hash.as_str()));
}

#[test]
fn a_clock_in_a_command_warns_and_its_image_is_never_reused() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let options = "source_ami = \"ami-12345678\"\n  ami_name = \"x-{{uuid}}\"";
    let steps = "provisioner \"shell\" {\n    inline = [\"echo ${timestamp()}\"]\n  }\n";
    let path = workspace.write("t.pkr.hcl", template_with(options, steps));
    let first = workspace.build(&path).expect(0);
    let warning = first.stderr.replace(&workspace.path().display().to_string(), "[workspace]");
    assert_snapshot!(warning, @r#"
    warning[unrepeatable]: `inline` may differ from run to run, so this image is never reused
      --> [workspace]/t.pkr.hcl:10:14
       |
    10 |     inline = ["echo ${timestamp()}"]
       |              ^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: a time or a random value is welcome in names and tags, which are not part of the hash
    "#);
    let second = workspace.build(&path).expect(0);
    assert!(!second.reused());
    assert_ne!(second.image(), first.image());
    assert!(second.stdout.contains("Not looking for an existing image"), "{}", second.stdout);
}

#[test]
fn a_clock_in_a_name_is_welcome() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let first = workspace.build("fixtures/al2023/app.pkr.hcl").expect(0);
    assert_eq!(first.stderr, "");
    let second = workspace.build("fixtures/al2023/app.pkr.hcl").expect(0);
    assert!(second.reused());
    assert_eq!(second.image(), first.image());
}

#[test]
fn every_spelling_of_one_recipe_has_one_hash() {
    let workspace = Workspace::new();
    let hash = |name: &str| template_hash(&workspace, &Path::new("fixtures/spelling").join(name));
    let hcl = hash("web.pkr.hcl");
    assert_eq!(hash("web.json"), hcl, "legacy JSON");
    assert_eq!(hash("web.pkr.json"), hcl, "HCL in JSON");
}

#[test]
fn a_hash_is_printed_at_once_without_network_and_account() {
    let workspace = Workspace::new();
    let mut command = workspace.command(["hash", "templates/quickstart.pkr.hcl"]);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let outcome = Running::start(command).finish().expect(0);
    let hash = outcome.stdout.strip_suffix('\n').expect("one line");
    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    assert_eq!(outcome.stderr, "");
    assert!(outcome.elapsed < Duration::from_secs(3), "{:?}", outcome.elapsed);
    assert!(!workspace.store().exists(), "`bake hash` made a store");
}

#[test]
fn the_default_name_is_that_of_the_source_with_the_hash() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let path = workspace.write("t.pkr.hcl", template(&shell("true")));
    let outcome = workspace.build(path).expect(0);
    let name = format!("Image name: t-{}", &outcome.hash()[..12]);
    assert!(outcome.lines_of("amazon-ebs.t").contains(&name.as_str()), "{}", outcome.stdout);
}
