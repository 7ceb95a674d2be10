//! A way into the instance that is made of what images have.
//!
//! One Run Command puts a listener on a port of the instance's loopback and starts for each
//! connection a shell that runs what it is sent, once the token is right. Connections come through
//! a port-forwarding session. So after the first command nothing goes through Run Command and its
//! history: neither scripts, nor what they read, nor their output; and a step costs a round trip
//! rather than seconds.
//!
//! Anything that listens will do: python3 (which cloud-init needs), perl (which Debian needs),
//! systemd's `systemd-socket-activate`, socat, ncat, or busybox. The token is in the history of
//! commands, and is good for the loopback of this one instance while the build lasts.

use super::super::quote;
use super::alone::Shell;

/// Where things are on the instance, and how to get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Directory of everything there.
    pub(super) directory: String,
    /// Port on loopback.
    pub(super) port: u16,
    /// What the first line of a connection must be.
    pub(super) token: String,
}

/// What is known of an instance once it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrangement {
    /// Whether there is gzip.
    pub(super) gzip: bool,
    /// Which program listens.
    pub(super) listener: String,
}

impl Place {
    /// A new one, with names that nobody can guess. The port is below those that the kernel hands
    /// out by itself.
    pub(super) fn new(shell: Shell) -> Self {
        let parent = match shell {
            Shell::Posix => DIRECTORY,
            Shell::PowerShell => WINDOWS_DIRECTORY,
        };
        Self {
            directory: format!("{parent}{:016x}", rand::random::<u64>()),
            ..Self::elsewhere(String::new())
        }
    }

    /// The same directory with another port and token.
    pub(super) fn again(&self) -> Self {
        Self::elsewhere(self.directory.clone())
    }

    /// What commands are written in where it is.
    pub(super) fn shell(&self) -> Shell {
        match self.directory.starts_with(WINDOWS_DIRECTORY) {
            true => Shell::PowerShell,
            false => Shell::Posix,
        }
    }

    fn elsewhere(directory: String) -> Self {
        Self {
            directory,
            port: 20_000 + rand::random::<u16>() % 12_000,
            token: format!("{:032x}", rand::random::<u128>()),
        }
    }
}

/// How the directory's name begins; it is on a file system that has room and survives a restart.
pub(super) const DIRECTORY: &str = "/var/tmp/.bake-ssm-";

/// The same on Windows.
const WINDOWS_DIRECTORY: &str = r"C:\Windows\Temp\bake-ssm-";

/// Answers a connection: a line with the token, a line with the length of a script, the script;
/// what follows is the script's input.
const SERVE: &str = r#"d=${0%/*}
export HOME="${HOME:-/root}" PATH="${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}"
IFS= read -r t || exit
[ "$t" = "$(cat "$d/token")" ] || exit
IFS= read -r n || exit
eval "$(dd bs=1 "count=$n" 2>/dev/null)"
"#;

/// Runs a job: its directory is the argument. Only one of those who start it does; a start that was
/// sent twice, or two ways, is one. The exit code is there in one piece or not at all.
pub(super) const RUN: &str = r#"j=$1
mkdir "$j/run" 2>/dev/null || exit
echo $$ > "$j/pid.new" && mv "$j/pid.new" "$j/pid"
cd "$HOME" 2>/dev/null || cd /
if [ -p "$j/fifo" ]; then i=$j/fifo; elif [ -f "$j/in" ]; then i=$j/in; else i=/dev/null; fi
sh "$j/command" < "$i" > "$j/out" 2> "$j/err"
echo $? > "$j/exit.new" && mv "$j/exit.new" "$j/exit"
"#;

const PYTHON: &str = r#"import os, signal, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(64)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    c, _ = s.accept()
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        s.close()
        os.dup2(c.fileno(), 0)
        os.dup2(c.fileno(), 1)
        c.close()
        os.execvp("sh", ["sh", sys.argv[2]])
    c.close()
"#;

