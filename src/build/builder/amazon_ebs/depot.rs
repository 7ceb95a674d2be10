//! The bucket through which a build's large files go: what lies there is in the ledger, and the URLs
//! to it are secrets.

use std::fs::File;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::run::Run;
use super::settings::BucketSettings;
use crate::aws::{AwsError, Bucket};
use crate::build::{BuildError, Resources};
use crate::communicator::ssm::{Depot, SessionError};
use crate::event::{Emitter, Fact, ResourceKind};
use crate::plan::Digest;
use crate::template::schema::Secret;

/// A bucket whose objects are a build's resources.
struct RecordedBucket {
    bucket: Bucket,
    resources: Resources,
    events: Emitter,
}

impl Run<'_> {
    /// The bucket that the template names.
    pub(super) fn depot(&self, settings: &BucketSettings) -> Result<Arc<dyn Depot>, BuildError> {
        let bucket = Bucket::new(self.client, &settings.name, &settings.prefix)?;
        let (resources, events) = (self.resources.clone(), self.context.events.clone());
        Ok(Arc::new(RecordedBucket { bucket, resources, events }))
    }
}

impl RecordedBucket {
    /// Records an object before there is one.
    async fn recorded<T>(
        &self,
        name: &str,
        call: impl Future<Output = Result<T, AwsError>>,
    ) -> Result<T, SessionError> {
        let uri = self.bucket.uri(name);
        let id = uri.clone();
        let made = self.resources.create(ResourceKind::Object, &uri, "", call, |_| id).await;
        made.map_err(|error| match error {
            BuildError::Aws(error) => error.into(),
            other => {
                let mut failed = SessionError::fatal(other.to_string());
                failed.hints = other.hints();
                failed
            }
        })
    }

    /// Hands a URL out; nothing that is printed may show it.
    async fn told(&self, url: Result<Secret, SessionError>) -> Result<Secret, SessionError> {
        if let Ok(url) = &url {
            // Also of what a tool may print of it.
            let (_, query) = url.reveal().split_once('?').unwrap_or_default();
            let keys = ["X-Amz-Signature=", "X-Amz-Security-Token="];
            let values = query.split('&').filter_map(|pair| {
                keys.iter().find_map(|key| pair.strip_prefix(key)).map(Secret::new)
            });
            let secrets = values.chain([url.clone()]).collect();
            self.events.emit(Fact::SecretsFound { secrets }).await;
        }
        url
    }
}

impl Depot for RecordedBucket {
    fn put(
        &self,
        name: String,
        file: File,
        size: u64,
        digest: Digest,
    ) -> BoxFuture<'_, Result<(), SessionError>> {
        async move { self.recorded(&name, self.bucket.put(&name, &file, size, digest)).await }
            .boxed()
    }

    fn get(
        &self,
        name: String,
        pieces: mpsc::Sender<Vec<u8>>,
    ) -> BoxFuture<'_, Result<(), SessionError>> {
        Depot::get(&self.bucket, name, pieces)
    }

    fn read_url(&self, name: String) -> BoxFuture<'_, Result<Secret, SessionError>> {
        async move { self.told(Depot::read_url(&self.bucket, name).await).await }.boxed()
    }

    fn write_url(&self, name: String) -> BoxFuture<'_, Result<Secret, SessionError>> {
        async move {
            // From now on the instance can make the object.
            let url = self.recorded(&name, self.bucket.write_url(&name)).await;
            self.told(url).await
        }
        .boxed()
    }

    fn delete(&self, name: String) -> BoxFuture<'_, Result<(), SessionError>> {
        async move {
            let uri = self.bucket.uri(&name);
            let open = self.resources.open(ResourceKind::Object);
            let Some(resource) = open.into_iter().find(|one| one.name == uri) else {
                return Ok(());
            };
            self.bucket.delete(&name).await?;
            self.resources.deleted(&resource).await;
            Ok(())
        }
        .boxed()
    }
}
