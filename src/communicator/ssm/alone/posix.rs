//! The scripts of a job for a POSIX shell.
//!
//! A piece that comes twice is written twice, and a start that comes twice is one start: nobody
//! knows of a command whose answer was lost whether it ran.

use super::super::gate;
use super::shell::{Encoder, Input, Offsets, Output, Part, Scripts, Start};
use crate::communicator::quote;

/// Bytes of output in one answer: in base64, with line ends and all around, less than the 24,000
/// characters that the service keeps.
pub(super) const ROOM: u64 = 16_500;

/// How often a look asks whether there is news, at most: once in 0.1 s, or in a second where
/// `sleep` can do no less.
const LOOKS: u32 = 40;

/// What all scripts begin with: how bytes come in and go out.
fn prelude(scripts: &Scripts) -> String {
    let (dec, enc) = match scripts.encoder {
        Encoder::Own => ("base64 -d", "base64"),
        Encoder::OpenSsl => ("openssl base64 -d -A", "openssl base64"),
    };
    let cipher = "openssl enc -aes-256-cbc -md sha256 -pass \"file:$d/secret\"";
    let (unseal, seal) = match scripts.sealed {
        true => (format!("{cipher} -d 2>/dev/null"), format!("{cipher} -salt 2>/dev/null")),
        false => ("cat".to_owned(), "cat".to_owned()),
    };
    format!(
        "d={}\numask 077\ndec() {{ {dec}; }}\nenc() {{ {enc}; }}\nunseal() {{ {unseal}; }}\nseal() {{ {seal}; }}\n",
        quote(&scripts.directory)
    )
}

/// Ends what listened for the gate. After a restart its number may be that of something else.
const UNLISTEN: &str = r#"l=$(cat "$d/listener" 2>/dev/null)
[ -z "$l" ] || [ "$(cat "$d/boot")" != "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)" ] || kill "$l" 2>/dev/null"#;

pub(super) fn arrange(scripts: &Scripts) -> String {
    format!(
        r#"d={directory}
umask 077; mkdir -p "$d/p" || exit 1
{UNLISTEN}
rm -f "$d/listener" "$d/token" "$d/serve" "$d/listen.py" "$d/listen.pl" "$d/secret"
printf %s {run} > "$d/run" || exit 1
e=none k=
if [ "$(printf aGVsbG8= | base64 -d 2>/dev/null)" = hello ]; then e=own
elif command -v openssl >/dev/null 2>&1; then e=openssl; fi
z=no; command -v gzip >/dev/null 2>&1 && z=yes
if openssl genrsa -out "$d/key" 2048 >/dev/null 2>&1; then
  k=$(openssl rsa -in "$d/key" -pubout -outform DER 2>/dev/null | openssl base64 -A)
fi
echo "bake-job encoder=$e gzip=$z key=$k""#,
        directory = quote(&scripts.directory),
        run = quote(gate::RUN),
    )
}

pub(super) fn unwrap_secret(scripts: &Scripts, wrapped: &str) -> String {
    format!(
        r#"{}printf %s '{wrapped}' | dec |
openssl pkeyutl -decrypt -inkey "$d/key" -pkeyopt rsa_padding_mode:oaep > "$d/secret" 2>/dev/null
rm -f "$d/key"
s=no; [ "$(wc -c < "$d/secret")" -ne 64 ] || s=yes
echo "bake-job sealed=$s""#,
        prelude(scripts)
    )
}

pub(super) fn piece(scripts: &Scripts, name: &str, number: usize, piece: &str) -> String {
    format!(
        r#"{}f=$d/p/{name}.{number:05}
printf %s '{piece}' | dec > "$f.new" && mv "$f.new" "$f" && echo "bake-job done=yes""#,
        prelude(scripts)
    )
}

/// The line that makes a file of a job out of a part.
fn made(part: &Part, file: &str) -> String {
    match part {
        Part::Inline(text) => {
            format!("printf %s '{text}' | dec | unseal > \"$j/{file}\" || incomplete")
        }
        Part::Joined { name, size, digest } => {
            format!("joined {name} {size} {digest} \"$j/{file}\" || incomplete")
        }
    }
}