const PERL: &str = r#"use Socket;
socket(S, PF_INET, SOCK_STREAM, 0) or exit 1;
setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
bind(S, sockaddr_in($ARGV[0], INADDR_LOOPBACK)) or exit 1;
listen(S, 64) or exit 1;
$SIG{CHLD} = "IGNORE";
for (;;) {
    accept(C, S) or next;
    if (!fork) {
        $SIG{CHLD} = "DEFAULT";
        close S;
        open(STDIN, "<&C"); open(STDOUT, ">&C"); close C;
        exec "sh", $ARGV[1];
    }
    close C;
}
"#;

/// The script that puts the listener there. It needs nothing but a POSIX shell, and says in one
/// line what it found.
pub(super) fn bootstrap(place: &Place) -> String {
    let Place { directory, port, token } = place;
    let write = |name: &str, text: &str| {
        let length = text.len();
        let text = quote(text);
        format!(
            "printf %s {text} > \"$d/{name}\" && [ \"$(wc -c < \"$d/{name}\")\" -eq {length} ] || full"
        )
    };
    let lines = [
        format!("d={} p={port}", quote(directory)),
        "umask 077; mkdir -p \"$d\" || exit 1".to_owned(),
        "full() { echo \"$d cannot be written, the disk may be full\"; exit 1; }".to_owned(),
        // One of before, when its port was lost; a restart may have given its number away.
        "b=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)".to_owned(),
        "[ ! -f \"$d/listener\" ] || [ \"$(cat \"$d/boot\")\" != \"$b\" ] || kill \"$(cat \"$d/listener\")\" 2>/dev/null".to_owned(),
        "printf %s \"$b\" > \"$d/boot\"".to_owned(),
        write("token", token),
        write("serve", SERVE),
        write("run", RUN),
        write("listen.py", PYTHON),
        write("listen.pl", PERL),
        // In the kernel's table of sockets, which has the port in hexadecimal digits and 0A for one
        // that listens. Without the table a second must do.
        r#"s=; command -v setsid >/dev/null 2>&1 && s=setsid
x=$(printf :%04X "$p")
listens() {
  [ -r /proc/net/tcp ] || return 1
  while read -r _ a _ t _; do case $t$a in 0A*"$x") return 0 ;; esac; done < /proc/net/tcp
  return 1
}
try() {
  command -v "$1" >/dev/null 2>&1 || return 1
  $s "$@" </dev/null >/dev/null 2>&1 &
  l=$! i=0
  while kill -0 "$l" 2>/dev/null; do
    if listens || [ "$i" -ge 50 ]; then echo "$l" > "$d/listener"; found=$1; return; fi
    i=$((i + 1)); sleep 0.02 2>/dev/null || { sleep 1; i=50; }
  done
  return 1
}
found=none
listens ||
try python3 "$d/listen.py" "$p" "$d/serve" ||
try python "$d/listen.py" "$p" "$d/serve" ||
try perl "$d/listen.pl" "$p" "$d/serve" ||
try systemd-socket-activate -a --inetd -l "127.0.0.1:$p" sh "$d/serve" ||
try socat "TCP-LISTEN:$p,bind=127.0.0.1,reuseaddr,fork" "EXEC:sh $d/serve" ||
try ncat -l -k 127.0.0.1 "$p" --sh-exec "exec sh $d/serve" ||
try busybox nc -lk -s 127.0.0.1 -p "$p" -e sh "$d/serve"
z=no; command -v gzip >/dev/null 2>&1 && z=yes
echo "listener=$found gzip=$z""#
            .to_owned(),
    ];
    lines.join("\n")
}

/// Reads what [`bootstrap`] said.
pub(super) fn arrangement(stdout: &str) -> Option<Arrangement> {
    let line = stdout.lines().rev().find(|line| line.starts_with("listener="))?;
    let field =
        |name: &str| line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    Some(Arrangement { gzip: field("gzip")? == "yes", listener: field("listener")?.to_owned() })
}

/// What opens a connection and runs a script; the script's input may follow.
pub(super) fn opening(place: &Place, script: &str) -> Vec<u8> {
    format!("{}\n{}\n{script}", place.token, script.len()).into_bytes()
}

/// What a command reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Nothing,
    /// So many bytes that follow the script.
    Bytes(usize),
    /// What comes over [`feed`].
    Fed,
}

