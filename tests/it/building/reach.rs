//! The ways to an instance: SSH, SSH through Session Manager, and Systems Manager alone.

use std::fs;

use crate::support::{
    Endpoint, Workspace, all_suites, looking_into, root, shell, shell_with, template_with,
};

/// What each way adds to the source.
const WAYS: [(&str, &str); 3] = [
    ("ssh", ""),
    ("session-manager", "ssh_interface = \"session_manager\""),
    ("ssm", "communicator = \"ssm\""),
];

/// A source that is reached in some way.
fn source(way: &str) -> String {
    format!("source_ami = \"ami-12345678\"\n  {way}")
}

#[test]
fn two_restarts_in_the_middle_are_survived_each_way() {
    if !root("building in the sandbox") {
        return;
    }
    for (name, way) in WAYS {
        let workspace = Workspace::new();
        let boot = shell("echo boot $(cat /proc/sys/kernel/random/boot_id)");
        // The one returns before the machine goes down, the other is cut off.
        let first = shell_with("expect_disconnect = true", "sudo reboot");
        let second = shell_with("expect_disconnect = true", "sudo reboot; sleep 60");
        let steps = [&boot, &first, &boot, &second, &boot].map(String::as_str).concat();
        let path = workspace.write("t.pkr.hcl", template_with(&source(way), &steps));
        let outcome = workspace.build(path).expect(0);
        workspace.assert_nothing_runs();
        let lines = outcome.lines_of("amazon-ebs.t");
        let mut boots: Vec<_> = lines.iter().filter(|line| line.starts_with("boot ")).collect();
        boots.dedup();
        assert_eq!(boots.len(), 3, "{name}: {}", outcome.stdout);
        let restarts = lines.iter().filter(|line| **line == "The instance has restarted.");
        assert_eq!(restarts.count(), 2, "{name}: {}", outcome.stdout);
    }
}

#[test]
fn what_systems_manager_leaves_is_not_in_the_image() {
    if !root("building in the sandbox") {
        return;
    }
    for (name, way) in WAYS.into_iter().skip(1) {
        let workspace = Workspace::new();
        let path = workspace.write("t.pkr.hcl", template_with(&source(way), &shell("true")));
        let outcome = workspace.build(path).expect(0);
        assert!(outcome.stdout.contains("Creating temporary instance profile"), "{name}");
        assert!(outcome.stdout.contains("policy/AmazonSSMManagedInstanceCore"), "{name}");
        assert!(!outcome.stdout.contains("Authorizing access"), "{name}: no port is open");
        let look = "echo found: $(sudo find /var/lib/amazon/ssm /var/log/amazon/ssm /var/tmp/.bake* -type f 2>/dev/null)";
        let path = workspace.write("look.pkr.hcl", looking_into(&outcome.image(), look));
        let outcome = workspace.build(path).expect(0);
        let lines = outcome.lines_of("amazon-ebs.t");
        assert!(lines.contains(&"found:"), "{name}: {}", outcome.stdout);
    }
}

#[test]
fn files_travel_each_way() {
    if !root("building in the sandbox") {
        return;
    }
    let bytes: Vec<u8> =
        (0..300_000_u32).flat_map(|one| one.wrapping_mul(0x9e37).to_le_bytes()).collect();
    for (name, way) in WAYS {
        let workspace = Workspace::new();
        workspace.write("tree/deep/data", &bytes);
        let (up, down) = (workspace.path().join("tree"), workspace.path().join("back/"));
        let file = |options: &str| format!("provisioner \"file\" {{\n    {options}\n  }}\n");
        let steps = [
            file(&format!("source = \"{}/\"\n    destination = \"/srv/tree\"", up.display())),
            shell("test $(stat -c %s /srv/tree/deep/data) = 1200000 && echo arrived"),
            file(&format!(
                "source = \"/srv/tree\"\n    destination = \"{}/\"\n    direction = \"download\"",
                down.display()
            )),
        ];
        // SSH's user may not write below /srv.
        let prepare = shell("sudo install -d -o $(id -u) /srv/tree");
        let steps = prepare + &steps.concat();
        let path = workspace.write("t.pkr.hcl", template_with(&source(way), &steps));
        let outcome = workspace.build(path).expect(0);
        assert!(
            outcome.lines_of("amazon-ebs.t").contains(&"arrived"),
            "{name}: {}",
            outcome.stdout
        );
        let back = fs::read(down.join("tree/deep/data")).expect("a file");
        assert!(back == bytes, "{name}: {} bytes came back", back.len());
    }
}

