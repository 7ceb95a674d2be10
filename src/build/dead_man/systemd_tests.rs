//! The timer under a real systemd, in namespaces of its own: the machine that it powers off is one
//! that was booted for the test.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// Boots systemd over a copy-on-write view of this machine's root. `$1` holds `units` and `out`; the
/// units there are all that it knows. 77 says that this cannot be done here.
const BOOT: &str = r#"
set -e
cannot() { echo "$1" >&2; exit 77; }
mount --make-rprivate / || cannot "no mounts"
mkdir "$1/top"
mount -t tmpfs tmpfs "$1/top" || cannot "no tmpfs"
mkdir "$1/top/upper" "$1/top/work" "$1/top/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/top/upper,workdir=$1/top/work" "$1/top/root" || cannot "no overlay"
cd "$1/top/root"
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs dev
for device in null:1:3 zero:1:5 urandom:1:9 console:5:1 kmsg:1:11; do
  IFS=: read -r name major minor <<-END
	$device
	END
  mknod -m 666 "dev/$name" c "$major" "$minor" || cannot "no devices"
done
mount -t sysfs sysfs sys || cannot "no sysfs"
mount -t cgroup2 cgroup2 sys/fs/cgroup || cannot "no cgroup2"
mkdir run/units run/out
cp -r "$1/units/." run/units
mount --bind "$1/out" run/out
exec chroot . /usr/bin/env -i container=other SYSTEMD_UNIT_PATH=/run/units PATH=/usr/sbin:/usr/bin:/sbin:/bin "$2" --system --log-target=null
"#;

/// What runs as soon as it is up: user data at first, the communicator later.
const STEPS: &str = "\
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/sh /run/units/user-data
ExecStart=/bin/sh -c \"systemctl show bake-dead-man.timer -p TimersMonotonic,AccuracyUSec,ActiveState > /run/out/booted\"
ExecStart=/bin/sh -c \"find /etc /var/lib/systemd -name '*bake-dead-man*' > /run/out/files\"
ExecStart=/bin/sh /run/units/command
ExecStart=/bin/sh -c \"systemctl show bake-dead-man.timer -p TimersMonotonic,AccuracyUSec,ActiveState > /run/out/connected; systemctl list-timers --all --no-legend > /run/out/timers; touch /run/out/done\"
";

/// Seconds of the timer that runs out.
const SECONDS: Duration = Duration::from_secs(3);

/// systemd itself, if this machine has it, and may do what is needed.
fn systemd() -> Result<&'static str, String> {
    let programs = ["/lib/systemd/systemd", "/usr/lib/systemd/systemd"];
    if !rustix::process::geteuid().is_root() {
        return Err("needs root".to_owned());
    }
    for tool in ["unshare", "systemd-run", "poweroff"] {
        let found = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
        if !found.iter().any(|directory| Path::new(directory).join(tool).exists()) {
            return Err(format!("needs `{tool}`"));
        }
    }
    let found = programs.into_iter().find(|path| Path::new(path).exists());
    found.ok_or_else(|| "needs systemd".to_owned())
}

fn write_units(directory: &Path) {
    let units = directory.join("units");
    fs::create_dir_all(units.join("default.target.wants")).expect("make directory");
    let write = |name: &str, text: &str| fs::write(units.join(name), text).expect("is written");
    // What a transient unit and a shutdown ask for by themselves.
    for target in ["sysinit", "basic", "timers", "shutdown", "umount", "final", "default"] {
        write(&format!("{target}.target"), "[Unit]\nDefaultDependencies=no\n");
    }
    write(
        "poweroff.target",
        "[Unit]\nDefaultDependencies=no\nRequires=systemd-poweroff.service\nAfter=systemd-poweroff.service\nAllowIsolate=yes\n",
    );
    write(
        "systemd-poweroff.service",
        "[Unit]\nDefaultDependencies=no\nRequires=shutdown.target umount.target final.target\nAfter=shutdown.target umount.target final.target\nSuccessAction=poweroff-force\n",
    );
    write("steps.service", STEPS);
    let user_data = user_data(None, "debian-12", Duration::from_secs(6 * 3600));
    let user_data = String::from_utf8(user_data.expect("there is some")).expect("text");
    write("user-data", &user_data);
    write("command", &command(System::Unix, SECONDS));
    let wanted = units.join("default.target.wants/steps.service");
    std::os::unix::fs::symlink("../steps.service", wanted).expect("link");
}

#[test]
#[expect(clippy::print_stderr, reason = "whoever reads a test's output has to know")]
fn under_systemd_the_last_timer_that_was_started_powers_the_machine_off() {
    let program = match systemd() {
        Ok(program) => program,
        Err(why) => return eprintln!("skipped: the timer under systemd ({why})"),
    };
    let directory = tempfile::tempdir().expect("temporary directory");
    let at = |name: &str| directory.path().join(name);
    write_units(directory.path());
    fs::create_dir(at("out")).expect("make directory");
    let start = Instant::now();
    let output = Process::new("timeout")
        .args(["--signal=KILL", "40", "unshare", "--fork", "--kill-child", "--pid", "--mount"])
        .args(["--uts", "--ipc", "--cgroup", "sh", "-c", BOOT, "sh"])
        .arg(directory.path())
        .arg(program)
        .stdin(Stdio::null())
        .output()
        .expect("unshare runs");
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(77) {
        return eprintln!("skipped: the timer under systemd ({})", said.trim());
    }
    let told = |name: &str| fs::read_to_string(at("out").join(name)).unwrap_or_default();
    assert!(at("out/done").exists(), "the steps did not end: {:?} {said}", output.status);
    let timer = |seconds: &str, text: String| {
        assert!(text.contains(&format!("OnActiveUSec={seconds}")), "{text}");
        assert!(text.contains("AccuracyUSec=1s") && text.contains("ActiveState=active"), "{text}");
    };
    timer("6h", told("booted"));
    timer("3s", told("connected"));
    assert_eq!(told("timers").lines().count(), 1, "one timer: {}", told("timers"));
    assert_eq!(told("files"), "", "nothing of it would be in the image");
    // That is how a namespace of processes powers off; `unshare` and `timeout` end as it did.
    let signal = rustix::process::Signal::INT.as_raw();
    assert_eq!(output.status.signal(), Some(signal), "{:?} {said}", output.status);
    assert!(start.elapsed() >= SECONDS, "{:?}", start.elapsed());
}
