//! Whether an upload arrived as it was sent.

use super::archive;
use super::digests::Digests;
use super::far::{Far, Input};
use super::said::{self, Mark, Said};
use super::send::failed;
use super::shell::Call;
use super::source;
use crate::communicator::{CommunicatorError, Exit, Upload};
use crate::plan::{Entry, Tree};

/// Compares the digest that was told with that of `tree`: the upload's own, or the part of it that
/// came to the directory `root`.
///
/// The bytes were not checked when they were sent if the far side has a tool, so when it told no
/// digest they are checked now.
pub(crate) async fn arrived(
    far: &dyn Far,
    upload: &Upload,
    tree: &Tree,
    root: &str,
    said: &Said,
) -> Result<(), CommunicatorError> {
    let file = tree.single_file();
    if file.is_none() && !archive::has_list(tree) {
        return Ok(());
    }
    let Some(tool) = said.ready.as_ref().and_then(|ready| ready.tool) else {
        tracing::debug!(
            destination = upload.destination,
            "the far side cannot compute SHA-256: only sizes were compared"
        );
        return Ok(());
    };
    let expected = match file {
        Some(Entry::File { digest, .. }) => *digest,
        _ => archive::list_digest(tree, |digest, name| tool.line(digest, name)),
    };
    let arrived = said.digest();
    if arrived == Some(&expected.hex()) {
        return Ok(());
    }
    recheck(upload, tree).await?;
    if arrived.is_none() {
        // The tool is there and does not work.
        tracing::debug!(?tool, "no digest: only sizes were compared");
        return Ok(());
    }
    let mut text = "what arrived is not what was sent: ".to_owned();
    match file {
        Some(_) => text.push_str("its SHA-256 differs"),
        None => {
            text.push_str("SHA-256 differs");
            let damaged = damaged(far, tree, root).await;
            if !damaged.is_empty() {
                text = format!("{text} for {}", said::enumerated(&damaged));
            }
        }
    }
    if !said.complaints.is_empty() {
        text = format!("{text}: {}", said.complaints);
    }
    Err(failed(upload, &text))
}

/// Reads all that was sent again: whether it still is what was planned.
pub(crate) async fn recheck(upload: &Upload, tree: &Tree) -> Result<(), CommunicatorError> {
    let tree = tree.clone();
    match tokio::task::spawn_blocking(move || archive::recheck(&tree)).await {
        Ok(result) => result,
        Err(panicked) => Err(failed(upload, &format!("reading failed: {panicked}"))),
    }
}

/// The files that are not there as they were sent; none when that cannot be found out.
async fn damaged(far: &dyn Far, tree: &Tree, root: &str) -> Vec<String> {
    let files = || {
        tree.entries.iter().filter_map(|(path, entry)| match entry {
            Entry::File { digest, .. } => Some((path, digest)),
            _ => None,
        })
    };
    let names = files().flat_map(|(path, _)| format!("./{path}\0").into_bytes()).collect();
    let Some(digests) = sums(far, root, names, tree.size()).await else { return Vec::new() };
    let differs = |path: &str, digest| digests.of(path.as_ref()) != Some(digest);
    files().filter(|(path, digest)| differs(path, digest)).map(|(path, _)| path.clone()).collect()
}

/// The digests of files in a directory, named with a zero byte after each; `None` when the far
/// side cannot tell.
pub(crate) async fn sums(far: &dyn Far, root: &str, names: Vec<u8>, bytes: u64) -> Option<Digests> {
    let mark = Mark::new();
    let call = Call { mark: &mark, packings: &[], bytes };
    let text = source::sums(root, call);
    let (output, words) = tokio::sync::mpsc::channel(16);
    let ignored = std::sync::atomic::AtomicBool::new(false);
    let (exit, said) = tokio::join!(
        far.run(&text, Input::Bytes(names), output),
        said::listen(&mark, &ignored, words)
    );
    match exit {
        Ok(Exit::Code(0)) if said.done => Some(said.digests),
        exit => {
            tracing::debug!(?exit, said = said.complaints, "no digests of single files");
            None
        }
    }
}
