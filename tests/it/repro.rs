//! `bake repro` with the real binary: what differs between two builds is found, named and, where it
//! is known noise, removed.

use serde_json::Value;

use crate::support::{Workspace, root, shell_with, template};

/// A template with twelve sources of noise.
const NOISE: &str = "fixtures/repro/noise.pkr.hcl";

/// What they write, the step that is its last writer, and the cause.
const PLANTED: [(&str, u64, &str); 12] = [
    ("/etc/machine-id", 1, "machine-id"),
    ("/etc/ssh/ssh_host_planted_key", 1, "host-key"),
    ("/opt/planted/__pycache__/app.cpython-312.pyc", 4, "bytecode"),
    ("/root/.bash_history", 2, "history"),
    ("/var/cache/apt/pkgcache.bin", 3, "cache"),
    ("/var/cache/ldconfig/aux-cache", 3, "loader-cache"),
    ("/var/lib/cloud/data/instance-id", 4, "cloud-init"),
    ("/var/lib/dpkg/status-old", 3, "package-database"),
    ("/var/lib/systemd/random-seed", 1, "random-seed"),
    ("/var/log/journal/planted/system.journal", 2, "journal"),
    ("/var/log/planted.log", 2, "log"),
    ("/var/tmp/planted", 4, "temporary"),
];

/// The only comparison that was printed.
#[track_caller]
fn comparison(json: &str) -> Value {
    let all: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    match all.as_array().map(Vec::as_slice) {
        Some([one]) => one.clone(),
        _ => panic!("not one comparison: {json}"),
    }
}

/// Paths that differ, with the number of the step and the cause.
fn differences(comparison: &Value) -> Vec<(String, Option<u64>, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let all = comparison["differences"].as_array().expect("differences").iter();
    all.map(|one| (text(&one["path"]), one["writer"]["number"].as_u64(), text(&one["cause"])))
        .collect()
}

#[test]
fn planted_noise_is_named_with_its_step_and_its_cause() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let outcome = workspace.bake(["repro", "-json", NOISE]).expect(1);
    let comparison = comparison(&outcome.stdout);
    assert_eq!(comparison["identical"], false);
    assert_eq!(comparison["image_hashes"][0], comparison["image_hashes"][1]);
    assert_ne!(comparison["content_digests"][0], comparison["content_digests"][1]);
    let found = differences(&comparison);
    // Each build logs in with a key of its own.
    let (keys, planted): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(path, ..)| path.ends_with("/.ssh/authorized_keys"));
    assert!(!keys.is_empty());
    assert!(keys.iter().all(|(_, step, cause)| step.is_none() && cause == "authorized-key"));
    let expected: Vec<_> = PLANTED
        .iter()
        .map(|(path, step, cause)| ((*path).to_owned(), Some(*step), (*cause).to_owned()))
        .collect();
    assert_eq!(planted, expected);
    let writer = &comparison["differences"][0]["writer"];
    assert_eq!(writer["type"], "shell");
    assert_eq!(writer["place"], "fixtures/repro/noise.pkr.hcl:14:3");
    assert_eq!(workspace.images(), [""; 0], "both images are removed");
    workspace.assert_nothing_runs();
}

#[test]
fn without_known_noise_both_images_hold_the_same_files() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let outcome = workspace.bake(["repro", "-normalize", NOISE]).expect(0);
    let line = "amazon-ebs.noise: the two images hold the same files (";
    assert!(outcome.stdout.starts_with(line), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("Removing what differs from build to build"));
    assert_eq!(workspace.images(), [""; 0]);
    workspace.assert_nothing_runs();
}

#[test]
fn what_the_template_itself_makes_differ_is_not_hidden() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let steps = shell_with(
        "execute_command = \"sudo sh '{{ .Path }}'\"",
        "mkdir -p /opt/app; date +'built at %FT%T.%NZ' > /opt/app/version; \
         head -c 8 /dev/urandom > /opt/app/secret; touch /opt/app/$(head -c 4 /dev/urandom | od -An -tx1 | tr -d ' ').d; \
         echo 1 > /opt/app/same",
    );
    let path = workspace.write("t.pkr.hcl", template(&steps));
    let path = path.to_str().expect("UTF-8 path");
    // An image of the same name and hash stays as it is, and is not taken for one of the two.
    let built = workspace.build(path).expect(0);
    let outcome = workspace.bake(["repro", "-normalize", "-json", "-keep", path]).expect(1);
    let comparison = comparison(&outcome.stdout);
    let found = differences(&comparison);
    let named = found.iter().filter(|(path, ..)| path.ends_with(".d"));
    assert_eq!(named.count(), 2, "{found:?}");
    let others: Vec<_> = found.iter().filter(|(path, ..)| !path.ends_with(".d")).collect();
    let of = |path: &str, cause: &str| (path.to_owned(), Some(1), cause.to_owned());
    let expected = [of("/opt/app/secret", "unknown"), of("/opt/app/version", "timestamp")];
    assert_eq!(others, expected.iter().collect::<Vec<_>>());
    let images = workspace.images();
    assert_eq!(images.len(), 3, "the first one, and two that are kept: {images:?}");
    assert!(images.iter().any(|line| line.contains(&built.image())));
    let kept = comparison["images"][1].as_str().expect("an id");
    let verified = workspace.bake(["verify", kept, path]).expect(0);
    assert!(verified.stdout.contains("still makes it with `-normalize`"), "{}", verified.stdout);
    workspace.assert_nothing_runs();
}

#[test]
fn what_makes_no_image_of_its_own_is_not_normalised() {
    let workspace = Workspace::new();
    let text = "source \"null\" \"n\" {\n  communicator = \"none\"\n}\n\
                build {\n  sources = [\"source.null.n\"]\n}\n";
    let path = workspace.write("n.pkr.hcl", text);
    let mut command = workspace.command(["build", "-normalize"]);
    command.arg(path);
    let outcome = crate::support::Running::start(command).finish().expect(1);
    assert!(outcome.stderr.contains("`null.n` cannot be normalised"), "{}", outcome.stderr);
}
