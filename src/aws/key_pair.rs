//! Key pairs.

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::ResourceType;
use futures::FutureExt as _;

use super::query::filters;
use super::tag::{from_sdk, specification};
use super::{AwsError, Client, Filter, Tags};

impl Client {
    /// Imports a public key in OpenSSH's format under `name` and returns its id.
    pub async fn import_key_pair(
        &self,
        name: &str,
        public_key: &str,
        tags: &Tags,
    ) -> Result<String, AwsError> {
        self.ec2
            .import_key_pair()
            .key_name(name)
            .public_key_material(Blob::new(public_key))
            .set_tag_specifications(specification(ResourceType::KeyPair, tags).map(|one| vec![one]))
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "ImportKeyPair", Some(name), error))
            .map(|output| output.key_pair_id.unwrap_or_default())
    }

    /// The tags of the key pair `name`; `None` when it does not exist.
    pub async fn key_pair_tags(&self, name: &str) -> Result<Option<Tags>, AwsError> {
        match self.ec2.describe_key_pairs().key_names(name).send().boxed().await {
            Ok(output) => Ok(output
                .key_pairs
                .unwrap_or_default()
                .into_iter()
                .next()
                .map(|pair| from_sdk(pair.tags))),
            Err(error) => {
                let error = self.failed("ec2", "DescribeKeyPairs", Some(name), error);
                if error.is_not_found() { Ok(None) } else { Err(error) }
            }
        }
    }

    /// Names and tags of the key pairs with these filters.
    pub async fn describe_key_pairs(&self, by: &[Filter]) -> Result<Vec<(String, Tags)>, AwsError> {
        let found = self.ec2.describe_key_pairs().set_filters(filters(by)).send().boxed().await;
        let pairs = found
            .map_err(|error| self.failed("ec2", "DescribeKeyPairs", None, error))?
            .key_pairs
            .unwrap_or_default();
        Ok(pairs
            .into_iter()
            .filter_map(|pair| Some((pair.key_name?, from_sdk(pair.tags))))
            .collect())
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
}
