//! Plans made of templates, and communicators that need no network.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Mutex;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{KINDS, ProvisionError, StepContext, run_steps};
use crate::communicator::{
    Chunk, Command, Communicator, CommunicatorError, Exit, Stdin, Upload, UploadReport,
};
use crate::diagnostic::{Diagnostics, Style, render};
use crate::event::{self, Event, Fact, Stream};
use crate::plan::{ComponentKind, Content, Entry, Kinds, Plan, Planner, Selection, plan};
use crate::template::schema::BuildData;
use crate::template::{Environment, Run, VariableInputs, load};
use crate::value::Value;

crate::options! {
    /// A builder that says nothing.
    struct VmOptions {
        /// Not used.
        unhashed note: Option<String>,
    }
}

const BUILDERS: &[ComponentKind] = &[ComponentKind {
    name: "vm",
    schema: VmOptions::schema,
    plan: |planner: &mut Planner<'_>| {
        let options = planner.decode(VmOptions::schema(), VmOptions::decode_options);
        assert!(options.is_some_and(|options| options.note.is_none()));
    },
}];

/// Plans a template with these provisioners; paths are relative to `directory`.
pub(super) fn plan_steps(directory: &Path, provisioners: &str) -> Result<Plan, String> {
    let (plan, found) = plan_text(directory, "template.pkr.hcl", &in_hcl(provisioners), &[]);
    let refused = plan.as_ref().map(Plan::unsupported).filter(|found| !found.is_empty());
    match (plan, refused) {
        (Some(plan), None) => Ok(plan),
        (_, Some(refused)) => Err(rendered(directory, &refused)),
        (None, None) => Err(found),
    }
}

/// A template of one source and these blocks in its build.
fn in_hcl(blocks: &str) -> String {
    format!("source \"vm\" \"app\" {{}}\nbuild {{\n  sources = [\"source.vm.app\"]\n{blocks}\n}}\n")
}

/// What is found in a template with these blocks, errors and warnings; nothing when all is well.
pub(crate) fn findings(
    directory: &Path,
    blocks: &str,
    post_processors: &[ComponentKind],
) -> String {
    plan_text(directory, "template.pkr.hcl", &in_hcl(blocks), post_processors).1
}

/// The plan of a template, if it has one, and everything that is found in it.
pub(crate) fn plan_text(
    directory: &Path,
    name: &str,
    text: &str,
    post_processors: &[ComponentKind],
) -> (Option<Plan>, String) {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    let mut found = Diagnostics::new();
    let plans = (|| {
        let loaded = load(&path)?;
        let run = Run {
            now: jiff::Timestamp::from_second(1_700_000_000).unwrap(),
            directory: directory.to_owned(),
            environment: BTreeMap::new(),
            random: || [7; 16],
            data_sources: crate::lookup::DATA_SOURCES,
            answers: crate::template::lookup::Answers::default(),
        };
        let inputs = VariableInputs::default();
        let environment = Environment::new(&loaded.template, &inputs, run, &mut found)?;
        let kinds = Kinds { builders: BUILDERS, provisioners: KINDS, post_processors };
        let selection = Selection::new(&[], &[]).unwrap();
        plan(&loaded.template, &environment, kinds, &selection, directory, &mut found)
    })();
    let plan = found.take(plans).map(|mut plans| plans.remove(0));
    let text = rendered(directory, &found);
    (plan, text)
}

/// Findings without the directory that the test happens to have.
fn rendered(directory: &Path, found: &Diagnostics) -> String {
    render(found, Style::default()).replace(&format!("{}/", directory.display()), "")
}

/// Runs all steps and returns what was told.
pub(super) async fn run_all(
    plan: &Plan,
    communicator: &dyn Communicator,
    cancel: &CancellationToken,
) -> (Result<(), ProvisionError>, Vec<Fact>) {
    let data = BuildData::from([("Host".to_owned(), Value::string("198.51.100.7"))]);
    let (emitter, mut events) = event::channel();
    let told = tokio::spawn(async move {
        let mut told = Vec::new();
        while let Some(Event { fact, .. }) = events.recv().await {
            told.push(fact);
        }
        told
    });
    let context = StepContext {
        communicator,
        emitter: &emitter,
        data: &data,
        build_name: "app",
        builder_type: "vm",
        started: std::time::Instant::now(),
        cancel,
    };
    let result = run_steps(plan, context).await;
    drop(emitter);
    (result.map_err(|failed| failed.error), told.await.unwrap())
}

/// The lines of output among what was told.
pub(super) fn lines(told: &[Fact]) -> Vec<String> {
    told.iter()
        .filter_map(|fact| match fact {
            Fact::Output { stream: Stream::Stdout, line } => Some(line.clone()),
            Fact::Output { stream: Stream::Stderr, line } => Some(format!("! {line}")),
            _ => None,
        })
        .collect()
}

/// What a [`Local`] was asked to do to files and with commands, in order; ids that differ each time
/// are `ID`.
pub(super) fn story(local: &Local) -> String {
    let story = local.story.lock().unwrap().join("\n");
    let id = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
    regex::Regex::new(id).unwrap().replace_all(&story, "ID").into_owned()
}