/// Pieces in their order as one file. A name in the glob is the only one when there are none.
const JOINED: &str = r#"incomplete() { rm -rf "$j"; echo "bake-job exit=incomplete"; exit; }
joined() {
  cat "$d/p/$1".????? > "$j/joined" || return 1
  [ "$(wc -c < "$j/joined")" -eq "$2" ] || return 1
  if command -v sha256sum >/dev/null 2>&1; then
    c=$(sha256sum < "$j/joined") && [ "${c%% *}" = "$3" ] || return 1
  fi
  unseal < "$j/joined" > "$4" || return 1
  rm -f "$j/joined" "$d/p/$1".?????
}
"#;

/// Gives a job its input from pieces, each as soon as it is there, until the last one or until
/// nobody reads any more.
const FEEDER: &str = r#"feeder() {
  n=0
  while [ -d "$j" ] && [ ! -f "$j/exit" ]; do
    k=$(printf %06d "$n")
    if [ -f "$j/i/$k" ]; then
      cat "$j/i/$k" || return
      rm -f "$j/i/$k"; n=$((n + 1))
    elif [ -f "$j/i/end" ] && [ "$(cat "$j/i/end")" -eq "$n" ]; then
      return
    else
      sleep 0.1 2>/dev/null || sleep 1
    fi
  done
}
"#;

pub(super) fn start(scripts: &Scripts, start: &Start<'_>) -> String {
    let finished: String =
        start.finished.iter().map(|job| format!("rm -rf \"$d/{job}\"\n")).collect();
    let input = match &start.input {
        Input::Nothing => String::new(),
        Input::Held(part) => made(part, "in"),
        Input::Fed => "mkdir \"$j/i\" && mkfifo \"$j/fifo\" || incomplete".to_owned(),
    };
    let feeder = match &start.input {
        Input::Fed => {
            format!("{FEEDER}( feeder > \"$j/fifo\" ) </dev/null >/dev/null 2>&1 &\n")
        }
        _ => String::new(),
    };
    format!(
        r#"{prelude}{JOINED}{LOOK}j=$d/{job} ROOM={ROOM}
{finished}if [ ! -d "$j" ]; then
n=$j.own
rm -rf "$n"; mkdir "$n" && j=$n || exit 1
{command}
{input}
boot > "$j/boot" && : > "$j/out" && : > "$j/err" || incomplete
j=${{n%.own}}; mv "$n" "$j" || exit 1
umask 022
s=; command -v setsid >/dev/null 2>&1 && s=setsid
{feeder}$s sh "$d/run" "$j" </dev/null >/dev/null 2>&1 &
fi
look 0 0 10"#,
        prelude = prelude(scripts),
        job = start.job,
        command = made(&start.command, "command"),
    )
}

/// A piece of input that cannot be written matters unless the job wants no more: without it, and
/// without an error, the job would wait for ever.
const UNREAD: &str = r#"[ ! -d "${f%/*}" ] || [ -f "${f%/*/*}/exit" ] || exit 1"#;

pub(super) fn feed(scripts: &Scripts, job: &str, number: usize, piece: &str) -> String {
    format!(
        r#"{}f=$d/{job}/i/{number:06}
printf %s '{piece}' | dec | unseal > "$f.new" && mv "$f.new" "$f" || {UNREAD}
echo "bake-job done=yes""#,
        prelude(scripts)
    )
}

pub(super) fn end_of_input(scripts: &Scripts, job: &str, pieces: usize) -> String {
    format!(
        r#"{}f=$d/{job}/i/end
echo {pieces} > "$f.new" && mv "$f.new" "$f" || {UNREAD}
echo "bake-job done=yes""#,
        prelude(scripts)
    )
}

