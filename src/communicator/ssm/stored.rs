//! Files that go through a bucket: what a command reads is fetched there by URL, and what it prints
//! is put there by URL.
//!
//! The far side needs curl, wget or python3, and no rights of its own. A URL reaches it as input, so
//! it is neither in the history of commands, unless nothing can be sealed there, nor, with curl, in a
//! list of processes.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, mpsc};

use super::communicator::Ssm;
use super::depot::{Depot, MOVE_LARGE, delete, name, trouble};
use crate::communicator::{Chunk, CommunicatorError, Exit, Stdin, quote};
use crate::event::Stream;
use crate::plan::Digest;

/// How much of what the far side says is kept for the error.
const COMPLAINTS: usize = 4 << 10;

/// What a session carries in little more than a second; more goes through the bucket.
const THRESHOLD: usize = 1 << 20;

/// What all scripts begin with: a file that goes away whatever happens. `$f` is its name.
const PRELUDE: &str = r#"umask 077
trap 'rm -f "$f"' EXIT
trap 'rm -f "$f"; exit 143' HUP INT TERM
has() { command -v "$1" >/dev/null 2>&1; }
digest() { if has sha256sum; then c=$(sha256sum < "$f") && echo "${c%% *}"; else echo none; fi; }
"#;

/// Where the file is: in the directory that goes when the communicator disconnects, below which the
/// command of a job is in its own. Nobody but root can put anything there.
const FILE: &str = "${0%/*/*}/file-$$";

/// How patient the programs are: on a network that leads nowhere nothing answers at all.
const CURL: &str = "--connect-timeout 20 --speed-limit 1 --speed-time 60 --retry 3";
const WGET: &str = "-T 60 -t 3";

/// What most often is missing.
const NEEDS: &str = "; the instance needs a way to S3 on port 443 (a gateway endpoint, or NAT)";

/// A function with what it needs, and with the limits of the programs in it.
fn limited(function: &str) -> String {
    format!("{CURLED}{function}").replace("{CURL}", CURL).replace("{WGET}", WGET)
}

/// curl with the URL, and again when the connection broke: not every curl does that by itself.
const CURLED: &str = r#"curled() {
  for n in 1 2 3 4; do
    printf 'url = "%s"\n' "$u" | curl -K - -fsS {CURL} "$@"
    x=$?
    case "$x $n" in "18 4"|"52 4"|"55 4"|"56 4") ;; "18 "?|"52 "?|"55 "?|"56 "?) sleep $n; continue ;; esac
    return $x
  done
}
"#;

/// Fetches the file.
const FETCH: &str = r#"fetch() {
  if has curl; then curled -o "$f"
  elif has wget; then wget -q {WGET} -O "$f" "$u" || { echo "wget ended with status $?" >&2; return 1; }
  elif has python3; then U=$u F=$f python3 -c 'import os, shutil, sys, urllib.request as r
try: shutil.copyfileobj(r.urlopen(os.environ["U"], timeout=60), open(os.environ["F"], "wb"))
except Exception as e: sys.exit(f"python3: {e}")'
  else echo "there is none of curl, wget and python3 on the instance" >&2; return 1; fi
}
"#;

/// Puts the file.
const PUT: &str = r#"put() {
  if has curl; then curled -T "$f" -o /dev/null
  elif has python3; then U=$u F=$f python3 -c 'import os, sys, urllib.request as r
f = os.environ["F"]
h = {"Content-Length": str(os.path.getsize(f))}
try: r.urlopen(r.Request(os.environ["U"], open(f, "rb"), h, method="PUT"), timeout=60)
except Exception as e: sys.exit(f"python3: {e}")'
  elif has wget; then wget -q {WGET} --method=PUT --body-file="$f" -O /dev/null "$u" || { echo "wget ended with status $?" >&2; return 1; }
  else echo "there is none of curl, wget and python3 on the instance" >&2; return 1; fi
}
"#;

/// The script that fetches what a command reads, compares it, and runs the command.
fn with_input(command: &str, size: u64, digest: &Digest) -> String {
    let fetch = limited(FETCH);
    format!(
        r#"IFS= read -r u || exit 1
f={FILE}
{PRELUDE}{fetch}if ! fetch; then echo "it could not be fetched from the bucket{NEEDS}" >&2; exit 1; fi
c=$(digest)
if [ "$(wc -c < "$f")" -ne {size} ] || {{ [ "$c" != none ] && [ "$c" != {digest} ]; }}; then
  echo "what was fetched from the bucket is not what was put there" >&2; exit 1
fi
(
{command}
) < "$f""#
    )
}

