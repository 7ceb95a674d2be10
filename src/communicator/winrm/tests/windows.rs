//! A Windows machine with WinRM, as far as tests need one: the protocol is real, and commands are
//! stand-ins for what `cmd.exe` and PowerShell would make of them.
//!
//! It stands by itself, so that tests of the whole program use it, too.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

/// The names of output streams, as the protocol has them.
const STDOUT: &str = "stdout";
const STDERR: &str = "stderr";

/// Who may come in, for one connection.
pub(crate) trait Guard: Send {
    /// Looks at a request: `Ok` lets it in, otherwise these are the values of `WWW-Authenticate`.
    /// A log-in that has only begun is answered the same way.
    fn check(&mut self, authorization: Option<&str>) -> Result<(), Vec<String>>;
    /// What a request says.
    fn open(&mut self, body: Vec<u8>) -> Vec<u8>;
    /// What is answered, with its media type.
    fn close(&mut self, body: Vec<u8>) -> (&'static str, Vec<u8>);
}

/// The password with each request.
struct Basic(String);

impl Guard for Basic {
    fn check(&mut self, authorization: Option<&str>) -> Result<(), Vec<String>> {
        match authorization {
            Some(given) if given == self.0 => Ok(()),
            _ => Err(vec!["Negotiate".to_owned(), "Basic realm=\"WSMAN\"".to_owned()]),
        }
    }

    fn open(&mut self, body: Vec<u8>) -> Vec<u8> {
        body
    }

    fn close(&mut self, body: Vec<u8>) -> (&'static str, Vec<u8>) {
        ("application/soap+xml;charset=UTF-8", body)
    }
}

/// Makes the guard of a connection.
type Guards = Box<dyn Fn() -> Box<dyn Guard> + Send + Sync>;

/// The machine; it ends with the test.
pub(crate) struct Windows {
    pub(crate) port: u16,
    machine: Arc<Machine>,
}

/// What is shared by its connections.
struct Machine {
    /// Stands for drive C.
    root: PathBuf,
    guards: Guards,
    state: Mutex<State>,
}

/// How it is, and what goes wrong next.
#[derive(Default)]
pub(crate) struct State {
    shells: BTreeMap<String, BTreeMap<String, Arc<Running>>>,
    connections: Vec<TcpStream>,
    next: u32,
    boots: u64,
    down_until: Option<Instant>,
    /// What was asked for, in order: actions, and commands with their texts.
    pub(crate) log: Vec<String>,
    /// So many requests are answered with this fault: code and words.
    pub(crate) faults: VecDeque<(&'static str, u32, &'static str)>,
    /// So many connections are cut when output is asked for.
    pub(crate) cuts: u32,
    /// Answers instead of the machine's own.
    pub(crate) raw: VecDeque<(u16, &'static str)>,
    /// What is done, but answered with this instead: status and text.
    pub(crate) replaced: VecDeque<(&'static str, u16, &'static str)>,
    /// The largest message so far.
    pub(crate) largest: usize,
    /// How many KiB messages may have, when that is told.
    pub(crate) limit: Option<usize>,
}

/// A command under way.
#[derive(Default)]
struct Running {
    state: Mutex<Streams>,
    changed: Condvar,
}

#[derive(Default)]
struct Streams {
    input: VecDeque<u8>,
    input_ended: bool,
    output: VecDeque<(&'static str, Vec<u8>)>,
    status: Option<i32>,
    killed: bool,
}

impl Windows {
    /// A machine that takes a user's password as it is; `root` stands for drive C.
    pub(crate) fn start(root: &Path, user: &str, password: &str) -> Self {
        let login = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        Self::guarded(root, Box::new(move || Box::new(Basic(login.clone()))))
    }

