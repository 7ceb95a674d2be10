//! Records in S3, asked by machines that did not build the images; `bake why` of images and runs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use crate::support::{Endpoint, Outcome, Running, Workspace, root, shell, template_with};

const PLACE: &str = "s3://records/of/images";
const SECRET: &str = "Xk42-never-to-be-seen";

/// A template with a sensitive value in a step and in a file, that says `text`.
fn write_template(workspace: &Workspace, text: &str) -> PathBuf {
    workspace.write("token", format!("token={SECRET}\n"));
    workspace.write("plain", "nothing to hide\n");
    let declared =
        format!("variable \"token\" {{\n  sensitive = true\n  default   = \"{SECRET}\"\n}}\n");
    let steps = [
        shell(&format!("echo {text}")),
        "provisioner \"shell\" {\n  env    = { TOKEN = \"key-${var.token}\" }\n  inline = [\"test -n \\\"$TOKEN\\\"\", \"echo ${sha256(var.token)} >/dev/null\"]\n}\n".to_owned(),
        "provisioner \"file\" {\n  source      = \"${path.root}/token\"\n  destination = \"/tmp/token\"\n}\n".to_owned(),
        "provisioner \"file\" {\n  source      = \"${path.root}/plain\"\n  destination = \"/tmp/plain\"\n}\n".to_owned(),
    ];
    let whole = declared + &template_with("source_ami = \"ami-12345678\"", &steps.concat());
    workspace.write("t.pkr.hcl", whole)
}

/// Runs bake on a machine that knows the endpoint.
fn ask(endpoint: &Endpoint, machine: &Workspace, arguments: &[&str]) -> Outcome {
    let mut command = machine.command(arguments);
    command.current_dir(machine.path());
    Running::start(endpoint.used_by(command)).finish()
}

fn tag(endpoint: &Endpoint, image: &str, key: &str) -> Option<String> {
    let images = endpoint.images();
    let image = images.iter().find(|one| one.image_id() == Some(image)).expect("the image");
    let tag = image.tags().iter().find(|tag| tag.key() == Some(key))?;
    tag.value().map(str::to_owned)
}

fn kept(machine: &Workspace, hash: &str) -> PathBuf {
    machine.path().join(format!("state/bake/plans/{hash}.json"))
}

