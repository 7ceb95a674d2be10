//! Key pairs.

use aws_sdk_ec2::operation::import_key_pair::builders::ImportKeyPairFluentBuilder;
use aws_sdk_ec2::primitives::{Blob, DateTimeFormat};
use aws_sdk_ec2::types::{KeyPairInfo, ResourceType};
use futures::FutureExt as _;

use super::query::filters;
use super::tag::{from_sdk, specification};
use super::{AwsError, Client, Filter, Tags};

/// A key pair as EC2 keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredKeyPair {
    /// `key-…`; its name where the endpoint has no such ids.
    pub id: String,
    /// Unique in the region.
    pub name: String,
    /// When it was made or imported, RFC 3339, by EC2's clock.
    pub created: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl Client {
    /// Imports a public key in OpenSSH's format under `name` and returns its id: `key-…`, or the
    /// name where the endpoint has no such ids.
    pub async fn import_key_pair(
        &self,
        name: &str,
        public_key: &str,
        tags: &Tags,
    ) -> Result<String, AwsError> {
        self.import_key_pair_call(name, public_key, tags)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "ImportKeyPair", Some(name), error))
            .map(|output| id_or_name(output.key_pair_id, name))
    }

    /// The call, with all its parameters.
    pub(super) fn import_key_pair_call(
        &self,
        name: &str,
        public_key: &str,
        tags: &Tags,
    ) -> ImportKeyPairFluentBuilder {
        self.ec2
            .import_key_pair()
            .key_name(name)
            .public_key_material(Blob::new(public_key))
            .set_tag_specifications(specification(ResourceType::KeyPair, tags).map(|one| vec![one]))
    }

    /// The key pair `name`; `None` when it does not exist.
    pub async fn key_pair(&self, name: &str) -> Result<Option<StoredKeyPair>, AwsError> {
        match self.ec2.describe_key_pairs().key_names(name).send().boxed().await {
            Ok(output) => {
                let pair = output.key_pairs.unwrap_or_default().into_iter().next();
                Ok(pair.map(|pair| stored(pair, name.to_owned())))
            }
            Err(error) => {
                let error = self.failed("ec2", "DescribeKeyPairs", Some(name), error);
                if error.is_not_found() { Ok(None) } else { Err(error) }
            }
        }
    }

    /// The tags of the key pair `name`; `None` when it does not exist.
    pub async fn key_pair_tags(&self, name: &str) -> Result<Option<Tags>, AwsError> {
        Ok(self.key_pair(name).await?.map(|pair| pair.tags))
    }

    /// The key pairs with these filters. EC2 gives them all at once.
    pub async fn describe_key_pairs(&self, by: &[Filter]) -> Result<Vec<StoredKeyPair>, AwsError> {
        let found = self.ec2.describe_key_pairs().set_filters(filters(by)).send().boxed().await;
        let pairs = found
            .map_err(|error| self.failed("ec2", "DescribeKeyPairs", None, error))?
            .key_pairs
            .unwrap_or_default();
        let named = |mut pair: KeyPairInfo| pair.key_name.take().map(|name| stored(pair, name));
        Ok(pairs.into_iter().filter_map(named).collect())
    }

    /// Deletes the key pair `name`; one that does not exist is no error.
    pub async fn delete_key_pair(&self, name: &str) -> Result<(), AwsError> {
        self.ec2
            .delete_key_pair()
            .key_name(name)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "DeleteKeyPair", Some(name), error))?;
        Ok(())
    }

    /// Deletes the key pair of this id, and no other one that has its name by now; one that does
    /// not exist is no error. Where the endpoint has no ids it goes by the name.
    pub async fn delete_key_pair_by_id(&self, id: &str, name: &str) -> Result<(), AwsError> {
        let output = self
            .ec2
            .delete_key_pair()
            .key_pair_id(id)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "DeleteKeyPair", Some(id), error));
        match output {
            // It says which one it has deleted.
            Ok(output) if output.key_pair_id.is_some() => return Ok(()),
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) if !error.is_code(&["MissingParameter"]) => return Err(error),
            _ => {}
        }
        match self.key_pair(name).await? {
            Some(pair) if pair.id == id => self.delete_key_pair(name).await,
            _ => Ok(()),
        }
    }
}

fn stored(pair: KeyPairInfo, name: String) -> StoredKeyPair {
    StoredKeyPair {
        id: id_or_name(pair.key_pair_id, &name),
        name,
        created: pair.create_time.and_then(|at| at.fmt(DateTimeFormat::DateTime).ok()),
        tags: from_sdk(pair.tags),
    }
}

fn id_or_name(id: Option<String>, name: &str) -> String {
    id.filter(|id| !id.is_empty()).unwrap_or_else(|| name.to_owned())
}
