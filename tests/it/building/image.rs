//! What is in an image, and what it stands on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Workspace, looking_into, root, shell, template, template_with};

#[test]
fn an_image_that_is_launched_again_holds_what_was_provisioned() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let first = shell(
        "sudo useradd -m worker; echo kept | sudo tee /srv/file >/dev/null; sudo chmod 640 /srv/file; \
         sudo chown worker: /srv/file; sudo rm /etc/debian_version; sudo rm -r /usr/share/doc; \
         sudo mkdir /usr/share/doc; sudo ln -s /srv/file /usr/share/doc/link; sudo mv /etc/issue /etc/issue.old",
    );
    let path = workspace.write("first.pkr.hcl", template(&first));
    let image = workspace.build(path).expect(0).image();
    let look = "id -un worker; stat -c '%a %U' /srv/file; sudo cat /usr/share/doc/link; ls -A /usr/share/doc; \
                test ! -e /etc/debian_version && test ! -e /etc/issue && test -s /etc/issue.old && echo removed";
    let path = workspace.write("second.pkr.hcl", looking_into(&image, look));
    let outcome = workspace.build(path).expect(0);
    let lines = outcome.lines_of("amazon-ebs.t");
    for line in ["worker", "640 worker", "kept", "link", "removed"] {
        assert!(lines.contains(&line), "no `{line}` in\n{}", outcome.stdout);
    }
    assert!(outcome.images().is_empty(), "skip_create_ami makes no image");
    assert_eq!(workspace.images().len(), 1);
}

#[test]
fn images_stand_on_images() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let mut image = "ami-12345678".to_owned();
    for layer in ["one", "two", "three"] {
        let options = format!("source_ami = \"{image}\"");
        let steps = shell(&format!(
            "echo {layer} | sudo tee -a /srv/layers >/dev/null; sudo rm -f /srv/not-{layer}; sudo touch /srv/not-two"
        ));
        let name = format!("{layer}.pkr.hcl");
        image = workspace
            .build(workspace.write(&name, template_with(&options, &steps)))
            .expect(0)
            .image();
    }
    let look = "echo layers: $(cat /srv/layers); echo files: $(ls /srv)";
    let outcome =
        workspace.build(workspace.write("look.pkr.hcl", looking_into(&image, look))).expect(0);
    let lines = outcome.lines_of("amazon-ebs.t");
    assert!(lines.contains(&"layers: one two three"), "{}", outcome.stdout);
    assert!(lines.contains(&"files: layers not-two"), "{}", outcome.stdout);
}

#[test]
fn images_can_be_removed() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let path = workspace.write("t.pkr.hcl", template(&shell("sudo touch /srv/x")));
    let image = workspace.build(&path).expect(0).image();
    let removed = workspace.bake(["sandbox", "rm", &image]).expect(0);
    assert!(removed.stdout.contains(&image));
    assert!(workspace.images().is_empty());
    let layers = fs::read_dir(workspace.store().join("layers"));
    assert_eq!(layers.into_iter().flatten().count(), 0, "layers are left");
    let outcome = workspace.bake(["sandbox", "rm", &image]).expect(1);
    assert!(outcome.stderr.contains(&image), "{}", outcome.stderr);
    assert!(!workspace.build(&path).expect(0).reused());
}

/// A root file system with a shell and a few commands: those of this machine, with the libraries
/// that they need.
fn small_system(workspace: &Workspace) -> PathBuf {
    let root = workspace.path().join("small");
    let add = |path: &Path| {
        let target = root.join(path.strip_prefix("/").expect("absolute"));
        fs::create_dir_all(target.parent().expect("a parent")).expect("make directories");
        fs::copy(path, target).expect("copy");
    };
    let needs = |path: &Path| {
        let libraries = Command::new("ldd").arg(path).output().expect("ldd").stdout;
        let libraries = String::from_utf8(libraries).expect("UTF-8");
        libraries
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
            .map(PathBuf::from)
            .collect::<Vec<_>>()
    };
    // The sandbox's `sudo` is bake itself.
    needs(Path::new(env!("CARGO_BIN_EXE_bake"))).iter().for_each(|library| add(library));
    for command in
        ["sh", "cat", "chmod", "dd", "id", "ls", "mkdir", "rm", "wc", "tar", "env", "stat"]
    {
        let path = PathBuf::from("/bin").join(command);
        needs(&path).iter().for_each(|library| add(library));
        add(&path);
    }
    for (name, text) in [
        ("etc/os-release", "ID=debian\nVERSION_ID=12\nPRETTY_NAME=\"Small 1\"\n"),
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("etc/group", "root:x:0:\n"),
    ] {
        workspace.write(&format!("small/{name}"), text);
    }
    root
}

#[test]
fn an_imported_base_stands_in_and_goes_again() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let system = small_system(&workspace);
    let archive = workspace.path().join("small.tar.gz");
    let packed =
        Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&system).arg(".").status();
    assert!(packed.expect("tar").success());
    for from in [&system, &archive] {
        let from = from.to_str().expect("UTF-8");
        let imported = workspace.bake(["sandbox", "import", "debian", from]).expect(0);
        assert!(imported.stdout.contains("debian (Small 1)"), "{}", imported.stdout);
        let steps = shell("cat /etc/os-release; test ! -e /usr/bin/perl; id -un; sudo id -un");
        let options = "source_ami_filter {\n    filters = { name = \"debian-12-amd64-*\" }\n    owners = [\"136693071363\"]\n    most_recent = true\n  }";
        let path = workspace.write("t.pkr.hcl", template_with(options, &steps));
        let outcome = workspace.build(path).expect(0);
        let lines = outcome.lines_of("amazon-ebs.t");
        for line in [
            "Sandbox base that stands in for it: debian (Small 1)",
            "PRETTY_NAME=\"Small 1\"",
            "admin",
            "root",
        ] {
            assert!(lines.contains(&line), "no `{line}` in\n{}", outcome.stdout);
        }
        let image = outcome.image();
        workspace.bake(["sandbox", "rm", &image]).expect(0);
        let removed = workspace.bake(["sandbox", "rm", "debian"]).expect(0);
        assert!(removed.stdout.contains("debian"));
    }
}

#[test]
fn what_is_no_root_file_system_is_refused() {
    let workspace = Workspace::new();
    workspace.write("nothing/etc/passwd", "");
    let from = workspace.path().join("nothing");
    let outcome =
        workspace.bake(["sandbox", "import", "nothing", from.to_str().expect("UTF-8")]).expect(1);
    assert!(outcome.stderr.contains("it has no bin/sh"), "{}", outcome.stderr);
}
