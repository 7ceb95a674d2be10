//! An image, by what its cloud says of it.

use crate::aws::{Access, AwsError, Client};
use crate::build::builder::amazon_ebs::{IMAGE_HASH, RECORDS};
use crate::content::ImageContent;
use crate::plan::Digest;
use crate::sandbox::cloud::{self, CONTENT_TAG};
use crate::sandbox::machine::RootFs;
use crate::sandbox::store::Store;

use super::finding::{Check, Finding, Outcome};
use crate::cli::arguments::VerifyArguments;

/// What the cloud says of an image.
#[derive(Debug)]
pub(super) struct Claim {
    /// Its name.
    pub(super) name: String,
    /// A region, or `the sandbox`.
    pub(super) place: String,
    state: String,
    hash: Option<String>,
    /// Where in S3 the record of the hash is, by its tag.
    pub(super) records: Option<String>,
    /// The build that it was made for, by its tag.
    pub(super) build: Option<String>,
    /// The image that its instance was launched from, if it was made of an instance.
    pub(super) source_image: Option<String>,
    /// Its architecture, which is its source image's.
    pub(super) architecture: String,
    /// What only the sandbox knows.
    pub(super) kept: Option<Kept>,
}

/// What the sandbox keeps of an image.
#[derive(Debug)]
pub(super) struct Kept {
    /// Where it is kept.
    pub(super) store: Store,
    /// Its layers.
    pub(super) root: RootFs,
    /// What was recorded of its content.
    pub(super) content: Option<ImageContent>,
    /// What its tag says of its content.
    pub(super) tag: Option<String>,
}

/// The tag that names the build.
const BUILD_TAG: &str = "bake:build";

/// Finds an image; `None` when there is none of that id.
///
/// # Errors
/// When nobody can be asked.
pub(super) async fn find(
    arguments: &VerifyArguments,
) -> Result<Option<Claim>, Box<dyn std::error::Error + Send + Sync>> {
    if arguments.region.is_none() {
        let id = arguments.image.clone();
        let found = tokio::task::spawn_blocking(move || in_sandbox(&id)).await??;
        if found.is_some() || arguments.sandbox {
            return Ok(found);
        }
    }
    let access = Access { region: arguments.region.clone(), ..Access::default() };
    let client = Client::connect(&access).await.map_err(|error| NotAsked {
        id: arguments.image.clone(),
        before: match arguments.region {
            Some(_) => "",
            None => "the sandbox has no such image, and ",
        },
        error,
    })?;
    let image = client.image(&arguments.image).await?;
    Ok(image.map(|image| Claim {
        name: image.name,
        place: client.region().to_owned(),
        state: image.state,
        hash: image.tags.get(IMAGE_HASH).cloned(),
        records: image.tags.get(RECORDS).cloned(),
        build: image.tags.get(BUILD_TAG).cloned(),
        source_image: image.source_image_id.filter(|_| image.source_instance_id.is_some()),
        architecture: image.architecture,
        kept: None,
    }))
}

/// Why AWS cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("{before}AWS cannot be asked for `{id}`: {error}")]
struct NotAsked {
    before: &'static str,
    id: String,
    error: AwsError,
}

fn in_sandbox(id: &str) -> Result<Option<Claim>, Box<dyn std::error::Error + Send + Sync>> {
    let root = Store::default_root();
    // Looking makes nothing.
    if !root.exists() {
        return Ok(None);
    }
    let store = Store::open(root)?;
    let Some(record) = store.images()?.into_iter().find(|record| record.id == id) else {
        return Ok(None);
    };
    let root = record.root.clone();
    let image = cloud::Image::from_record(record)?;
    let tag = |name: &str| image.tags.get(name).cloned();
    Ok(Some(Claim {
        hash: tag(IMAGE_HASH),
        records: tag(RECORDS),
        build: tag(BUILD_TAG),
        state: image.state.name().to_owned(),
        source_image: image.source_image_id.clone().filter(|_| image.source_instance_id.is_some()),
        architecture: image.architecture.clone(),
        kept: Some(Kept { store, root, content: image.content.clone(), tag: tag(CONTENT_TAG) }),
        name: image.name,
        place: "the sandbox".to_owned(),
    }))
}

impl Claim {
    /// The hash that it claims, if it claims one, and what is to be said of that.
    pub(super) fn hash(&self) -> (Option<&str>, Finding) {
        let differs = |text: String| Finding::new(Check::Claim, Outcome::Differs, text);
        let hash = self.hash.as_deref();
        let finding = match hash {
            None => differs(format!("it claims no hash: it has no tag `{IMAGE_HASH}`")),
            Some(hash) if Digest::from_hex(hash).is_none() => {
                return (None, differs(format!("its tag `{IMAGE_HASH}` is no hash: `{hash}`")));
            }
            Some(hash) if self.state == "available" => {
                Finding::new(Check::Claim, Outcome::Fits, format!("image hash {hash}"))
            }
            Some(_) => differs(format!("it is not available but `{}`", self.state)),
        };
        (hash, finding)
    }
}