/// The script that starts a job, unless it was started before, and then follows it.
pub(super) fn start(place: &Place, job: &str, command: &str, input: Input) -> String {
    let make = match input {
        Input::Nothing => String::new(),
        // All of it, or the job is not started: half a script must never run.
        Input::Bytes(count) => format!(
            "head -c {count} > \"$j/in\"; [ \"$(wc -c < \"$j/in\")\" -eq {count} ] || unwritten"
        ),
        Input::Fed => "mkfifo \"$j/fifo\" || unwritten".to_owned(),
    };
    // With the end of its line.
    let length = command.len() + 1;
    format!(
        r#"{FOLLOW}
d={directory} j={directory}/{job}
unwritten() {{ rm -rf "$j"; echo "the job cannot be written, the disk may be full"; exit; }}
umask 077
if [ ! -d "$j" ]; then
mkdir "$j.new" && j=$j.new || exit
{make}
boot > "$j/boot" && : > "$j/out" && : > "$j/err" || unwritten
printf '%s\n' {command} > "$j/command" && [ "$(wc -c < "$j/command")" -eq {length} ] || unwritten
j=${{j%.new}}; mv "$j.new" "$j" || exit
umask 022
s=; command -v setsid >/dev/null 2>&1 && s=setsid
$s sh "$d/run" "$j" </dev/null >/dev/null 2>&1 &
fi
follow 0 0"#,
        directory = quote(&place.directory),
        command = quote(command),
    )
}

/// The script that follows a job from somewhere in its output.
pub(super) fn resume(place: &Place, job: &str, out: u64, err: u64) -> String {
    format!(
        r#"{FOLLOW}
j={}/{job}
follow {out} {err}"#,
        quote(&place.directory),
    )
}

/// Sends the output of a job as it grows, each piece after a line that says what and how long it
/// is; the exit code at the end; a sign of life when there is nothing. A pause doubles up to a
/// fifth of a second, where the shell's `sleep` can do that. The errors are measured first and sent
/// last, so that what a command had printed before one comes before it. A number of a process means
/// nothing after a restart of the machine, so that is looked at first.
const FOLLOW: &str = r#"boot() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown; }
size() {
  n=$(($(wc -c < "$j/$1") - $2))
  [ "$n" -gt 0 ] || n=0
  [ "$n" -le 1048576 ] || n=1048576
}
piece() {
  [ "$3" -gt 0 ] || return
  printf '%s %s\n' "$4" "$3"
  tail -c "+$(($2 + 1))" "$j/$1" | head -c "$3"
}
follow() {
  o=$1 e=$2 w=0 g=0
  [ -d "$j" ] || { echo "x gone"; exit; }
  [ -f "$j/exit" ] || [ "$(boot)" = "$(cat "$j/boot")" ] || { rm -rf "$j"; echo "x restarted"; exit; }
  if sleep 0.01 2>/dev/null; then p=0.02 q=0.2; else p=1 q=1; fi
  echo s
  while :; do
    x=; [ -f "$j/exit" ] && x=$(cat "$j/exit")
    size err "$e"; m=$n; size out "$o"
    piece out "$o" "$n" o; o=$((o + n))
    piece err "$e" "$m" e; e=$((e + m))
    if [ $((n + m)) -gt 0 ]; then w=0; g=0; p=0.02; [ "$q" = 1 ] && p=1; continue; fi
    if [ -n "$x" ]; then echo "x $x"; IFS= read -r done && rm -rf "$j"; exit; fi
    if [ -f "$j/pid" ] && ! kill -0 "$(cat "$j/pid")" 2>/dev/null && [ ! -f "$j/exit" ]; then
      g=$((g + 1)); [ "$g" -lt 5 ] || { echo "x killed"; exit; }
    fi
    w=$((w + 1)); [ $((w % 8)) -ne 0 ] || echo h
    sleep "$p"
    case $p in 0.02) p=0.05 ;; 0.05) p=0.1 ;; 0.1) p=$q ;; esac
  done
}"#;

/// The script that takes the input of a job which is fed.
pub(super) fn feed(place: &Place, job: &str) -> String {
    format!(
        r#"j={}/{job}; i=0
while [ ! -p "$j/fifo" ]; do i=$((i + 1)); [ "$i" -lt 100 ] || exit; sleep 0.1 2>/dev/null || sleep 1; done
exec cat > "$j/fifo""#,
        quote(&place.directory)
    )
}