/// The script that runs a command and, when it prints much, keeps that: then it prints a line with
/// the mark, the size, the digest and the name of the file instead.
fn with_output(command: &str, mark: &str) -> String {
    format!(
        r#"f={FILE}
{PRELUDE}(
{command}
) > "$f"
x=$?
if [ "$(wc -c < "$f")" -le {THRESHOLD} ]; then cat "$f"; exit $x; fi
trap - EXIT
echo "{mark} $(wc -c < "$f") $(digest) $f"
exit $x"#
    )
}

/// The script that puts what was kept.
fn putting(file: &str) -> String {
    let put = limited(PUT);
    format!(
        r#"IFS= read -r u || exit 1
f={}
{PRELUDE}{put}if ! put; then echo "it could not be put into the bucket{NEEDS}" >&2; exit 1; fi"#,
        quote(file)
    )
}

/// Runs a command that moves files, through the bucket where that is worth it.
pub(super) async fn run(
    ssm: &Ssm,
    depot: &Arc<dyn Depot>,
    command: &str,
    stdin: Stdin,
    output: mpsc::Sender<Chunk>,
) -> Result<Exit, CommunicatorError> {
    match stdin {
        Stdin::Stream(queue) => {
            // Only as much as shows whether it is worth it.
            let mut held = Vec::new();
            let mut is_over = false;
            {
                let mut queue = queue.lock().await;
                while !is_over && held.len() <= THRESHOLD {
                    match queue.recv().await {
                        Some(bytes) => held.extend(bytes),
                        None => is_over = true,
                    }
                }
            }
            if is_over {
                return ssm.job(command, Stdin::Bytes(held.into()), output, true).await;
            }
            let kept = tokio::task::spawn_blocking(move || keep(&held, &queue)).await;
            let kept = kept.map_err(std::io::Error::other).flatten();
            let kept = kept.map_err(|error| {
                ssm.failed("move files", format!("they cannot be kept on this machine: {error}"))
            })?;
            send(ssm, depot, command, kept, output).await
        }
        stdin => receive(ssm, depot, command, stdin, output).await,
    }
}

/// A stream that was kept: the length and the digest of an object must be known before it is put.
struct Kept {
    file: File,
    size: u64,
    digest: Digest,
}

fn keep(held: &[u8], queue: &Mutex<mpsc::Receiver<Vec<u8>>>) -> std::io::Result<Kept> {
    let mut file = tempfile::tempfile()?;
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut take = |bytes: &[u8]| {
        size += bytes.len() as u64;
        hasher.update(bytes);
        file.write_all(bytes)
    };
    take(held)?;
    let mut queue = queue.blocking_lock();
    while let Some(bytes) = queue.blocking_recv() {
        take(&bytes)?;
    }
    Ok(Kept { size, digest: Digest::from_hasher(hasher), file })
}

/// Puts what a command reads, and runs it.
async fn send(
    ssm: &Ssm,
    depot: &Arc<dyn Depot>,
    command: &str,
    Kept { file, size, digest }: Kept,
    output: mpsc::Sender<Chunk>,
) -> Result<Exit, CommunicatorError> {
    let object = name();
    let moving = async {
        let put = depot.put(object.clone(), file, size, digest).await;
        put.map_err(|error| trouble(&ssm.instance, error))?;
        let url =
            depot.read_url(object.clone()).await.map_err(|error| trouble(&ssm.instance, error))?;
        let stdin = Stdin::Bytes(format!("{}\n", url.reveal()).into_bytes().into());
        ssm.job(&with_input(command, size, &digest), stdin, output, true).await
    };
    let moved = moving.await;
    delete(depot, object).await;
    moved
}

/// Runs a command, and fetches what it printed by way of the bucket, when that is much.
async fn receive(
    ssm: &Ssm,
    depot: &Arc<dyn Depot>,
    command: &str,
    stdin: Stdin,
    output: mpsc::Sender<Chunk>,
) -> Result<Exit, CommunicatorError> {
    let mark = format!("bake-object-{:016x}", rand::random::<u64>());
    let script = with_output(command, &mark);
    let (own, chunks) = mpsc::channel(16);
    let job = ssm.job(&script, stdin, own, true);
    let (exit, told) = tokio::join!(job, sort(chunks, &mark, &output));
    let exit = exit?;
    let Some(line) = told else { return Ok(exit) };
    let object = name();
    let moving = async {
        let url =
            depot.write_url(object.clone()).await.map_err(|error| trouble(&ssm.instance, error))?;
        fetch(ssm, depot, object.clone(), url.reveal(), &line, &output).await
    };
    moving.await?;
    // Otherwise the instance may still put it: then it stays recorded, and goes when nothing can put
    // it any more.
    delete(depot, object).await;
    Ok(exit)
}

