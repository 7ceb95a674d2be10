//! Where commands find records of hashes: on this machine, and in S3.

use std::path::PathBuf;

use crate::aws::{Access, AwsError, AwsErrorKind, Client, S3Prefix};
use crate::build::builder::amazon_ebs::RECORDS;
use crate::build::{SharedRecordError, shared_record};
use crate::plan::{Digest, Record, RecordError, record};

use super::arguments::RecordsArguments;
use super::runtime;

/// Where records are looked for.
#[derive(Debug)]
pub(super) struct Records {
    /// On this machine.
    directory: Option<PathBuf>,
    /// What the arguments or the environment say.
    given: Option<S3Prefix>,
    /// Where clients of AWS work.
    region: Option<String>,
}

/// Why a record cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordFailure {
    /// There is one of this machine, and it cannot be used.
    #[error("the record of {hash} on this machine: {source}")]
    Local {
        /// The image hash.
        hash: String,
        /// What is wrong with it.
        source: RecordError,
    },
    /// There is one in S3 that cannot be used, or S3 cannot be asked.
    #[error("the record of {hash} in S3: {source}")]
    Shared {
        /// The image hash.
        hash: String,
        /// Why not.
        source: SharedRecordError,
    },
    /// The image's tag is no place in S3.
    #[error("its tag `{RECORDS}`, `{value}`, is no place in S3: {why}")]
    Tag {
        /// What it says.
        value: String,
        /// What is wrong with it.
        why: String,
    },
}

impl RecordFailure {
    /// Whether there is a record, or a tag, that is not as bake writes it.
    pub(super) fn is_garbled(&self) -> bool {
        match self {
            Self::Local { source, .. }
            | Self::Shared { source: SharedRecordError::Record { source, .. }, .. } => {
                !matches!(source, RecordError::Io { .. })
            }
            Self::Shared { .. } => false,
            Self::Tag { .. } => true,
        }
    }

    /// What to do next.
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Shared { source, .. } => source.hints(),
            Self::Local { .. } | Self::Tag { .. } => Vec::new(),
        }
    }
}

impl Records {
    /// Where the arguments say; clients of AWS work in `region`, by default in the configured one.
    pub(super) fn new(arguments: &RecordsArguments, region: Option<&str>) -> Self {
        Self {
            directory: record::default_directory(),
            given: arguments.place().cloned(),
            region: region.map(str::to_owned),
        }
    }

    /// The record of an image hash: of this machine; else of S3, where the arguments or the image's
    /// tag say. One of S3 is kept on this machine.
    pub(super) async fn load(
        &self,
        hash: &str,
        tag: Option<&str>,
    ) -> Result<Option<Record>, RecordFailure> {
        let local = self.directory.as_deref().map(|directory| Record::load_from(directory, hash));
        let local = local.transpose();
        let local =
            local.map_err(|source| RecordFailure::Local { hash: hash.to_owned(), source })?;
        if let Some(record) = local.flatten() {
            return Ok(Some(record));
        }
        // Nothing else is a name there.
        if Digest::from_hex(hash).is_none() {
            return Ok(None);
        }
        let mut failure = None;
        let mut places: Vec<_> = self.given.iter().cloned().collect();
        match tag.map(|tag| (tag, tag.parse::<S3Prefix>())) {
            Some((_, Ok(place))) if places.contains(&place) => {}
            Some((_, Ok(place))) => places.push(place),
            Some((tag, Err(why))) => {
                failure = Some(RecordFailure::Tag { value: tag.to_owned(), why });
            }
            None => {}
        }
        for place in places {
            match self.shared(&place, hash).await {
                Ok(None) => {}
                Ok(Some(record)) => {
                    self.keep(&record);
                    return Ok(Some(record));
                }
                Err(source) => {
                    failure = Some(RecordFailure::Shared { hash: hash.to_owned(), source });
                }
            }
        }
        failure.map_or(Ok(None), Err)
    }

    /// The same for those who wait for nothing else. The reason why there is none has its hints.
    pub(super) fn load_now(&self, hash: &str, tag: Option<&str>) -> Result<Option<Record>, String> {
        let loaded = runtime::block_on(self.load(hash, tag)).map_err(|error| error.to_string())?;
        loaded.map_err(|failure| {
            let hints = failure.hints().into_iter().map(|hint| format!("\n  = help: {hint}"));
            hints.fold(failure.to_string(), |text, hint| text + &hint)
        })
    }

