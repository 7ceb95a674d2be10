//! Whoever builds a template, wherever and whenever, takes the image that is there: same hash, same
//! id, exit code 0, and no call that changes anything.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Endpoint, Outcome, Relay, Running, Workspace, root, template_with};

/// The steps of a template that reads files, a variable, the environment and a data source, so that
/// there is something to differ.
const STEPS: &str = r#"
  provisioner "file" {
    source      = "${path.root}/files/"
    destination = "/tmp/files"
  }
  provisioner "shell" {
    environment_vars = ["GREETING=${upper("grüße")}", "SORTED=${join(",", sort(["b", "A", "a", "ä"]))}"]
    script           = "${path.root}/install.sh"
  }
  provisioner "shell" {
    inline = ["echo ${length(fileset(path.root, "files/**"))} ${formatdate("YYYY", "2026-01-01T00:00:00Z")}"]
  }
"#;

const SOURCE: &str = "tags = { Built = \"{{timestamp}}\" }
  source_ami_filter {
    filters     = { name = \"debian-12-amd64-*\" }
    owners      = [\"136693071363\"]
    most_recent = true
  }";

/// Runs git for a user who is nobody.
#[track_caller]
fn git(directory: &Path, umask: &str, arguments: &[&str]) {
    let status = Command::new("sh")
        .args(["-c", "umask \"$0\"; exec git \"$@\"", umask])
        .args(["-c", "user.name=n", "-c", "user.email=e@example.com", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(directory)
        .env("HOME", directory)
        .status();
    assert!(status.expect("git").success(), "{arguments:?}");
}

/// One image, and all the ways to come to it again.
struct Bench {
    workspace: Workspace,
    endpoint: Endpoint,
    first: Outcome,
}

impl Bench {
    fn new() -> Self {
        let workspace = Workspace::new();
        // Other users come by here, too.
        fs::set_permissions(workspace.path(), Permissions::from_mode(0o755)).expect("set mode");
        let origin = workspace.path().join("origin");
        let write = |name: &str, text: &str| workspace.write(&format!("origin/{name}"), text);
        write("app.pkr.hcl", &template_with(SOURCE, STEPS));
        write("install.sh", "#!/bin/sh\necho \"$GREETING $SORTED\"\n");
        write("files/plain", "a\n");
        write("files/sub/tool", "#!/bin/sh\n");
        for script in ["install.sh", "files/sub/tool"] {
            let mode = Permissions::from_mode(0o755);
            fs::set_permissions(origin.join(script), mode).expect("set mode");
        }
        symlink("plain", origin.join("files/link")).expect("link");
        git(&origin, "022", &["init", "--quiet", "-b", "main"]);
        git(&origin, "022", &["add", "."]);
        git(&origin, "022", &["commit", "--quiet", "-m", "a template"]);
        let endpoint = Endpoint::start(&workspace, &[]);
        let first = endpoint.build(&workspace, &[], &origin).expect(0);
        assert!(!first.reused());
        Self { workspace, endpoint, first }
    }

    /// A checkout of the repository at another path.
    fn checkout(&self, name: &str, umask: &str) -> PathBuf {
        git(self.workspace.path(), umask, &["clone", "--quiet", "origin", name]);
        self.workspace.path().join(name)
    }

    /// `bake build .` in a directory, with a home and a state directory that nobody has used.
    fn command(&self, program: impl AsRef<OsStr>, directory: &Path) -> Command {
        let fresh =
            tempfile::tempdir_in(self.workspace.path()).expect("temporary directory").keep();
        fs::set_permissions(&fresh, Permissions::from_mode(0o777)).expect("set mode");
        // As the workspace's, but perhaps by way of another program.
        let like = self.workspace.command([""; 0]);
        let mut command = Command::new(program);
        command.env_clear();
        for (name, value) in like.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command
            .current_dir(directory)
            .env("HOME", fresh.join("home"))
            .env("XDG_DATA_HOME", fresh.join("data"))
            .env("XDG_STATE_HOME", fresh.join("state"))
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command
    }

    fn bake(&self, directory: &Path) -> Command {
        let mut command = self.command(BAKE, directory);
        command.args(["build", "."]);
        command
    }

    /// Runs it, and asserts that it takes the image that is there without a call that changes anything.
    #[track_caller]
    fn takes_the_image(&self, what: &str, command: Command) {
        let relay = Relay::to(self.endpoint.url());
        let mut command = self.endpoint.used_by(command);
        command.env("AWS_ENDPOINT_URL", relay.url());
        let outcome = Running::start(command).finish();
        assert_eq!(outcome.code, 0, "{what}:\n{}{}", outcome.stdout, outcome.stderr);
        assert!(outcome.reused(), "{what}: it was built again:\n{}", outcome.stdout);
        assert_eq!(outcome.hash(), self.first.hash(), "{what}");
        assert_eq!(outcome.image(), self.first.image(), "{what}");
        relay.assert_only_asked();
        assert_eq!(self.endpoint.instances().len(), 1, "{what}: an instance was launched");
    }
}

const BAKE: &str = env!("CARGO_BIN_EXE_bake");

/// The first program of these that is there.
fn program(names: &[&str]) -> Option<PathBuf> {
    let directories = ["/usr/local/bin", "/usr/bin", "/bin"].map(Path::new);
    let all = names.iter().flat_map(|name| directories.iter().map(move |at| at.join(name)));
    all.into_iter().find(|path| path.exists())
}

/// Whether another user may run a program: that takes a way to it.
fn everybody_may_run(program: &Path) -> bool {
    program
        .ancestors()
        .all(|path| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o001 != 0))
}

#[test]
#[expect(clippy::print_stderr, reason = "whoever reads a test's output has to know")]
fn the_image_is_taken_whoever_builds_wherever_and_whenever() {
    if !root("building in the sandbox") {
        return;
    }
    let bench = Bench::new();
    let origin = bench.workspace.path().join("origin");
    bench.takes_the_image("the same directory", bench.bake(&origin));

    let other = bench.checkout("a/deep/checkout of another one", "022");
    bench.takes_the_image("a checkout at another path", bench.bake(&other));
    let mut elsewhere = bench.command(BAKE, Path::new("/"));
    elsewhere.arg("build").arg(other.join("app.pkr.hcl"));
    bench.takes_the_image("another working directory, the template by its path", elsewhere);
    let by_link = bench.workspace.path().join("link");
    symlink(&other, &by_link).expect("link");
    bench.takes_the_image("a directory by way of a link", bench.bake(&by_link));

    for (umask, name) in [("077", "narrow"), ("002", "wide")] {
        let checkout = bench.checkout(name, umask);
        let mut command = bench.command("/bin/sh", &checkout);
        command.args(["-c", "umask \"$0\"; exec \"$@\"", umask, BAKE, "build", "."]);
        bench.takes_the_image(&format!("umask {umask}"), command);
    }

    let old = bench.checkout("old", "022");
    let touched = Command::new("find")
        .args([".", "-exec", "touch", "-h", "-d", "1999-12-31T23:59:59Z", "{}", "+"])
        .current_dir(&old)
        .status();
    assert!(touched.expect("find").success());
    bench.takes_the_image("other modification times", bench.bake(&old));

    if everybody_may_run(Path::new(BAKE)) {
        let theirs = bench.checkout("theirs", "022");
        let mut user = bench.bake(&theirs);
        // Nobody's, and of no group that has a name.
        user.uid(54_321).gid(54_321).env("USER", "other").env("LOGNAME", "other");
        bench.takes_the_image("another user", user);
    } else {
        eprintln!("skipped: another user (`{BAKE}` is not for everybody)");
    }

    for locale in ["C", "C.UTF-8", "tr_TR.UTF-8", "de_DE.ISO-8859-1"] {
        let mut command = bench.bake(&origin);
        command.env("LC_ALL", locale).env("LANG", locale);
        bench.takes_the_image(&format!("locale {locale}"), command);
    }
    for zone in ["UTC", "Pacific/Kiritimati", "America/St_Johns", ":/nonexistent"] {
        let mut command = bench.bake(&origin);
        command.env("TZ", zone);
        bench.takes_the_image(&format!("time zone {zone}"), command);
    }

    let mut ci = bench.bake(&origin);
    ci.env("CI", "true").env("TERM", "dumb").env("COLUMNS", "40").env("PKR_VAR_unused", "x");
    bench.takes_the_image("another environment", ci);
    let mut parallel = bench.bake(&origin);
    parallel.args(["-parallel-builds=1", "-color=false", "-on-error=abort"]);
    bench.takes_the_image("other flags", parallel);

    match program(&["faketime"]) {
        Some(faketime) => {
            for when in ["2031-07-01 12:00:00", "2001-02-03 04:05:06"] {
                let mut command = bench.command(&faketime, &origin);
                command.args([when, BAKE, "build", "."]);
                bench.takes_the_image(&format!("the clock at {when}"), command);
            }
        }
        None => eprintln!("skipped: other clocks (Debian's package is `faketime`)"),
    }

    // After all that, it is no accident: what is asked for is built, and only then.
    let mut force = bench.bake(&origin);
    force.arg("-force");
    let forced = Running::start(bench.endpoint.used_by(force)).finish().expect(0);
    assert!(!forced.reused());
    assert_eq!(forced.hash(), bench.first.hash());
    assert_ne!(forced.image(), bench.first.image());
    assert_eq!(bench.endpoint.instances().len(), 2);
    fs::set_permissions(origin.join("files/plain"), Permissions::from_mode(0o755))
        .expect("set mode");
    let changed = bench.endpoint.build(&bench.workspace, &[], &origin).expect(0);
    assert!(!changed.reused());
    assert_ne!(changed.hash(), bench.first.hash(), "an execute bit is an input");
}