/// Says how far a job is and what it has printed, once there is news or nobody waits for any.
const LOOK: &str = r#"boot() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo unknown; }
part() { [ "$3" -eq 0 ] || tail -c "+$(($2 + 1))" "$j/$1" | head -c "$3"; }
told() { echo "bake-job exit=$x out=$n err=$m got=$a,$b"; }
look() {
  n=0 m=0 a=0 b=0 i=0 g=0
  if [ ! -d "$j" ]; then x=gone; told; return; fi
  if [ ! -f "$j/exit" ] && [ "$(boot)" != "$(cat "$j/boot")" ]; then x=restarted; told; return; fi
  p=1 w=$(($3 / 10)); if sleep 0.1 2>/dev/null; then p=0.1 w=$3; fi
  while :; do
    x=-; [ ! -f "$j/exit" ] || x=$(cat "$j/exit")
    m=$(($(wc -c < "$j/err"))) n=$(($(wc -c < "$j/out")))
    if [ "$x" = - ] && [ -f "$j/pid" ] && ! kill -0 "$(cat "$j/pid")" 2>/dev/null && [ ! -f "$j/exit" ]; then
      g=$((g + 1)); if [ "$g" -ge 5 ]; then x=killed; fi
    fi
    [ "$x" = - ] && [ $((n - $1 + m - $2)) -eq 0 ] && [ "$i" -lt "$w" ] || break
    i=$((i + 1)); sleep "$p"
  done
  b=$((m - $2)) a=$((n - $1))
  [ "$b" -ge 0 ] || b=0
  [ "$a" -ge 0 ] || a=0
  [ "$b" -le 4500 ] || b=4500
  [ "$a" -le $((ROOM - b)) ] || a=$((ROOM - b))
  told
  [ $((a + b)) -eq 0 ] || { part out "$1" "$a"; part err "$2" "$b"; } | seal | enc
}
"#;

pub(super) fn look(scripts: &Scripts, job: &str, from: Offsets) -> String {
    let Offsets { out, err } = from;
    format!("{}{LOOK}j=$d/{job} ROOM={ROOM}\nlook {out} {err} {LOOKS}", prelude(scripts))
}

pub(super) fn range(scripts: &Scripts, job: &str, output: Output, from: u64, count: u64) -> String {
    let got = match output {
        Output::Out => format!("{count},0"),
        Output::Err => format!("0,{count}"),
    };
    format!(
        r#"{}{LOOK}j=$d/{job}
echo "bake-job exit=- got={got}"
part {} {from} {count} | seal | enc"#,
        prelude(scripts),
        output.file(),
    )
}

pub(super) fn kill(scripts: &Scripts, job: &str) -> String {
    gate::kill_in(&scripts.directory, job)
}

/// The agent keeps the scripts and answers of its commands, also of this last one: what is left of
/// them since the image was tidied goes as soon as this script has ended.
const TIDY: &str = "while kill -0 \"$1\" 2>/dev/null; do sleep 0.02 2>/dev/null || sleep 1; done; rm -rf /var/lib/amazon/ssm/i-*/document/orchestration/* /var/lib/amazon/ssm/mi-*/document/orchestration/*";

pub(super) fn remove(scripts: &Scripts) -> String {
    format!(
        r#"d={}
{UNLISTEN}
rm -rf "$d" || exit 1
s=; command -v setsid >/dev/null 2>&1 && s=setsid
$s sh -c {} sh $$ </dev/null >/dev/null 2>&1 &
echo "bake-job done=yes""#,
        quote(&scripts.directory),
        quote(TIDY),
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::shell::Shell;
    use super::*;

    #[test]
    fn input_that_cannot_be_written_is_told_while_somebody_wants_it() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().to_str().unwrap().to_owned();
        let shell = Shell::Posix;
        let scripts = Scripts { shell, directory, encoder: Encoder::Own, sealed: false };
        // As on a full disk.
        let is_done = |script: &str| {
            let script = format!("trap '' XFSZ; ulimit -f 2\n{script}");
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            String::from_utf8(output.stdout).unwrap() == "bake-job done=yes\n"
        };
        let large = feed(&scripts, "j1", 0, &"AAAA".repeat(4000));
        let end = end_of_input(&scripts, "j1", 1);
        let (job, input) = (folder.path().join("j1"), folder.path().join("j1/i"));
        std::fs::create_dir_all(&input).unwrap();
        assert!(!is_done(&large));
        assert!(is_done(&feed(&scripts, "j1", 0, "AAAA")));
        // Something is in the way of it.
        std::fs::create_dir_all(input.join("end.new")).unwrap();
        assert!(!is_done(&end));
        std::fs::write(job.join("exit"), "0\n").unwrap();
        assert!(is_done(&large) && is_done(&end));
        std::fs::remove_dir_all(&job).unwrap();
        assert!(is_done(&large) && is_done(&end));
    }
}