    /// A machine with a guard of one's own.
    pub(crate) fn guarded(root: &Path, guards: Guards) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let machine = Machine { root: root.to_owned(), guards, state: Mutex::default() };
        let machine = Arc::new(machine);
        let shared = machine.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let machine = shared.clone();
                if machine.is_down() {
                    continue;
                }
                machine.lock().connections.extend(stream.try_clone());
                let end = stream.try_clone();
                thread::spawn(move || {
                    drop(machine.serve(stream));
                    drop(end.map(|end| end.shutdown(Shutdown::Both)));
                });
            }
        });
        Self { port, machine }
    }

    /// How it is.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.machine.lock()
    }

    /// What was asked for so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// Waits until nothing is left of any shell.
    pub(crate) fn wait_until_idle(&self) -> bool {
        let start = Instant::now();
        while !self.state().shells.is_empty() {
            if start.elapsed() > Duration::from_secs(10) {
                return false;
            }
            thread::yield_now();
        }
        true
    }

    /// Ends all connections, and what runs; for a while nobody gets in.
    pub(crate) fn reboot(&self, down: Duration) {
        self.machine.reboot(down);
    }
}

impl Machine {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics in here")
    }

    fn is_down(&self) -> bool {
        self.lock().down_until.is_some_and(|until| Instant::now() < until)
    }

    fn reboot(&self, down: Duration) {
        let mut state = self.lock();
        state.down_until = Some(Instant::now() + down);
        state.boots += 1;
        for running in std::mem::take(&mut state.shells).values().flat_map(BTreeMap::values) {
            running.kill();
        }
        for connection in state.connections.drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
    }

    fn serve(self: &Arc<Self>, stream: TcpStream) -> io::Result<()> {
        let mut guard = (self.guards)();
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        while let Some(request) = Message::read(&mut reader)? {
            let mut headers = String::new();
            let (status, kind, body) = match guard.check(request.authorization.as_deref()) {
                Err(offers) => {
                    for offer in offers {
                        headers += &format!("WWW-Authenticate: {offer}\r\n");
                    }
                    (401, "text/plain", Vec::new())
                }
                Ok(()) if request.body.is_empty() => (200, "text/plain", Vec::new()),
                Ok(()) => {
                    let text = guard.open(request.body);
                    let text = String::from_utf8(text).expect("requests are UTF-8");
                    let Some((status, answer)) = self.answer(&text) else { return Ok(()) };
                    match self.replaced(action(&text)) {
                        Some((status, body)) => (status, "text/html", body.as_bytes().to_vec()),
                        None => {
                            let (kind, body) = guard.close(answer.into_bytes());
                            (status, kind, body)
                        }
                    }
                }
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\n{headers}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            writer.write_all(head.as_bytes())?;
            writer.write_all(&body)?;
        }
        Ok(())
    }

    /// What comes in the place of an answer.
    fn replaced(&self, action: &str) -> Option<(u16, &'static str)> {
        let mut state = self.lock();
        let (_, status, body) = state.replaced.pop_front_if(|(wanted, ..)| *wanted == action)?;
        Some((status, body))
    }

    /// What the service answers; `None` cuts the connection.
    fn answer(self: &Arc<Self>, text: &str) -> Option<(u16, String)> {
        let action = action(text).to_owned();
        let shell = between(text, "<w:Selector Name=\"ShellId\">", "<");
        let command = between(text, "CommandId=\"", "\"");
        {
            let mut state = self.lock();
            state.largest = state.largest.max(text.len());
            state.log.push(action.clone());
            if let Some((status, body)) = state.raw.pop_front() {
                return Some((status, body.to_owned()));
            }
            if let Some((wanted, code, words)) = state.faults.front().copied()
                && wanted == action
            {
                state.faults.pop_front();
                return Some(fault(code, words));
            }
            if action == "Receive" && state.cuts > 0 {
                state.cuts -= 1;
                return None;
            }
        }
        let body = match action.as_str() {
            "Get" => match self.lock().limit {
                Some(limit) => format!(
                    "<cfg:Config xmlns:cfg=\"c\"><cfg:MaxEnvelopeSizekb>{limit}</cfg:MaxEnvelopeSizekb></cfg:Config>"
                ),
                None => return Some(fault(5, "Access is denied.")),
            },
            "Create" => {
                let mut state = self.lock();
                state.next += 1;
                let id = format!("SHELL-{}", state.next);
                state.shells.insert(id.clone(), BTreeMap::new());
                format!("<rsp:Shell><rsp:ShellId>{id}</rsp:ShellId></rsp:Shell>")
            }
            "Delete" => {
                let commands = self.lock().shells.remove(shell);
                for running in commands.iter().flat_map(BTreeMap::values) {
                    running.kill();
                }
                String::new()
            }
            "Command" => return Some(self.command(text, shell)),
            action => {
                let running =
                    self.lock().shells.get(shell).and_then(|all| all.get(command)).cloned();
                let Some(running) = running else { return Some(no_shell()) };
                match action {
                    "Send" => {
                        let stream = between(text, "<rsp:Stream ", "</rsp:Stream>");
                        let bytes = stream.split_once('>').map_or("", |(_, bytes)| bytes);
                        let bytes = BASE64_STANDARD.decode(bytes).expect("base64");
                        if !running.feed(&bytes, stream.contains("End=\"true\"")) {
                            return Some(fault(109, "The pipe has been ended."));
                        }
                        "<rsp:SendResponse/>".to_owned()
                    }
                    "Receive" => {
                        let limit = between(text, "<w:OperationTimeout>PT", "S<");
                        let limit = Duration::from_secs_f64(limit.parse().expect("seconds"));
                        return Some(running.receive(limit, command));
                    }
                    "Signal" => {
                        running.kill();
                        "<rsp:SignalResponse/>".to_owned()
                    }
                    other => panic!("no action {other}"),
                }
            }
        };
        Some((200, envelope(&body)))
    }

    fn command(self: &Arc<Self>, text: &str, shell: &str) -> (u16, String) {
        let line = unescaped(between(text, "<rsp:Command>", "</rsp:Command>"));
        let has_input = text.contains("<w:Option Name=\"WINRS_CONSOLEMODE_STDIN\">FALSE<");
        let mut state = self.lock();
        let shown = line.split(" -EncodedCommand ").next().unwrap_or_default().to_owned();
        state.log.push(format!("> {shown}"));
        state.next += 1;
        let id = format!("COMMAND-{}", state.next);
        let Some(commands) = state.shells.get_mut(shell) else { return no_shell() };
        let running = Arc::new(Running::default());
        running.lock().input_ended = !has_input;
        commands.insert(id.clone(), running.clone());
        let machine = self.clone();
        thread::spawn(move || {
            let status = machine.run(&line, &running);
            running.lock().status.get_or_insert(status);
            running.changed.notify_all();
        });
        let body = format!(
            "<rsp:CommandResponse><rsp:CommandId>{id}</rsp:CommandId></rsp:CommandResponse>"
        );
        (200, envelope(&body))
    }

    /// The stand-ins.
    fn run(&self, line: &str, running: &Running) -> i32 {
        if let Some(script) = line.strip_prefix("sh:") {
            return run_posix(script, running);
        }
        if let Some((_, encoded)) = line.split_once(" -EncodedCommand ") {
            let bytes = BASE64_STANDARD.decode(encoded.trim()).expect("base64");
            let units: Vec<u16> =
                bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
            let script = String::from_utf16(&units).expect("UTF-16");
            let done = match script.contains("'K other'") {
                true => self.send_files(running),
                false => self.receive_files(running),
            };
            return match done {
                Ok(()) => 0,
                Err(text) => {
                    running.print(STDERR, &format!("{text}\r\n"));
                    1
                }
            };
        }
        if line.contains("Remove-Item") {
            for path in line.split('\'').skip(1).step_by(2) {
                drop(fs::remove_file(self.local(path)));
            }
            return 0;
        }
        if line.contains("LastBootUpTime") {
            let ticks = 638_000_000_000_000_000 + self.lock().boots * 1_000_000_000;
            running.print(STDOUT, &format!("{ticks}\r\n"));
            return 0;
        }
        if line.contains("GetHostName") {
            running.print(STDOUT, "WINBOX restarted.\r\n");
            return 0;
        }
        if line.starts_with("shutdown /r") {
            self.reboot(Duration::from_millis(300));
            return 0;
        }
        if let Some(text) = line.strip_prefix("echo ") {
            running.print(STDOUT, &format!("{text}\r\n"));
            return 0;
        }
        if line.starts_with("powershell") {
            return self.run_powershell(line, running);
        }
        if line.starts_with("set \"") || line.starts_with('"') {
            return self.run_batch(line, running);
        }
        running.print(STDERR, &format!("'{line}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"));
        1
    }

    /// A path on drive C.
    fn local(&self, path: &str) -> PathBuf {
        let path = path.trim_matches('"').replace('\\', "/");
        let below = path.get(..3).filter(|start| start.eq_ignore_ascii_case("c:/"));
        match below {
            Some(_) => self.root.join(path.get(3..).unwrap_or_default().trim_start_matches('/')),
            None => self.root.join("Users").join(path),
        }
    }

    /// A script of a few words: `Write-Output`, `[Console]::Error.WriteLine`, `throw`, `exit`, and
    /// variables of the environment.
    fn run_powershell(&self, line: &str, running: &Running) -> i32 {
        let mut text = String::new();
        let paths: Vec<&str> = match line.split_once(" -file ") {
            Some((_, path)) => vec![path.trim()],
            None => line.split('\'').skip(1).step_by(2).collect(),
        };
        for path in paths {
            match fs::read_to_string(self.local(path)) {
                Ok(script) => text += &format!("{}\n", script.trim_start_matches('\u{feff}')),
                Err(error) => {
                    running.print(STDERR, &format!("{path}: {error}\r\n"));
                    return 1;
                }
            }
        }
        let mut variables = BTreeMap::new();
        for assignment in text.split("$env:").skip(1) {
            let parts = assignment
                .split_once("=\"")
                .and_then(|(name, rest)| Some((name, rest.split_once('"')?.0)));
            if let Some((name, value)) = parts.filter(|(name, _)| !name.contains(' ')) {
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
        let fill = |text: &str| {
            let mut text = text.trim().trim_matches(['"', '\'', '(', ')']).to_owned();
            for (name, value) in &variables {
                text = text.replace(&format!("$env:{name}"), value);
            }
            text
        };
        for line in text.lines().map(str::trim) {
            if let Some(said) = line.strip_prefix("Write-Output ") {
                running.print(STDOUT, &format!("{}\r\n", fill(said)));
            } else if let Some(said) = line.strip_prefix("[Console]::Error.WriteLine") {
                running.print(STDERR, &format!("{}\r\n", fill(said)));
            } else if let Some(said) = line.strip_prefix("throw ") {
                running.print(STDERR, &format!("{}\r\n", fill(said)));
                return 1;
            } else if let Some(status) = line.strip_prefix("exit ")
                && let Ok(status) = status.parse()
            {
                return status;
            }
        }
        0
    }

    /// A batch file of `echo` and `exit /b`, with variables.
    fn run_batch(&self, line: &str, running: &Running) -> i32 {
        let mut variables = BTreeMap::new();
        let mut rest = line;
        while let Some((set, after)) =
            rest.strip_prefix("set \"").and_then(|rest| rest.split_once("\" && "))
        {
            if let Some((name, value)) = set.split_once('=') {
                variables.insert(name, value);
            }
            rest = after;
        }
        let script = match fs::read_to_string(self.local(rest)) {
            Ok(script) => script,
            Err(error) => {
                running.print(STDERR, &format!("{rest}: {error}\r\n"));
                return 1;
            }
        };
        for line in script.lines() {
            if let Some(said) = line.strip_prefix("echo ") {
                let mut said = said.to_owned();
                for (name, value) in &variables {
                    said = said.replace(&format!("%{name}%"), value);
                }
                running.print(STDOUT, &format!("{said}\r\n"));
            } else if let Some(status) = line.strip_prefix("exit /b ") {
                return status.trim().parse().expect("a status");
            }
        }
        0
    }

    /// What the program that receives files does.
    fn receive_files(&self, running: &Running) -> Result<(), String> {
        let text = |word: &str| -> Result<String, String> {
            let bytes = BASE64_STANDARD.decode(word).map_err(|error| error.to_string())?;
            String::from_utf8(bytes).map_err(|error| error.to_string())
        };
        let io = |error: io::Error| error.to_string();
        let mut root = PathBuf::new();
        let mut open: Option<(PathBuf, fs::File, Sha256)> = None;
        while let Some(line) = running.line() {
            let words: Vec<_> = line.trim().split(' ').collect();
            let word = |index: usize| words.get(index).copied().unwrap_or_default();
            let mut start = |path: PathBuf| {
                if path.is_dir() {
                    return Err(format!("{}: Is a directory", path.display()));
                }
                fs::create_dir_all(path.parent().expect("a parent")).map_err(io)?;
                let file = fs::File::create(&path).map_err(io)?;
                open = Some((path, file, Sha256::new()));
                Ok(())
            };
            match word(0) {
                "F" => {
                    let wanted = text(word(1))?;
                    let mut path = self.local(&wanted);
                    if wanted.ends_with(['/', '\\']) {
                        path.push(text(word(2))?);
                    }
                    start(path)?;
                }
                "D" => {
                    root = self.local(&text(word(1))?);
                    if root.is_dir() && !word(2).is_empty() {
                        root.push(text(word(2))?);
                    }
                    fs::create_dir_all(&root).map_err(io)?;
                }
                "d" => fs::create_dir_all(root.join(text(word(1))?)).map_err(io)?,
                "f" => start(root.join(text(word(1))?))?,
                "l" => std::os::unix::fs::symlink(text(word(2))?, root.join(text(word(1))?))
                    .map_err(io)?,
                "+" => {
                    let bytes = BASE64_STANDARD.decode(word(1)).map_err(|e| e.to_string())?;
                    let (_, file, hasher) = open.as_mut().ok_or("no file is open")?;
                    file.write_all(&bytes).map_err(io)?;
                    hasher.update(&bytes);
                }
                "." => {
                    let (path, _, hasher) = open.take().ok_or("no file is open")?;
                    if hex(&hasher.finalize()) != word(1) {
                        return Err(format!(
                            "{}: the digest of what arrived differs",
                            path.display()
                        ));
                    }
                }
                "E" => running.print(STDOUT, "done\r\n"),
                other => return Err(format!("no word {other}")),
            }
        }
        Ok(())
    }

    /// What the program that sends files does; of patterns it knows a `*` at the end.
    fn send_files(&self, running: &Running) -> Result<(), String> {
        let line = running.line().ok_or("no line")?;
        let bytes = BASE64_STANDARD.decode(line.trim()).map_err(|error| error.to_string())?;
        let source = String::from_utf8(bytes).map_err(|error| error.to_string())?;
        let path = self.local(source.trim_end_matches('/'));
        let mut all = Vec::new();
        if path.exists() {
            all.push(path);
        } else if let Some(prefix) = path.to_str().and_then(|path| path.strip_suffix('*')) {
            let directory = Path::new(prefix).parent().expect("a parent");
            let found = fs::read_dir(directory).into_iter().flatten().flatten();
            all.extend(
                found
                    .map(|one| one.path())
                    .filter(|one| one.to_str().is_some_and(|one| one.starts_with(prefix))),
            );
            all.sort();
        }
        let kind = match all.as_slice() {
            [] => return Err(format!("{source}: No such file or directory")),
            [one] if one.is_file() => "file",
            _ => "other",
        };
        running.print(STDOUT, &format!("K {kind}\r\n"));
        for one in all {
            let name = one.file_name().expect("a name").to_string_lossy().into_owned();
            send_entry(&one, &name, running).map_err(|error| error.to_string())?;
        }
        running.print(STDOUT, "E\r\n");
        Ok(())
    }
}

fn send_entry(path: &Path, name: &str, running: &Running) -> io::Result<()> {
    let encoded = BASE64_STANDARD.encode(name);
    if path.is_dir() {
        running.print(STDOUT, &format!("d {encoded}\r\n"));
        let mut inside: Vec<_> = fs::read_dir(path)?.flatten().map(|one| one.path()).collect();
        inside.sort();
        for one in inside {
            let below = one.file_name().expect("a name").to_string_lossy().into_owned();
            send_entry(&one, &format!("{name}/{below}"), running)?;
        }
        return Ok(());
    }
    running.print(STDOUT, &format!("f {encoded}\r\n"));
    let bytes = fs::read(path)?;
    for piece in bytes.chunks(98_304) {
        running.print(STDOUT, &format!("+ {}\r\n", BASE64_STANDARD.encode(piece)));
    }
    running.print(STDOUT, &format!(". {}\r\n", hex(&Sha256::digest(&bytes))));
    Ok(())
}

/// A script of this machine's shell.
fn run_posix(script: &str, running: &Running) -> i32 {
    let mut child = Command::new("/bin/sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut stdin = child.stdin.take();
    let mut pipes: [(&str, Box<dyn Read + Send>); 2] = [
        (STDOUT, Box::new(child.stdout.take().expect("piped"))),
        (STDERR, Box::new(child.stderr.take().expect("piped"))),
    ];
    thread::scope(|scope| {
        for (name, pipe) in &mut pipes {
            scope.spawn(move || {
                let mut space = vec![0; 16 << 10];
                while let Ok(count @ 1..) = pipe.read(&mut space) {
                    running.push(name, space[..count].to_vec());
                }
            });
        }
        scope.spawn(move || {
            while let Some(bytes) = running.take() {
                if stdin.as_mut().is_none_or(|pipe| pipe.write_all(&bytes).is_err()) {
                    break;
                }
            }
        });
        loop {
            if let Some(status) = child.try_wait().expect("a child") {
                // Nobody reads its input any more.
                let mut streams = running.lock();
                streams.input_ended = true;
                running.changed.notify_all();
                return status.code().unwrap_or(-1);
            }
            if running.lock().killed {
                child.kill().expect("a child");
            }
            let streams = running.lock();
            drop(running.changed.wait_timeout(streams, Duration::from_millis(5)));
        }
    })
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.state.lock().expect("no test panics in here")
    }

    /// Waits for a change, for a moment.
    fn wait<'a>(&self, streams: MutexGuard<'a, Streams>) -> MutexGuard<'a, Streams> {
        let waited = self.changed.wait_timeout(streams, Duration::from_millis(20));
        waited.expect("no test panics in here").0
    }

    fn kill(&self) {
        self.lock().killed = true;
        self.changed.notify_all();
    }

    fn feed(&self, bytes: &[u8], end: bool) -> bool {
        let mut streams = self.lock();
        if streams.status.is_some() || streams.killed {
            return false;
        }
        streams.input.extend(bytes);
        streams.input_ended |= end;
        self.changed.notify_all();
        true
    }

    /// Input, as far as it is there; `None` at its end.
    fn take(&self) -> Option<Vec<u8>> {
        let mut streams = self.lock();
        loop {
            if !streams.input.is_empty() {
                return Some(streams.input.drain(..).collect());
            }
            if streams.input_ended || streams.killed {
                return None;
            }
            streams = self.wait(streams);
        }
    }

    /// A line of input; `None` at its end.
    fn line(&self) -> Option<String> {
        let mut streams = self.lock();
        loop {
            if let Some(end) = streams.input.iter().position(|byte| *byte == b'\n') {
                let line = streams.input.drain(..=end).collect();
                return Some(String::from_utf8(line).expect("UTF-8"));
            }
            if streams.input_ended || streams.killed {
                return None;
            }
            streams = self.wait(streams);
        }
    }

    fn print(&self, stream: &'static str, text: &str) {
        self.push(stream, text.as_bytes().to_vec());
    }

    /// Adds output; waits while a lot of it is not asked for.
    fn push(&self, stream: &'static str, bytes: Vec<u8>) {
        let mut streams = self.lock();
        while streams.output.len() >= 16 && !streams.killed {
            streams = self.wait(streams);
        }
        streams.output.push_back((stream, bytes));
        self.changed.notify_all();
    }

    fn receive(&self, limit: Duration, id: &str) -> (u16, String) {
        let deadline = Instant::now() + limit;
        let mut streams = self.lock();
        loop {
            if streams.killed && streams.output.is_empty() {
                return fault(
                    995,
                    "The I/O operation has been aborted because of either a thread exit or an application request.",
                );
            }
            let mut body = String::new();
            let mut length = 0;
            while length < 200_000
                && let Some((name, bytes)) = streams.output.pop_front()
            {
                length += bytes.len();
                let text = BASE64_STANDARD.encode(bytes);
                body +=
                    &format!("<rsp:Stream Name=\"{name}\" CommandId=\"{id}\">{text}</rsp:Stream>");
            }
            let state = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState";
            if let (Some(status), true) = (streams.status, streams.output.is_empty()) {
                body += &format!(
                    "<rsp:CommandState CommandId=\"{id}\" State=\"{state}/Done\"><rsp:ExitCode>{status}</rsp:ExitCode></rsp:CommandState>"
                );
            }
            if !body.is_empty() {
                self.changed.notify_all();
                let body = format!("<rsp:ReceiveResponse>{body}</rsp:ReceiveResponse>");
                return (200, envelope(&body));
            }
            if Instant::now() >= deadline {
                return fault(
                    2_150_858_793,
                    "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
                );
            }
            streams = self.wait(streams);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|one| format!("{one:02x}")).collect()
}

fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xml:lang=\"en-US\" xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:rsp=\"http://schemas.microsoft.com/wbem/wsman/1/windows/shell\"><s:Header/><s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn fault(code: u32, words: &str) -> (u16, String) {
    let body = format!(
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang=\"\">{words}</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f=\"http://schemas.microsoft.com/wbem/wsman/1/wsmanfault\" Code=\"{code}\" Machine=\"winbox\"><f:Message>{words}</f:Message></f:WSManFault></s:Detail></s:Fault>"
    );
    (500, envelope(&body))
}

fn no_shell() -> (u16, String) {
    fault(
        2_150_858_843,
        "The request for the Windows Remote Shell failed because the shell was not found on the server.",
    )
}

/// What a request asks for.
fn action(text: &str) -> &str {
    let action = between(text, "<a:Action s:mustUnderstand=\"true\">", "<");
    action.rsplit('/').next().unwrap_or_default()
}

/// What stands between two texts.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or("", |(found, _)| found)
}

fn unescaped(text: &str) -> String {
    let escapes = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    escapes.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// A request.
struct Message {
    authorization: Option<String>,
    body: Vec<u8>,
}

impl Message {
    fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let mut length = None;
        let mut authorization = None;
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().ok(),
                "authorization" => authorization = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length.expect("a length, which http.sys insists on")];
        reader.read_exact(&mut body)?;
        Ok(Some(Self { authorization, body }))
    }
}
