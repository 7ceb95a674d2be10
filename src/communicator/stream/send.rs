//! Sending a file or a tree as one stream.

use super::archive::{self, Load};
use super::check;
use super::destination;
use super::far::{Far, Progress};
use super::leg::{self, Ended, Leg};
use super::packing::Packing;
use super::said::{Mark, Said};
use super::shell::Call;
use crate::communicator::{CommunicatorError, Upload};

/// How a stream was received.
pub(crate) enum Sent {
    /// All of it, and it is what was sent.
    Done(Said),
    /// There is no way to stream; what was found instead.
    No(String),
}

/// Sends all of an upload; `progress` gets the bytes of files sent so far.
pub(crate) async fn send(
    far: &dyn Far,
    upload: &Upload,
    packing: Packing,
    progress: Progress<'_>,
) -> Result<Sent, CommunicatorError> {
    let said = match leg::run(far, whole(upload, packing), upload, progress).await? {
        Ended::Done(said) => said,
        Ended::NoTar => return Ok(Sent::No("there is no `tar`".into())),
        Ended::NoShell(instead) => return Ok(Sent::No(instead)),
    };
    let root = destination::root(upload, said.appended);
    let checked = check::arrived(far, upload, &upload.tree, &root, &said).await;
    undone(far, upload, said.made.then_some(&*root), checked).await?;
    Ok(Sent::Done(said))
}

/// The only leg of an upload.
fn whole(upload: &Upload, packing: Packing) -> Leg {
    let mark = Mark::new();
    let call = Call { mark: &mark, packings: &[packing], bytes: upload.tree.size() };
    let (text, load) = match upload.tree.single_file() {
        Some(file) => (destination::file(upload, call, true), Load::file(file)),
        None => {
            let list = archive::has_list(&upload.tree).then(|| destination::list_name(&mark));
            let text = destination::tree(upload, call, list.as_deref());
            (text, Load::Archive { tree: upload.tree.clone(), list })
        }
    };
    Leg { text, mark, load, packing }
}

/// When something failed, removes what it was to be part of, if that was `made` for it. The script
/// that receives does so itself when it is what fails.
pub(crate) async fn undone<T>(
    far: &dyn Far,
    upload: &Upload,
    made: Option<&str>,
    result: Result<T, CommunicatorError>,
) -> Result<T, CommunicatorError> {
    if let (Err(error), Some(made)) = (&result, made) {
        let mark = Mark::new();
        let call = Call { mark: &mark, packings: &[], bytes: 0 };
        let text = destination::remove(made, call);
        let leg = Leg { text, mark, load: Load::Nothing, packing: Packing::None };
        if leg::run(far, leg, upload, &|_| {}).await.is_err() {
            tracing::debug!(%error, made, "what arrived could not be removed");
        }
    }
    result
}

/// An upload that failed for a reason of the far side.
pub(crate) fn failed(upload: &Upload, reason: &str) -> CommunicatorError {
    CommunicatorError::Upload { destination: upload.destination.clone(), reason: reason.into() }
}
