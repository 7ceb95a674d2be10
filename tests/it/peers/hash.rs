//! Another implementation of `docs/hash.md`, which shares nothing with bake but the page.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use crate::support::{Workspace, repository, root, template_with};

/// Runs the other implementation; what it says.
#[track_caller]
fn by_the_page(arguments: &[&Path]) -> String {
    let mut command = Command::new("python3");
    command.arg(repository().join("tests/it/peers/hash.py")).args(arguments);
    let output = command.output().expect("python3 runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    said(&output.stdout)
}

#[test]
fn the_vectors_follow_from_the_page() {
    let said = by_the_page(&[Path::new("vectors"), &repository().join("docs/hash.md")]);
    assert_eq!(said, "7 vectors\n");
}

#[test]
fn the_hashes_of_a_build_follow_from_the_page() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let script = workspace.write("install.sh", "#!/bin/sh\necho grüße\n");
    let tool = workspace.write("files/deep/er/tool", "#!/bin/sh\n");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o711)).expect("set mode");
    workspace.write("files/deep.txt", [0, 255, 10]);
    workspace.write("outside", "not in the tree");
    let files = workspace.path().join("files");
    fs::create_dir(files.join("empty")).expect("make directory");
    symlink("deep/er", files.join("within")).expect("link");
    symlink("../outside", files.join("brought")).expect("link");
    let source = "source_ami_filter {
    filters     = { name = \"debian-12-amd64-*\" }
    owners      = [\"136693071363\"]
    most_recent = true
  }
  user_data = \"#!/bin/sh\\ntrue\\n\"
  launch_block_device_mappings {
    device_name           = \"/dev/xvda\"
    volume_size           = 9
    delete_on_termination = true
  }";
    let steps = "provisioner \"shell\" {
    environment_vars = [\"A=\\\"\\\\ \\t €\"]
    script           = \"${path.root}/install.sh\"
  }
  provisioner \"file\" {
    source      = \"${path.root}/files/\"
    destination = \"/tmp/files\"
  }";
    let path = workspace.write("t.pkr.hcl", template_with(source, steps));
    let built = workspace.build(&path).expect(0);
    let record = workspace.path().join(format!("state/bake/plans/{}.json", built.hash()));
    let said = by_the_page(&[Path::new("record"), &record, &script, &files]);
    assert_eq!(said, "a record, 2 trees\n");
}