/// A provisioner that moves a file.
fn file(source: &str, destination: &str, direction: &str) -> String {
    format!(
        "provisioner \"file\" {{\n    source = \"{source}\"\n    destination = \"{destination}\"\n    direction = \"{direction}\"\n  }}\n"
    )
}

#[test]
fn without_sessions_a_build_goes_on_and_says_so() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let fault =
        "StartSession:*:error=AccessDeniedException/not authorized to perform: ssm:StartSession";
    let endpoint = Endpoint::start(&workspace, &["--fault", fault]);
    workspace.write("local/file", vec![7; 100_000]);
    let (here, back) = (workspace.path().join("local/file"), workspace.path().join("back"));
    let steps = [
        shell("echo boot $(cat /proc/sys/kernel/random/boot_id)"),
        shell_with("expect_disconnect = true", "reboot; sleep 60"),
        shell("echo boot $(cat /proc/sys/kernel/random/boot_id)"),
        file(&here.display().to_string(), "/srv/data", "upload"),
        file("/srv/data", &back.display().to_string(), "download"),
    ];
    let path = workspace.write("t.pkr.hcl", template_with(&source(WAYS[2].1), &steps.concat()));
    let outcome = endpoint.build(&workspace, &[], &path).expect(0);
    let lines = outcome.lines_of("amazon-ebs.t");
    let mut boots: Vec<_> = lines.iter().filter(|line| line.starts_with("boot ")).collect();
    boots.dedup();
    assert_eq!(boots.len(), 2, "{}", outcome.stdout);
    let told = lines.iter().filter(|line| line.contains("Run Command alone")).count();
    assert_eq!(told, 1, "{}", outcome.stdout);
    assert_eq!(fs::read(back).expect("a file"), vec![7; 100_000]);
    let look = "echo found: $(sudo find /var/lib/amazon/ssm /var/log/amazon/ssm /var/tmp/.bake* -type f 2>/dev/null | grep -v '[.]keep$')";
    let path = workspace.write("look.pkr.hcl", looking_into(&outcome.image(), look));
    let outcome = endpoint.build(&workspace, &[], &path).expect(0);
    assert!(outcome.lines_of("amazon-ebs.t").contains(&"found:"), "{}", outcome.stdout);
    endpoint.assert_only_images();
    endpoint.stop();
}

/// Builds with a file of 3 MB that goes up and comes back by way of a bucket.
fn by_bucket(workspace: &Workspace, faults: &[&str]) -> crate::support::Outcome {
    let endpoint = Endpoint::start(workspace, faults);
    let bytes: Vec<u8> =
        (0..750_000_u32).flat_map(|one| one.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    workspace.write("local/file", &bytes);
    let (here, back) = (workspace.path().join("local/file"), workspace.path().join("back"));
    let steps = [
        file(&here.display().to_string(), "/srv/data", "upload"),
        shell("stat -c %s /srv/data"),
        file("/srv/data", &back.display().to_string(), "download"),
    ];
    let options = format!("{}\n  ssm_bucket = \"artifacts\"", WAYS[2].1);
    let path = workspace.write("t.pkr.hcl", template_with(&source(&options), &steps.concat()));
    let outcome = endpoint.build(workspace, &[], &path);
    if fs::read(back).is_ok_and(|found| found != bytes) {
        panic!("something else came back");
    }
    endpoint.assert_only_images();
    endpoint.stop();
    outcome
}

/// Ledgers of runs that have left something.
fn open_ledgers(workspace: &Workspace) -> usize {
    let runs = fs::read_dir(workspace.path().join("state/bake/runs")).expect("ledgers");
    runs.flatten().filter(|one| one.path().extension().is_some_and(|e| e == "jsonl")).count()
}

#[test]
fn large_files_go_through_a_bucket_whose_urls_nobody_sees() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let outcome = by_bucket(&workspace, &[]).expect(0);
    assert!(outcome.lines_of("amazon-ebs.t").contains(&"3000000"), "{}", outcome.stdout);
    let made = outcome.stdout.matches("Moving files by way of s3://artifacts/bake-").count();
    let gone = outcome.stdout.matches("Deleted object: s3://artifacts/bake-").count();
    assert_eq!((made, gone), (2, 2), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("X-Amz-"), "{}", outcome.stdout);
    assert_eq!(open_ledgers(&workspace), 0);
    assert!(workspace.path().join("back").exists());
}

