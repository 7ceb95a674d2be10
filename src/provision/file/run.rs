//! Running a `file` step.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::options::{FileOptions, Source};
use super::ownership;
use super::plan::is_key;
use crate::communicator::{CommunicatorError, Download, Upload};
use crate::event::Fact;
use crate::plan::{Tree, read_tree_with};
use crate::provision::{ProvisionError, StepRun};

/// Progress is told at most this often.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

/// Permission bits of a file made of `content`.
const CONTENT_MODE: u32 = 0o644;

/// Uploads or downloads everything that a step names.
pub(super) fn run<'a>(step: &'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>> {
    async move {
        let decoded = step
            .planned
            .component
            .decode(Some(step.context.data), FileOptions::schema(), FileOptions::decode_options)
            .map_err(ProvisionError::Options)?;
        let options = decoded.options;
        let sources = options.all_sources();
        let several = sources.len() > 1;
        if options.direction == "download" {
            for source in &sources {
                if several {
                    let to = &options.destination;
                    step.say(format!("Downloading {} => {to}", source.path)).await;
                }
                let download = Download {
                    source: source.path.clone(),
                    destination: PathBuf::from(&options.destination),
                    into_directory: several || options.destination.ends_with('/'),
                };
                fetch(step, &download).await?;
            }
            return Ok(());
        }
        for (index, source) in sources.iter().enumerate() {
            if several {
                step.say(format!("Uploading {} => {}", source.path, options.destination)).await;
            }
            let upload = Upload {
                tree: tree(step, &options, index, source).await?,
                name: source.name.clone(),
                destination: options.destination.clone(),
                contents_only: source.contents_only,
            };
            send(step, &options, &source.path, &upload).await?;
        }
        if sources.is_empty()
            && let Some(content) = &options.content
        {
            let mut tree = Tree::of_bytes(content.as_bytes(), CONTENT_MODE);
            set_modes(&options, &mut tree)?;
            let upload = Upload {
                tree,
                name: String::new(),
                destination: options.destination.clone(),
                contents_only: false,
            };
            send(step, &options, "content", &upload).await?;
        }
        Ok(())
    }
    .boxed()
}

/// What was planned, or what is there now when that could not be planned.
async fn tree(
    step: &StepRun<'_>,
    options: &FileOptions,
    index: usize,
    source: &Source,
) -> Result<Tree, ProvisionError> {
    let planned = step.planned.trees.iter().find(|(key, _)| is_key(key, index));
    let mut tree = match planned {
        Some((_, tree)) => tree.clone(),
        None => {
            let (path, how) = (source.path.clone(), options.read_options());
            let read = move || read_tree_with(Path::new(&path), &how);
            match tokio::task::spawn_blocking(read).await {
                Ok(tree) => tree?,
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
        }
    };
    set_modes(options, &mut tree)?;
    Ok(tree)
}

fn set_modes(options: &FileOptions, tree: &mut Tree) -> Result<(), ProvisionError> {
    options
        .set_modes(tree)
        .map_err(|wrong| ProvisionError::Render { option: wrong.option, message: wrong.reason })
}

async fn send(
    step: &StepRun<'_>,
    options: &FileOptions,
    source: &str,
    upload: &Upload,
) -> Result<(), ProvisionError> {
    let ownership = options.ownership();
    let made = match &ownership {
        Some(_) => ownership::is_made(step.context.communicator, upload).await?,
        None => false,
    };
    let emitter = step.context.emitter;
    let started = Fact::UploadStarted {
        source: source.into(),
        destination: upload.destination.clone(),
        bytes: upload.tree.size(),
        files: upload.tree.files(),
    };
    emitter.emit(started).await;
    let start = Instant::now();
    let pace = Pace::new(start);
    let progress = |bytes| {
        if pace.is_due() {
            emitter.emit_lossy(Fact::UploadProgressed { bytes });
        }
    };
    let report = step.context.communicator.upload(upload, &progress).await;
    let report = report.map_err(|error| match error {
        lost @ CommunicatorError::Lost { .. } => {
            let destination = upload.destination.clone();
            CommunicatorError::Upload { destination, reason: lost.to_string() }
        }
        other => other,
    })?;
    if let Some(ownership) = ownership {
        ownership::give(step.context.communicator, upload, made, &ownership).await?;
    }
    let ended =
        Fact::UploadEnded { bytes: report.bytes, files: report.files, elapsed: start.elapsed() };
    emitter.emit(ended).await;
    Ok(())
}

async fn fetch(step: &StepRun<'_>, download: &Download) -> Result<(), CommunicatorError> {
    let emitter = step.context.emitter;
    let started = Fact::DownloadStarted {
        source: download.source.clone(),
        destination: download.destination.display().to_string(),
    };
    emitter.emit(started).await;
    let start = Instant::now();
    let pace = Pace::new(start);
    let progress = |bytes| {
        if pace.is_due() {
            emitter.emit_lossy(Fact::DownloadProgressed { bytes });
        }
    };
    let report = step.context.communicator.download(download, &progress).await;
    let report = report.map_err(|error| match error {
        lost @ CommunicatorError::Lost { .. } => CommunicatorError::Download {
            remote: download.source.clone(),
            reason: lost.to_string(),
        },
        other => other,
    })?;
    let (bytes, files, elapsed) = (report.bytes, report.files, start.elapsed());
    emitter.emit(Fact::DownloadEnded { bytes, files, elapsed }).await;
    Ok(())
}

/// Keeps progress from being told too often.
struct Pace(Mutex<Instant>);

impl Pace {
    fn new(start: Instant) -> Self {
        Self(Mutex::new(start))
    }

    fn is_due(&self) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.elapsed() >= PROGRESS_PAUSE;
        if due {
            *told = Instant::now();
        }
        due
    }
}
