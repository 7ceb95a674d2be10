//! Volumes.

use super::pages::page_size;
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
        let page = |token| async move {
            let output = self
                .ec2
                .describe_volumes()
                .set_volume_ids(list(ids))
                .set_filters(filters(by))
                .set_max_results(page_size(ids))
                .set_next_token(token)
                .send()
                .boxed()
                .await
                .map_err(|error| self.failed_for("DescribeVolumes", ids, error))?;
            Ok((output.volumes.unwrap_or_default(), output.next_token))
        };
        let volumes = self.all_pages("ec2", "DescribeVolumes", page).await?;
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
