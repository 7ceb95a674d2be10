//! Regions, zones, VPCs, subnets, instance types.

use super::call::{Answer, Call};
use super::tags::tag_set;
use super::xml::Fields;
use crate::sandbox::cloud::{ACCOUNT, InstanceType};

pub(super) fn describe_regions(call: &Call<'_>) -> Answer {
    let names = call.params.texts("RegionName")?;
    let filters = call.params.filters()?;
    let found = call.request(|session| session.describe_regions(&names, &filters))?;
    let regions = found.iter().map(|region| {
        Fields::new()
            .text("regionName", region.name)
            .text("regionEndpoint", region.endpoint())
            .text("optInStatus", region.opt_in_status)
    });
    Ok(Fields::new().list("regionInfo", regions))
}

pub(super) fn describe_availability_zones(call: &Call<'_>) -> Answer {
    let names = call.params.texts("ZoneName")?;
    let ids = call.params.texts("ZoneId")?;
    let filters = call.params.filters()?;
    let found = call.request(|session| session.describe_zones(&names, &ids, &filters))?;
    let zones = found.iter().map(|zone| {
        Fields::new()
            .text("zoneName", &zone.name)
            .text("zoneId", &zone.id)
            .text("zoneState", "available")
            .text("zoneType", "availability-zone")
            .text("regionName", &zone.region)
            .text("groupName", &zone.region)
            .text("networkBorderGroup", &zone.region)
            .text("optInStatus", "opt-in-not-required")
            .group("messageSet", Fields::new())
    });
    Ok(Fields::new().list("availabilityZoneInfo", zones))
}

pub(super) fn describe_vpcs(call: &Call<'_>) -> Answer {
    let ids = call.params.texts("VpcId")?;
    let filters = call.params.filters()?;
    let found = call.request(|session| session.describe_vpcs(&ids, &filters))?;
    let vpcs = found.iter().map(|vpc| {
        let association = Fields::new()
            .text("associationId", format!("vpc-cidr-assoc-{}", vpc.id.trim_start_matches("vpc-")))
            .text("cidrBlock", &vpc.cidr)
            .group("cidrBlockState", Fields::new().text("state", "associated"));
        let fields = Fields::new()
            .text("vpcId", &vpc.id)
            .text("ownerId", ACCOUNT)
            .text("state", "available")
            .text("cidrBlock", &vpc.cidr)
            .list("cidrBlockAssociationSet", [association])
            .text("instanceTenancy", "default")
            .text("isDefault", true);
        tag_set(fields, &vpc.tags)
    });
    Ok(Fields::new().list("vpcSet", vpcs))
}

pub(super) fn describe_subnets(call: &Call<'_>) -> Answer {
    let ids = call.params.texts("SubnetId")?;
    let filters = call.params.filters()?;
    let found = call.request(|session| session.describe_subnets(&ids, &filters))?;
    let region = call.region;
    let subnets = found.iter().map(|subnet| {
        let fields = Fields::new()
            .text("subnetId", &subnet.id)
            .text("subnetArn", format!("arn:aws:ec2:{region}:{ACCOUNT}:subnet/{}", subnet.id))
            .text("state", "available")
            .text("ownerId", ACCOUNT)
            .text("vpcId", &subnet.vpc_id)
            .text("cidrBlock", &subnet.cidr)
            .text("availableIpAddressCount", subnet.free_addresses)
            .text("availabilityZone", &subnet.zone.name)
            .text("availabilityZoneId", &subnet.zone.id)
            .text("defaultForAz", true)
            .text("mapPublicIpOnLaunch", true)
            .text("assignIpv6AddressOnCreation", false);
        tag_set(fields, &subnet.tags)
    });
    Ok(Fields::new().list("subnetSet", subnets))
}

fn instance_type(kind: &InstanceType) -> Fields {
    Fields::new()
        .text("instanceType", &kind.name)
        .text("currentGeneration", kind.hypervisor == "nitro")
        .text("freeTierEligible", false)
        .texts("supportedUsageClasses", ["on-demand", "spot"])
        .texts("supportedRootDeviceTypes", ["ebs"])
        .texts("supportedVirtualizationTypes", ["hvm"])
        .text("bareMetal", false)
        .text("hypervisor", kind.hypervisor)
        .group("processorInfo", Fields::new().texts("supportedArchitectures", [kind.architecture]))
        .group("vCpuInfo", Fields::new().text("defaultVCpus", kind.vcpus))
        .group("memoryInfo", Fields::new().text("sizeInMiB", kind.memory_mib))
        .text("instanceStorageSupported", false)
        .group(
            "ebsInfo",
            Fields::new()
                .text("ebsOptimizedSupport", "default")
                .text("encryptionSupport", "supported"),
        )
        .group("networkInfo", Fields::new().text("enaSupport", "supported"))
        .text("hibernationSupported", false)
        .text("burstablePerformanceSupported", kind.burstable)
        .texts("supportedBootModes", ["legacy-bios", "uefi"])
}

pub(super) fn describe_instance_types(call: &Call<'_>) -> Answer {
    let names = call.params.texts("InstanceType")?;
    let (filters, page) = (call.params.filters()?, call.params.page()?);
    let found = call.request(|session| session.describe_instance_types(&names, &filters, &page))?;
    let types = found.items.iter().map(instance_type);
    Ok(Fields::new().list("instanceTypeSet", types).maybe("nextToken", found.next_token))
}

pub(super) fn describe_instance_type_offerings(call: &Call<'_>) -> Answer {
    let location_type = call.params.text("LocationType").unwrap_or("region");
    let (filters, page) = (call.params.filters()?, call.params.page()?);
    let found =
        call.request(|session| session.describe_offerings(location_type, &filters, &page))?;
    let offerings = found.items.iter().map(|offering| {
        Fields::new()
            .text("instanceType", &offering.instance_type)
            .text("locationType", &offering.location_type)
            .text("location", &offering.location)
    });
    let fields = Fields::new().list("instanceTypeOfferingSet", offerings);
    Ok(fields.maybe("nextToken", found.next_token))
}

pub(super) fn describe_account_attributes(call: &Call<'_>) -> Answer {
    let wanted = call.params.texts("AttributeName")?;
    let vpcs = call.request(|session| session.describe_vpcs(&[], &[]))?;
    let vpc_id = vpcs.first().map(|vpc| vpc.id.as_str()).unwrap_or("none");
    let attributes = [
        ("supported-platforms", "VPC"),
        ("default-vpc", vpc_id),
        ("max-instances", "64"),
        ("vpc-max-security-groups-per-interface", "5"),
    ];
    let chosen = attributes
        .into_iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| w == name))
        .map(|(name, value)| {
            let value = Fields::new().text("attributeValue", value);
            Fields::new().text("attributeName", name).list("attributeValueSet", [value])
        });
    Ok(Fields::new().list("accountAttributeSet", chosen))
}
