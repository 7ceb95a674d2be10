//! Regions, availability zones and the default VPC: constants, with ids derived from the region.

use super::filter::{Field, Filter, Filterable, select};
use super::instance_type::{self, InstanceType, Offering};
use super::page::{Page, Paged};
use super::session::Session;
use super::{ACCOUNT, CloudError, Tags, id};

/// Regions that every account has.
const DEFAULT_REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];
/// Regions that an account asks for; the sandbox's account has them, too.
const OPT_IN_REGIONS: [&str; 7] = [
    "af-south-1",
    "ap-east-1",
    "ap-southeast-3",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "me-south-1",
];

/// A region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionInfo {
    /// `us-east-1`
    pub name: &'static str,
    /// `opt-in-not-required` or `opted-in`.
    pub opt_in_status: &'static str,
}

impl RegionInfo {
    /// Its EC2 host name.
    pub fn endpoint(&self) -> String {
        format!("ec2.{}.amazonaws.com", self.name)
    }
}

/// All regions.
pub(crate) fn regions() -> Vec<RegionInfo> {
    let default = DEFAULT_REGIONS
        .iter()
        .map(|name| RegionInfo { name, opt_in_status: "opt-in-not-required" });
    let opted = OPT_IN_REGIONS.iter().map(|name| RegionInfo { name, opt_in_status: "opted-in" });
    default.chain(opted).collect()
}

/// Whether there is such a region.
pub(crate) fn is_region(name: &str) -> bool {
    DEFAULT_REGIONS.contains(&name) || OPT_IN_REGIONS.contains(&name)
}

impl Filterable for RegionInfo {
    const FIELDS: &'static [Field<Self>] = &[
        ("region-name", |r| vec![r.name.to_owned()]),
        ("endpoint", |r| vec![r.endpoint()]),
        ("opt-in-status", |r| vec![r.opt_in_status.to_owned()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        None
    }
}

/// An availability zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// `us-east-1a`
    pub name: String,
    /// `use1-az1`
    pub id: String,
    /// Its region.
    pub region: String,
}

/// The three zones of a region.
pub(crate) fn zones(region: &str) -> Vec<Zone> {
    let mut parts = region.split('-');
    let short = format!(
        "{}{}{}",
        parts.next().unwrap_or_default(),
        parts.next().and_then(|side| side.get(..1)).unwrap_or_default(),
        parts.next().unwrap_or_default()
    );
    ["a", "b", "c"]
        .iter()
        .zip(1..)
        .map(|(letter, number)| Zone {
            name: format!("{region}{letter}"),
            id: format!("{short}-az{number}"),
            region: region.to_owned(),
        })
        .collect()
}

impl Filterable for Zone {
    const FIELDS: &'static [Field<Self>] = &[
        ("zone-name", |z| vec![z.name.clone()]),
        ("zone-id", |z| vec![z.id.clone()]),
        ("region-name", |z| vec![z.region.clone()]),
        ("state", |_| vec!["available".to_owned()]),
        ("zone-type", |_| vec!["availability-zone".to_owned()]),
        ("group-name", |z| vec![z.region.clone()]),
        ("opt-in-status", |_| vec!["opt-in-not-required".to_owned()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        None
    }
}

/// A virtual private cloud. There is the default one only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vpc {
    /// `vpc-…`
    pub id: String,
    /// `172.31.0.0/16`
    pub cidr: String,
    /// Its tags.
    pub tags: Tags,
}

impl Vpc {
    /// The default VPC of a region.
    pub(crate) fn default_of(region: &str) -> Self {
        Self {
            id: id::derived("vpc", &[region]),
            cidr: "172.31.0.0/16".to_owned(),
            tags: Tags::new(),
        }
    }
}

