//! `bake runs`.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::build::ledger::{self, BuildReading, Ending, Listed, Reading, RunState};
use crate::build::{Clock, kind_name};
use crate::render::{Mask, short};

use super::Exit;
use super::arguments::{RunsArguments, RunsCommand};
use super::outcome::{complain, print};
use super::table::table;

/// Lists runs, shows one, or finishes the image of a dead one.
pub(super) fn run(arguments: &RunsArguments, mask: &Mask) -> Exit {
    let Some(ledgers) = ledger::default_directory() else {
        complain("error: there is no place for ledgers: set HOME or XDG_STATE_HOME");
        return Exit::Failed;
    };
    let all = match ledger::list(&ledgers, &Clock::system()) {
        Ok(all) => all,
        Err(error) => {
            let directory = ledgers.display();
            complain(&format!("error: the ledgers in `{directory}` cannot be listed: {error}"));
            return Exit::Failed;
        }
    };
    let (id, show_as_json) = match &arguments.command {
        None => {
            if arguments.json {
                let all: Vec<_> = all.iter().map(document).collect();
                print(&format!("{:#}\n", Value::from(all)));
            } else {
                print(&list(&all, Timestamp::now()));
            }
            return Exit::Done;
        }
        Some(RunsCommand::Show { id, json }) => (id, Some(*json || arguments.json)),
        Some(RunsCommand::Resume { id }) => (id, None),
        Some(RunsCommand::Prune { older_than, dry_run }) => {
            return super::prune::run(&all, *older_than, *dry_run);
        }
    };
    let found = match ledger::find(&all, id) {
        Ok(found) => found,
        Err(ids) if ids.is_empty() => {
            complain(&format!("error: there is no run `{id}` in `{}`", ledgers.display()));
            return Exit::Failed;
        }
        Err(ids) => {
            complain(&format!("error: `{id}` begins the ids of several runs: {}", ids.join(", ")));
            return Exit::Failed;
        }
    };
    match show_as_json {
        Some(true) => print(&format!("{:#}\n", document(found))),
        Some(false) => print(&show(found)),
        None => return super::resume::run(found, ledgers.clone(), mask),
    }
    Exit::Done
}

/// How a run ended, in a few words.
fn ending(listed: &Listed) -> String {
    match &listed.state {
        RunState::Unreadable(_) => "cannot be read".to_owned(),
        RunState::Alive(_) => "under way".to_owned(),
        RunState::Elsewhere { .. } => "under way elsewhere".to_owned(),
        RunState::Done(reading) => match (of_builds(reading), reading.forgotten.len()) {
            (Some(ended), 0) => ended,
            (Some(ended), count) => format!("{ended}, {count} given up on"),
            (None, 0) => "died, cleaned up".to_owned(),
            (None, count) => format!("died, {count} given up on"),
        },
        RunState::Dead(reading) => match (of_builds(reading), reading.leftovers.len()) {
            (Some(ended), 0) => ended,
            (Some(ended), left) => format!("{ended}, {left} left"),
            (None, 0) => "died".to_owned(),
            (None, left) => format!("died, {left} left"),
        },
    }
}

/// How its builds ended, if all have.
fn of_builds(reading: &Reading) -> Option<String> {
    if reading.builds.is_empty() {
        // Ledgers of version 1 do not say more.
        return reading.closed.then(|| "closed".to_owned());
    }
    let all: Option<Vec<Ending>> =
        reading.builds.iter().map(|build| build.ended.map(|(how, _)| how)).collect();
    let all = all?;
    let first = *all.first()?;
    if all.iter().all(|how| *how == first) {
        return Some(first.word().to_owned());
    }
    let order = [Ending::Built, Ending::Reused, Ending::Failed, Ending::Interrupted];
    let words = order.iter().filter_map(|how| {
        let count = all.iter().filter(|one| *one == how).count();
        (count > 0).then(|| format!("{count} {}", how.word()))
    });
    Some(words.collect::<Vec<_>>().join(", "))
}

fn images(reading: &Reading) -> Vec<&str> {
    reading.builds.iter().flat_map(|build| &build.images).map(|(_, id)| id.as_str()).collect()
}

