//! What goes wrong between a build and its machine, in the words that its user reads; and that
//! nothing is left behind.
//!
//! Machines are OpenSSH servers on loopback for the `null` builder, and instances of the sandbox
//! where Systems Manager has a part.

mod cut;
mod log_in;
mod script;
mod session;
mod transfer;

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::support::openssh::{OpenSsh, has_sshd, user};
use crate::support::{Outcome, Running, Workspace, readable};

/// A machine that is there, and a place to build from.
struct Drill {
    workspace: Workspace,
    machine: OpenSsh,
    access: Access,
}

/// How the template gets to the machine.
#[derive(Clone)]
struct Access {
    port: u16,
    user: String,
    key: PathBuf,
    /// More options of the source.
    more: String,
}

/// What came of a build.
struct Told {
    /// All that was printed, without what changes from run to run.
    text: String,
    /// The names in the directory on the machine that uploads and scripts go to.
    left: Vec<String>,
}

impl Drill {
    /// A machine with these settings of its `sshd`; `None` without one, which is said.
    fn with(settings: &str) -> Option<Self> {
        if !has_sshd() {
            return None;
        }
        let machine = OpenSsh::start_with(settings);
        fs::create_dir(machine.directory().join("remote")).expect("make a directory");
        let key = machine.user_key();
        let access = Access { port: machine.port(), user: user(), key, more: String::new() };
        let workspace = Workspace::new();
        fs::create_dir(workspace.path().join("tmp")).expect("make a directory");
        Some(Self { workspace, machine, access })
    }

    fn new() -> Option<Self> {
        Self::with("")
    }

    /// The directory on the machine that uploads and scripts go to.
    fn remote(&self) -> PathBuf {
        self.machine.directory().join("remote")
    }

    /// A template of these steps. `REMOTE` is the directory on the machine, `HERE` the template's.
    fn template(&self, access: &Access, steps: &str) -> PathBuf {
        let Access { port, user, key, more } = access;
        let text = format!(
            "source \"null\" \"t\" {{
  ssh_host             = \"127.0.0.1\"
  ssh_port             = {port}
  ssh_username         = \"{user}\"
  ssh_private_key_file = \"{}\"
  {more}
}}
build {{
  sources = [\"source.null.t\"]
  {steps}
}}
",
            key.display()
        );
        let text = text.replace("REMOTE", &self.remote().display().to_string());
        let text = text.replace("HERE", &self.workspace.path().display().to_string());
        self.workspace.write("t.pkr.hcl", text)
    }

    /// Builds, and makes sure that nothing is left on this machine.
    #[track_caller]
    fn run(&self, access: &Access, steps: &str, code: i32) -> Told {
        let path = self.template(access, steps);
        let mut command = self.workspace.command(["build"]);
        command.arg(path).env("TMPDIR", self.workspace.path().join("tmp"));
        let outcome = Running::start(command).finish().expect(code);
        assert_nothing_left(&self.workspace);
        let remote = self.remote().display().to_string();
        let places = [
            (remote.as_str(), "[remote]"),
            (self.workspace.path().to_str().expect("UTF-8"), "[directory]"),
            (&format!("127.0.0.1:{}", access.port), "MACHINE"),
            (&format!("`{}`", access.user), "`[user]`"),
        ];
        Told { text: told(&outcome, &places), left: names(&self.remote()) }
    }

    /// A build with the machine's own key that fails.
    #[track_caller]
    fn fail(&self, steps: &str) -> Told {
        self.run(&self.access, steps, 1)
    }
}

/// A step that runs commands, with its script in the directory of the machine.
fn shell(options: &str, script: &str) -> String {
    let script = crate::support::quoted(script);
    format!(
        "provisioner \"shell\" {{\n    remote_folder = \"REMOTE\"\n    {options}\n    inline = [{script}]\n  }}\n"
    )
}

/// A step that moves a file or a directory.
fn file(options: &str) -> String {
    format!("provisioner \"file\" {{\n    {options}\n  }}\n")
}

/// What was printed, with names for places.
fn told(outcome: &Outcome, places: &[(&str, &str)]) -> String {
    assert_eq!(outcome.stderr, "", "\n{}", outcome.stdout);
    let text =
        places.iter().fold(outcome.stdout.clone(), |text, (is, name)| text.replace(is, name));
    let text = readable(&text);
    let mut text = text.replace("[directory]/t.pkr.hcl", "t.pkr.hcl");
    for (pattern, replacement) in [
        (r"\((\d+ attempts?) in [0-9.]+ s\)", "([attempts])"),
        (r"(script|varfile)_\d+\.sh", "${1}_[number].sh"),
        (r"pid \d+", "pid [number]"),
        (r"for [0-9.]+ s\b", "for [time]"),
        (r"request id \S+?\)", "request id [id])"),
        (r"http://\[address\]", "[endpoint]"),
    ] {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, replacement).into_owned();
    }
    text
}

/// Fails the test if a build has left a process, a temporary file or something in its ledger.
#[track_caller]
fn assert_nothing_left(workspace: &Workspace) {
    workspace.assert_nothing_runs();
    let temporary = names(&workspace.path().join("tmp"));
    assert!(temporary.is_empty(), "temporary files: {temporary:?}");
    let open = names(&workspace.path().join("state/bake/runs"));
    let open: Vec<_> = open.iter().filter(|name| !name.ends_with(".done")).collect();
    assert!(open.is_empty(), "ledgers: {open:?}");
}

/// The names in a directory, in order.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
