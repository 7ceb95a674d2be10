//! Key pairs, tags, STS and SSM.

use super::*;

const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ somebody";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn key_pairs() {
    let world = World::new().await;
    let ec2 = &world.ec2;
    let import = |name: &str, key: &str| {
        let key = aws_sdk_ec2::primitives::Blob::new(key);
        ec2.import_key_pair().key_name(name).public_key_material(key)
    };
    let tags = tagged(ResourceType::KeyPair, "run", "1");
    let imported = good(import("mine", PUBLIC_KEY).tag_specifications(tags).send().await);
    assert!(imported.key_pair_id().is_some_and(|id| id.starts_with("key-0")));
    assert_eq!(code(import("mine", PUBLIC_KEY).send().await), "InvalidKeyPair.Duplicate");
    assert_eq!(code(import("other", "ssh-dss AAAA").send().await), "InvalidKey.Format");
    let rsa = good(ec2.create_key_pair().key_name("rsa").send().await);
    assert_eq!(rsa.key_fingerprint().map(|text| text.split(':').count()), Some(16));
    let found =
        ec2.describe_key_pairs().filters(filter("tag:run", &["1"])).include_public_key(true);
    let found = good(found.send().await);
    let [pair] = found.key_pairs() else { panic!("one key pair") };
    assert!(pair.public_key().is_some_and(|key| PUBLIC_KEY.starts_with(key.trim_end())));
    assert_eq!(pair.key_type(), Some(&KeyType::Ed25519));
    let missing = ec2.describe_key_pairs().key_names("nobody").send().await;
    assert_eq!(code(missing), "InvalidKeyPair.NotFound");
    let deleted = good(ec2.delete_key_pair().key_name("mine").send().await);
    assert_eq!(deleted.key_pair_id(), imported.key_pair_id());
    good(ec2.delete_key_pair().key_name("mine").send().await);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_on_everything() {
    let world = World::new().await;
    let ec2 = &world.ec2;
    let instance = world.launch().await;
    let image = world.image(&instance, "web").await;
    let found = world.instance(&instance).await;
    let volume = found.block_device_mappings()[0].ebs().and_then(|ebs| ebs.volume_id());
    let interface = found.network_interfaces()[0].network_interface_id();
    let group = found.security_groups()[0].group_id();
    let images = good(ec2.describe_images().image_ids(&image).send().await);
    let snapshot =
        images.images()[0].block_device_mappings()[0].ebs().and_then(|e| e.snapshot_id());
    let all: Vec<String> = [
        Some(instance.as_str()),
        Some(&image),
        volume,
        interface,
        group,
        snapshot,
        found.subnet_id(),
        found.vpc_id(),
    ]
    .into_iter()
    .flatten()
    .map(str::to_owned)
    .collect();
    assert_eq!(all.len(), 8);
    let create = ec2.create_tags().set_resources(Some(all.clone()));
    good(create.tags(tag("a b", "c*d")).tags(tag("empty", "")).send().await);
    let by_value = ec2.describe_tags().filters(filter("value", &["c\\*d"]));
    assert_eq!(good(by_value.send().await).tags().len(), 8);
    let by_key = ec2.describe_images().filters(filter("tag-key", &["empty"]));
    assert_eq!(good(by_key.send().await).images().len(), 1);
    let delete = ec2.delete_tags().set_resources(Some(all.clone())).tags(tag("a b", "other"));
    good(delete.send().await);
    let by_key = ec2.describe_tags().filters(filter("key", &["a b"]));
    assert_eq!(good(by_key.clone().send().await).tags().len(), 8, "another value stays");
    let delete = ec2.delete_tags().set_resources(Some(all));
    good(delete.tags(Tag::builder().key("a b").build()).send().await);
    assert_eq!(good(by_key.send().await).tags().len(), 0);
    for (id, expected) in [
        ("i-0123456789abcdef0", "InvalidInstanceID.NotFound"),
        ("snap-0123456789abcdef0", "InvalidSnapshot.NotFound"),
        ("vol-0123456789abcdef0", "InvalidVolume.NotFound"),
        ("sg-0123456789abcdef0", "InvalidGroup.NotFound"),
        ("what-1", "InvalidID"),
    ] {
        let result = ec2.create_tags().resources(id).tags(tag("a", "b")).send().await;
        assert_eq!(code(result), expected);
    }
    let reserved = ec2.create_tags().resources(&instance).tags(tag("aws:x", "b")).send().await;
    assert_eq!(code(reserved), "InvalidParameterValue");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_am_i() {
    let world = World::new().await;
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
        .region(aws_sdk_sts::config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .endpoint_url(world.sandbox.endpoint_url())
        .build();
    let sts = aws_sdk_sts::Client::from_conf(config);
    let me = sts.get_caller_identity().send().await.expect("an identity");
    assert_eq!(me.account(), Some("123456789012"));
    let role = "arn:aws:iam::210987654321:role/path/builder";
    let role = sts.assume_role().role_arn(role).role_session_name("bake").send().await;
    let role = role.expect("a role");
    let arn = role.assumed_role_user().map(|user| user.arn());
    assert_eq!(arn, Some("arn:aws:sts::210987654321:assumed-role/builder/bake"));
    assert!(role.credentials().is_some_and(|c| c.access_key_id().starts_with("ASIA")));
    let wrong = sts.assume_role().role_arn("builder").role_session_name("bake").send().await;
    let wrong = wrong.err().map(|error| error.into_service_error());
    assert_eq!(
        wrong.and_then(|e| e.meta().code().map(str::to_owned)).as_deref(),
        Some("ValidationError")
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn public_parameters_name_the_newest_image() {
    let world = World::new().await;
    let config = aws_sdk_ssm::Config::builder()
        .behavior_version(aws_sdk_ssm::config::BehaviorVersion::latest())
        .region(aws_sdk_ssm::config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .endpoint_url(world.sandbox.endpoint_url())
        .build();
    let ssm = aws_sdk_ssm::Client::from_conf(config);
    let name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
    let found = ssm.get_parameter().name(name).send().await.expect("a parameter");
    let id = found.parameter().and_then(|parameter| parameter.value()).expect("a value");
    let image = good(world.ec2.describe_images().image_ids(id).send().await);
    let image = image.images()[0].name().unwrap_or_default();
    assert_eq!(image, "al2023-ami-2023.7.20250609.0-kernel-6.1-x86_64");
    let missing = ssm.get_parameter().name("/mine").send().await;
    assert!(missing.is_err_and(|error| error.into_service_error().is_parameter_not_found()));
    let both = ssm.get_parameters().names(name).names("/mine").send().await.expect("parameters");
    assert_eq!(both.parameters().len(), 1);
    assert_eq!(both.invalid_parameters(), ["/mine"]);
    world.end().await;
}