impl Filterable for Vpc {
    const FIELDS: &'static [Field<Self>] = &[
        ("vpc-id", |v| vec![v.id.clone()]),
        ("cidr", |v| vec![v.cidr.clone()]),
        ("cidr-block-association.cidr-block", |v| vec![v.cidr.clone()]),
        ("is-default", |_| vec!["true".to_owned()]),
        ("isDefault", |_| vec!["true".to_owned()]),
        ("state", |_| vec!["available".to_owned()]),
        ("owner-id", |_| vec![ACCOUNT.to_owned()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-…`
    pub id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// `172.31.0.0/20`
    pub cidr: String,
    /// Where it lies.
    pub zone: Zone,
    /// How many more instances fit.
    pub free_addresses: usize,
    /// Its tags.
    pub tags: Tags,
}

impl Subnet {
    /// The default subnets of a region, one a zone.
    pub(crate) fn defaults_of(region: &str) -> Vec<Self> {
        zones(region)
            .into_iter()
            .zip(["172.31.0.0/20", "172.31.16.0/20", "172.31.32.0/20"])
            .map(|(zone, cidr)| Self {
                id: id::derived("subnet", &[&zone.name]),
                vpc_id: id::derived("vpc", &[region]),
                cidr: cidr.to_owned(),
                zone,
                // A /20, without the five addresses that AWS keeps.
                free_addresses: 4091,
                tags: Tags::new(),
            })
            .collect()
    }
}

impl Filterable for Subnet {
    const FIELDS: &'static [Field<Self>] = &[
        ("subnet-id", |s| vec![s.id.clone()]),
        ("vpc-id", |s| vec![s.vpc_id.clone()]),
        ("availability-zone", |s| vec![s.zone.name.clone()]),
        ("availabilityZone", |s| vec![s.zone.name.clone()]),
        ("availability-zone-id", |s| vec![s.zone.id.clone()]),
        ("availabilityZoneId", |s| vec![s.zone.id.clone()]),
        ("available-ip-address-count", |s| vec![s.free_addresses.to_string()]),
        ("cidr-block", |s| vec![s.cidr.clone()]),
        ("cidr", |s| vec![s.cidr.clone()]),
        ("cidrBlock", |s| vec![s.cidr.clone()]),
        ("default-for-az", |_| vec!["true".to_owned()]),
        ("defaultForAz", |_| vec!["true".to_owned()]),
        ("map-public-ip-on-launch", |_| vec!["true".to_owned()]),
        ("owner-id", |_| vec![ACCOUNT.to_owned()]),
        ("state", |_| vec!["available".to_owned()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        Some(&self.tags)
    }
}

/// What DescribeSubnets, DescribeVpcs, … give, and the look-ups of a launch.
impl Session<'_> {
    pub(crate) fn vpc(&self, id: &str) -> Result<&Vpc, CloudError> {
        Some(&self.region.vpc).filter(|vpc| vpc.id == id).ok_or_else(|| {
            CloudError::new("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist"))
        })
    }

    pub(crate) fn subnet(&self, id: &str) -> Result<&Subnet, CloudError> {
        self.region.subnets.iter().find(|subnet| subnet.id == id).ok_or_else(|| {
            CloudError::new(
                "InvalidSubnetID.NotFound",
                format!("The subnet ID '{id}' does not exist"),
            )
        })
    }

    /// DescribeVpcs.
    pub fn describe_vpcs(
        &self,
        ids: &[String],
        filters: &[Filter],
    ) -> Result<Vec<Vpc>, CloudError> {
        for id in ids {
            self.vpc(id)?;
        }
        select([self.region.vpc.clone()], filters)
    }

    /// DescribeSubnets.
    pub fn describe_subnets(
        &self,
        ids: &[String],
        filters: &[Filter],
    ) -> Result<Vec<Subnet>, CloudError> {
        for id in ids {
            self.subnet(id)?;
        }
        let used = |subnet: &Subnet| {
            let instances = self.region.instances.values();
            instances.filter(|i| i.subnet_id == subnet.id && !i.state.is_terminated()).count()
        };
        let subnets = self.region.subnets.iter();
        let chosen =
            subnets.filter(|s| ids.is_empty() || ids.contains(&s.id)).map(|subnet| Subnet {
                free_addresses: subnet.free_addresses.saturating_sub(used(subnet)),
                ..subnet.clone()
            });
        select(chosen, filters)
    }

    /// DescribeRegions.
    pub fn describe_regions(
        &self,
        names: &[String],
        filters: &[Filter],
    ) -> Result<Vec<RegionInfo>, CloudError> {
        if let Some(name) = names.iter().find(|name| !is_region(name)) {
            return Err(CloudError::invalid(format!("Invalid region provided: {name}")));
        }
        let chosen =
            regions().into_iter().filter(|r| names.is_empty() || names.iter().any(|n| n == r.name));
        select(chosen, filters)
    }

    /// DescribeAvailabilityZones, by names and ids.
    pub fn describe_zones(
        &self,
        names: &[String],
        ids: &[String],
        filters: &[Filter],
    ) -> Result<Vec<Zone>, CloudError> {
        let zones = zones(&self.region.name);
        let unknown = |name: &&String| !zones.iter().any(|z| z.name == **name || z.id == **name);
        if let Some(name) = names.iter().chain(ids).find(unknown) {
            return Err(CloudError::invalid(format!("Invalid availability zone: [{name}]")));
        }
        let all = names.is_empty() && ids.is_empty();
        let chosen =
            zones.iter().filter(|z| all || names.contains(&z.name) || ids.contains(&z.id)).cloned();
        select(chosen, filters)
    }

    /// DescribeInstanceTypes.
    pub fn describe_instance_types(
        &self,
        names: &[String],
        filters: &[Filter],
        page: &Page,
    ) -> Result<Paged<InstanceType>, CloudError> {
        page.cut(select(instance_type::named(names)?, filters)?, |kind| kind.name.clone())
    }

    /// DescribeInstanceTypeOfferings: every type everywhere.
    pub fn describe_offerings(
        &self,
        location_type: &str,
        filters: &[Filter],
        page: &Page,
    ) -> Result<Paged<Offering>, CloudError> {
        let zones = zones(&self.region.name);
        let locations: Vec<String> = match location_type {
            "region" => vec![self.region.name.clone()],
            "availability-zone" => zones.into_iter().map(|zone| zone.name).collect(),
            "availability-zone-id" => zones.into_iter().map(|zone| zone.id).collect(),
            other => return Err(CloudError::invalid_value("LocationType", other)),
        };
        let offerings = instance_type::all().into_iter().flat_map(|kind| {
            locations.iter().map(move |location| Offering {
                instance_type: kind.name.clone(),
                location_type: location_type.to_owned(),
                location: location.clone(),
            })
        });
        page.cut(select(offerings, filters)?, |offering| {
            format!("{} {}", offering.instance_type, offering.location)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_ids_are_short() {
        let ids: Vec<String> = zones("ap-southeast-2").into_iter().map(|zone| zone.id).collect();
        assert_eq!(ids, ["aps2-az1", "aps2-az2", "aps2-az3"]);
    }
}
