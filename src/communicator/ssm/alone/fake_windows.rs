//! A Run Command that answers as an instance with Windows would, as far as bake's own scripts go:
//! it reads what is sent, and plays what it is told to.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use regex::Regex;
use rsa::traits::PublicKeyParts as _;
use rsa::{Oaep, RsaPrivateKey};
use sha1::Sha1;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::seal::Seal;
use crate::communicator::ssm::communicator::{Ssm, SsmOptions, Tunnels};
use crate::communicator::ssm::depot::Depot;
use crate::communicator::ssm::tests::warnings;
use crate::communicator::ssm::{
    AgentInformation, CommandTiming, Document, Invocation, RunCommand, SendCommand, SessionError,
    Settings,
};
use crate::event::{self, Event};
use crate::plan::Digest;
use crate::template::schema::Secret;

/// A bucket in memory.
#[derive(Default)]
pub(crate) struct MemoryDepot {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// How many objects there have been.
    pub(crate) made: Mutex<usize>,
    /// How many deletions were asked for.
    pub(crate) deleted: Mutex<usize>,
}

impl MemoryDepot {
    /// How many objects there are.
    pub(crate) fn count(&self) -> usize {
        self.objects.lock().unwrap().len()
    }

    fn keep(&self, name: &str, bytes: Vec<u8>) {
        *self.made.lock().unwrap() += 1;
        self.objects.lock().unwrap().insert(name.to_owned(), bytes);
    }
}

impl Depot for MemoryDepot {
    fn put(
        &self,
        name: String,
        mut file: File,
        size: u64,
        digest: Digest,
    ) -> BoxFuture<'_, Result<(), SessionError>> {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!((bytes.len() as u64, Digest::of(&bytes)), (size, digest));
        self.keep(&name, bytes);
        async { Ok(()) }.boxed()
    }

    fn get(
        &self,
        name: String,
        pieces: mpsc::Sender<Vec<u8>>,
    ) -> BoxFuture<'_, Result<(), SessionError>> {
        let bytes = self.objects.lock().unwrap()[&name].clone();
        async move {
            for piece in bytes.chunks(100_000) {
                pieces.send(piece.to_vec()).await.unwrap();
            }
            Ok(())
        }
        .boxed()
    }

    fn read_url(&self, name: String) -> BoxFuture<'_, Result<Secret, SessionError>> {
        async move { Ok(Secret::new(format!("memory:{name}"))) }.boxed()
    }

    fn write_url(&self, name: String) -> BoxFuture<'_, Result<Secret, SessionError>> {
        async move { Ok(Secret::new(format!("memory:{name}"))) }.boxed()
    }

    fn delete(&self, name: String) -> BoxFuture<'_, Result<(), SessionError>> {
        *self.deleted.lock().unwrap() += 1;
        self.objects.lock().unwrap().remove(&name);
        async { Ok(()) }.boxed()
    }
}

/// The instance.
pub(crate) struct FakeWindows {
    /// What URLs lead to.
    pub(crate) depot: Arc<MemoryDepot>,
    key: RsaPrivateKey,
    state: Mutex<State>,
    events: Mutex<Vec<mpsc::Receiver<Event>>>,
}

#[derive(Default)]
struct State {
    seal: Option<Seal>,
    pieces: BTreeMap<String, Vec<u8>>,
    jobs: HashMap<String, (u32, Vec<u8>)>,
    said: HashMap<String, String>,
    answers: VecDeque<(u32, String)>,
    story: Vec<String>,
    sent: Vec<String>,
    files: BTreeMap<String, Vec<u8>>,
    starts: u64,
    depot: Arc<MemoryDepot>,
    confusion: usize,
}

impl FakeWindows {
    /// An instance that has just started.
    pub(crate) fn new() -> Arc<Self> {
        let key = RsaPrivateKey::new(&mut rand::rng(), 2048).unwrap();
        let depot = Arc::<MemoryDepot>::default();
        let state = Mutex::new(State { depot: depot.clone(), ..State::default() });
        Arc::new(Self { depot, key, state, events: Mutex::default() })
    }

    /// What commands of a step come to, one after the other; then each ends with 0.
    pub(crate) fn answer(&self, code: u32, text: &str) {
        self.state.lock().unwrap().answers.push_back((code, text.to_owned()));
    }

    /// What was put and run.
    pub(crate) fn story(&self) -> String {
        self.state.lock().unwrap().story.join("\n")
    }

    /// All scripts as they are in the history.
    pub(crate) fn history(&self) -> String {
        self.state.lock().unwrap().sent.join("\n")
    }

    /// The communicator that reaches it.
    pub(crate) fn communicator(self: &Arc<Self>) -> Ssm {
        let tunnels: Tunnels = Box::new(|_| unreachable!("no session leads to Windows"));
        let fast = Duration::from_millis(1);
        let options = SsmOptions {
            settings: Settings { ready: Duration::from_secs(20), ..Settings::default() },
            timing: CommandTiming { first: fast, cap: fast * 5, ..CommandTiming::default() },
        };
        let (emitter, events) = event::channel();
        self.events.lock().unwrap().push(events);
        let cancel = CancellationToken::new();
        Ssm::new("i-0123456789abcdef0", self.clone(), tunnels, options, emitter, cancel)
    }

