//! Records in S3, for those who look at an image from another machine.

use std::time::Duration;

use hyper::body::Bytes;
use tokio::time::timeout;

use crate::aws::{AwsError, Bucket, Client, S3Prefix};
use crate::plan::record::LARGEST;
use crate::plan::{Record, RecordError};

/// How long a build waits for S3 to take a record.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an image hash was taken over, and where in S3 it is to be kept. What is kept there is never
/// written again: it is determined by the hash in its name, but for what is for people only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedRecord {
    place: S3Prefix,
    name: String,
    bytes: Bytes,
}

/// Why a record is not in S3, or cannot be had from there.
#[derive(Debug, thiserror::Error)]
pub enum SharedRecordError {
    /// S3 refuses.
    #[error("{0}")]
    Aws(#[from] AwsError),
    /// S3 does not answer.
    #[error("S3 did not take it in {} s", PATIENCE.as_secs())]
    Timeout,
    /// There is something, and it is no record of the hash.
    #[error("`{uri}`: {source}")]
    Record {
        /// The object.
        uri: String,
        /// What is wrong with it.
        source: RecordError,
    },
}

impl SharedRecordError {
    /// What to do next.
    pub fn hints(&self) -> Vec<String> {
        let Self::Aws(error) = self else { return Vec::new() };
        let mut hints = error.hints();
        if error.action == "GetObject" && error.status == Some(403) {
            let text = "S3 also says this of an object that is not there, unless `s3:ListBucket` is allowed";
            hints.push(text.to_owned());
        }
        hints
    }
}

impl SharedRecord {
    /// A record to be kept at a place; `None` when it has no image hash.
    pub fn new(record: &Record, place: &S3Prefix) -> Option<Self> {
        let name = object(record.image_hash()?);
        Some(Self { place: place.clone(), name, bytes: record.write().into() })
    }

    /// Where it is to be kept.
    pub fn place(&self) -> &S3Prefix {
        &self.place
    }

    /// Keeps it, unless one of the hash is there already.
    ///
    /// # Errors
    /// S3 does not take it. It may have it all the same.
    pub async fn put(&self, client: &Client) -> Result<(), SharedRecordError> {
        let bucket = Bucket::at(client, &self.place)?;
        let putting = timeout(PATIENCE, bucket.put_new(&self.name, &self.bytes));
        putting.await.map_err(|_| SharedRecordError::Timeout)??;
        Ok(())
    }
}

/// The record of an image hash at a place; `None` when there is none.
///
/// # Errors
/// S3 refuses, or what is there is no record of the hash.
pub async fn shared_record(
    client: &Client,
    place: &S3Prefix,
    hash: &str,
) -> Result<Option<Record>, SharedRecordError> {
    let bucket = Bucket::at(client, place)?;
    let name = object(hash);
    let Some(bytes) = bucket.read(&name, LARGEST).await? else { return Ok(None) };
    let of_hash = Record::read(&bytes).and_then(|record| record.of_image(hash));
    let uri = bucket.uri(&name);
    of_hash.map(Some).map_err(|source| SharedRecordError::Record { uri, source })
}

fn object(hash: &str) -> String {
    format!("{hash}.json")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_without_an_image_hash_is_not_shared() {
        let place: S3Prefix = "s3://records/of/images".parse().unwrap();
        let recipe =
            json!({ "builder": { "type": "vm", "options": {}, "files": {} }, "steps": [] });
        let record = Record::of_recipes(recipe.clone(), None, &[]);
        assert_eq!(SharedRecord::new(&record, &place), None);
        let record = Record::of_recipes(recipe.clone(), Some(recipe), &[]);
        let shared = SharedRecord::new(&record, &place).unwrap();
        assert_eq!(shared.name, format!("{}.json", record.image_hash().unwrap()));
        assert_eq!(Record::read(&shared.bytes).unwrap(), record);
    }
}
