//! A state directory that cannot be written: nothing is made that would not be known.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Endpoint, Running, Workspace, quoted, root, shell, template, template_with};

/// A file system of its own for the state directory, unmounted at the end.
struct Mounted(PathBuf);

impl Mounted {
    fn new(workspace: &Workspace, options: &str) -> Self {
        let directory = workspace.path().join("state");
        std::fs::create_dir_all(&directory).expect("make directory");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&directory));
        Self(directory)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(&self.0));
    }
}

fn run(command: &mut Command) {
    assert!(command.status().expect("start a command").success(), "{command:?}");
}

#[test]
fn without_room_for_a_ledger_nothing_is_made() {
    if !root("mounting") {
        return;
    }
    for (options, reason) in [("size=64k", "KiB are free there"), ("ro", "Read-only file system")] {
        let workspace = Workspace::new();
        let endpoint = Endpoint::start(&workspace, &[]);
        let path = workspace.write("t.pkr.hcl", template(&shell("true")));
        let _mounted = Mounted::new(&workspace, options);
        let refused = endpoint.build(&workspace, &[], &path).expect(1);
        assert!(refused.stderr.contains("the ledger in"), "{options}: {}", refused.stderr);
        assert!(refused.stderr.contains(reason), "{options}: {}", refused.stderr);
        assert_eq!(endpoint.instances(), [], "{options}");
        endpoint.assert_only_images();
    }
}

#[test]
fn a_disk_that_fills_up_in_the_middle_of_a_build_loses_nothing() {
    if !root("mounting") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let mounted = Mounted::new(&workspace, "size=2m");
    let fill = mounted.path().join("fill");
    let filling = format!("head -c 8M /dev/zero > {} || true", fill.display());
    let step =
        format!("provisioner \"shell-local\" {{\n    inline = [{}]\n  }}\n", quoted(&filling));
    // What is recorded before the image is made has to need more room than the file has already.
    let tags: String = (0..30).map(|n| format!("    k{n} = \"{}\"\n", "v".repeat(200))).collect();
    let options = format!("source_ami = \"ami-12345678\"\n  tags = {{\n{tags}  }}");
    let path = workspace.write("t.pkr.hcl", template_with(&options, &step));
    let failed = endpoint.build(&workspace, &[], &path).expect(1);
    assert!(failed.stdout.contains("the ledger cannot be written"), "{}", failed.stdout);
    assert!(failed.stdout.contains("Terminated instance"), "{}", failed.stdout);
    assert!(endpoint.images().is_empty());
    endpoint.assert_only_images();
    // That all is gone could not be recorded; with room again, it is found out.
    std::fs::remove_file(&fill).expect("make room");
    let gc = Running::start(endpoint.used_by(workspace.command(["gc"]))).finish().expect(0);
    assert!(gc.stdout.contains("Nothing is left"), "{}", gc.stdout);
    let runs = workspace.path().join("state/bake/runs");
    let open = std::fs::read_dir(runs).expect("is there").flatten();
    let open: Vec<_> =
        open.filter(|entry| entry.path().extension() != Some("done".as_ref())).collect();
    assert!(open.is_empty(), "{open:?}");
}
