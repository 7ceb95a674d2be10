//! One build while one action goes wrong.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::fault::Fault;
use super::inventory::Inventory;
use super::subject::Subject;
use crate::support::{Endpoint, Outcome, Relay, Running, Workspace};

/// How long a build may take, whatever happens: repeating a call five times takes seconds.
const LONGEST: Duration = Duration::from_secs(60);

/// How often gc may be refused what it needs before it gets it.
const COLLECTIONS: usize = 9;

/// What no user should have to read.
const SPILLS: &[&str] = &[
    "panicked",
    "internal error:",
    "unhandled",
    "SdkError",
    "ServiceError",
    "DispatchFailure",
    "ErrorMetadata",
    "Some(",
    "Err(",
    "service error",
    "dispatch failure",
];

/// A cell of the matrix.
pub(super) struct Cell<'a> {
    pub(super) subject: &'static Subject,
    pub(super) action: &'a str,
    pub(super) fault: &'a Fault,
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}), {}", self.action, self.subject.name, self.fault.heading)
    }
}

/// The actions that a build calls.
pub(super) fn actions(subject: &Subject) -> BTreeSet<String> {
    let workspace = Workspace::new();
    let endpoint = subject.endpoint(&workspace, &[]);
    let relay = Relay::to(endpoint.url());
    let mut command = workspace.command(["build"]);
    command.arg(subject.template(&workspace, false));
    let mut command = endpoint.used_by(command);
    command.env("AWS_ENDPOINT_URL", relay.url());
    Running::start(command).finish().expect(i32::from(subject.fails));
    let mut actions: BTreeSet<_> = relay.all_actions().into_iter().collect();
    // A session's socket is opened where the service says.
    if actions.contains("StartSession") && subject.also.is_empty() {
        actions.insert("DataChannel".to_owned());
    }
    actions
}

impl Cell<'_> {
    /// What it comes to in a word or two, or what is wrong with it.
    pub(super) fn run(&self) -> Result<String, String> {
        let workspace = Workspace::new();
        let rule = format!("{}:{}", self.action, self.fault.rule);
        let endpoint = self.subject.endpoint(&workspace, &[rule]);
        let template = self.subject.template(&workspace, self.fault.one_attempt);
        let outcome = endpoint.build(&workspace, &[], &template);
        let judged = self.judge(&workspace, &endpoint, &outcome);
        judged.map_err(|error| {
            format!("{error}\n--- stdout\n{}\n--- stderr\n{}", outcome.stdout, outcome.stderr)
        })
    }

    fn judge(
        &self,
        workspace: &Workspace,
        endpoint: &Endpoint,
        outcome: &Outcome,
    ) -> Result<String, String> {
        let collections = if self.fault.refused { COLLECTIONS } else { 1 };
        let Ended { succeeded, left } = end_of(workspace, endpoint, outcome, collections)?;
        if succeeded && self.subject.fails {
            return Err("it succeeded".to_owned());
        }
        let output = outcome.stdout.clone() + &outcome.stderr;
        let code = if succeeded { String::new() } else { self.complaint(&output)? };
        Ok(match (succeeded, left) {
            (true, 0) => "ok".to_owned(),
            (false, 0) => format!("1 {code}"),
            (true, left) => format!("3 {left} left"),
            (false, left) => format!("3 {left} left, failed"),
        })
    }

    /// The code of the error, which has to say what failed and what to do.
    fn complaint(&self, output: &str) -> Result<String, String> {
        let build = output.lines().skip_while(|line| !line.contains(" errored after "));
        let build = build.take_while(|line| !line.contains("Wait completed after"));
        let told: Vec<_> = build.collect();
        // Look-ups fail before there is a build.
        let told = if told.is_empty() { output.to_owned() } else { told.join("\n") };
        let usual = self.subject.fails.then_some("EnableImageDeprecation");
        let instead =
            (self.action == "GetObject").then_some("it could not be fetched from the bucket");
        // A call that is only tried is told of as the call that it stands for.
        let action = self.action.strip_prefix("DryRun").unwrap_or(self.action);
        let named = [Some(action), usual, instead];
        if !named.into_iter().flatten().any(|words| told.contains(words)) {
            return Err(format!("nothing says that it was {}", self.action));
        }
        let failed = || told.split_once(" failed at ")?.1.split_once("): ");
        let denied = || told.split_once(" may not call `")?.1.split_once(": ");
        let code = failed().or_else(denied).and_then(|(_, rest)| {
            let (code, _) = rest.split_once(": ")?;
            code.chars().all(|c| c.is_ascii_alphanumeric() || c == '.').then(|| code.to_owned())
        });
        let code = code.unwrap_or_else(|| "no answer".to_owned());
        // The reasons why something is left have the same words.
        let (before, _) = output.split_once("==> Some resources").unwrap_or((output, ""));
        let (_, hints) = before.split_once("successfully and had errors:").unwrap_or(("", before));
        if code == "UnauthorizedOperation" && !hints.contains("allow the IAM action `") {
            return Err("the build does not say what to allow".to_owned());
        }
        Ok(code)
    }
}

