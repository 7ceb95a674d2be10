//! Running a `file` step.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::options::{FileOptions, Source};
use super::plan::is_key;
use crate::communicator::Upload;
use crate::event::Fact;
use crate::plan::{Tree, read_tree};
use crate::provision::{ProvisionError, StepRun};

/// Progress is told at most this often.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

/// Permission bits of a file made of `content`.
const CONTENT_MODE: u32 = 0o644;

/// Uploads everything that a step names.
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
        for (index, source) in sources.iter().enumerate() {
            if several {
                step.say(format!("Uploading {} => {}", source.path, options.destination)).await;
            }
            let upload = Upload {
                tree: tree(step, index, source).await?,
                name: source.name.clone(),
                destination: options.destination.clone(),
                contents_only: source.contents_only,
            };
            send(step, &source.path, &upload).await?;
        }
        if sources.is_empty()
            && let Some(content) = options.content
        {
            let upload = Upload {
                tree: Tree::of_bytes(content.into_bytes(), CONTENT_MODE),
                name: String::new(),
                destination: options.destination,
                contents_only: false,
            };
            send(step, "content", &upload).await?;
        }
        Ok(())
    }
    .boxed()
}

/// What was planned, or what is there now when that could not be planned.
async fn tree(step: &StepRun<'_>, index: usize, source: &Source) -> Result<Tree, ProvisionError> {
    if let Some((_, tree)) = step.planned.trees.iter().find(|(key, _)| is_key(key, index)) {
        return Ok(tree.clone());
    }
    let path = source.path.clone();
    match tokio::task::spawn_blocking(move || read_tree(Path::new(&path))).await {
        Ok(tree) => Ok(tree?),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

async fn send(step: &StepRun<'_>, source: &str, upload: &Upload) -> Result<(), ProvisionError> {
    let emitter = step.context.emitter;
    let started = Fact::UploadStarted {
        source: source.into(),
        destination: upload.destination.clone(),
        bytes: upload.tree.size(),
        files: upload.tree.files(),
    };
    emitter.emit(started).await;
    let start = Instant::now();
    let told = Mutex::new(start);
    let progress = |bytes| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() >= PROGRESS_PAUSE {
            *told = Instant::now();
            emitter.emit_lossy(Fact::UploadProgressed { bytes });
        }
    };
    let report = step.context.communicator.upload(upload, &progress).await?;
    let ended =
        Fact::UploadEnded { bytes: report.bytes, files: report.files, elapsed: start.elapsed() };
    emitter.emit(ended).await;
    Ok(())
}