    /// What its communicators have told the user.
    pub(crate) fn warnings(&self) -> Vec<String> {
        warnings(&mut self.events.lock().unwrap())
    }

    /// How many of the next secrets get no answer that makes sense.
    pub(crate) fn be_confused(&self, count: usize) {
        self.state.lock().unwrap().confusion = count;
    }
}

/// The groups of a pattern's first match.
fn find<const N: usize>(pattern: &str, text: &str) -> Option<[String; N]> {
    let found = Regex::new(pattern).unwrap().captures(text)?;
    Some(std::array::from_fn(|n| found[n + 1].to_owned()))
}

fn decode(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}

impl State {
    /// A part of a job, as the script has it.
    fn part(&self, script: &str, file: &str) -> Option<Vec<u8>> {
        let inline =
            format!(r"\\{file}., .Unprotect-Bytes ..Convert\]::FromBase64String.'([^']*)'");
        let joined = format!(r"\\{file}., .Unprotect-Bytes .Get-Joined (\w+) (\d+) (\w+)");
        let sealed = if let Some([text]) = find(&inline, script) {
            decode(&text)
        } else {
            let [name, size, digest]: [String; 3] = find(&joined, script)?;
            let whole: Vec<u8> = self
                .pieces
                .iter()
                .filter(|(key, _)| key.starts_with(&format!("{name}.")))
                .flat_map(|(_, piece)| piece.clone())
                .collect();
            assert_eq!(whole.len().to_string(), size);
            assert_eq!(Digest::of(&whole).hex(), digest);
            whole
        };
        Some(self.seal.as_ref().unwrap().open(&sealed).unwrap())
    }

    fn look(&self, job: &str, from: usize) -> String {
        let (code, out) = &self.jobs[job];
        let rest: Vec<u8> = out[from.min(out.len())..].iter().take(16_000).copied().collect();
        let sealed = self.seal.as_ref().unwrap().close(&rest);
        let sealed = if rest.is_empty() { String::new() } else { STANDARD.encode(sealed) };
        format!("bake-job exit={code} out={} err=0 got={},0\n{sealed}", out.len(), rest.len())
    }

    /// Runs a command.
    fn run(&mut self, command: &str, stdin: &[u8]) -> (u32, Vec<u8>) {
        if command.contains("\\receive.ps1\"") {
            return self.receive(stdin);
        }
        if command.contains("\\send.ps1\"") {
            let head: serde_json::Value =
                serde_json::from_slice(&decode(std::str::from_utf8(stdin).unwrap().trim()))
                    .unwrap();
            let source = head["source"].as_str().unwrap();
            let Some(bytes) = self.files.get(source) else { return (1, Vec::new()) };
            let digest = Digest::of(bytes);
            let name = STANDARD.encode(source.rsplit('/').next().unwrap());
            let mut entries = format!("F {} {digest} {name}\n", bytes.len()).into_bytes();
            entries.extend(bytes);
            entries.extend(b"E\n");
            let mut zip =
                flate2::read::GzEncoder::new(entries.as_slice(), flate2::Compression::fast());
            let mut packed = Vec::new();
            zip.read_to_end(&mut packed).unwrap();
            if let Some(url) = head["url"].as_str() {
                let said = format!("1 file {}\n", Digest::of(&packed));
                self.depot.keep(url.strip_prefix("memory:").unwrap(), packed);
                return (0, said.into_bytes());
            }
            return (0, [&b"1 file\n"[..], &packed].concat());
        }
        if command.contains("LastBootUpTime") {
            return (0, format!("{}\r\n", 1_000_000_000 * (self.starts + 1)).into_bytes());
        }
        self.story.push(format!("run {command}"));
        if command.starts_with("shutdown /r") {
            self.starts += 1;
        }
        let (code, out) = self.answers.pop_front().unwrap_or_default();
        (code, out.into_bytes())
    }