/// How a build ended.
pub(super) struct Ended {
    pub(super) succeeded: bool,
    /// How many things it left and listed.
    pub(super) left: usize,
}

/// How a build ended, or what is wrong with that: its exit code and its list have to fit what is at
/// the endpoint, and gc has to remove it in so many tries.
pub(super) fn end_of(
    workspace: &Workspace,
    endpoint: &Endpoint,
    outcome: &Outcome,
    collections: usize,
) -> Result<Ended, String> {
    if outcome.elapsed > LONGEST {
        return Err(format!("it took {:?}", outcome.elapsed));
    }
    let output = outcome.stdout.clone() + &outcome.stderr;
    if let Some(spill) = SPILLS.iter().find(|spill| output.contains(**spill)) {
        return Err(format!("nobody should have to read `{spill}`"));
    }
    let there = Inventory::of(endpoint);
    let listed = left_behind(&outcome.stdout);
    compare(&there, &listed)?;
    let succeeded = outcome.stdout.contains("The artifacts of successful builds are");
    if succeeded && !outcome.images().iter().all(|id| there.images.contains(id)) {
        return Err(format!("its image is not among {:?}", there.images));
    }
    let expected = match (succeeded, listed.is_empty()) {
        (_, false) => 3,
        (true, true) => 0,
        (false, true) => 1,
    };
    if outcome.code != expected {
        return Err(format!("it ended with {}, left: {listed:?}", outcome.code));
    }
    let open = open_ledgers(workspace);
    if open != usize::from(!listed.is_empty()) {
        return Err(format!("{open} ledgers are open, left: {listed:?}"));
    }
    if !listed.is_empty() {
        collect(workspace, endpoint, collections)?;
    }
    Ok(Ended { succeeded, left: listed.len() })
}

/// Once nothing goes wrong any more, `bake gc` removes what was left.
fn collect(workspace: &Workspace, endpoint: &Endpoint, tries: usize) -> Result<(), String> {
    for number in 1..=tries {
        let collecting = endpoint.used_by(workspace.command(["gc"]));
        let collected = Running::start(collecting).finish();
        match collected.code {
            0 => break,
            1 | 3 if number < tries => {}
            code => return Err(format!("gc ended with {code}:\n{}", collected.stdout)),
        }
    }
    let there = Inventory::of(endpoint);
    let open = open_ledgers(workspace);
    if there.things.is_empty() && open == 0 {
        return Ok(());
    }
    Err(format!("after gc there are {open} open ledgers and {:?}", there.things))
}

/// What is there has to be listed, and nothing else; parts of what is listed need not be. An image
/// may be complete when it cannot be removed any more; objects cannot be listed at the endpoint.
fn compare(there: &Inventory, listed: &[String]) -> Result<(), String> {
    let is_listed = |name: &String| listed.contains(name);
    let things = &there.things;
    let silent: Vec<_> = things
        .iter()
        .filter(|thing| !thing.names.iter().chain(&thing.part_of).any(is_listed))
        .collect();
    if !silent.is_empty() {
        return Err(format!("left without a word: {silent:?}; listed: {listed:?}"));
    }
    let invented: Vec<_> = listed
        .iter()
        .filter(|name| !things.iter().any(|thing| thing.names.contains(name)))
        .filter(|name| !there.images.contains(*name) && !there.snapshots.contains(*name))
        .filter(|name| !name.starts_with("s3://"))
        .collect();
    match invented.is_empty() {
        true => Ok(()),
        false => Err(format!("listed, and not there: {invented:?}; there: {things:?}")),
    }
}

/// The ids in the list of what is left.
fn left_behind(stdout: &str) -> Vec<String> {
    let (_, list) = stdout.split_once("==> Some resources are still there:\n").unwrap_or_default();
    let id = |line: &str| {
        // --> BUILD: REGION: KIND ID: REASON
        let what = line.strip_prefix("--> ")?.split(": ").nth(2)?;
        what.split(' ').next_back().map(str::to_owned)
    };
    list.lines().map_while(id).collect()
}

/// How many ledgers say that something may be left.
fn open_ledgers(workspace: &Workspace) -> usize {
    let runs = std::fs::read_dir(workspace.path().join("state/bake/runs"));
    let open = |entry: &std::fs::DirEntry| entry.path().extension() == Some("jsonl".as_ref());
    runs.into_iter().flatten().flatten().filter(open).count()
}