/// Passes output on; when it is the line with the mark, that is returned instead.
async fn sort(
    mut chunks: mpsc::Receiver<Chunk>,
    mark: &str,
    output: &mpsc::Sender<Chunk>,
) -> Option<String> {
    let mut held = Some(Vec::new());
    while let Some(Chunk { stream, bytes }) = chunks.recv().await {
        let bytes = match (&mut held, stream) {
            (Some(held), Stream::Stdout) => {
                held.extend(bytes);
                let known = held.len().min(mark.len());
                if held.get(..known) == mark.as_bytes().get(..known) {
                    continue;
                }
                std::mem::take(held)
            }
            _ => bytes,
        };
        if stream == Stream::Stdout {
            held = None;
        }
        drop(output.send(Chunk { stream, bytes }).await);
    }
    let held = held?;
    let line = String::from_utf8_lossy(&held);
    match line.strip_prefix(mark) {
        Some(rest) => Some(rest.trim().to_owned()),
        None => {
            if !held.is_empty() {
                drop(output.send(Chunk { stream: Stream::Stdout, bytes: held }).await);
            }
            None
        }
    }
}

/// Has what was kept put into the bucket, and fetches it. `line` has its size, its digest or `none`,
/// and the name of the file.
async fn fetch(
    ssm: &Ssm,
    depot: &Arc<dyn Depot>,
    object: String,
    url: &str,
    line: &str,
    output: &mpsc::Sender<Chunk>,
) -> Result<(), CommunicatorError> {
    let words: Vec<_> = line.split_whitespace().collect();
    let &[size, digest, file] = words.as_slice() else {
        return Err(ssm.failed(MOVE_LARGE, format!("the instance says `{line}`")));
    };
    let stdin = Stdin::Bytes(format!("{url}\n").into_bytes().into());
    let (own, mut chunks) = mpsc::channel::<Chunk>(16);
    let complaints = async {
        let mut said = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            said.extend(chunk.bytes.into_iter().take(COMPLAINTS.saturating_sub(said.len())));
        }
        String::from_utf8_lossy(&said).lines().map(str::trim).collect::<Vec<_>>().join("; ")
    };
    let script = putting(file);
    let (exit, said) = tokio::join!(ssm.job(&script, stdin, own, true), complaints);
    match exit?.or_lost()? {
        Exit::Code(0) => {}
        _ => return Err(ssm.failed(MOVE_LARGE, said)),
    }
    let (sender, mut pieces) = mpsc::channel::<Vec<u8>>(16);
    let passing = async {
        let (mut hasher, mut got) = (Sha256::new(), 0);
        while let Some(bytes) = pieces.recv().await {
            hasher.update(&bytes);
            got += bytes.len() as u64;
            drop(output.send(Chunk { stream: Stream::Stdout, bytes }).await);
        }
        (got, Digest::from_hasher(hasher).hex())
    };
    let (fetched, (got, found)) = tokio::join!(depot.get(object, sender), passing);
    fetched.map_err(|error| trouble(&ssm.instance, error))?;
    if size != got.to_string() || (digest != "none" && digest != found) {
        let reason = "what was fetched is not what the instance put there";
        return Err(ssm.failed(MOVE_LARGE, reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Answers requests one after the other: a GET with bytes, a PUT after its body.
    async fn serve(listener: tokio::net::TcpListener, bytes: Vec<u8>) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            if head.contains("100-continue") {
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
            }
            let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
            stream.read_exact(&mut body).await.unwrap();
            let (status, answer): (_, &[u8]) = match head.split(' ').nth(1).unwrap() {
                "/denied" => ("403 Forbidden", b""),
                _ => ("200 OK", if head.starts_with("get") { &bytes } else { b"" }),
            };
            let length = answer.len();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(&[head.as_bytes(), answer].concat()).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    }

    /// Runs a script with few programs; gives whether it succeeded, and what it said.
    async fn shell(path: &Path, script: &str, url: String) -> (bool, String, String) {
        let mut shell = tokio::process::Command::new("/bin/sh");
        // As a job's command is called.
        let command = path.join("job/command");
        shell.args(["-c", script]).arg(command).env_clear().env("PATH", path);
        shell.stdin(std::process::Stdio::piped());
        shell.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = shell.spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{url}\n").as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    #[tokio::test]
    async fn each_program_that_can_fetch_and_put_does() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let (size, digest) = (bytes.len() as u64, Digest::of(&bytes));
        let serving = tokio::spawn(serve(listener, bytes));
        let fetch = with_input("wc -c", size, &digest);
        let keep = with_output("head -c \"$(cat)\" /dev/zero", "mark");
        for tool in ["curl", "wget", "python3"] {
            let programs = tempfile::tempdir().unwrap();
            let mut found = false;
            for name in ["cat", "head", "rm", "wc", "sha256sum", tool] {
                for directory in ["/usr/bin", "/bin", "/usr/local/bin"] {
                    let program = Path::new(directory).join(name);
                    if program.exists() {
                        found |= name == tool;
                        drop(symlink(&program, programs.path().join(name)));
                    }
                }
            }
            if !found {
                continue;
            }
            let run = |script, place: &str| shell(programs.path(), script, format!("{url}{place}"));
            let (ok, said, errors) = run(&fetch, "/object?a=b&c=%2F").await;
            assert_eq!((ok, said.trim()), (true, "1200000"), "{tool}: {errors}");
            let (ok, said, errors) = shell(programs.path(), &keep, "1200000".to_owned()).await;
            let zeros = Digest::of(&vec![0; 1_200_000]);
            let said = said.strip_prefix(&format!("mark 1200000 {zeros} ")).unwrap().trim();
            assert!(ok && Path::new(said).exists(), "{tool}: {errors}");
            assert_eq!(Path::new(said).parent(), Some(programs.path()), "{tool}");
            let put = putting(said);
            let (ok, _, errors) = run(&put, "/object?a=b&c=%2F").await;
            assert!(ok && !Path::new(said).exists(), "{tool}: {errors}");
            std::fs::write(said, "again").unwrap();
            for (script, verb) in [(&fetch, "fetched from"), (&put, "put into")] {
                let (ok, _, errors) = run(script, "/denied").await;
                assert!(!ok && errors.contains(&format!("{verb} the bucket")), "{tool}: {errors}");
                assert!(errors.contains("needs a way to S3"), "{tool}: {errors}");
                assert!(!errors.contains(&url) && errors.lines().count() <= 3, "{tool}: {errors}");
            }
            assert!(!Path::new(said).exists());
        }
        serving.abort();
    }

    #[test]
    fn scripts_are_what_a_shell_can_read() {
        let digest = Digest::of(b"x");
        for script in [
            with_input("exec cat", 1, &digest),
            with_output("echo 'a'; exit 3", "mark"),
            putting("/x y"),
        ] {
            let mut shell = std::process::Command::new("sh");
            let output = shell.args(["-n", "-c", &script]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && said.is_empty(), "{said}\n{script}");
        }
    }

    #[tokio::test]
    async fn the_line_with_the_mark_is_no_output() {
        let sorted = |pieces: Vec<&'static str>| async move {
            let (sender, receiver) = mpsc::channel(16);
            let (output, mut passed) = mpsc::channel(16);
            for bytes in pieces {
                let chunk = Chunk { stream: Stream::Stdout, bytes: bytes.into() };
                sender.send(chunk).await.unwrap();
            }
            drop(sender);
            let told = sort(receiver, "mark-1", &output).await;
            drop(output);
            let mut all = Vec::new();
            while let Some(chunk) = passed.recv().await {
                all.extend(chunk.bytes);
            }
            (told, String::from_utf8(all).unwrap())
        };
        let told = sorted(vec!["ma", "rk-1 5 ab", "c\n"]).await;
        assert_eq!(told, (Some("5 abc".to_owned()), String::new()));
        assert_eq!(sorted(vec!["mar", "ch on"]).await, (None, "march on".to_owned()));
        assert_eq!(sorted(vec!["mar"]).await, (None, "mar".to_owned()));
        assert_eq!(sorted(vec!["x", "mark-1 5"]).await, (None, "xmark-1 5".to_owned()));
        assert_eq!(sorted(vec![]).await, (None, String::new()));
    }
}
