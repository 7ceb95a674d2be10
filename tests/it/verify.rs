//! `bake verify` with the real binary.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Endpoint, Running, Workspace, root, shell, template};

/// A file of the only layer that has it.
#[track_caller]
fn in_layer(workspace: &Workspace, path: &str) -> PathBuf {
    let layers = fs::read_dir(workspace.store().join("layers")).expect("layers").flatten();
    let mut found = layers.map(|layer| layer.path().join(path)).filter(|path| path.exists());
    found.next().unwrap_or_else(|| panic!("no layer has {path}"))
}

fn flip_a_byte(path: &Path) {
    let mut bytes = fs::read(path).expect("read");
    bytes[0] ^= 1;
    fs::write(path, bytes).expect("write");
}

#[test]
fn an_image_is_held_against_its_claims() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let steps = |text: &str| template(&shell(&format!("echo {text} | sudo tee /etc/motd")));
    let path = workspace.write("t.pkr.hcl", steps("welcome"));
    let path = path.to_str().expect("UTF-8 path");
    let built = workspace.build(path).expect(0);
    let (image, hash) = (built.image(), built.hash());

    let good = workspace.bake(["verify", &image, path]).expect(0);
    assert!(good.stdout.contains(&format!("claim     fits     image hash {hash}")));
    assert!(good.stdout.contains("still makes it (amazon-ebs.t)"), "{}", good.stdout);
    assert!(good.stdout.contains("content   fits"), "{}", good.stdout);

    workspace.write("t.pkr.hcl", steps("goodbye"));
    let changed = workspace.bake(["verify", "-sandbox", &image, path]).expect(1);
    assert!(changed.stdout.contains("template  differs"), "{}", changed.stdout);
    workspace.write("t.pkr.hcl", steps("welcome"));

    flip_a_byte(&in_layer(&workspace, "etc/motd"));
    let tampered = workspace.bake(["verify", "-json", &image, path]).expect(1);
    let verdict: serde_json::Value = serde_json::from_str(&tampered.stdout).expect("JSON");
    assert_eq!(verdict["fits"], false);
    let findings = verdict["findings"].as_array().expect("findings");
    let paths: Vec<_> = findings.iter().filter_map(|one| one["path"].as_str()).collect();
    assert_eq!(paths, ["/etc/motd"]);
    let tampered = workspace.bake(["verify", &image]).expect(1);
    let line = "  content   differs  /etc/motd has changed: bytes\n";
    assert!(tampered.stdout.contains(line), "{}", tampered.stdout);
}

#[test]
fn an_image_that_is_nowhere_is_said_so() {
    let workspace = Workspace::new();
    let outcome = workspace.bake(["verify", "ami-0123456789abcdef0"]).expect(1);
    assert!(outcome.stderr.contains("the sandbox has no such image"), "{}", outcome.stderr);
    let outcome = workspace.bake(["verify", "-sandbox", "ami-0123456789abcdef0"]).expect(1);
    assert_eq!(outcome.stderr, "error: there is no image `ami-0123456789abcdef0`\n");
}

#[test]
fn elsewhere_only_claims_can_be_compared() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let template = Path::new("templates/quickstart.pkr.hcl");
    let image = endpoint.build(&workspace, &[], template).expect(0).image();
    let images = endpoint.images();
    let tags = images[0].tags().iter().filter_map(|tag| tag.key().zip(tag.value()));
    let digest = tags.filter(|(key, _)| *key == "bake:content-digest").map(|(_, value)| value);
    assert_eq!(digest.map(str::len).collect::<Vec<_>>(), [64]);

    let verify = |arguments: &[&str]| {
        let mut command = workspace.command(["verify", "-region=us-east-1", &image]);
        command.args(arguments);
        Running::start(endpoint.used_by(command)).finish()
    };
    let claimed = verify(&[]).expect(0).stdout;
    assert!(claimed.contains("claim     fits     image hash "), "{claimed}");
    assert!(claimed.contains("record    fits     the recorded plan of "), "{claimed}");
    assert!(claimed.contains("content   unknown  the files of an image can be seen"), "{claimed}");
    let made = verify(&["templates/quickstart.pkr.hcl"]).expect(0).stdout;
    assert!(
        made.contains("template  fits     templates/quickstart.pkr.hcl still makes it"),
        "{made}"
    );
    endpoint.stop();
}