/// Writes an object as anybody may who can write to the bucket.
fn put_object(endpoint: &Endpoint, path: &str, body: &str) {
    let address = endpoint.url().trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).expect("connect");
    let credential = "Credential=test/20260101/us-east-1/s3/aws4_request";
    let request = format!(
        "PUT {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\nAuthorization: AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn another_machine_finds_the_records_of_images_in_s3() {
    if !root("building in the sandbox") {
        return;
    }
    let builder = Workspace::new();
    let endpoint = Endpoint::start(&builder, &[]);
    let template = write_template(&builder, "one");
    let options = ["-records", PLACE];
    let first = endpoint.build(&builder, &options, &template).expect(0);
    write_template(&builder, "two");
    let second = endpoint.build(&builder, &options, &template).expect(0);
    assert!(!second.stdout.contains("is not kept"), "{}", second.stdout);
    let (one, two) = (first.image(), second.image());
    assert_eq!(tag(&endpoint, &one, "bake:records").as_deref(), Some(PLACE));

    // By the images' tags alone.
    let other = Workspace::new();
    let told = ask(&endpoint, &other, &["why", &one, &two]).expect(1);
    assert_snapshot!(told.stdout, @"
    amazon-ebs.t: 1 input differs; the image would be built again
      step 1 (shell): inline: changed  (t.pkr.hcl:14)
        -   1: echo one
        +   1: echo two
    ");
    // It is as the builder kept it, and kept here, too: S3 is not asked again.
    let record = fs::read_to_string(kept(&other, &first.hash())).expect("a copy");
    assert_eq!(record, fs::read_to_string(kept(&builder, &first.hash())).expect("a record"));
    assert!(record.contains("nothing to hide"), "{record}");
    assert!(!record.contains(SECRET), "{record}");
    assert_eq!(other.bake(["why", &first.hash(), &second.hash()]).expect(1).stdout, told.stdout);

    // `verify` of one that is on another machine.
    let third = Workspace::new();
    let verified = ask(&endpoint, &third, &["verify", "-region=us-east-1", &one]).expect(1);
    let line = "record    fits     the recorded plan of amazon-ebs.t gives this hash";
    assert!(verified.stdout.contains(line), "{}", verified.stdout);
    let line = "t.pkr.hcl makes ";
    assert!(verified.stdout.contains(line), "the template is another by now: {}", verified.stdout);

    // By hashes, where the place is given.
    let fourth = Workspace::new();
    let (old, new) = (first.hash(), second.hash());
    let lost = ask(&endpoint, &fourth, &["why", &old, &new]).expect(2).stderr;
    let lost = lost.replace(fourth.path().to_str().expect("UTF-8"), "[machine]");
    assert_snapshot!(lost.replace(&old, "[old]"), @"
    error: there is no record of a hash `[old]` in `[machine]/state/bake/plans`
      = note: bake keeps a record of each image that it builds or takes on this machine, and in S3 where `-records` says
      = help: give the place with `-records s3://BUCKET/PREFIX`, or compare the templates instead: `bake why REV:PATH PATH`
    ");
    let by_hash = ["why", "-records", PLACE, &old, &new];
    assert_eq!(ask(&endpoint, &fourth, &by_hash).expect(1).stdout, told.stdout);
    let fifth = Workspace::new();
    let mut command = fifth.command(["hash", "-check", &old]);
    command.arg(&template).env("BAKE_RECORDS", format!("{PLACE}/"));
    let checked = Running::start(endpoint.used_by(command)).finish().expect(1);
    assert!(checked.stdout.contains("step 1 (shell): inline: changed"), "{}", checked.stdout);

    // What somebody else has written there is not believed.
    let changed = record.replace("echo one", "echo six");
    put_object(&endpoint, &format!("/records/of/images/{old}.json"), &changed);
    let sixth = Workspace::new();
    let refused = ask(&endpoint, &sixth, &["why", &one, &two]).expect(2).stderr;
    assert!(refused.contains("does not fit its template hash"), "{refused}");
    assert!(refused.contains(&format!("`{PLACE}/{old}.json`")), "{refused}");
    let refused = ask(&endpoint, &sixth, &["verify", "-region=us-east-1", &one]).expect(1);
    assert!(refused.stdout.contains("record    differs  "), "{}", refused.stdout);
    assert!(!kept(&sixth, &old).exists());
    endpoint.stop();
}

#[test]
fn an_image_is_made_though_its_record_cannot_be_kept() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let template = write_template(&workspace, "one");
    let options = ["-records", "s3://missing/of/images"];
    let built = endpoint.build(&workspace, &options, &template).expect(0);
    let warned = "is not kept in s3://missing/of/images, so that `bake why` and `bake verify` will know less of this image on other machines";
    assert!(built.stdout.contains(warned), "{}", built.stdout);
    assert!(built.stdout.contains("NoSuchBucket"), "{}", built.stdout);
    assert_eq!(tag(&endpoint, &built.image(), "bake:records"), None);
    assert_eq!(tag(&endpoint, &built.image(), "bake:image-hash"), Some(built.hash()));

    let wrong = ask(&endpoint, &workspace, &["build", "-records=records", "t.pkr.hcl"]).expect(2);
    assert!(wrong.stderr.contains("does not begin with `s3://`"), "{}", wrong.stderr);
    // What the environment says can be taken back.
    let mut command = workspace.command(["build", "-records=", "-force"]);
    command.arg(&template).env("BAKE_RECORDS", "s3://missing");
    let built = Running::start(endpoint.used_by(command)).finish().expect(0);
    assert!(!built.stdout.contains("is not kept"), "{}", built.stdout);
    endpoint.stop();

    let own = workspace.build_with(&["-records", PLACE], &template).expect(0);
    assert!(own.stderr.contains("no records are kept in s3://records/of/images"), "{}", own.stderr);
}

/// The runs of a machine, the first one first.
fn runs(machine: &Workspace) -> Vec<String> {
    let entries = fs::read_dir(machine.path().join("state/bake/runs")).expect("runs").flatten();
    let names = entries.map(|one| one.path()).filter(|path| path.extension().is_some());
    let stem = |path: &Path| path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    let mut all: Vec<_> = names.filter_map(|path| stem(&path)).collect();
    all.sort();
    all
}

#[test]
fn images_and_runs_are_compared() {
    if !root("building in the sandbox") {
        return;
    }
    let machine = Workspace::new();
    let endpoint = Endpoint::start(&machine, &[]);
    let template = write_template(&machine, "one");
    let first = endpoint.build(&machine, &[], &template).expect(0);
    write_template(&machine, "two");
    let second = endpoint.build(&machine, &[], &template).expect(0);
    let (one, two) = (first.image(), second.image());
    let by_image = ask(&endpoint, &machine, &["why", &one, &two]).expect(1).stdout;
    assert!(by_image.contains("+   1: echo two"), "{by_image}");
    let runs = runs(&machine);
    let [old, new] = runs.as_slice() else { panic!("two runs: {runs:?}") };
    assert_eq!(machine.bake(["why", old, new]).expect(1).stdout, by_image);
    ask(&endpoint, &machine, &["why", &second.hash(), "t.pkr.hcl"]).expect(0);
    ask(&endpoint, &machine, &["why", &two, new]).expect(0);

    let shown = |outcome: Outcome| {
        let mut text = outcome.expect(2).stderr;
        let path = machine.path().to_str().expect("UTF-8").to_owned();
        for (from, to) in [
            (&path, "[machine]"),
            (&one, "[one]"),
            (&two, "[two]"),
            (&first.hash(), "[hash]"),
            (old, "[run]"),
        ] {
            text = text.replace(from.as_str(), to);
        }
        text
    };
    // A source image is nothing that bake has built.
    assert_snapshot!(shown(ask(&endpoint, &machine, &["why", "ami-12345678", &two])), @"error: ami-12345678 has no tag `bake:image-hash`: bake did not build it, or did not finish it");
    assert_snapshot!(shown(ask(&endpoint, &machine, &["why", "-region=eu-west-1", &one, &two])), @"
    error: there is no image [one] in eu-west-1
      = help: `-region` says where else to look, `-sandbox` looks in the sandbox of this machine
    ");
    let place = machine.path().join("state/bake/plans");
    let aside = machine.path().join("plans");
    fs::rename(&place, &aside).expect("put records aside");
    assert_snapshot!(shown(machine.bake(["why", old, new])), @"
    error: run `[run]` had the image hash [hash], and there is no record of it in `[machine]/state/bake/plans`
      = note: bake keeps a record of each image that it builds or takes on this machine, and in S3 where `-records` says
      = help: give the place with `-records s3://BUCKET/PREFIX`, or compare the templates instead: `bake why REV:PATH PATH`
    ");
    fs::rename(&aside, &place).expect("put records back");

    // What is young stays; what is old goes, but not what is no record.
    machine.write("state/bake/plans/note.json", "");
    let prune = |arguments: &[&str]| machine.bake([&["runs", "prune"], arguments].concat());
    assert_eq!(prune(&["-older-than", "1d"]).expect(0).stdout, "Nothing is that old.\n");
    let would = prune(&["-older-than=0s", "-dry-run"]).expect(0).stdout;
    assert!(kept(&machine, &first.hash()).exists());
    let removed = prune(&["-older-than=0s"]).expect(0).stdout;
    assert_eq!(removed, would.replace("Would remove", "Removed"));
    let mut lines: Vec<_> = removed.lines().collect();
    lines.sort_unstable();
    let mut expected = [
        format!("Removed run {old}"),
        format!("Removed run {new}"),
        format!("Removed record {}", first.hash()),
        format!("Removed record {}", second.hash()),
    ];
    expected.sort();
    assert_eq!(lines, expected);
    assert!(machine.path().join("state/bake/plans/note.json").exists());
    assert_eq!(machine.bake(["runs"]).expect(0).stdout, "There are no runs yet.\n");
    assert_snapshot!(shown(ask(&endpoint, &machine, &["why", &one, &two])), @"
    error: [one] has the image hash [hash], and there is no record of it in `[machine]/state/bake/plans`; it was built on another machine or by another user
      = note: bake keeps a record of each image that it builds or takes on this machine, and in S3 where `-records` says
      = help: give the place with `-records s3://BUCKET/PREFIX`, or compare the templates instead: `bake why REV:PATH PATH`
    ");
    endpoint.stop();
}
