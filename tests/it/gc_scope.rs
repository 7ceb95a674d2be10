//! What `bake gc` looks for and what it passes over: runs, ages, regions, other machines, clouds that
//! are gone.

use std::time::{Duration, Instant};

use aws_sdk_ec2::types::InstanceStateName;
use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Endpoint, Outcome, Running, Workspace, root, shell, template};

/// Runs bake against an endpoint.
#[track_caller]
fn bake(workspace: &Workspace, endpoint: &Endpoint, arguments: &[&str]) -> Outcome {
    Running::start(endpoint.used_by(workspace.command(arguments))).finish()
}

/// A build in a region that lasts until somebody ends it, and says so.
fn lasting(workspace: &Workspace, endpoint: &Endpoint, region: &str, options: &[&str]) -> Running {
    // Another script each time: nobody is to wait for another build of the same image.
    let script = format!("echo begun {}; sleep 300", uuid::Uuid::new_v4());
    let path = workspace.write("t.pkr.hcl", template(&shell(&script)));
    let mut command = workspace.command(["build"]);
    command.args(options).arg(path);
    let mut command = endpoint.used_by(command);
    command.env("AWS_REGION", region);
    let mut running = Running::start(command);
    running.wait_for(": begun");
    running
}

/// A run that is killed while it has everything; its id.
fn killed(workspace: &Workspace, endpoint: &Endpoint, region: &str, options: &[&str]) -> String {
    let running = lasting(workspace, endpoint, region, options);
    running.signal(Signal::KILL);
    running.finish().expect(137);
    let listed = workspace.bake(["runs", "-json"]).expect(0).stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let last = listed.as_array().and_then(|all| all.last()).expect("a run");
    last["run"].as_str().expect("an id").to_owned()
}

/// How many instances run.
fn running(endpoint: &Endpoint) -> usize {
    let all = endpoint.instances();
    all.iter().filter(|(_, state)| *state == InstanceStateName::Running).count()
}

/// What a collection gave as JSON.
#[track_caller]
fn report(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}:\n{}{}", outcome.stdout, outcome.stderr))
}

fn count(report: &Value, part: &str) -> usize {
    report[part].as_array().map_or(0, Vec::len)
}

#[test]
fn a_run_and_an_age_choose_what_is_removed() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let gc = |arguments: &[&str]| bake(&workspace, &endpoint, &[&["gc"], arguments].concat());
    let first = killed(&workspace, &endpoint, "us-east-1", &[]);
    let second = killed(&workspace, &endpoint, "us-east-1", &[]);
    assert_eq!(running(&endpoint), 2);

    gc(&["-run", "nothing-begins-so"]).expect(0);
    gc(&["-older-than=1h"]).expect(0);
    gc(&["-run", &second, "-older-than=1h"]).expect(0);
    assert_eq!(running(&endpoint), 2, "neither was asked for");

    let of_second = report(&gc(&["-run", &second, "-json"]).expect(0));
    assert_eq!(running(&endpoint), 1);
    let removed = of_second["removed"].as_array().expect("a list");
    assert!(removed.len() >= 4 && removed.iter().all(|one| one["run"] == *second), "{of_second}");

    let dry = report(&gc(&["-older-than=0s", "-dry-run", "-json"]).expect(3));
    assert!(dry["left"].as_array().expect("a list").iter().all(|one| one["run"] == *first));
    gc(&["-older-than=0s"]).expect(0);
    endpoint.assert_only_images();
}