fn list(all: &[Listed], now: Timestamp) -> String {
    if all.is_empty() {
        return "There are no runs yet.\n".to_owned();
    }
    let heading = ["RUN", "AGE", "TEMPLATE", "BUILDS", "ENDED", "IMAGES"].map(str::to_owned);
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    let row = |listed: &Listed| {
        let reading = listed.reading();
        let age = reading.and_then(|reading| reading.opened).map(|at| now.duration_since(at));
        let builds = reading.into_iter().flat_map(|reading| &reading.builds);
        let builds: Vec<_> = builds.map(|build| build.name.as_str()).collect();
        let template = reading.and_then(|reading| reading.template.clone()).unwrap_or_default();
        [
            listed.run.clone(),
            age.map_or("-".to_owned(), |age| short(age.unsigned_abs())),
            or_dash(template),
            or_dash(builds.join(",")),
            ending(listed),
            or_dash(reading.map(images).unwrap_or_default().join(",")),
        ]
    };
    let rows: Vec<_> = std::iter::once(heading).chain(all.iter().rev().map(row)).collect();
    table(&rows)
}

fn show(listed: &Listed) -> String {
    let mut text = format!("Run:      {}\nEnded:    {}\n", listed.run, ending(listed));
    let mut say = |name: &str, value: &str| {
        if !value.is_empty() {
            let label = format!("{name}:");
            text += &format!("{label:<10}{value}\n");
        }
    };
    say("Ledger", &listed.path.display().to_string());
    let reading = match &listed.state {
        RunState::Unreadable(why) => {
            say("Problem", why);
            return text;
        }
        RunState::Done(reading)
        | RunState::Alive(reading)
        | RunState::Dead(reading)
        | RunState::Elsewhere { reading, .. } => reading,
    };
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    say("Template", reading.template.as_deref().unwrap_or_default());
    say("Began", &time(reading.opened));
    say("Deadline", &time(reading.deadline));
    say("Process", &reading.pid.map(|pid| pid.to_string()).unwrap_or_default());
    if reading.sandbox {
        say("Cloud", "the embedded sandbox of its process");
    }
    for place in &reading.places {
        let endpoint = place.endpoint.as_ref().filter(|_| !reading.sandbox);
        let endpoint = endpoint.map(|url| format!(" at {url}")).unwrap_or_default();
        let account = place.account.as_ref().map(|id| format!(", account {id}"));
        say("Place", &format!("{}{endpoint}{}", place.region, account.unwrap_or_default()));
    }
    for build in &reading.builds {
        let how = match build.ended {
            Some((how, at)) => format!("{} {}", how.word(), time(at)),
            None => "did not end".to_owned(),
        };
        say("Build", &format!("{}: {}", build.name, how.trim_end()));
        say("  hash", build.image_hash.as_deref().unwrap_or_default());
        say("  name", build.image_name.as_deref().unwrap_or_default());
        for (region, id) in &build.images {
            say("  image", &format!("{region}: {id}"));
        }
    }
    for one in &reading.broken {
        say("Broken", &format!("line {}: {}", one.line, one.why));
    }
    for (label, all) in [("Left", &reading.leftovers), ("Given up", &reading.forgotten)] {
        for one in all {
            let id = one.id.clone();
            let id = id.unwrap_or_else(|| format!("{} (no id arrived)", one.intent.name));
            let kind = kind_name(one.intent.kind);
            say(label, &format!("{kind} {id} in {}", one.intent.region));
        }
    }
    if let RunState::Dead(_) = &listed.state
        && !reading.leftovers.is_empty()
    {
        say("Next", &format!("bake gc -run {}", listed.run));
        if is_resumable(reading) {
            say("Or", &format!("bake runs resume {}", listed.run));
        }
    }
    text
}

/// Whether there may be an image to wait for.
fn is_resumable(reading: &Reading) -> bool {
    let waits = |build: &BuildReading| build.publication.is_some() && build.ended.is_none();
    let begun = |one: &ledger::Leftover| one.intent.kind == crate::event::ResourceKind::Image;
    reading.builds.iter().any(waits) && reading.leftovers.iter().any(begun)
}

