//! Instances.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::call::{Answer, Call, done};
use super::tags::tag_set;
use super::xml::Fields;
use crate::sandbox::cloud::{ACCOUNT, Instance, InstanceState, Power, Session, time_text};

/// Ids and names of security groups.
pub(super) type Groups = Vec<(String, String)>;

pub(super) fn group_set(groups: &Groups) -> impl Iterator<Item = Fields> {
    groups.iter().map(|(id, name)| Fields::new().text("groupId", id).text("groupName", name))
}

fn state(state: InstanceState) -> Fields {
    Fields::new().text("code", state.code()).text("name", state.name())
}

/// A MAC address that is the same for the same interface.
fn mac_address(interface_id: &str) -> String {
    let digits = interface_id.trim_start_matches("eni-").as_bytes();
    let pairs: Vec<String> = digits
        .chunks_exact(2)
        .take(5)
        .map(|pair| String::from_utf8_lossy(pair).into_owned())
        .collect();
    format!("0a:{}", pairs.join(":"))
}

/// What DescribeInstances and DescribeNetworkInterfaces both say about an interface.
fn interface(instance: &Instance, groups: &Groups) -> Fields {
    let association = instance.public_ip().map(|ip| {
        Fields::new().text("publicIp", &ip).text("publicDnsName", &ip).text("ipOwnerId", "amazon")
    });
    let mut private = Fields::new()
        .maybe("privateIpAddress", instance.ip())
        .maybe("privateDnsName", instance.ip())
        .text("primary", true);
    let mut fields = Fields::new()
        .text("networkInterfaceId", &instance.interface_id)
        .text("subnetId", &instance.subnet_id)
        .text("vpcId", &instance.vpc_id)
        .text("ownerId", ACCOUNT)
        .text("status", "in-use")
        .text("interfaceType", "interface")
        .text("macAddress", mac_address(&instance.interface_id))
        .maybe("privateIpAddress", instance.ip())
        .maybe("privateDnsName", instance.ip())
        .text("sourceDestCheck", instance.source_dest_check)
        .list("groupSet", group_set(groups));
    if let Some(association) = association {
        fields = fields.group("association", association.clone());
        private = private.group("association", association);
    }
    let attachment = Fields::new()
        .text("attachmentId", instance.interface_id.replace("eni-", "eni-attach-"))
        .text("deviceIndex", 0)
        .text("networkCardIndex", 0)
        .text("status", "attached")
        .text("attachTime", time_text(instance.launched))
        .text("deleteOnTermination", true);
    fields.group("attachment", attachment).list("privateIpAddressesSet", [private])
}

/// The volumes of an instance.
pub(super) fn block_devices(instance: &Instance) -> impl Iterator<Item = Fields> {
    instance.volumes.iter().map(|volume| {
        let ebs = Fields::new()
            .text("volumeId", &volume.volume_id)
            .text("status", "attached")
            .text("attachTime", time_text(volume.attached))
            .text("deleteOnTermination", volume.delete_on_termination);
        Fields::new().text("deviceName", &volume.device).group("ebs", ebs)
    })
}

fn instance(instance: &Instance, groups: &Groups) -> Fields {
    let live = !matches!(instance.state, InstanceState::Terminated);
    let metadata = Fields::new()
        .text("state", "applied")
        .text("httpTokens", &instance.metadata.tokens)
        .text("httpPutResponseHopLimit", instance.metadata.hop_limit)
        .text("httpEndpoint", &instance.metadata.endpoint)
        .text("httpProtocolIpv6", "disabled")
        .text("instanceMetadataTags", &instance.metadata.tags);
    let monitoring = if instance.monitoring { "enabled" } else { "disabled" };
    let placement = Fields::new()
        .text("availabilityZone", &instance.zone)
        .text("groupName", "")
        .text("tenancy", &instance.tenancy);
    let mut fields = Fields::new()
        .text("instanceId", &instance.id)
        .text("imageId", &instance.image_id)
        .group("instanceState", state(instance.state))
        .text("privateDnsName", instance.ip().unwrap_or_default())
        .text("dnsName", instance.public_ip().unwrap_or_default())
        .text("reason", &instance.transition_reason)
        .maybe("keyName", instance.key_name.as_ref())
        .text("amiLaunchIndex", instance.launch_index)
        .group("productCodes", Fields::new())
        .text("instanceType", &instance.instance_type)
        .text("launchTime", time_text(instance.launched))
        .group("placement", placement)
        .group("monitoring", Fields::new().text("state", monitoring));
    if live {
        fields = fields
            .text("subnetId", &instance.subnet_id)
            .text("vpcId", &instance.vpc_id)
            .maybe("privateIpAddress", instance.ip())
            .maybe("ipAddress", instance.public_ip())
            .text("sourceDestCheck", instance.source_dest_check)
            .list("groupSet", group_set(groups))
            .list("networkInterfaceSet", [interface(instance, groups)]);
    } else {
        fields =
            fields.group("groupSet", Fields::new()).group("networkInterfaceSet", Fields::new());
    }
    if let Some((code, message)) = &instance.state_reason {
        let reason = Fields::new().text("code", code).text("message", message);
        fields = fields.group("stateReason", reason);
    }
    fields = fields
        .text("architecture", &instance.architecture)
        .text("rootDeviceType", "ebs")
        .text("rootDeviceName", &instance.root_device)
        .list("blockDeviceMapping", block_devices(instance))
        .text("virtualizationType", "hvm")
        .text("clientToken", instance.client_token.as_deref().unwrap_or_default());
    fields = tag_set(fields, &instance.tags)
        .text("hypervisor", "xen")
        .maybe("instanceLifecycle", instance.spot_request_id.as_ref().map(|_| "spot"))
        .maybe("spotInstanceRequestId", instance.spot_request_id.as_ref())
        .text("ebsOptimized", instance.ebs_optimized)
        .text("enaSupport", instance.ena_support)
        .maybe("sriovNetSupport", instance.sriov_net_support.as_ref())
        .maybe("bootMode", instance.boot_mode.as_ref())
        .group("metadataOptions", metadata)
        .text("platformDetails", "Linux/UNIX")
        .text("usageOperation", "RunInstances");
    if let Some((arn, id)) = &instance.profile {
        fields = fields.group("iamInstanceProfile", Fields::new().text("arn", arn).text("id", id));
    }
    fields
}