#[test]
fn by_tags_it_looks_in_the_regions_that_are_named_once_the_deadline_has_passed() {
    if !root("building in the sandbox") {
        return;
    }
    let (theirs, ours) = (Workspace::new(), Workspace::new());
    let endpoint = Endpoint::start(&theirs, &[]);
    let gc = |arguments: &[&str]| {
        report(&bake(&ours, &endpoint, &[&["gc", "-json"], arguments].concat()).expect(0))
    };
    // Two runs of a machine that is lost with its ledgers. Their instances end by themselves.
    for region in ["eu-west-1", "ap-southeast-2"] {
        // Without a lease, which may be held for some minutes more.
        killed(&theirs, &endpoint, region, &["-lifetime=1s", "-force"]);
        assert_eq!(endpoint.key_pairs_in(region).len(), 1);
    }
    let start = Instant::now();
    let dry = ["gc", "-dry-run", "-all-regions", "-json"];
    while count(&report(&bake(&ours, &endpoint, &dry)), "skipped") > 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "they are never due");
    }
    for elsewhere in [&[][..], &["-region=us-west-2"], &["-region=us-west-2", "-region=us-east-1"]]
    {
        let report = gc(elsewhere);
        assert_eq!((count(&report, "removed"), count(&report, "left")), (0, 0), "{report}");
    }
    let there = gc(&["-region=us-west-2", "-region=eu-west-1"]);
    let removed = there["removed"].as_array().expect("a list");
    assert!(!removed.is_empty() && removed.iter().all(|one| one["region"] == "eu-west-1"));
    assert_eq!(endpoint.key_pairs_in("eu-west-1"), [""; 0]);
    assert_eq!(endpoint.key_pairs_in("ap-southeast-2").len(), 1);
    let everywhere = gc(&["-all-regions"]);
    let removed = everywhere["removed"].as_array().expect("a list");
    assert!(!removed.is_empty() && removed.iter().all(|one| one["region"] == "ap-southeast-2"));
    assert_eq!(endpoint.key_pairs_in("ap-southeast-2"), [""; 0]);
    assert_eq!(count(&gc(&["-all-regions"]), "removed"), 0, "nothing is left");
}

#[test]
fn a_build_under_way_is_not_touched_from_here_or_from_another_machine() {
    if !root("building in the sandbox") {
        return;
    }
    let (here, there) = (Workspace::new(), Workspace::new());
    let endpoint = Endpoint::start(&here, &[]);
    let alive = lasting(&here, &endpoint, "us-east-1", &[]);
    for (workspace, why) in
        [(&here, "it is under way (process "), (&there, "it may be under way until ")]
    {
        for arguments in [&["gc"][..], &["gc", "-all-regions"], &["gc", "-dry-run"]] {
            let collected = bake(workspace, &endpoint, arguments).expect(0);
            assert!(collected.stdout.contains(why), "{}", collected.stdout);
            assert!(!collected.stdout.contains("Removed"), "{}", collected.stdout);
        }
    }
    let listed = here.bake(["runs", "-json"]).expect(0).stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let run = listed[0]["run"].as_str().expect("an id");
    let refused = bake(&here, &endpoint, &["gc", "-forget", run]).expect(1);
    assert!(refused.stderr.contains("is not dead: it is under way (process"), "{}", refused.stderr);
    assert_eq!(running(&endpoint), 1);
    assert_eq!(endpoint.key_pairs_in("us-east-1").len(), 2);
    alive.signal(Signal::INT);
    alive.finish().expect(130);
    endpoint.assert_only_images();
}

#[test]
fn several_collections_at_the_same_time_are_no_harm() {
    if !root("building in the sandbox") {
        return;
    }
    let (here, there) = (Workspace::new(), Workspace::new());
    let endpoint = Endpoint::start(&here, &[]);
    killed(&here, &endpoint, "us-east-1", &["-lifetime=1s", "-force"]);
    killed(&here, &endpoint, "us-east-1", &[]);
    let start = |workspace: &Workspace| {
        Running::start(endpoint.used_by(workspace.command(["gc", "-json"])))
    };
    // Two by the ledgers, and two by the tags of what is due already.
    let all = [start(&here), start(&there), start(&here), start(&there)];
    let reports = all.map(|one| report(&one.finish().expect(0)));
    for report in &reports {
        assert_eq!(report["problems"], serde_json::json!([]), "{report}");
    }
    endpoint.assert_only_images();
    let again = report(&bake(&here, &endpoint, &["gc", "-json"]).expect(0));
    assert_eq!((count(&again, "removed"), count(&again, "left")), (0, 0), "{again}");
}