#[test]
fn an_object_that_cannot_be_deleted_is_told_and_stays_in_the_ledger() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let fault = "DeleteObject:*:error=AccessDenied/Access Denied";
    let outcome = by_bucket(&workspace, &["--fault", fault]).expect(3);
    assert!(outcome.stdout.contains("object s3://artifacts/bake-"), "{}", outcome.stdout);
    assert_eq!(open_ledgers(&workspace), 1);
}

#[test]
fn the_first_step_waits_for_cloud_init() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let script = "#!/bin/sh\\nsleep 1\\necho ready > /srv/ready\\n";
    let options = format!("source_ami = \"ami-12345678\"\n  user_data = \"{script}\"");
    let path = workspace.write("t.pkr.hcl", template_with(&options, &shell("cat /srv/ready")));
    let outcome = workspace.build(path).expect(0);
    let lines = outcome.lines_of("amazon-ebs.t");
    assert!(lines.contains(&"Waiting for cloud-init to finish..."), "{}", outcome.stdout);
    assert!(lines.contains(&"ready"), "{}", outcome.stdout);

    let options = format!("{options}\n  readiness_timeout = \"0s\"");
    let steps = shell("test ! -e /srv/ready && echo early");
    let path = workspace.write("t.pkr.hcl", template_with(&options, &steps));
    let outcome = workspace.build(path).expect(0);
    assert!(outcome.lines_of("amazon-ebs.t").contains(&"early"), "{}", outcome.stdout);
}

#[test]
fn no_program_is_started_over_systems_manager() {
    if !root("building in the sandbox") || !all_suites("a build under strace") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    for (name, way) in WAYS.into_iter().skip(1) {
        let path = workspace.write("t.pkr.hcl", template_with(&source(way), &shell("echo hello")));
        let trace = workspace.path().join(format!("{name}.trace"));
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "-e", "trace=execve", "-o"]).arg(&trace);
        command.arg(env!("CARGO_BIN_EXE_bake")).args(["build", "-force"]).arg(path);
        command.env("XDG_STATE_HOME", workspace.path().join("state"));
        let output = endpoint.used_by(command).output().expect("strace is installed");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {said}");
        let trace = fs::read_to_string(trace).expect("a trace");
        assert_eq!(trace.matches("execve(").count(), 1, "{name}: {trace}");
    }
    endpoint.stop();
}

#[test]
fn the_null_builder_runs_steps_and_exports_nothing() {
    let workspace = Workspace::new();
    let template = "source \"null\" \"t\" {
  communicator = \"none\"
}
build {
  sources = [\"source.null.t\"]
  provisioner \"shell-local\" {
    inline = [\"echo here $PACKER_BUILDER_TYPE\"]
  }
}
";
    let path = workspace.write("t.pkr.hcl", template);
    let outcome = workspace.bake([std::ffi::OsStr::new("build"), path.as_os_str()]).expect(0);
    assert!(outcome.lines_of("null.t").contains(&"here null"), "{}", outcome.stdout);
    assert!(
        outcome.stdout.contains("--> null.t: Did not export anything. This is the null builder"),
        "{}",
        outcome.stdout
    );
}