    /// The records of this machine whose image hash, or else template hash, begins with `prefix`;
    /// where there is none and `prefix` is a whole image hash, that of S3.
    pub(super) fn find(&self, prefix: &str) -> Result<Vec<Record>, String> {
        let local = self.directory.as_deref().map(|directory| Record::find(directory, prefix));
        let local = local.transpose().map_err(|error| error.to_string())?.unwrap_or_default();
        if !local.is_empty() || self.given.is_none() || Digest::from_hex(prefix).is_none() {
            return Ok(local);
        }
        Ok(self.load_now(prefix, None)?.into_iter().collect())
    }

    /// Where was looked, for people.
    pub(super) fn places(&self, tag: Option<&str>) -> String {
        let directory = self.directory.as_ref().map(|path| format!("`{}`", path.display()));
        let given = self.given.as_ref().map(S3Prefix::to_string);
        let tag = tag.map(str::to_owned).filter(|tag| Some(tag) != given.as_ref());
        let all: Vec<_> = [directory, given, tag].into_iter().flatten().collect();
        match all.as_slice() {
            [] => "any place: set HOME, XDG_STATE_HOME or BAKE_RECORDS".to_owned(),
            [one] => one.clone(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
        }
    }

    async fn shared(
        &self,
        place: &S3Prefix,
        hash: &str,
    ) -> Result<Option<Record>, SharedRecordError> {
        shared_record(&self.connect().await?, place, hash).await
    }

    /// A client in the wanted or configured region; where none is known in any, as S3 says where a
    /// bucket is.
    async fn connect(&self) -> Result<Client, AwsError> {
        let access = Access { region: self.region.clone(), ..Access::default() };
        match Client::connect(&access).await {
            Err(error) if error.kind == AwsErrorKind::Region => {
                let region = Some("us-east-1".to_owned());
                Client::connect(&Access { region, ..access }).await
            }
            connected => connected,
        }
    }

    /// Keeps a record that came from S3. Without, it is fetched again.
    fn keep(&self, record: &Record) {
        let kept = self.directory.as_deref().map(|directory| record.save(directory));
        if let Some(Err(error)) = kept {
            tracing::debug!(%error, "a record of S3 is not kept on this machine");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_was_looked_is_told() {
        let places = |directory: Option<&str>, given: Option<&str>, tag: Option<&str>| {
            let records = Records {
                directory: directory.map(PathBuf::from),
                given: given.map(|text| text.parse().unwrap()),
                region: None,
            };
            records.places(tag)
        };
        assert_eq!(places(Some("/p"), None, None), "`/p`");
        assert_eq!(places(Some("/p"), Some("s3://one"), Some("s3://one")), "`/p` or s3://one");
        assert_eq!(
            places(Some("/p"), Some("s3://one"), Some("s3://two")),
            "`/p`, s3://one or s3://two"
        );
        assert!(places(None, None, None).contains("HOME"));
    }

    #[tokio::test]
    async fn a_tag_that_is_no_place_is_told_and_a_local_record_needs_none() {
        let directory = tempfile::tempdir().unwrap();
        let records =
            Records { directory: Some(directory.path().to_owned()), given: None, region: None };
        let recipe = serde_json::json!({ "builder": { "type": "vm", "options": {}, "files": {} }, "steps": [] });
        let record = Record::of_recipes(recipe.clone(), Some(recipe), &[]);
        let hash = record.image_hash().unwrap();
        let failure = records.load(hash, Some("http://x")).await.unwrap_err();
        assert!(failure.is_garbled());
        assert_eq!(
            failure.to_string(),
            "its tag `bake:records`, `http://x`, is no place in S3: it does not begin with `s3://`"
        );
        assert!(records.load(hash, None).await.unwrap().is_none());
        record.save(directory.path()).unwrap();
        assert_eq!(records.load(hash, Some("http://x")).await.unwrap(), Some(record.clone()));
        let other = "0".repeat(64);
        std::fs::rename(
            directory.path().join(format!("{hash}.json")),
            directory.path().join(format!("{other}.json")),
        )
        .unwrap();
        assert!(records.load(&other, None).await.unwrap_err().is_garbled());
        // Names are hashes and nothing else.
        assert!(records.load("../../etc/passwd", Some("s3://one")).await.unwrap().is_none());
    }
}