#[test]
fn what_is_at_an_endpoint_that_is_gone_can_be_given_up_on() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let run = killed(&workspace, &endpoint, "us-east-1", &[]);
    let url = endpoint.url().to_owned();
    endpoint.stop();
    // There are no credentials here, either.
    let bake = |arguments: &[&str]| Running::start(workspace.command(arguments)).finish();
    let left = bake(&["gc"]).expect(3);
    assert!(left.elapsed < Duration::from_secs(30), "{:?}", left.elapsed);
    let why = format!("nothing listens at {url} any more\n");
    assert_eq!(left.stdout.matches(&why).count(), 4, "{}", left.stdout);
    let end = format!(
        "Removed 0, 4 are left. `bake gc` tries again.\n\
         If nobody can get there any more, `bake gc -forget {run}` gives up on it.\n"
    );
    assert!(left.stdout.ends_with(&end), "{}", left.stdout);
    let rows = bake(&["-machine-readable", "gc"]).expect(3).stdout;
    let rows: Vec<_> = rows.lines().filter(|row| row.contains(",left-behind,")).collect();
    assert_eq!(rows.len(), 4, "{rows:?}");

    let short = &run[..13];
    let refused = bake(&["gc", "-forget", short]).expect(1);
    assert_eq!(
        refused.stderr,
        format!("error: there is no run `{short}`\n  = help: -forget takes the whole id: {run}\n")
    );
    let dry = bake(&["gc", "-forget", &run, "-dry-run"]).expect(0).stdout;
    assert!(dry.starts_with("It is not known whether this is still there, and costs money:\n"));
    assert!(dry.contains("\ninstance  ") && dry.contains(&url), "{dry}");
    bake(&["gc", "-dry-run"]).expect(3);
    let forgotten = bake(&["gc", "-forget", &run]).expect(0).stdout;
    let end = format!("Gave up on 4. The ledger of run {run} is closed; ");
    assert!(forgotten.contains("\ninstance  ") && forgotten.contains(&end), "{forgotten}");
    let again = bake(&["gc", "-forget", &run]).expect(0);
    assert_eq!(again.stdout, "");
    assert_eq!(again.stderr, format!("note: the ledger of run {run} is closed already\n"));
    assert_eq!(bake(&["gc"]).expect(0).stdout, "Nothing is left of dead runs.\n");
    let runs = bake(&["runs"]).expect(0).stdout;
    assert!(runs.contains("died, 4 given up on"), "{runs}");
    assert_eq!(bake(&["gc", "-forget", &run, "-run", &run]).code, 2, "one or the other");
}

#[test]
fn an_object_and_a_role_that_only_the_ledger_names_are_removed() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    // Nothing that gets small by compression.
    let bytes: Vec<u8> =
        (0..750_000_u32).flat_map(|one| one.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    let here = workspace.write("local/file", &bytes);
    let text = format!(
        "source \"amazon-ebs\" \"t\" {{
  instance_type = \"t3.micro\"
  source_ami    = \"ami-12345678\"
  communicator  = \"ssm\"
  ssm_bucket    = \"artifacts\"
}}
build {{
  sources = [\"source.amazon-ebs.t\"]
  provisioner \"file\" {{
    source      = \"{}\"
    destination = \"/tmp/data\"
  }}
  provisioner \"shell\" {{
    inline = [\"echo begun; sleep 300\"]
  }}
}}
",
        here.display()
    );
    let path = workspace.write("t.pkr.hcl", text);
    let mut command = workspace.command(["build"]);
    command.arg(path);
    let mut running = Running::start(endpoint.used_by(command));
    running.wait_for("Moving files by way of s3://artifacts/bake-");
    running.signal(Signal::KILL);
    running.finish().expect(137);
    let listed = report(&bake(&workspace, &endpoint, &["gc", "-dry-run", "-json"]).expect(3));
    let kinds = |list: &Value| -> Vec<String> {
        let all = list.as_array().expect("a list").iter();
        let mut kinds: Vec<_> =
            all.map(|one| one["kind"].as_str().unwrap_or_default().to_owned()).collect();
        kinds.sort_unstable();
        kinds
    };
    let found = kinds(&listed["left"]);
    for kind in ["object", "role", "instance-profile", "instance"] {
        assert!(found.iter().any(|one| one == kind), "no {kind} in {found:?}");
    }
    let removed = report(&bake(&workspace, &endpoint, &["gc", "-json"]).expect(0));
    assert_eq!(kinds(&removed["removed"]), found);
    endpoint.assert_only_images();
    let again = report(&bake(&workspace, &endpoint, &["gc", "-json", "-dry-run"]).expect(0));
    assert_eq!(again["left"], serde_json::json!([]));
}

#[test]
fn without_credentials_and_ledgers_there_is_nothing_to_say_but_a_note() {
    let workspace = Workspace::new();
    let outcome = workspace.bake(["gc"]).expect(0);
    assert_eq!(outcome.stdout, "Nothing is left of dead runs.\n");
    assert_snapshot!(outcome.stderr, @"note: nothing was looked for by tags: no AWS region is known (hint: set `region` in the template, AWS_REGION, or `region` in the profile)");
}
