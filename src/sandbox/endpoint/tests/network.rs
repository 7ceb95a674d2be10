//! Regions, subnets, instance types, security groups.

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_has_a_default_vpc_with_a_subnet_a_zone() {
    let world = World::new().await;
    let ec2 = &world.ec2;
    let regions = good(ec2.describe_regions().send().await);
    assert!(regions.regions().iter().any(|region| region.region_name() == Some("us-east-1")));
    let zones = good(ec2.describe_availability_zones().send().await);
    assert_eq!(zones.availability_zones().len(), 3);
    let vpcs = good(ec2.describe_vpcs().filters(filter("is-default", &["true"])).send().await);
    let vpc = vpcs.vpcs().first().and_then(|vpc| vpc.vpc_id()).expect("a VPC");
    let subnets = ec2.describe_subnets().filters(filter("vpc-id", &[vpc]));
    let subnets = subnets.filters(filter("state", &["available"]));
    assert_eq!(good(subnets.send().await).subnets().len(), 3);
    let unknown = ec2.describe_vpcs().vpc_ids("vpc-12345678").send().await;
    assert_eq!(code(unknown), "InvalidVpcID.NotFound");
    let unknown = ec2.describe_subnets().subnet_ids("subnet-12345678").send().await;
    assert_eq!(code(unknown), "InvalidSubnetID.NotFound");
    let attributes = good(ec2.describe_account_attributes().send().await);
    assert!(!attributes.account_attributes().is_empty());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instance_types_are_listed_and_offered() {
    let world = World::new().await;
    let ec2 = &world.ec2;
    let arm = filter("processor-info.supported-architecture", &["arm64"]);
    let mut pages =
        ec2.describe_instance_types().filters(arm).max_results(5).into_paginator().items().send();
    let mut names = Vec::new();
    while let Some(kind) = pages.next().await {
        names.extend(good(kind).instance_type);
    }
    assert!(names.contains(&InstanceType::T4gMicro));
    assert!(!names.contains(&InstanceType::T3Micro));
    let unknown = ec2.describe_instance_types().instance_types("t3.tiny".into()).send().await;
    assert_eq!(code(unknown), "InvalidInstanceType");
    let offered = ec2.describe_instance_type_offerings();
    let offered = offered.location_type("availability-zone".into());
    let offered = offered.filters(filter("instance-type", &["t3.micro"])).send().await;
    assert_eq!(good(offered).instance_type_offerings().len(), 3);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn security_groups_and_their_rules() {
    let world = World::new().await;
    let ec2 = &world.ec2;
    let create = |name: &str| {
        let tags = tagged(ResourceType::SecurityGroup, "run", "1");
        ec2.create_security_group().group_name(name).description("d").tag_specifications(tags)
    };
    let group = good(create("ssh").send().await);
    assert_eq!(group.tags().len(), 1);
    let id = group.group_id().expect("an id");
    assert_eq!(code(create("ssh").send().await), "InvalidGroup.Duplicate");
    assert_eq!(code(create("sg-ssh").send().await), "InvalidParameterValue");
    assert_eq!(code(create("x").vpc_id("vpc-12345678").send().await), "InvalidVpcID.NotFound");
    let ssh = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22)
        .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").description("all").build())
        .ipv6_ranges(Ipv6Range::builder().cidr_ipv6("::/0").build())
        .build();
    let open = || ec2.authorize_security_group_ingress().group_id(id).ip_permissions(ssh.clone());
    assert_eq!(good(open().send().await).security_group_rules().len(), 2);
    assert_eq!(code(open().send().await), "InvalidPermission.Duplicate");
    let wrong = ec2.authorize_security_group_ingress().group_id(id).ip_protocol("tcp");
    let wrong = wrong.from_port(22).to_port(22).cidr_ip("10.0.0.0/40").send().await;
    assert_eq!(code(wrong), "InvalidParameterValue");
    let found = good(ec2.describe_security_groups().group_ids(id).send().await);
    let ingress = found.security_groups()[0].ip_permissions();
    assert_eq!(ingress.len(), 1, "rules with the same ports are one permission");
    assert_eq!(
        (ingress[0].ip_ranges(), ingress[0].ipv6_ranges()),
        (ssh.ip_ranges(), ssh.ipv6_ranges())
    );
    let rules = ec2.describe_security_group_rules().filters(filter("group-id", &[id]));
    assert_eq!(good(rules.send().await).security_group_rules().len(), 3);
    let close = || ec2.revoke_security_group_ingress().group_id(id).ip_permissions(ssh.clone());
    good(close().send().await);
    assert_eq!(code(close().send().await), "InvalidPermission.NotFound");
    good(ec2.delete_security_group().group_id(id).send().await);
    assert_eq!(
        code(ec2.delete_security_group().group_id(id).send().await),
        "InvalidGroup.NotFound"
    );
    assert_eq!(
        code(ec2.delete_security_group().group_name("default").send().await),
        "CannotDelete"
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn regions_are_apart() {
    let world = World::new().await;
    let there = client(&world.sandbox, "eu-west-1");
    let create = |ec2: &Client| ec2.create_security_group().group_name("ssh").description("d");
    good(create(&world.ec2).send().await);
    good(create(&there).send().await);
    let nowhere = client(&world.sandbox, "us-east-9").describe_regions().send().await;
    assert_eq!(code(nowhere), "AuthFailure");
    world.end().await;
}
