//! RunInstances.

use super::call::{Answer, Call};
use super::instances::{reservation, with_groups};
use super::query::Params;
use crate::sandbox::cloud::{
    CloudError, Interface, MetadataOptions, RunInstances, ShutdownBehavior,
};

fn metadata_options(params: &Params) -> Result<MetadataOptions, CloudError> {
    let given = params.group("MetadataOptions");
    let default = MetadataOptions::default();
    Ok(MetadataOptions {
        tokens: given.owned("HttpTokens").unwrap_or(default.tokens),
        hop_limit: given.number("HttpPutResponseHopLimit")?.unwrap_or(default.hop_limit),
        endpoint: given.owned("HttpEndpoint").unwrap_or(default.endpoint),
        tags: given.owned("InstanceMetadataTags").unwrap_or(default.tags),
    })
}

/// The first network interface: the one that the machine has.
fn first_interface(params: &Params) -> Result<Option<Interface>, CloudError> {
    let interfaces = params.list("NetworkInterface")?;
    let Some(first) = interfaces.first() else { return Ok(None) };
    if interfaces.len() > 1 {
        return Err(CloudError::new(
            "UnsupportedOperation",
            "The sandbox's instances have one network interface.",
        ));
    }
    if first.text("NetworkInterfaceId").is_some() {
        return Err(CloudError::new(
            "UnsupportedOperation",
            "The sandbox has no network interfaces apart from its instances'.",
        ));
    }
    Ok(Some(Interface {
        subnet_id: first.owned("SubnetId"),
        group_ids: first.texts("SecurityGroupId")?,
        public_address: first.flag("AssociatePublicIpAddress")?,
    }))
}

pub(super) fn run_instances(call: &Call<'_>) -> Answer {
    let params = call.params;
    if !params.group("LaunchTemplate").is_empty() {
        return Err(CloudError::new(
            "UnsupportedOperation",
            "The sandbox has no launch templates.",
        ));
    }
    let spot = match params.group("InstanceMarketOptions").text("MarketType") {
        None => false,
        Some("spot") => true,
        Some(other) => return Err(CloudError::invalid_value("MarketType", other)),
    };
    let profile = params.group("IamInstanceProfile");
    let behavior = params.text("InstanceInitiatedShutdownBehavior");
    let request = RunInstances {
        image_id: params.required("ImageId")?.to_owned(),
        instance_type: params.required("InstanceType")?.to_owned(),
        min_count: params.number("MinCount")?.ok_or_else(|| CloudError::missing("MinCount"))?,
        max_count: params.number("MaxCount")?.ok_or_else(|| CloudError::missing("MaxCount"))?,
        key_name: params.owned("KeyName"),
        group_ids: params.texts("SecurityGroupId")?,
        group_names: params.texts("SecurityGroup")?,
        subnet_id: params.owned("SubnetId"),
        interface: first_interface(params)?,
        zone: params.group("Placement").owned("AvailabilityZone"),
        tenancy: params.group("Placement").owned("Tenancy"),
        user_data: params.owned("UserData"),
        block_devices: params.block_devices()?,
        metadata: metadata_options(params)?,
        profile: profile.owned("Arn").or(profile.owned("Name")),
        on_shutdown: behavior.map(ShutdownBehavior::parse).transpose()?.unwrap_or_default(),
        ebs_optimized: params.is_set("EbsOptimized")?,
        monitoring: params.group("Monitoring").is_set("Enabled")?,
        spot,
        disable_api_termination: params.is_set("DisableApiTermination")?,
        disable_api_stop: params.is_set("DisableApiStop")?,
        tags: params.tag_specifications()?,
        token: call.client_token(),
    };
    let launched = call.request(|session| {
        let launched = session.run_instances(&request)?;
        Ok(with_groups(session, launched))
    })?;
    let id = launched.first().map(|(instance, _)| instance.reservation_id.clone());
    Ok(reservation(&id.unwrap_or_default(), &launched))
}
