//! Images: the catalogue, stand-ins, and those of the account.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, Image, LaunchPermission, LaunchPermissionModifications,
    PermissionGroup,
};

use super::*;
use crate::sandbox::cloud::fake::held;

async fn named(world: &World, pattern: &str, owner: &str) -> Vec<Image> {
    let found = world.ec2.describe_images().filters(filter("name", &[pattern])).owners(owner);
    good(found.send().await).images.unwrap_or_default()
}

fn names(images: &[Image]) -> BTreeSet<&str> {
    images.iter().filter_map(|image| image.name()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn well_known_names_match_more_than_one_image() {
    let world = World::new().await;
    let found = named(&world, "al2023-ami-*-x86_64", "amazon").await;
    let all = names(&found);
    assert!(all.len() > 2, "{all:?}");
    assert!(all.iter().all(|name| name.ends_with("x86_64")));
    assert!(named(&world, "al2023-ami-minimal-*", "137112412989").await.len() >= 2);
    let dates: BTreeSet<_> = found.iter().filter_map(|image| image.creation_date()).collect();
    assert_eq!(dates.len(), found.len(), "`most_recent` is not left to chance");
    let jammy = "ubuntu/images/*ubuntu-jammy-22.04-amd64-server-*";
    assert_eq!(named(&world, jammy, "099720109477").await.len(), 2);
    assert_eq!(named(&world, jammy, "self").await.len(), 0);
    assert_eq!(named(&world, "debian-12-amd64-*", "136693071363").await.len(), 2);
    let image = found.first().expect("an image");
    let base = image.tags().iter().find(|tag| tag.key() == Some("bake:sandbox-base"));
    let base = base.and_then(|tag| tag.value()).unwrap_or_default();
    assert!(["host (Debian GNU/Linux 12 (bookworm))", "none"].contains(&base), "{base}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_source_has_the_same_id_in_every_run() {
    let ids = async || {
        let world = World::new().await;
        let found = named(&world, "al2023-ami-*", "amazon").await;
        let ids: BTreeSet<String> = found.into_iter().filter_map(|image| image.image_id).collect();
        world.end().await;
        ids
    };
    assert_eq!(ids().await, ids().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_literal_id_of_aws_is_stood_in_for() {
    let world = World::new().await;
    for id in ["ami-12345678", "ami-0c55b159cbfafe1f0"] {
        let found = good(world.ec2.describe_images().image_ids(id).send().await);
        assert_eq!(found.images().first().and_then(|image| image.image_id()), Some(id));
        // Whatever architecture the template thinks it has.
        for kind in ["t3.micro", "t4g.micro"] {
            let run = world.ec2.run_instances().image_id(id).instance_type(kind.into());
            good(run.min_count(1).max_count(1).send().await);
        }
    }
    eventually(|| async { held(&world.host.specs).len() == 4 }).await;
    assert!(held(&world.host.specs).iter().all(|spec| spec.make_unknown_users));
    let listed = good(world.ec2.describe_images().send().await);
    assert!(listed.images().iter().all(|image| image.image_id() != Some("ami-12345678")));
    let malformed = world.ec2.describe_images().image_ids("ami-1234").send().await;
    assert_eq!(code(malformed), "InvalidAMIID.Malformed");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_is_pending_then_available_then_gone() {
    let latency = "image=150ms,snapshot=100ms".parse().expect("a latency");
    let world = World::with(Options { latency, ..Options::default() }).await;
    let ec2 = &world.ec2;
    let instance = world.launch().await;
    let image = good(ec2.create_image().instance_id(&instance).name("web").send().await);
    let image = image.image_id.expect("an image id");
    assert_eq!(world.image_state(&image).await, "pending");
    let run = ec2.run_instances().image_id(&image).instance_type(instance_type());
    let run = run.min_count(1).max_count(1);
    assert_eq!(code(run.clone().send().await), "InvalidAMIID.Unavailable");
    world.reach_image(&image, "available").await;
    assert_eq!(world.host.log(), ["launch", "stop", "capture stopped", "start"]);
    assert_eq!(world.state(&instance).await, InstanceStateName::Running);

    good(run.send().await);
    eventually(|| async { held(&world.host.specs).len() == 2 }).await;
    let spec = held(&world.host.specs).last().cloned().expect("a machine");
    assert_eq!(spec.root.base, "host");
    assert_eq!(spec.root.layers.len(), 1);
    assert_eq!(spec.users, ["admin"], "an image keeps the users of its source");

    let found = good(ec2.describe_images().image_ids(&image).send().await);
    let found = found.images().first().expect("the image").clone();
    assert_eq!(found.owner_id(), Some("123456789012"));
    assert_eq!(found.source_instance_id(), Some(instance.as_str()));
    let device = found.block_device_mappings().first().expect("a device");
    let snapshot = device.ebs().and_then(|ebs| ebs.snapshot_id()).expect("a snapshot").to_owned();
    let described = good(ec2.describe_snapshots().snapshot_ids(&snapshot).send().await);
    let described = described.snapshots().first().expect("the snapshot").clone();
    assert_eq!(described.progress(), Some("100%"));
    assert_eq!(described.volume_size(), Some(8));
    let in_use = ec2.delete_snapshot().snapshot_id(&snapshot).send().await;
    assert_eq!(code(in_use), "InvalidSnapshot.InUse");

    good(ec2.deregister_image().image_id(&image).send().await);
    let gone = ec2.describe_images().image_ids(&image).send().await;
    assert_eq!(
        code(gone),
        "InvalidAMIID.NotFound",
        "ids that the sandbox made are not stood in for"
    );
    assert_eq!(code(ec2.deregister_image().image_id(&image).send().await), "InvalidAMIID.NotFound");
    good(ec2.delete_snapshot().snapshot_id(&snapshot).send().await);
    let gone = ec2.delete_snapshot().snapshot_id(&snapshot).send().await;
    assert_eq!(code(gone), "InvalidSnapshot.NotFound");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_reboot_the_machine_runs_on() {
    let world = World::new().await;
    let instance = world.launch().await;
    let made = world.ec2.create_image().instance_id(&instance).name("web").no_reboot(true);
    let image = good(made.send().await).image_id.expect("an image id");
    world.reach_image(&image, "available").await;
    assert_eq!(world.host.log(), ["launch", "capture running"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn image_names_have_rules() {
    let world = World::new().await;
    let instance = world.launch().await;
    let made = async |name: &str| {
        let made = world.ec2.create_image().instance_id(&instance).name(name).no_reboot(true);
        code(made.send().await)
    };
    assert_eq!(made("ab").await, "InvalidAMIName.Malformed");
    assert_eq!(made(&"a".repeat(129)).await, "InvalidAMIName.Malformed");
    assert_eq!(made("a{b}").await, "InvalidAMIName.Malformed");
    assert_eq!(made("a:b c").await, "InvalidAMIName.Malformed");
    assert_eq!(made("a/b_c (1) [2] @x.y-z'").await, "no error");
    assert_eq!(made("a/b_c (1) [2] @x.y-z'").await, "InvalidAMIName.Duplicate");
    let wrong = world.ec2.create_image().instance_id("i-12345678").name("abc").send().await;
    assert_eq!(code(wrong), "InvalidInstanceID.NotFound");
    let tags = world.ec2.create_image().instance_id(&instance).name("abc");
    let tags = tags.tag_specifications(tagged(ResourceType::Instance, "a", "b"));
    assert_eq!(code(tags.send().await), "InvalidParameterValue");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_of_an_image_come_from_the_instance_and_the_request() {
    let world = World::new().await;
    let image = world.debian().await;
    let root = EbsBlockDevice::builder().volume_size(20).encrypted(true).build();
    let root = BlockDeviceMapping::builder().device_name("/dev/xvda").ebs(root).build();
    let run = world.ec2.run_instances().image_id(image).instance_type(instance_type());
    let run = run.min_count(1).max_count(1).block_device_mappings(root);
    let answer = good(run.send().await);
    let id = answer.instances().first().and_then(|i| i.instance_id()).expect("an id").to_owned();
    world.reach(&id, InstanceStateName::Running).await;
    let more = EbsBlockDevice::builder().volume_size(5).build();
    let more = BlockDeviceMapping::builder().device_name("/dev/sdf").ebs(more).build();
    let made = world.ec2.create_image().instance_id(&id).name("two disks");
    let made = made.block_device_mappings(more).no_reboot(true);
    let image = good(made.send().await).image_id.expect("an image id");
    let found = good(world.ec2.describe_images().image_ids(&image).send().await);
    let devices: Vec<_> = found.images()[0]
        .block_device_mappings()
        .iter()
        .filter_map(|device| Some((device.device_name()?, device.ebs()?)))
        .map(|(name, ebs)| (name, ebs.volume_size(), ebs.encrypted(), ebs.snapshot_id().is_some()))
        .collect();
    assert_eq!(
        devices,
        [("/dev/xvda", Some(20), Some(true), true), ("/dev/sdf", Some(5), Some(false), false)]
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_deprecation_and_protection() {
    let world = World::new().await;
    let ec2 = &world.ec2;
    let instance = world.launch().await;
    let image = world.image(&instance, "web").await;
    let text = aws_sdk_ec2::types::AttributeValue::builder().value("the web").build();
    good(ec2.modify_image_attribute().image_id(&image).description(text).send().await);
    let user = LaunchPermission::builder().user_id("210987654321").build();
    let everybody = LaunchPermission::builder().group(PermissionGroup::All).build();
    let change = LaunchPermissionModifications::builder().add(user).add(everybody).build();
    let change = ec2.modify_image_attribute().image_id(&image).launch_permission(change);
    good(change.send().await);
    let wrong = LaunchPermission::builder().user_id("12").build();
    let wrong = LaunchPermissionModifications::builder().add(wrong).build();
    let wrong = ec2.modify_image_attribute().image_id(&image).launch_permission(wrong);
    assert_eq!(code(wrong.send().await), "InvalidAMIAttributeItemValue");
    let attribute = ec2.describe_image_attribute().image_id(&image);
    let attribute = attribute.attribute("launchPermission".into());
    assert_eq!(good(attribute.send().await).launch_permissions().len(), 2);
    let at = aws_sdk_ec2::primitives::DateTime::from_secs(4_000_000_000);
    good(ec2.enable_image_deprecation().image_id(&image).deprecate_at(at).send().await);
    let past = aws_sdk_ec2::primitives::DateTime::from_secs(1_000_000_000);
    let past = ec2.enable_image_deprecation().image_id(&image).deprecate_at(past).send().await;
    assert_eq!(code(past), "InvalidParameterValue");
    let protect = ec2.enable_image_deregistration_protection().image_id(&image);
    good(protect.with_cooldown(true).send().await);
    assert_eq!(code(ec2.deregister_image().image_id(&image).send().await), "OperationNotPermitted");
    let found = good(ec2.describe_images().image_ids(&image).send().await);
    let found = found.images().first().expect("the image");
    assert_eq!(found.description(), Some("the web"));
    assert_eq!(found.public(), Some(true));
    assert_eq!(found.deregistration_protection(), Some("enabled-with-cooldown"));
    assert_eq!(found.deprecation_time(), Some("2096-10-02T07:06:40.000Z"));
    good(ec2.disable_image_deregistration_protection().image_id(&image).send().await);
    let removed = ec2.deregister_image().image_id(&image).delete_associated_snapshots(true);
    assert_eq!(good(removed.send().await).delete_snapshot_results().len(), 1);
    assert!(good(ec2.describe_snapshots().owner_ids("self").send().await).snapshots().is_empty());
    let theirs = world.debian().await;
    let text = aws_sdk_ec2::types::AttributeValue::builder().value("mine").build();
    let denied = ec2.modify_image_attribute().image_id(theirs).description(text).send().await;
    assert_eq!(code(denied), "AuthFailure");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_in_another_region_is_an_image_of_its_own() {
    let world = World::new().await;
    let instance = world.launch().await;
    let image = world.image(&instance, "web").await;
    good(world.ec2.create_tags().resources(&image).tags(tag("team", "web")).send().await);
    let there = client(&world.sandbox, "eu-west-1");
    let copy = || {
        let copy = there.copy_image().source_image_id(&image).source_region("us-east-1");
        copy.name("web").client_token("t").copy_image_tags(true).encrypted(true)
    };
    let first = good(copy().send().await).image_id.expect("an image id");
    assert_eq!(good(copy().send().await).image_id.as_deref(), Some(first.as_str()));
    assert_eq!(code(copy().name("other").send().await), "IdempotentParameterMismatch");
    eventually(|| async {
        let found = good(there.describe_images().image_ids(&first).send().await);
        found.images()[0].state().map(|state| state.as_str()) == Some("available")
    })
    .await;
    let found = good(there.describe_images().owners("self").send().await);
    let found = found.images().first().expect("the copy");
    assert_eq!(found.source_image_id(), Some(image.as_str()));
    assert_eq!(found.source_image_region(), Some("us-east-1"));
    assert_eq!(found.tags().len(), 1);
    let ebs = found.block_device_mappings().first().and_then(|device| device.ebs());
    assert_eq!(ebs.and_then(|ebs| ebs.encrypted()), Some(true));
    let here = world.ec2.describe_images().image_ids(&first).send().await;
    assert_eq!(code(here), "InvalidAMIID.NotFound");
    let wrong = there.copy_image().source_image_id(&image).source_region("us-west-2");
    assert_eq!(code(wrong.name("abc").send().await), "InvalidAMIID.NotFound");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_deregistered_while_it_is_made_leaves_nothing() {
    let latency = "image=100ms".parse().expect("a latency");
    let store = Arc::new(MemoryStore::default());
    let world = World::over(Options { latency, ..Options::default() }, store.clone()).await;
    let instance = world.launch().await;
    let made = world.ec2.create_image().instance_id(&instance).name("web").no_reboot(true);
    let image = good(made.send().await).image_id.expect("an image id");
    let gone = world.ec2.deregister_image().image_id(&image).delete_associated_snapshots(true);
    good(gone.send().await);
    let found = world.ec2.describe_images().image_ids(&image).send().await;
    assert_eq!(code(found), "InvalidAMIID.NotFound");
    world.end().await;
    assert!(held(&store.records).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_page() {
    let world = World::new().await;
    let all = good(world.ec2.describe_images().send().await).images().len();
    let mut pages = world.ec2.describe_images().max_results(7).into_paginator().items().send();
    let mut seen = BTreeSet::new();
    while let Some(image) = pages.next().await {
        seen.insert(good(image).image_id);
    }
    assert_eq!(seen.len(), all);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_outlives_its_sandbox() {
    let store = Arc::new(MemoryStore::default());
    let first = World::over(Options::default(), store.clone()).await;
    let instance = first.launch().await;
    let image = first.image(&instance, "web").await;
    let second = World::over(Options::default(), store.clone()).await;
    first.end().await;
    let found = good(second.ec2.describe_images().owners("self").send().await);
    let [found] = found.images() else { panic!("one image") };
    assert_eq!(found.image_id(), Some(image.as_str()));
    good(second.ec2.create_tags().resources(&image).tags(tag("a", "b")).send().await);
    let run = second.ec2.run_instances().image_id(&image).instance_type(instance_type());
    good(run.min_count(1).max_count(1).send().await);
    eventually(|| async { !held(&second.host.specs).is_empty() }).await;
    let root = held(&second.host.specs)[0].root.clone();
    assert_eq!(root.layers, [format!("sha256:{:064x}", 0)]);
    let third = World::over(Options::default(), store.clone()).await;
    let tagged = third.ec2.describe_images().filters(filter("tag:a", &["b"])).send().await;
    assert_eq!(good(tagged).images().len(), 1);
    good(third.ec2.deregister_image().image_id(&image).send().await);
    let gone = second.ec2.describe_images().image_ids(&image).send().await;
    assert_eq!(code(gone), "InvalidAMIID.NotFound");
    assert!(held(&store.records).is_empty());
    second.end().await;
    third.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_image_is_nobody_elses() {
    let latency = "image=60s".parse().expect("a latency");
    let store = Arc::new(MemoryStore::default());
    let first = World::over(Options { latency, ..Options::default() }, store.clone()).await;
    let instance = first.launch().await;
    let made = first.ec2.create_image().instance_id(&instance).name("web").no_reboot(true);
    let image = good(made.send().await).image_id.expect("an image id");
    eventually(|| async { !held(&store.records).is_empty() }).await;
    let second = World::over(Options::default(), store.clone()).await;
    let mine = good(second.ec2.describe_images().owners("self").send().await);
    assert!(mine.images().is_empty());
    let listed = good(first.ec2.describe_images().owners("self").send().await);
    assert_eq!(listed.images().len(), 1);
    good(first.ec2.deregister_image().image_id(&image).send().await);
    assert!(held(&store.records).is_empty());
    first.end().await;
    second.end().await;
}
