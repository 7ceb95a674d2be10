//! Volumes.

use super::pages::{described, page_size};
use super::query::{filters, list};
use super::tag::from_sdk;
use super::{AwsError, Client, Filter, Tags};
use futures::FutureExt as _;

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its id.
    pub id: String,
    /// `available`, `in-use`, `deleting`, …
    pub state: String,
    /// Its tags.
    pub tags: Tags,
}

impl Client {
    /// Volumes with these ids and filters.
    pub async fn describe_volumes(
        &self,
        ids: &[String],
        by: &[Filter],
    ) -> Result<Vec<Volume>, AwsError> {
        let call = || self.ec2.describe_volumes();
        let volumes =
            described!(self, "DescribeVolumes", call(), set_volume_ids(ids), by, volumes)?;
        Ok(volumes
            .into_iter()
            .filter_map(|volume| {
                Some(Volume {
                    id: volume.volume_id?,
                    state: volume.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
                    tags: from_sdk(volume.tags),
                })
            })
            .collect())
    }

    /// Deletes a volume; fails with `VolumeInUse` while it is attached.
    pub async fn delete_volume(&self, id: &str) -> Result<(), AwsError> {
        self.ec2
            .delete_volume()
            .volume_id(id)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "DeleteVolume", Some(id), error))?;
        Ok(())
    }
}
