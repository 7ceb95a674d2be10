//! One endpoint, and the builds that are killed there, one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::table::{Next, Row};
use crate::support::{Endpoint, Outcome, Running, Strike, Tap, Workspace, shell, template_with};

/// How long processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that a build of an image may make for a while, and what is written onto the image.
const OPTIONS: &str = r#"source_ami = "ami-12345678"
  ami_description = "of the kill matrix"
  ami_users       = ["111122223333"]
  tags            = { Stage = "test" }
  run_tags        = { Purpose = "kill matrix" }
  run_volume_tags = { Purpose = "kill matrix" }
  snapshot_tags   = { Stage = "test" }
  launch_block_device_mappings {
    device_name           = "/dev/xvdb"
    volume_size           = 1
    delete_on_termination = false
  }
  temporary_iam_instance_profile_policy_document {
    Version = "2012-10-17"
    Statement {
      Effect   = "Allow"
      Action   = ["ec2:DescribeTags"]
      Resource = ["*"]
    }
  }"#;

/// When a build is killed.
#[derive(Clone, Debug)]
pub(super) enum Moment {
    /// At a call.
    Call(Strike),
    /// So long after its start.
    After(Duration),
}

/// An endpoint with a workspace of its own, both used for many builds.
pub(super) struct Lane {
    number: usize,
    workspace: Workspace,
    endpoint: Endpoint,
    tap: Tap,
    built: AtomicUsize,
    /// How many processes there are while nothing is built.
    idle: usize,
}

impl Lane {
    pub(super) fn new(number: usize) -> Self {
        let workspace = Workspace::new();
        let endpoint = Endpoint::start(&workspace, &[]);
        let (tap, idle) = (Tap::to(endpoint.url()), workspace.running().len());
        Self { number, workspace, endpoint, tap, built: AtomicUsize::new(0), idle }
    }

    /// Ends the endpoint; nothing may be left of it.
    pub(super) fn end(self) {
        self.endpoint.stop();
        self.workspace.assert_nothing_runs();
    }

    /// A template that was not built yet.
    fn template(&self) -> PathBuf {
        let number = self.built.fetch_add(1, Ordering::Relaxed);
        let steps = shell(&format!("echo lane {}, image {number}", self.number));
        self.workspace.write(&format!("{number}.pkr.hcl"), template_with(OPTIONS, &steps))
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.endpoint.used_by(self.workspace.command(arguments));
        command.env("AWS_ENDPOINT_URL", self.tap.url());
        Running::start(command)
    }

    /// A build that nobody disturbs: what it calls, and how long it takes.
    pub(super) fn whole(&self) -> (Vec<String>, Duration) {
        let path = self.template();
        self.tap.arm(None);
        let built = self.start(&["build", &path.to_string_lossy()]).finish().expect(0);
        assert!(!built.reused() && self.endpoint.left().is_empty(), "{}", built.stdout);
        (self.tap.actions(), built.elapsed)
    }

    /// Kills a build at a moment, and looks at what becomes of it.
    pub(super) fn killed(&self, number: usize, moment: &Moment) -> Row {
        let mut row = Row { number, moment: Some(moment.clone()), ..Row::default() };
        if let Err(failure) = self.look(&mut row, moment) {
            row.failure = Some(format!("{}: {failure}", row.title()));
        }
        row
    }

    fn look(&self, row: &mut Row, moment: &Moment) -> Result<(), String> {
        let path = self.template();
        let path = path.to_string_lossy();
        let complete = self.endpoint.image_hashes().len();
        let killed = self.kill(moment, &path);
        row.action = match moment {
            Moment::Call(strike) => Some(strike.action.clone()),
            Moment::After(_) => self.tap.actions().last().cloned(),
        };
        row.ended = killed.code == 0;
        if killed.code != 137 && killed.code != 0 {
            return Err(failed("the build that is killed", &killed));
        }
        self.tap.arm(None);
        row.left = self.endpoint.left().into_iter().map(|(kind, ids)| (kind, ids.len())).collect();
        row.gc_first = row.number.is_multiple_of(3);
        if row.gc_first {
            self.collect(row)?;
        }
        let built = self.start(&["build", &path]).finish();
        row.build = built.elapsed;
        if built.code != 0 {
            return Err(failed("the next build", &built));
        }
        row.next = Some(if built.reused() { Next::Taken } else { Next::Built });
        if built.stdout.contains("The process that was making this image is gone") {
            row.next = Some(Next::TakenOver);
        }
        if !row.gc_first {
            self.collect(row)?;
        }
        let hashes = self.endpoint.image_hashes();
        if hashes.len() != complete + 1 || !hashes.contains(&built.hash()) {
            return Err(format!("{} images became {}: {hashes:?}", complete, hashes.len()));
        }
        self.wait_for_processes()
    }

