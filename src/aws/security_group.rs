//! Security groups.

use aws_sdk_ec2::operation::create_security_group::builders::CreateSecurityGroupFluentBuilder;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, ResourceType};
use futures::FutureExt as _;

use super::pages::{described, page_size};
use super::query::{filters, list};
use super::tag::{from_sdk, specification};
use super::{AwsError, Client, Filter, Tags};

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its VPC.
    pub vpc_id: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// Access to one TCP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// TCP port.
    pub port: u16,
    /// From these IPv4 and IPv6 ranges.
    pub cidrs: Vec<String>,
}

impl Client {
    /// Makes a group and returns its id.
    pub async fn create_security_group(
        &self,
        name: &str,
        description: &str,
        vpc_id: Option<&str>,
        tags: &Tags,
    ) -> Result<String, AwsError> {
        self.create_security_group_call(name, description, vpc_id, tags)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "CreateSecurityGroup", Some(name), error))?
            .group_id
            .ok_or_else(|| self.incomplete("ec2", "CreateSecurityGroup", "group id"))
    }

    /// The call, with all its parameters.
    pub(super) fn create_security_group_call(
        &self,
        name: &str,
        description: &str,
        vpc_id: Option<&str>,
        tags: &Tags,
    ) -> CreateSecurityGroupFluentBuilder {
        self.ec2
            .create_security_group()
            .group_name(name)
            .description(description)
            .set_vpc_id(vpc_id.map(ToOwned::to_owned))
            .set_tag_specifications(
                specification(ResourceType::SecurityGroup, tags).map(|one| vec![one]),
            )
    }

    /// Lets `ingress` in.
    pub async fn authorize_ingress(&self, id: &str, ingress: &Ingress) -> Result<(), AwsError> {
        let port = i32::from(ingress.port);
        let mut permission =
            IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port);
        for cidr in &ingress.cidrs {
            permission = if cidr.contains(':') {
                permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr).build())
            } else {
                permission.ip_ranges(IpRange::builder().cidr_ip(cidr).build())
            };
        }
        self.ec2
            .authorize_security_group_ingress()
            .group_id(id)
            .ip_permissions(permission.build())
            .send()
            .boxed()
            .await
            .map_err(|error| {
                self.failed("ec2", "AuthorizeSecurityGroupIngress", Some(id), error)
            })?;
        Ok(())
    }

    /// Groups with these ids and filters.
    pub async fn describe_security_groups(
        &self,
        ids: &[String],
        by: &[Filter],
    ) -> Result<Vec<SecurityGroup>, AwsError> {
        let call = || self.ec2.describe_security_groups();
        let groups = described!(
            self,
            "DescribeSecurityGroups",
            call(),
            set_group_ids(ids),
            by,
            security_groups
        )?;
        Ok(groups
            .into_iter()
            .filter_map(|group| {
                Some(SecurityGroup {
                    id: group.group_id?,
                    name: group.group_name.unwrap_or_default(),
                    vpc_id: group.vpc_id,
                    tags: from_sdk(group.tags),
                })
            })
            .collect())
    }

    /// Deletes a group; fails with `DependencyViolation` while something uses it.
    pub async fn delete_security_group(&self, id: &str) -> Result<(), AwsError> {
        self.ec2
            .delete_security_group()
            .group_id(id)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "DeleteSecurityGroup", Some(id), error))?;
        Ok(())
    }
}