/// The script that kills a job and everything it started that is still in its process group.
pub(super) fn kill(place: &Place, job: &str) -> String {
    kill_in(&place.directory, job)
}

/// The same for a directory.
pub(super) fn kill_in(directory: &str, job: &str) -> String {
    format!(
        r#"j={}/{job} i=0
while [ ! -f "$j/pid" ]; do i=$((i + 1)); [ "$i" -lt 10 ] || exit; sleep 0.2 2>/dev/null || sleep 1; done
g=$(cat "$j/pid")
kill -TERM "-$g" 2>/dev/null || kill -TERM "$g" 2>/dev/null
sleep 1
kill -KILL "-$g" 2>/dev/null || kill -KILL "$g" 2>/dev/null
rm -rf "$j"; echo k"#,
        quote(directory)
    )
}

/// The script that takes everything away again.
pub(super) fn remove(place: &Place) -> String {
    let directory = quote(&place.directory);
    format!(
        "d={directory}; l=$(cat \"$d/listener\" 2>/dev/null); rm -rf \"$d\" && echo k; kill \"$l\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_instance_says_is_read() {
        let said = "noise\nlistener=python3 gzip=yes\n";
        assert_eq!(
            arrangement(said),
            Some(Arrangement { gzip: true, listener: "python3".to_owned() })
        );
        assert!(!arrangement("listener=none gzip=no\n").unwrap().gzip);
        assert_eq!(arrangement("sh: syntax error"), None);
    }

    #[test]
    fn the_bootstrap_fits_into_a_command() {
        let place = Place::new(Shell::Posix);
        assert!(bootstrap(&place).len() < 8 << 10, "{}", bootstrap(&place).len());
        assert!(place.directory.starts_with(DIRECTORY));
        assert!((20_000..32_000).contains(&place.port));
        let again = place.again();
        assert_eq!(again.directory, place.directory);
        assert_ne!(again.token, place.token);
    }

    /// What a script says where files have at most half a kilobyte.
    fn on_a_full_disk(script: &str) -> String {
        let script = format!("trap '' XFSZ; ulimit -f 1; {{ {script}\n}} </dev/null");
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn half_a_script_never_runs() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("d").to_str().unwrap().to_owned();
        let place = Place { directory, ..Place::new(Shell::Posix) };
        let ran = folder.path().join("ran");
        let command = format!("touch {}\n{}", ran.display(), "# and so on\n".repeat(1000));
        std::fs::create_dir(&place.directory).unwrap();
        std::fs::write(format!("{}/run", place.directory), RUN).unwrap();
        let said = on_a_full_disk(&start(&place, "j1", &command, Input::Nothing));
        assert_eq!(said, "the job cannot be written, the disk may be full\n");
        assert!(!ran.exists());
        assert_eq!(std::fs::read_dir(&place.directory).unwrap().count(), 1);
        let said = on_a_full_disk(&bootstrap(&place));
        let full = format!("{} cannot be written, the disk may be full\n", place.directory);
        assert_eq!(said, full);
    }

    #[test]
    fn a_job_that_is_started_twice_runs_once() {
        let job = tempfile::tempdir().unwrap();
        let run = || {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", RUN, "run"]).arg(job.path()).status().unwrap();
        };
        std::fs::write(job.path().join("command"), "echo ran >> \"${0%/*}/ran\"\n").unwrap();
        run();
        run();
        assert_eq!(std::fs::read_to_string(job.path().join("ran")).unwrap(), "ran\n");
        assert_eq!(std::fs::read_to_string(job.path().join("exit")).unwrap(), "0\n");
    }

    #[test]
    fn scripts_are_what_a_shell_can_read() {
        let place = Place::new(Shell::Posix);
        let scripts = [
            bootstrap(&place),
            start(&place, "j1", "echo 'it''s'", Input::Bytes(5)),
            resume(&place, "j1", 1, 2),
            feed(&place, "j1"),
            kill(&place, "j1"),
            remove(&place),
            SERVE.to_owned(),
            RUN.to_owned(),
        ];
        for script in scripts {
            let mut shell = std::process::Command::new("sh");
            let output = shell.args(["-n", "-c", &script]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{said}\n{script}");
        }
    }
}