    fn kill(&self, moment: &Moment, path: &str) -> Outcome {
        match moment {
            Moment::Call(strike) => {
                self.tap.arm(Some(strike.clone()));
                let running = self.start(&["build", path]);
                self.tap.aim(running.pid());
                running.finish()
            }
            Moment::After(after) => {
                self.tap.arm(None);
                let running = self.start(&["build", path]);
                #[expect(clippy::disallowed_methods, reason = "the moment is a time")]
                sleep(*after);
                running.signal(Signal::KILL);
                running.finish()
            }
        }
    }

    /// Kills a build when it has made one of everything.
    fn kill_with_everything(&self) -> Result<(), String> {
        let action = "CreateImage".to_owned();
        let moment = Moment::Call(Strike { action, number: 1, answered: true });
        let killed = self.kill(&moment, &self.template().to_string_lossy());
        match killed.code {
            137 => Ok(()),
            _ => Err(failed("the build that is killed", &killed)),
        }
    }

    /// What `bake gc` calls when it removes one of everything.
    pub(super) fn collected(&self) -> Vec<String> {
        self.kill_with_everything().expect("it is killed");
        self.tap.arm(None);
        self.collect(&mut Row::default()).expect("everything is removed");
        self.tap.actions()
    }

    /// Kills a `bake gc` that removes one of everything, and lets another one finish.
    pub(super) fn collected_twice(&self, strike: &Strike) -> Result<(), String> {
        self.kill_with_everything()?;
        self.tap.arm(Some(strike.clone()));
        let killed = self.start(&["gc"]);
        self.tap.aim(killed.pid());
        let killed = killed.finish();
        if killed.code != 137 {
            return Err(failed("the collection that is killed", &killed));
        }
        self.tap.arm(None);
        self.collect(&mut Row::default())?;
        self.wait_for_processes()
    }

    /// Sends a signal to a build, which then ends by itself and leaves nothing: how it ended.
    pub(super) fn signalled(&self, after: Duration, signal: Signal) -> Result<i32, String> {
        let path = self.template();
        let complete = self.endpoint.image_hashes().len();
        self.tap.arm(None);
        let running = self.start(&["build", &path.to_string_lossy()]);
        #[expect(clippy::disallowed_methods, reason = "the moment is a time")]
        sleep(after);
        running.signal(signal);
        let ended = running.finish();
        let made = self.endpoint.image_hashes().len() - complete;
        let has_built = ended.code == 0 && ended.stdout.contains("AMIs were created") && made == 1;
        let was_interrupted = ended.code == 128 + signal.as_raw() && made == 0;
        if !has_built && !was_interrupted {
            return Err(failed(&format!("the build that got {signal:?} ({made} images)"), &ended));
        }
        let left = self.endpoint.left();
        if !left.is_empty() {
            return Err(format!("left: {left:?}\n{}", failed("the build", &ended)));
        }
        let runs = self.start(&["runs", "-json"]).finish();
        let runs: serde_json::Value =
            serde_json::from_str(&runs.stdout).map_err(|error| error.to_string())?;
        let open = |run: &&serde_json::Value| run["state"] != "done" || run["left"] != json!([]);
        if let Some(open) = runs.as_array().into_iter().flatten().find(open) {
            return Err(format!("its ledger is not closed: {open:#}"));
        }
        self.wait_for_processes()?;
        Ok(ended.code)
    }

    /// `bake gc`, after which nothing may be left.
    fn collect(&self, row: &mut Row) -> Result<(), String> {
        let collecting = AssertUnwindSafe(|| self.start(&["gc"]).finish());
        let Ok(collected) = catch_unwind(collecting) else {
            let (left, actions) = (self.endpoint.left(), self.tap.actions());
            let instances = self.endpoint.instances();
            return Err(format!("bake gc hangs: {actions:?}\nleft: {left:?}\n{instances:?}"));
        };
        row.gc = collected.elapsed;
        let left = self.endpoint.left();
        if collected.code != 0 || !left.is_empty() {
            return Err(format!("left: {left:?}\n{}", failed("bake gc", &collected)));
        }
        Ok(())
    }

    fn wait_for_processes(&self) -> Result<(), String> {
        let start = Instant::now();
        loop {
            let running = self.workspace.running();
            if running.len() <= self.idle {
                return Ok(());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("still there:\n{}", running.join("\n")));
            }
            #[expect(clippy::disallowed_methods, reason = "nothing tells when processes end")]
            sleep(Duration::from_millis(20));
        }
    }
}

fn failed(what: &str, outcome: &Outcome) -> String {
    let Outcome { code, stdout, stderr, .. } = outcome;
    format!("{what} ended with {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
}
