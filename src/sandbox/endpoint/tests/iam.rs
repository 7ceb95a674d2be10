//! Roles and instance profiles as the SDK sees them.

use super::*;

fn client(world: &World) -> aws_sdk_iam::Client {
    let config = aws_sdk_iam::Config::builder()
        .behavior_version(aws_sdk_iam::config::BehaviorVersion::latest())
        .region(aws_sdk_iam::config::Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(world.sandbox.endpoint_url())
        .build();
    aws_sdk_iam::Client::from_conf(config)
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
pub(super) const CORE: &str = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";

/// Makes a role and a profile of this name, with or without the policy for the agent.
pub(super) async fn make_profile(world: &World, name: &str, core: bool) {
    let iam = client(world);
    good(iam.create_role().role_name(name).assume_role_policy_document(TRUST).send().await);
    if core {
        good(iam.attach_role_policy().role_name(name).policy_arn(CORE).send().await);
    }
    good(iam.create_instance_profile().instance_profile_name(name).send().await);
    let add = iam.add_role_to_instance_profile().instance_profile_name(name).role_name(name);
    good(add.send().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_temporary_profile_from_making_to_removing() {
    let world = World::new().await;
    let iam = client(&world);
    make_profile(&world, "packer-1", true).await;
    let again = iam.create_role().role_name("packer-1").assume_role_policy_document(TRUST).send();
    assert_eq!(code(again.await), "EntityAlreadyExists");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}"#;
    let put = iam.put_role_policy().role_name("packer-1").policy_name("own");
    good(put.policy_document(policy).send().await);

    let role = good(iam.get_role().role_name("packer-1").send().await).role.expect("a role");
    assert_eq!(role.arn(), "arn:aws:iam::123456789012:role/packer-1");
    let trust = role.assume_role_policy_document().expect("a policy");
    assert_eq!(percent_encoding::percent_decode_str(trust).decode_utf8_lossy(), TRUST);
    let attached = good(iam.list_attached_role_policies().role_name("packer-1").send().await);
    let arns: Vec<_> = attached.attached_policies().iter().filter_map(|p| p.policy_arn()).collect();
    assert_eq!(arns, [CORE]);
    let inline = good(iam.list_role_policies().role_name("packer-1").send().await);
    assert_eq!(inline.policy_names(), ["own"]);
    let get = iam.get_instance_profile().instance_profile_name("packer-1").send().await;
    let profile = good(get).instance_profile.expect("a profile");
    assert_eq!(profile.roles().first().map(|role| role.role_name()), Some("packer-1"));

    let delete_role = || iam.delete_role().role_name("packer-1").send();
    let delete_profile = || iam.delete_instance_profile().instance_profile_name("packer-1").send();
    assert_eq!(code(delete_profile().await), "DeleteConflict");
    let remove = iam.remove_role_from_instance_profile().instance_profile_name("packer-1");
    good(remove.role_name("packer-1").send().await);
    good(delete_profile().await);
    assert_eq!(code(delete_role().await), "DeleteConflict");
    good(iam.detach_role_policy().role_name("packer-1").policy_arn(CORE).send().await);
    assert_eq!(code(delete_role().await), "DeleteConflict");
    good(iam.delete_role_policy().role_name("packer-1").policy_name("own").send().await);
    good(delete_role().await);
    assert_eq!(code(delete_role().await), "NoSuchEntity");
    assert_eq!(code(iam.get_role().role_name("packer-1").send().await), "NoSuchEntity");
    let get = iam.get_instance_profile().instance_profile_name("packer-1").send().await;
    assert!(get.is_err_and(|error| { error.into_service_error().is_no_such_entity_exception() }));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_launch_waits_for_its_profile_and_shows_it() {
    let latency = "profile=1s".parse().expect("a latency");
    let world = World::with(Options { latency, ..Options::default() }).await;
    make_profile(&world, "p", false).await;
    let image = world.debian().await;
    let run = || {
        let profile = aws_sdk_ec2::types::IamInstanceProfileSpecification::builder().name("p");
        let run = world.ec2.run_instances().image_id(&image).instance_type(instance_type());
        run.min_count(1).max_count(1).iam_instance_profile(profile.build()).send()
    };
    let early = run().await;
    let early = early.expect_err("the profile is too fresh");
    assert_eq!(
        early.message(),
        Some(
            "Value (p) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
        )
    );
    let launched = tokio::sync::Mutex::new(None);
    eventually(|| async {
        let answer = run().await.ok();
        let id = answer.and_then(|run| run.instances().first()?.instance_id.clone());
        let done = id.is_some();
        *launched.lock().await = id;
        done
    })
    .await;
    let id = launched.into_inner().expect("an id");
    let shown = world.instance(&id).await.iam_instance_profile.and_then(|profile| profile.arn);
    assert_eq!(shown.as_deref(), Some("arn:aws:iam::123456789012:instance-profile/p"));
    let found = world.ec2.describe_iam_instance_profile_associations();
    let found = good(found.filters(filter("instance-id", &[&id])).send().await);
    let association = found.iam_instance_profile_associations().first().expect("an association");
    let association_id = association.association_id().expect("an id");
    let profile = aws_sdk_ec2::types::IamInstanceProfileSpecification::builder().name("other");
    let profile = profile.build();
    let associate = || {
        let associate = world.ec2.associate_iam_instance_profile().instance_id(&id);
        associate.iam_instance_profile(profile.clone()).send()
    };
    assert_eq!(code(associate().await), "IncorrectState");
    let gone = world.ec2.disassociate_iam_instance_profile().association_id(association_id);
    good(gone.send().await);
    good(associate().await);
    let shown = world.instance(&id).await.iam_instance_profile.and_then(|profile| profile.arn);
    assert_eq!(shown.as_deref(), Some("arn:aws:iam::123456789012:instance-profile/other"));
    world.end().await;
}