pub(super) fn reservation(id: &str, instances: &[(Instance, Groups)]) -> Fields {
    Fields::new()
        .text("reservationId", id)
        .text("ownerId", ACCOUNT)
        .group("groupSet", Fields::new())
        .list("instancesSet", instances.iter().map(|(i, groups)| instance(i, groups)))
}

pub(super) fn with_groups(
    session: &Session<'_>,
    instances: Vec<Instance>,
) -> Vec<(Instance, Groups)> {
    instances
        .into_iter()
        .map(|instance| {
            let groups = session.groups_of(&instance);
            (instance, groups)
        })
        .collect()
}

pub(super) fn describe_instances(call: &Call<'_>) -> Answer {
    let ids = call.params.texts("InstanceId")?;
    let (filters, page) = (call.params.filters()?, call.params.page()?);
    let (found, next_token) = call.request(|session| {
        let found = session.describe_instances(&ids, &filters, &page)?;
        Ok((with_groups(session, found.items), found.next_token))
    })?;
    let mut reservations: BTreeMap<String, Vec<(Instance, Groups)>> = BTreeMap::new();
    for (instance, groups) in found {
        reservations.entry(instance.reservation_id.clone()).or_default().push((instance, groups));
    }
    let reservations = reservations.iter().map(|(id, instances)| reservation(id, instances));
    Ok(Fields::new().list("reservationSet", reservations).maybe("nextToken", next_token))
}

pub(super) fn describe_instance_status(call: &Call<'_>) -> Answer {
    let ids = call.params.texts("InstanceId")?;
    let all = call.params.is_set("IncludeAllInstances")?;
    let (filters, page) = (call.params.filters()?, call.params.page()?);
    let found = call.request(|session| session.describe_instances(&ids, &filters, &page))?;
    let wanted = |i: &&Instance| all || i.state == InstanceState::Running;
    let statuses = found.items.iter().filter(wanted).map(|instance| {
        let ok = instance.status();
        let passed = if ok == "ok" { "passed" } else { "initializing" };
        let detail = || Fields::new().text("name", "reachability").text("status", passed);
        let summary = || Fields::new().text("status", ok).list("details", [detail()]);
        Fields::new()
            .text("instanceId", &instance.id)
            .text("availabilityZone", &instance.zone)
            .group("instanceState", state(instance.state))
            .group("systemStatus", summary())
            .group("instanceStatus", summary())
    });
    Ok(Fields::new().list("instanceStatusSet", statuses).maybe("nextToken", found.next_token))
}

pub(super) fn describe_network_interfaces(call: &Call<'_>) -> Answer {
    let ids = call.params.texts("NetworkInterfaceId")?;
    let filters = call.params.filters()?;
    let found = call.request(|session| {
        let found = session.describe_interfaces(&ids, &filters)?;
        Ok(with_groups(session, found))
    })?;
    let interfaces = found.iter().map(|(instance, groups)| {
        let fields = interface(instance, groups)
            .text("availabilityZone", &instance.zone)
            .text("description", "")
            .text("requesterManaged", false);
        tag_set(fields, &instance.interface_tags)
    });
    Ok(Fields::new().list("networkInterfaceSet", interfaces))
}

fn power(call: &Call<'_>, power: Power) -> Answer {
    let ids = call.params.texts("InstanceId")?;
    let changes = call.request(|session| session.power(&ids, power))?;
    let changes = changes.iter().map(|change| {
        Fields::new()
            .text("instanceId", &change.instance_id)
            .group("currentState", state(change.current))
            .group("previousState", state(change.previous))
    });
    Ok(Fields::new().list("instancesSet", changes))
}

pub(super) fn start_instances(call: &Call<'_>) -> Answer {
    power(call, Power::Start)
}

pub(super) fn stop_instances(call: &Call<'_>) -> Answer {
    power(call, Power::Stop)
}

pub(super) fn terminate_instances(call: &Call<'_>) -> Answer {
    power(call, Power::Terminate)
}

pub(super) fn reboot_instances(call: &Call<'_>) -> Answer {
    power(call, Power::Reboot)?;
    done()
}

pub(super) fn get_console_output(call: &Call<'_>) -> Answer {
    let id = call.params.required("InstanceId")?;
    let output = call.request(|session| session.console_output(id))?;
    // EC2 keeps the last 64 KiB.
    let tail = output.get(output.len().saturating_sub(65_536)..).unwrap_or_default();
    Ok(Fields::new()
        .text("instanceId", id)
        .text("timestamp", time_text(Timestamp::now()))
        .text("output", STANDARD.encode(tail)))
}

pub(super) fn get_password_data(call: &Call<'_>) -> Answer {
    let id = call.params.required("InstanceId")?;
    call.request(|session| session.instance(id).map(|_| ()))?;
    // The sandbox's machines are Linux: as on EC2, there is never a password.
    Ok(Fields::new()
        .text("instanceId", id)
        .text("timestamp", time_text(Timestamp::now()))
        .text("passwordData", ""))
}
