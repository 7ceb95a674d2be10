//! Instances from launch to termination.

use aws_sdk_ec2::types::{
    AttributeBooleanValue, BlockDeviceMapping, EbsBlockDevice, InstanceMarketOptionsRequest,
    InstanceNetworkInterfaceSpecification, MarketType, ShutdownBehavior,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::sandbox::cloud::fake::held;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_leaves_nothing() {
    let world = World::new().await;
    let ec2 = &world.ec2;
    let key =
        good(ec2.create_key_pair().key_name("packer_1").key_type(KeyType::Ed25519).send().await);
    assert!(key.key_material().is_some_and(|text| text.contains("OPENSSH PRIVATE KEY")));
    let group = ec2.create_security_group().group_name("packer_1").description("temporary");
    let group = good(group.send().await).group_id.expect("a group id");
    let open = ec2.authorize_security_group_ingress().group_id(&group).ip_protocol("tcp");
    good(open.from_port(22).to_port(22).cidr_ip("127.0.0.0/8").send().await);
    let image = world.debian().await;
    let launched = ec2
        .run_instances()
        .image_id(&image)
        .instance_type(instance_type())
        .min_count(1)
        .max_count(1)
        .key_name("packer_1")
        .security_group_ids(&group)
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
        .user_data(STANDARD.encode("#!/bin/sh\ntrue\n"))
        .tag_specifications(tagged(ResourceType::Instance, "Name", "builder"))
        .tag_specifications(tagged(ResourceType::Volume, "Name", "disk"));
    let launched = good(launched.send().await);
    let first = launched.instances().first().expect("an instance");
    let id = first.instance_id().expect("an id").to_owned();
    let state = first.state().and_then(|state| state.name());
    assert_eq!(state, Some(&InstanceStateName::Pending), "the answer shows the state in between");
    world.reach(&id, InstanceStateName::Running).await;

    let instance = world.instance(&id).await;
    let address = instance.public_ip_address().unwrap_or_default().to_owned();
    assert!(address.starts_with("127."), "{address}");
    assert_eq!(instance.private_ip_address(), Some(address.as_str()));
    assert_eq!(instance.public_dns_name(), Some(address.as_str()));
    assert_eq!(instance.root_device_name(), Some("/dev/xvda"));
    let spec = held(&world.host.specs).last().cloned().expect("a machine");
    assert_eq!(spec.users, ["admin"]);
    assert_eq!(spec.user_data.as_deref(), Some(&b"#!/bin/sh\ntrue\n"[..]));
    assert!(spec.authorized_keys.iter().all(|key| key.starts_with("ssh-ed25519 ")));
    assert_eq!(spec.authorized_keys.len(), 1);
    assert!(!spec.make_unknown_users);

    let in_use = ec2.delete_security_group().group_id(&group).send().await;
    assert_eq!(code(in_use), "DependencyViolation");
    let volumes = ec2.describe_volumes().filters(filter("attachment.instance-id", &[&id]));
    let volumes = good(volumes.filters(filter("tag:Name", &["disk"])).send().await);
    let volume =
        volumes.volumes().first().and_then(|v| v.volume_id()).expect("a volume").to_owned();
    assert_eq!(code(ec2.delete_volume().volume_id(&volume).send().await), "VolumeInUse");

    let stopped = good(ec2.stop_instances().instance_ids(&id).send().await);
    let change = stopped.stopping_instances().first().expect("a change");
    let name = change.current_state().and_then(|state| state.name());
    assert_eq!(name, Some(&InstanceStateName::Stopping));
    world.reach(&id, InstanceStateName::Stopped).await;
    let made = ec2
        .create_image()
        .instance_id(&id)
        .name("web 1")
        .tag_specifications(tagged(ResourceType::Image, "bake:hash", "1"))
        .tag_specifications(tagged(ResourceType::Snapshot, "bake:hash", "2"));
    let image = good(made.send().await).image_id.expect("an image id");
    world.reach_image(&image, "available").await;
    good(ec2.terminate_instances().instance_ids(&id).send().await);
    world.reach(&id, InstanceStateName::Terminated).await;
    assert_eq!(world.host.log(), ["launch", "stop", "capture stopped", "terminate"]);

    good(ec2.delete_security_group().group_id(&group).send().await);
    good(ec2.delete_key_pair().key_name("packer_1").send().await);
    let volumes = good(ec2.describe_volumes().send().await);
    assert!(volumes.volumes().is_empty());
    let groups = good(ec2.describe_security_groups().send().await);
    assert_eq!(groups.security_groups().len(), 1, "only the default group");
    assert!(good(ec2.describe_key_pairs().send().await).key_pairs().is_empty());
    let tags = good(ec2.describe_tags().filters(filter("key", &["bake:*"])).send().await);
    let kinds: Vec<&str> = tags
        .tags()
        .iter()
        .filter_map(|tag| tag.resource_type())
        .map(|kind| kind.as_str())
        .collect();
    assert_eq!(kinds, ["image", "snapshot"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn launches_that_ec2_refuses() {
    let world = World::new().await;
    let image = world.debian().await;
    let run = || {
        let run = world.ec2.run_instances().image_id(&image).instance_type(instance_type());
        run.min_count(1).max_count(1)
    };
    assert_eq!(code(run().image_id("ami-xyz").send().await), "InvalidAMIID.Malformed");
    assert_eq!(code(run().key_name("nobody").send().await), "InvalidKeyPair.NotFound");
    assert_eq!(code(run().security_group_ids("sg-12345678").send().await), "InvalidGroup.NotFound");
    assert_eq!(code(run().security_group_ids("mine").send().await), "InvalidGroupId.Malformed");
    assert_eq!(code(run().subnet_id("subnet-12345678").send().await), "InvalidSubnetID.NotFound");
    assert_eq!(code(run().instance_type("t3.tiny".into()).send().await), "InvalidParameterValue");
    assert_eq!(code(run().max_count(0).send().await), "InvalidParameterValue");
    assert_eq!(code(run().min_count(65).max_count(65).send().await), "InstanceLimitExceeded");
    assert_eq!(code(run().user_data("%%%").send().await), "InvalidParameterValue");
    let long = STANDARD.encode(vec![b'x'; 16_385]);
    assert_eq!(code(run().user_data(long).send().await), "InvalidParameterValue");
    let interface = InstanceNetworkInterfaceSpecification::builder().device_index(0).build();
    let both = run().network_interfaces(interface).security_group_ids("sg-12345678");
    assert_eq!(code(both.send().await), "InvalidParameterCombination");
    let small = EbsBlockDevice::builder().volume_size(4).build();
    let small = BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(small).build();
    let small = run().block_device_mappings(small);
    assert_eq!(code(small.send().await), "InvalidBlockDeviceMapping");
    let tags = run().tag_specifications(tagged(ResourceType::Image, "a", "b"));
    assert_eq!(code(tags.send().await), "InvalidParameterValue");
    let tags = run().tag_specifications(tagged(ResourceType::Instance, "aws:a", "b"));
    assert_eq!(code(tags.send().await), "InvalidParameterValue");
    assert_eq!(world.host.log(), [""; 0], "nothing was launched");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_architecture_can_be_found_but_not_launched() {
    let world = World::new().await;
    let (other, kind) = match crate::sandbox::catalogue::host_architecture() {
        "arm64" => ("x86_64", InstanceType::T3Micro),
        _ => ("arm64", InstanceType::T4gMicro),
    };
    let found = world.ec2.describe_images().filters(filter("architecture", &[other]));
    let found = good(found.owners("amazon").send().await);
    let image = found.images().first().and_then(|image| image.image_id()).expect("an image");
    let run = || world.ec2.run_instances().image_id(image).min_count(1).max_count(1);
    assert_eq!(code(run().instance_type(instance_type()).send().await), "InvalidParameterValue");
    let refused = run().instance_type(kind).send().await;
    let message = refused.as_ref().err().and_then(|error| error.message()).unwrap_or_default();
    assert!(message.contains("does not emulate"), "{message}");
    assert_eq!(code(refused), "Unsupported");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_token_launches_once() {
    let world = World::new().await;
    let image = world.debian().await;
    let run = |count: i32| {
        let run = world.ec2.run_instances().image_id(&image).instance_type(instance_type());
        run.min_count(1).max_count(count).client_token("token-1")
    };
    let id = |answer: &aws_sdk_ec2::operation::run_instances::RunInstancesOutput| {
        answer.instances().first().and_then(|i| i.instance_id.clone())
    };
    let first = good(run(1).send().await);
    let second = good(run(1).send().await);
    assert_eq!(id(&first), id(&second));
    assert_eq!(first.reservation_id(), second.reservation_id());
    assert_eq!(code(run(2).send().await), "IdempotentParameterMismatch");
    eventually(|| async { world.host.log() == ["launch"] }).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_checks_and_does_nothing() {
    let world = World::new().await;
    let image = world.debian().await;
    let run = |kind: InstanceType| {
        let run = world.ec2.run_instances().image_id(&image).instance_type(kind);
        run.min_count(1).max_count(1).dry_run(true)
    };
    let answer = run(instance_type()).send().await;
    let status = answer
        .as_ref()
        .err()
        .and_then(|error| error.raw_response())
        .map(|raw| raw.status().as_u16());
    assert_eq!(status, Some(412));
    assert_eq!(code(answer), "DryRunOperation");
    assert_eq!(code(run("t3.tiny".into()).send().await), "InvalidParameterValue");
    let found = good(world.ec2.describe_instances().send().await);
    assert!(found.reservations().is_empty());
    let key = world.ec2.create_key_pair().key_name("k").key_type(KeyType::Ed25519).dry_run(true);
    assert_eq!(code(key.send().await), "DryRunOperation");
    assert!(good(world.ec2.describe_key_pairs().send().await).key_pairs().is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_is_denied_by_the_rule_that_denies_the_call() {
    let faults = ["RunInstances:*:unauthorized", "DryRunStopInstances:1:throttle"];
    let faults = faults.map(|rule| rule.parse().expect("a rule")).to_vec();
    let world = World::with(Options { faults, ..Options::default() }).await;
    let image = world.debian().await;
    let run = || {
        let run = world.ec2.run_instances().image_id(&image).instance_type(instance_type());
        run.min_count(1).max_count(1)
    };
    assert_eq!(code(run().dry_run(true).send().await), "UnauthorizedOperation");
    assert_eq!(code(run().send().await), "UnauthorizedOperation");
    let stop =
        || world.ec2.stop_instances().instance_ids("i-0123456789abcdef0").dry_run(true).send();
    assert_eq!(code(stop().await), "RequestLimitExceeded");
    assert_eq!(code(stop().await), "InvalidInstanceID.NotFound");
    let calls = world.sandbox.calls();
    assert_eq!((calls["RunInstances"], calls["DryRunRunInstances"]), (1, 1));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vcpus_are_limited_by_family() {
    let world = World::new().await;
    let image = world.debian().await;
    let (large, other) = match instance_type() {
        InstanceType::T4gMicro => ("m6g.16xlarge", "t4g.micro"),
        _ => ("m5.16xlarge", "t3.micro"),
    };
    let run = |kind: &str, least, most| {
        let run = world.ec2.run_instances().image_id(&image).instance_type(kind.into());
        run.min_count(least).max_count(most).send()
    };
    let launched = good(run(large, 1, 5).await);
    assert_eq!(launched.instances().len(), 4, "64 vCPUs each, and 256 in all");
    assert_eq!(code(run(other, 1, 1).await), "VcpuLimitExceeded");
    let spot = InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot).build();
    let run = world.ec2.run_instances().image_id(&image).instance_type(other.into());
    let spot = run.min_count(1).max_count(1).instance_market_options(spot).dry_run(true);
    assert_eq!(code(spot.send().await), "DryRunOperation");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_goes_on_and_off_in_the_right_states_only() {
    let world = World::new().await;
    let ec2 = &world.ec2;
    let id = world.launch().await;
    let unknown = "i-0123456789abcdef0";
    assert_eq!(
        code(ec2.stop_instances().instance_ids(unknown).send().await),
        "InvalidInstanceID.NotFound"
    );
    assert_eq!(
        code(ec2.stop_instances().instance_ids("web").send().await),
        "InvalidInstanceID.Malformed"
    );
    good(ec2.reboot_instances().instance_ids(&id).send().await);
    eventually(|| async { world.host.log() == ["launch", "reboot"] }).await;
    good(ec2.stop_instances().instance_ids(&id).send().await);
    world.reach(&id, InstanceStateName::Stopped).await;
    assert_eq!(world.instance(&id).await.public_ip_address(), None);
    assert_eq!(
        code(ec2.reboot_instances().instance_ids(&id).send().await),
        "IncorrectInstanceState"
    );
    good(ec2.stop_instances().instance_ids(&id).send().await);
    good(ec2.start_instances().instance_ids(&id).send().await);
    world.reach(&id, InstanceStateName::Running).await;
    let keep = AttributeBooleanValue::builder().value(true).build();
    let keep = ec2.modify_instance_attribute().instance_id(&id).disable_api_termination(keep);
    good(keep.send().await);
    assert_eq!(
        code(ec2.terminate_instances().instance_ids(&id).send().await),
        "OperationNotPermitted"
    );
    let free = AttributeBooleanValue::builder().value(false).build();
    let free = ec2.modify_instance_attribute().instance_id(&id).disable_api_termination(free);
    good(free.send().await);
    // All or none.
    let both = ec2.terminate_instances().instance_ids(&id).instance_ids(unknown).send().await;
    assert_eq!(code(both), "InvalidInstanceID.NotFound");
    assert_eq!(world.state(&id).await, InstanceStateName::Running);
    let console = good(ec2.get_console_output().instance_id(&id).send().await);
    let console = STANDARD.decode(console.output().unwrap_or_default()).unwrap_or_default();
    assert_eq!(String::from_utf8_lossy(&console), format!("console of {id}\n"));
    good(ec2.terminate_instances().instance_ids(&id).send().await);
    world.reach(&id, InstanceStateName::Terminated).await;
    assert_eq!(
        code(ec2.start_instances().instance_ids(&id).send().await),
        "IncorrectInstanceState"
    );
    good(ec2.terminate_instances().instance_ids(&id).send().await);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_that_need_a_stopped_instance() {
    let world = World::new().await;
    let ec2 = &world.ec2;
    let id = world.launch().await;
    let ena = || {
        let on = AttributeBooleanValue::builder().value(true).build();
        ec2.modify_instance_attribute().instance_id(&id).ena_support(on)
    };
    assert_eq!(code(ena().send().await), "IncorrectInstanceState");
    good(ec2.stop_instances().instance_ids(&id).send().await);
    world.reach(&id, InstanceStateName::Stopped).await;
    good(ena().send().await);
    let sriov = aws_sdk_ec2::types::AttributeValue::builder().value("simple").build();
    good(ec2.modify_instance_attribute().instance_id(&id).sriov_net_support(sriov).send().await);
    let none = ec2.modify_instance_attribute().instance_id(&id).send().await;
    assert_eq!(code(none), "InvalidParameterCombination");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_powers_off_stops_or_terminates_its_instance() {
    let world = World::new().await;
    for (behavior, state) in [
        (ShutdownBehavior::Stop, InstanceStateName::Stopped),
        (ShutdownBehavior::Terminate, InstanceStateName::Terminated),
    ] {
        let id = world.launch().await;
        let value = aws_sdk_ec2::types::AttributeValue::builder().value(behavior.as_str()).build();
        let change = world.ec2.modify_instance_attribute().instance_id(&id);
        good(change.instance_initiated_shutdown_behavior(value).send().await);
        world.host.machine(&id).expect("a machine").power_off();
        world.reach(&id, state).await;
        let reason = world.instance(&id).await.state_reason.and_then(|reason| reason.code);
        assert_eq!(reason.as_deref(), Some("Client.InstanceInitiatedShutdown"));
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_does_not_boot_is_a_terminated_instance() {
    let world = World::new().await;
    world.host.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let image = world.debian().await;
    let run = world.ec2.run_instances().image_id(image).instance_type(instance_type());
    let answer = good(run.min_count(1).max_count(1).send().await);
    let id = answer.instances().first().and_then(|i| i.instance_id()).expect("an id");
    world.reach(id, InstanceStateName::Terminated).await;
    let reason = world.instance(id).await.state_reason.and_then(|reason| reason.message);
    let expected = "Server.InternalError: launch failed: no namespaces today";
    assert_eq!(reason.as_deref(), Some(expected));
    assert!(good(world.ec2.describe_volumes().send().await).volumes().is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_volume_is_free_after_termination() {
    let world = World::new().await;
    let image = world.debian().await;
    let keep = EbsBlockDevice::builder().delete_on_termination(false).volume_size(9).build();
    let keep = BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(keep).build();
    let run = world.ec2.run_instances().image_id(image).instance_type(instance_type());
    let run = run.min_count(1).max_count(1).block_device_mappings(keep);
    let answer = good(run.send().await);
    let id = answer.instances().first().and_then(|i| i.instance_id()).expect("an id");
    good(world.ec2.terminate_instances().instance_ids(id).send().await);
    world.reach(id, InstanceStateName::Terminated).await;
    let free = world.ec2.describe_volumes().filters(filter("status", &["available"]));
    let free = good(free.send().await);
    let volume = free.volumes().first().expect("a volume");
    assert_eq!(volume.size(), Some(9));
    let volume_id = volume.volume_id().expect("an id");
    good(world.ec2.delete_volume().volume_id(volume_id).send().await);
    let gone = world.ec2.describe_volumes().volume_ids(volume_id).send().await;
    assert_eq!(code(gone), "InvalidVolume.NotFound");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_page_and_filter() {
    let world = World::new().await;
    let image = world.debian().await;
    let run = world.ec2.run_instances().image_id(image).instance_type(instance_type());
    let run = run.min_count(12).max_count(12);
    good(run.tag_specifications(tagged(ResourceType::Instance, "n", "x")).send().await);
    let mut pages = world.ec2.describe_instances().max_results(5).into_paginator().items().send();
    let mut seen = Vec::new();
    while let Some(reservation) = pages.next().await {
        let instances = good(reservation).instances.unwrap_or_default();
        seen.extend(instances.into_iter().filter_map(|instance| instance.instance_id));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 12);
    let count = async |filter| {
        let found = good(world.ec2.describe_instances().filters(filter).send().await);
        found.reservations().iter().map(|r| r.instances().len()).sum::<usize>()
    };
    assert_eq!(count(filter("tag:n", &["?"])).await, 12);
    assert_eq!(count(filter("tag:n", &["y"])).await, 0);
    assert_eq!(count(filter("tag-key", &["n"])).await, 12);
    assert_eq!(count(filter("instance-state-name", &["stopped"])).await, 0);
    let wrong = world.ec2.describe_instances().filters(filter("colour", &["red"])).send().await;
    assert_eq!(code(wrong), "InvalidParameterValue");
    let both = world.ec2.describe_instances().max_results(5).instance_ids(&seen[0]).send().await;
    assert_eq!(code(both), "InvalidParameterCombination");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spot_instance_cannot_be_stopped() {
    use aws_sdk_ec2::types::{InstanceMarketOptionsRequest, MarketType};
    let world = World::new().await;
    let image = world.debian().await;
    let spot = InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot).build();
    let run = world.ec2.run_instances().image_id(image).instance_type(instance_type());
    let run = run.min_count(1).max_count(1).instance_market_options(spot);
    let answer = good(run.send().await);
    let id = answer.instances().first().and_then(|i| i.instance_id()).expect("an id");
    world.reach(id, InstanceStateName::Running).await;
    let lifecycle = world.instance(id).await.instance_lifecycle;
    assert_eq!(lifecycle.map(|l| l.as_str().to_owned()).as_deref(), Some("spot"));
    assert_eq!(
        code(world.ec2.stop_instances().instance_ids(id).send().await),
        "UnsupportedOperation"
    );
    world.end().await;
}
