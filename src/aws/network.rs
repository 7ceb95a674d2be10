//! VPCs and subnets.

use super::query::{filters, list};
use super::{AwsError, Client, Filter};
use futures::FutureExt as _;

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vpc {
    /// Its id.
    pub id: String,
    /// Whether it is the region's default one.
    pub is_default: bool,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// Its zone, such as `eu-west-1a`.
    pub availability_zone: String,
    /// Addresses that are still free.
    pub free_addresses: i32,
    /// Whether instances in it get a public address without asking.
    pub maps_public_address: bool,
}

impl Client {
    /// Whether an instance type is offered in a zone, or anywhere in the region. An endpoint that
    /// offers nothing at all does not know.
    pub async fn offers(&self, instance_type: &str, zone: Option<&str>) -> Result<bool, AwsError> {
        let ask = |by: Vec<Filter>| async move {
            let location = match zone {
                Some(_) => aws_sdk_ec2::types::LocationType::AvailabilityZone,
                None => aws_sdk_ec2::types::LocationType::Region,
            };
            let found = self
                .ec2
                .describe_instance_type_offerings()
                .location_type(location)
                .set_filters(filters(&by))
                .send()
                .boxed()
                .await
                .map_err(|error| {
                    let action = "DescribeInstanceTypeOfferings";
                    self.failed("ec2", action, Some(instance_type), error)
                })?;
            Ok::<_, AwsError>(!found.instance_type_offerings.unwrap_or_default().is_empty())
        };
        let at: Vec<_> = zone.map(|zone| Filter::new("location", zone)).into_iter().collect();
        let mut this = at.clone();
        this.push(Filter::new("instance-type", instance_type));
        Ok(ask(this).await? || !ask(at).await?)
    }

    /// The regions that are enabled for the account.
    pub async fn regions(&self) -> Result<Vec<String>, AwsError> {
        let found = self.ec2.describe_regions().send().boxed().await;
        let regions = found
            .map_err(|error| self.failed("ec2", "DescribeRegions", None, error))?
            .regions
            .unwrap_or_default();
        Ok(regions.into_iter().filter_map(|region| region.region_name).collect())
    }

    /// VPCs with these ids and filters.
    pub async fn describe_vpcs(&self, ids: &[String], by: &[Filter]) -> Result<Vec<Vpc>, AwsError> {
        let output = self
            .ec2
            .describe_vpcs()
            .set_vpc_ids(list(ids))
            .set_filters(filters(by))
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed_for("DescribeVpcs", ids, error))?;
        Ok(output
            .vpcs
            .unwrap_or_default()
            .into_iter()
            .filter_map(|vpc| {
                Some(Vpc { id: vpc.vpc_id?, is_default: vpc.is_default.unwrap_or(false) })
            })
            .collect())
    }

    /// Subnets with these ids and filters.
    pub async fn describe_subnets(
        &self,
        ids: &[String],
        by: &[Filter],
    ) -> Result<Vec<Subnet>, AwsError> {
        let output = self
            .ec2
            .describe_subnets()
            .set_subnet_ids(list(ids))
            .set_filters(filters(by))
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed_for("DescribeSubnets", ids, error))?;
        Ok(output
            .subnets
            .unwrap_or_default()
            .into_iter()
            .filter_map(|subnet| {
                Some(Subnet {
                    id: subnet.subnet_id?,
                    vpc_id: subnet.vpc_id.unwrap_or_default(),
                    availability_zone: subnet.availability_zone.unwrap_or_default(),
                    free_addresses: subnet.available_ip_address_count.unwrap_or(0),
                    maps_public_address: subnet.map_public_ip_on_launch.unwrap_or(false),
                })
            })
            .collect())
    }
}