fn document(listed: &Listed) -> Value {
    let state = match &listed.state {
        RunState::Done(_) => "done",
        RunState::Alive(_) => "under-way",
        RunState::Elsewhere { .. } => "elsewhere",
        RunState::Dead(_) => "dead",
        RunState::Unreadable(_) => "unreadable",
    };
    let mut document = json!({ "run": listed.run, "state": state, "ended": ending(listed) });
    if let RunState::Unreadable(why) = &listed.state {
        document["problem"] = why.clone().into();
    }
    let Some(reading) = listed.reading() else { return document };
    document["template"] = json!(reading.template);
    document["began"] = json!(reading.opened);
    document["deadline"] = json!(reading.deadline);
    document["pid"] = json!(reading.pid);
    document["sandbox"] = reading.sandbox.into();
    let builds = reading.builds.iter().map(|build| {
        let images = build.images.iter().map(|(region, id)| json!({ "region": region, "id": id }));
        json!({
            "name": build.name,
            "how": build.ended.map(|(how, _)| how),
            "at": build.ended.and_then(|(_, at)| at),
            "image_hash": build.image_hash,
            "image_name": build.image_name,
            "images": images.collect::<Vec<_>>(),
        })
    });
    document["builds"] = builds.collect();
    let each = |all: &[ledger::Leftover]| -> Value {
        let one = |one: &ledger::Leftover| {
            json!({
                "kind": one.intent.kind,
                "id": one.id,
                "name": one.intent.name,
                "region": one.intent.region,
                "endpoint": one.intent.endpoint,
            })
        };
        all.iter().map(one).collect()
    };
    document["left"] = each(&reading.leftovers);
    document["forgotten"] = each(&reading.forgotten);
    document["broken_lines"] = reading.broken.iter().map(|one| one.line).collect();
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEDGER: &str = r#"{"event":"opened","version":2,"run":"r1","at":"2026-01-01T00:00:00Z","pid":4000000000}
{"event":"started","at":"2026-01-01T00:00:00Z","template":"web.pkr.hcl","builds":["amazon-ebs.a","amazon-ebs.b"],"deadline":"2026-01-01T06:00:00Z"}
{"event":"hashed","build":"amazon-ebs.a","image_hash":"abc","name":"a-1"}
{"event":"ended","build":"amazon-ebs.a","at":"2026-01-01T00:01:00Z","how":"built","images":[["eu-west-1","ami-1"]]}
{"event":"intent","entry":1,"at":"2026-01-01T00:00:01Z","kind":"image","name":"b-1","build":"amazon-ebs.b","region":"eu-west-1","account":"123456789012"}
{"event":"publication","build":"amazon-ebs.b","publication":{}}
"#;

    fn listed(text: &str, closed: bool) -> Listed {
        let reading = Box::new(ledger::read(text).expect("is read"));
        let state = if closed { RunState::Done(reading) } else { RunState::Dead(reading) };
        Listed { run: "r1".to_owned(), path: "/state/r1.jsonl".into(), state }
    }

    #[test]
    fn runs_are_listed_with_what_came_of_them() {
        let dead = listed(LEDGER, false);
        let ended = LEDGER.replace(
            "\"event\":\"publication\"",
            "\"event\":\"ended\",\"at\":\"\",\"how\":\"failed\"",
        );
        let done = listed(&ended, true);
        let newer = Listed {
            state: RunState::Unreadable("it has version 9".to_owned()),
            run: "r9".to_owned(),
            ..dead.clone()
        };
        let now = "2026-01-01T02:00:00Z".parse().expect("a time");
        let forgotten = "{\"event\":\"forgotten\",\"entry\":1}\n";
        let forgotten = listed(&(LEDGER.to_owned() + forgotten), true);
        insta::assert_snapshot!(list(&[newer, forgotten, done, dead], now), @r"
        RUN  AGE    TEMPLATE     BUILDS                     ENDED                IMAGES
        r1   2h00m  web.pkr.hcl  amazon-ebs.a,amazon-ebs.b  died, 1 left         ami-1
        r1   2h00m  web.pkr.hcl  amazon-ebs.a,amazon-ebs.b  1 built, 1 failed    ami-1
        r1   2h00m  web.pkr.hcl  amazon-ebs.a,amazon-ebs.b  died, 1 given up on  ami-1
        r9   -      -            -                          cannot be read       -
        ");
        assert_eq!(list(&[], now), "There are no runs yet.\n");
    }

    #[test]
    fn a_dead_run_is_shown_with_what_to_do_next() {
        insta::assert_snapshot!(show(&listed(LEDGER, false)), @r"
        Run:      r1
        Ended:    died, 1 left
        Ledger:   /state/r1.jsonl
        Template: web.pkr.hcl
        Began:    2026-01-01T00:00:00Z
        Deadline: 2026-01-01T06:00:00Z
        Process:  4000000000
        Place:    eu-west-1, account 123456789012
        Build:    amazon-ebs.a: built 2026-01-01T00:01:00Z
          hash:   abc
          name:   a-1
          image:  eu-west-1: ami-1
        Build:    amazon-ebs.b: did not end
        Left:     image b-1 (no id arrived) in eu-west-1
        Next:     bake gc -run r1
        Or:       bake runs resume r1
        ");
    }
}
