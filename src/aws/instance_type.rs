//! What runs in a region, and how many vCPUs its types have.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{InstanceLifecycleType, InstanceType, Tenancy};
use futures::FutureExt as _;

use super::query::{filters, once};
use super::{AwsError, Client, Filter};

/// The most instances that one call lists.
const PAGE: i32 = 1000;
/// The most types that one call describes.
const TYPES: usize = 100;

/// An instance that runs, as far as quotas go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningInstance {
    /// Such as `t3.micro`.
    pub instance_type: String,
    /// Whether it counts towards the quotas of on-demand instances: neither spot, nor on a
    /// dedicated host.
    pub is_on_demand: bool,
}

impl Client {
    /// The instances that run or are about to; the first thousand, by one call that is not
    /// repeated.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn running_instances(&self) -> Result<Vec<RunningInstance>, AwsError> {
        let states = ["pending", "running"].map(str::to_owned).to_vec();
        let by = [Filter { name: "instance-state-name".to_owned(), values: states }];
        let output = self
            .ec2
            .describe_instances()
            .set_filters(filters(&by))
            .max_results(PAGE)
            .customize()
            .config_override(once())
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "DescribeInstances", None, error))?;
        let instances = output.reservations.unwrap_or_default().into_iter();
        let instances = instances.flat_map(|one| one.instances.unwrap_or_default());
        let running = instances.filter_map(|one| {
            let is_spot = one.instance_lifecycle == Some(InstanceLifecycleType::Spot);
            let tenancy = one.placement.and_then(|placement| placement.tenancy);
            Some(RunningInstance {
                instance_type: one.instance_type?.as_str().to_owned(),
                is_on_demand: !is_spot && tenancy != Some(Tenancy::Host),
            })
        });
        Ok(running.collect())
    }

    /// The vCPUs of instance types, by one call that is not repeated; of the first hundred.
    ///
    /// # Errors
    /// When the call fails, or there is no such type.
    pub async fn vcpus(&self, types: &[&str]) -> Result<BTreeMap<String, u64>, AwsError> {
        let types = types.iter().take(TYPES).map(|one| InstanceType::from(*one)).collect();
        let output = self
            .ec2
            .describe_instance_types()
            .set_instance_types(Some(types))
            .customize()
            .config_override(once())
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "DescribeInstanceTypes", None, error))?;
        let types = output.instance_types.unwrap_or_default().into_iter();
        let vcpus = types.filter_map(|one| {
            let vcpus = one.v_cpu_info?.default_v_cpus?;
            Some((one.instance_type?.as_str().to_owned(), u64::try_from(vcpus).ok()?))
        });
        Ok(vcpus.collect())
    }
}