/// What was said to the user among what was told.
pub(super) fn said(told: &[Fact]) -> Vec<String> {
    told.iter()
        .filter_map(|fact| match fact {
            Fact::ProvisionerSaid { text } | Fact::Warning { text } => Some(text.clone()),
            Fact::ProvisionerStarted { title, .. } => Some(title.clone()),
            _ => None,
        })
        .collect()
}

/// What a [`Local`] should do in place of running a command.
pub(super) type Answer = Result<Exit, CommunicatorError>;

/// Runs commands on this machine, as a login shell would, and keeps uploads in memory.
#[derive(Default)]
pub(super) struct Local {
    /// What the next commands come to, before any is run.
    pub(super) answers: Mutex<Vec<Answer>>,
    /// What those commands print, each on standard output.
    pub(super) prints: Mutex<Vec<&'static str>>,
    /// All commands so far.
    pub(super) commands: Mutex<Vec<Command>>,
    /// All uploads so far.
    pub(super) uploads: Mutex<Vec<Upload>>,
    /// Uploads of bytes and commands, for people.
    pub(super) story: Mutex<Vec<String>>,
    /// Whether commands want a terminal.
    pub(super) pty: bool,
    /// `SHELL` of the login user.
    pub(super) shell: Option<&'static str>,
}

impl Local {
    /// With answers in order; when they are used up, commands run.
    pub(super) fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Self { answers: Mutex::new(answers), ..Self::default() }
    }

    /// With statuses and what the commands print, in order.
    pub(super) fn printing(answers: &[(u32, &'static str)]) -> Self {
        let local = Self::answering(answers.iter().map(|(status, _)| Ok(Exit::Code(*status))));
        *local.prints.lock().unwrap() = answers.iter().rev().map(|(_, text)| *text).collect();
        local
    }

    /// How many commands there were.
    pub(super) fn count(&self) -> usize {
        self.commands.lock().unwrap().len()
    }
}

impl Communicator for Local {
    fn exec<'a>(
        &'a self,
        command: Command,
        output: mpsc::Sender<Chunk>,
    ) -> BoxFuture<'a, Result<Exit, CommunicatorError>> {
        async move {
            self.commands.lock().unwrap().push(command.clone());
            self.story.lock().unwrap().push(format!("run {}", command.text));
            let answer = self.answers.lock().unwrap().pop();
            let printed = self.prints.lock().unwrap().pop();
            if let Some(text) = printed {
                let bytes = text.as_bytes().to_vec();
                output.send(Chunk { stream: Stream::Stdout, bytes }).await.unwrap();
            }
            match answer {
                Some(answer) => answer,
                None => Ok(on_this_machine(command, output, self.shell).await),
            }
        }
        .boxed()
    }

    fn upload<'a>(
        &'a self,
        upload: &'a Upload,
        progress: &'a (dyn Fn(u64) + Send + Sync),
    ) -> BoxFuture<'a, Result<UploadReport, CommunicatorError>> {
        async move {
            self.uploads.lock().unwrap().push(upload.clone());
            let mut story = self.story.lock().unwrap();
            if let Some(Entry::File { content: Content::Bytes(bytes), .. }) =
                upload.tree.single_file()
            {
                let text = String::from_utf8_lossy(bytes);
                let text = match text.contains('\n') && !text.contains('\r') {
                    true => format!("\n{text}"),
                    false => format!(" {text:?}"),
                };
                let line = format!("put {}:{text}", upload.destination);
                story.push(line);
            } else {
                let files = upload.tree.files();
                story.push(format!("put {}: {files} of {}", upload.destination, upload.name));
            }
            drop(story);
            let (bytes, files) = (upload.tree.size(), upload.tree.files());
            progress(bytes);
            Ok(UploadReport { bytes, files })
        }
        .boxed()
    }

    fn uses_pty(&self) -> bool {
        self.pty
    }

    fn disconnect(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

async fn on_this_machine(
    command: Command,
    output: mpsc::Sender<Chunk>,
    shell: Option<&str>,
) -> Exit {
    use std::os::unix::process::ExitStatusExt as _;
    let shell = shell.unwrap_or("/bin/sh");
    let mut child = tokio::process::Command::new(shell)
        .args(["-c", &command.text])
        .env("SHELL", shell)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = command.stdin;
    let feed = async move {
        // A command need not read what it is given.
        match input {
            Stdin::Empty => {}
            Stdin::Bytes(bytes) => drop(stdin.write_all(&bytes).await),
            Stdin::Stream(stream) => {
                while let Some(bytes) = stream.lock().await.recv().await {
                    if stdin.write_all(&bytes).await.is_err() {
                        break;
                    }
                }
            }
        }
    };
    let stdout = pass(child.stdout.take().unwrap(), Stream::Stdout, output.clone());
    let stderr = pass(child.stderr.take().unwrap(), Stream::Stderr, output);
    let (status, (), (), ()) = tokio::join!(child.wait(), feed, stdout, stderr);
    let status = status.unwrap();
    match status.code() {
        Some(code) => Exit::Code(code.try_into().unwrap()),
        None => Exit::Signal(format!("{:?}", status.signal())),
    }
}

async fn pass(
    mut from: impl tokio::io::AsyncRead + Unpin,
    stream: Stream,
    to: mpsc::Sender<Chunk>,
) {
    let mut buffer = [0; 1000];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let bytes = buffer.get(..count).unwrap().to_vec();
        to.send(Chunk { stream, bytes }).await.unwrap();
    }
}