    /// Takes files.
    fn receive(&mut self, stdin: &[u8]) -> (u32, Vec<u8>) {
        let end = stdin.iter().position(|byte| *byte == b'\n').unwrap();
        let head = decode(std::str::from_utf8(&stdin[..end]).unwrap());
        let head: serde_json::Value = serde_json::from_slice(&head).unwrap();
        let mut packed = stdin[end + 1..].to_vec();
        if let Some(url) = head["url"].as_str() {
            packed =
                self.depot.objects.lock().unwrap()[url.strip_prefix("memory:").unwrap()].clone();
            assert_eq!(Digest::of(&packed).hex(), head["sha256"].as_str().unwrap());
        }
        let mut reader = BufReader::new(GzDecoder::new(packed.as_slice()));
        let destination = head["destination"].as_str().unwrap().to_owned();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let words: Vec<_> = line.trim_end_matches('\n').split(' ').collect();
            match words[0] {
                "E" => return (0, Vec::new()),
                "F" => {
                    let mut bytes = vec![0; words[1].parse().unwrap()];
                    reader.read_exact(&mut bytes).unwrap();
                    assert_eq!(Digest::of(&bytes).hex(), words[2]);
                    let name = String::from_utf8(decode(words[3])).unwrap();
                    let path = if name.is_empty() {
                        destination.clone()
                    } else {
                        format!("{destination}/{name}")
                    };
                    let text: String = String::from_utf8_lossy(&bytes).chars().take(400).collect();
                    self.story.push(format!("put {path}: {text:?}"));
                    self.files.insert(path, bytes);
                }
                other => self.story.push(format!("{other} in {destination}")),
            }
        }
    }

    fn script(&mut self, script: &str, key: &RsaPrivateKey) -> String {
        if script.contains("RSACryptoServiceProvider 2048") {
            let number = |bytes: Box<[u8]>| STANDARD.encode(bytes);
            let (n, e) = (number(key.n().to_be_bytes()), STANDARD.encode([1, 0, 1]));
            return format!("bake-job encoder=own gzip=yes key={n},{e}");
        }
        if script.contains("Decrypt") && self.confusion > 0 {
            self.confusion -= 1;
            return "Out of memory.".to_owned();
        }
        if let Some([wrapped]) = find(r"Decrypt.*String\('([^']*)'", script) {
            let secret = key.decrypt(Oaep::<Sha1>::new(), &decode(&wrapped)).unwrap();
            self.seal = Some(Seal::of(String::from_utf8(secret).unwrap()));
            return "bake-job sealed=yes".to_owned();
        }
        if let Some([name, piece]) =
            find(r#"(?s)\$f = "\$d\\p\\([^"]+)"\n.*String\('([^']*)'"#, script)
        {
            self.pieces.insert(name, decode(&piece));
            return "bake-job done=yes".to_owned();
        }
        if let Some([job]) = find(r"Rename-Item -LiteralPath \$n -NewName '(\w+)'", script) {
            if !self.jobs.contains_key(&job) {
                let command = String::from_utf8(self.part(script, "command").unwrap()).unwrap();
                let stdin = self.part(script, "in").unwrap_or_default();
                let ended = self.run(command.trim_end_matches('\n'), &stdin);
                self.jobs.insert(job.clone(), ended);
            }
            return self.look(&job, 0);
        }
        let job: Option<[String; 1]> = find(r#"\$j = "\$d\\(\w+)""#, script);
        if let (Some([from]), Some([job])) = (find(r"\nShow-Job (\d+) 0 40", script), job.clone()) {
            return self.look(&job, from.parse().unwrap());
        }
        if let (Some([from, count]), Some([job])) =
            (find(r"\(Read-Part out (\d+) (\d+)\)", script), job)
        {
            let from: usize = from.parse().unwrap();
            let count: usize = count.parse().unwrap();
            let sealed = self.seal.as_ref().unwrap().close(&self.jobs[&job].1[from..from + count]);
            return format!("bake-job exit=- got={count},0\n{}", STANDARD.encode(sealed));
        }
        assert!(script.contains("Remove-Item -Recurse"), "an unknown script: {script}");
        "bake-job done=yes".to_owned()
    }
}

impl RunCommand for FakeWindows {
    fn send(&self, command: SendCommand) -> BoxFuture<'_, Result<String, SessionError>> {
        assert_eq!(command.document, Document::PowerShell);
        assert!(command.script.len() < 48 << 10, "too much for a document");
        let mut state = self.state.lock().unwrap();
        let said = state.script(&command.script, &self.key);
        assert!(said.len() < 23_500, "the service would cut it off");
        state.sent.push(command.script);
        let id = format!("command-{}", state.sent.len());
        state.said.insert(id.clone(), format!("{said}\r\n\r\nbake-exit-code=0\r\n"));
        async move { Ok(id) }.boxed()
    }

    fn invocation(
        &self,
        id: String,
        _instance: String,
    ) -> BoxFuture<'_, Result<Option<Invocation>, SessionError>> {
        let stdout = self.state.lock().unwrap().said[&id].clone();
        let status = "Success".to_owned();
        let details = status.clone();
        let ended = Invocation { status, details, stdout, ..Invocation::default() };
        async move { Ok(Some(ended)) }.boxed()
    }

    fn cancel(&self, _id: String, _instance: String) -> BoxFuture<'_, Result<(), SessionError>> {
        async { Ok(()) }.boxed()
    }

    fn agent(
        &self,
        _instance: String,
    ) -> BoxFuture<'_, Result<Option<AgentInformation>, SessionError>> {
        let agent = AgentInformation {
            ping_status: "Online".to_owned(),
            agent_version: "3.3.808.0".to_owned(),
            platform: "Windows".to_owned(),
        };
        async move { Ok(Some(agent)) }.boxed()
    }

    fn is_connected(&self, _instance: String) -> BoxFuture<'_, Result<bool, SessionError>> {
        async { Ok(true) }.boxed()
    }

    fn gone(&self, _instance: String) -> BoxFuture<'_, Result<Option<String>, SessionError>> {
        async { Ok(None) }.boxed()
    }
}
