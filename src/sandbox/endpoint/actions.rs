//! The one table from the name of an action to what does it.

use super::call::Handler;
use super::{
    iam, images, instance_attributes, instance_profiles, instances, key_pairs, launch, network,
    security_groups, snapshots, sts, tags, volumes,
};

/// Actions of EC2.
pub(super) const EC2: &[(&str, Handler)] = &[
    ("AssociateIamInstanceProfile", instance_profiles::associate),
    ("AuthorizeSecurityGroupEgress", security_groups::authorize_egress),
    ("AuthorizeSecurityGroupIngress", security_groups::authorize_ingress),
    ("CopyImage", images::copy_image),
    ("CreateImage", images::create_image),
    ("CreateKeyPair", key_pairs::create_key_pair),
    ("CreateSecurityGroup", security_groups::create_security_group),
    ("CreateTags", tags::create_tags),
    ("DeleteKeyPair", key_pairs::delete_key_pair),
    ("DeleteSecurityGroup", security_groups::delete_security_group),
    ("DeleteSnapshot", snapshots::delete_snapshot),
    ("DeleteTags", tags::delete_tags),
    ("DeleteVolume", volumes::delete_volume),
    ("DeregisterImage", images::deregister_image),
    ("DescribeAccountAttributes", network::describe_account_attributes),
    ("DescribeAvailabilityZones", network::describe_availability_zones),
    ("DescribeIamInstanceProfileAssociations", instance_profiles::describe),
    ("DescribeImageAttribute", images::describe_image_attribute),
    ("DescribeImages", images::describe_images),
    ("DescribeInstanceAttribute", instance_attributes::describe_instance_attribute),
    ("DescribeInstanceStatus", instances::describe_instance_status),
    ("DescribeInstanceTypeOfferings", network::describe_instance_type_offerings),
    ("DescribeInstanceTypes", network::describe_instance_types),
    ("DescribeInstances", instances::describe_instances),
    ("DescribeKeyPairs", key_pairs::describe_key_pairs),
    ("DescribeNetworkInterfaces", instances::describe_network_interfaces),
    ("DescribeRegions", network::describe_regions),
    ("DescribeSecurityGroupRules", security_groups::describe_security_group_rules),
    ("DescribeSecurityGroups", security_groups::describe_security_groups),
    ("DescribeSnapshotAttribute", snapshots::describe_snapshot_attribute),
    ("DescribeSnapshots", snapshots::describe_snapshots),
    ("DescribeSubnets", network::describe_subnets),
    ("DescribeTags", tags::describe_tags),
    ("DescribeVolumes", volumes::describe_volumes),
    ("DescribeVpcs", network::describe_vpcs),
    ("DisableImageDeprecation", images::disable_image_deprecation),
    ("DisableImageDeregistrationProtection", images::disable_image_deregistration_protection),
    ("DisassociateIamInstanceProfile", instance_profiles::disassociate),
    ("EnableImageDeprecation", images::enable_image_deprecation),
    ("EnableImageDeregistrationProtection", images::enable_image_deregistration_protection),
    ("GetConsoleOutput", instances::get_console_output),
    ("GetPasswordData", instances::get_password_data),
    ("ImportKeyPair", key_pairs::import_key_pair),
    ("ModifyImageAttribute", images::modify_image_attribute),
    ("ModifyInstanceAttribute", instance_attributes::modify_instance_attribute),
    ("ModifySnapshotAttribute", snapshots::modify_snapshot_attribute),
    ("RebootInstances", instances::reboot_instances),
    ("RegisterImage", images::register_image),
    ("RevokeSecurityGroupEgress", security_groups::revoke_egress),
    ("RevokeSecurityGroupIngress", security_groups::revoke_ingress),
    ("RunInstances", launch::run_instances),
    ("StartInstances", instances::start_instances),
    ("StopInstances", instances::stop_instances),
    ("TerminateInstances", instances::terminate_instances),
];

/// Actions of IAM.
pub(super) const IAM: &[(&str, Handler)] = &[
    ("AddRoleToInstanceProfile", iam::add_role_to_instance_profile),
    ("AttachRolePolicy", iam::attach_role_policy),
    ("CreateInstanceProfile", iam::create_instance_profile),
    ("CreateRole", iam::create_role),
    ("DeleteInstanceProfile", iam::delete_instance_profile),
    ("DeleteRole", iam::delete_role),
    ("DeleteRolePolicy", iam::delete_role_policy),
    ("DetachRolePolicy", iam::detach_role_policy),
    ("GetInstanceProfile", iam::get_instance_profile),
    ("GetRole", iam::get_role),
    ("GetRolePolicy", iam::get_role_policy),
    ("ListAttachedRolePolicies", iam::list_attached_role_policies),
    ("ListInstanceProfileTags", iam::list_instance_profile_tags),
    ("ListInstanceProfiles", iam::list_instance_profiles),
    ("ListInstanceProfilesForRole", iam::list_instance_profiles_for_role),
    ("ListRolePolicies", iam::list_role_policies),
    ("ListRoleTags", iam::list_role_tags),
    ("ListRoles", iam::list_roles),
    ("PutRolePolicy", iam::put_role_policy),
    ("RemoveRoleFromInstanceProfile", iam::remove_role_from_instance_profile),
];

/// Actions of STS.
pub(super) const STS: &[(&str, Handler)] =
    &[("AssumeRole", sts::assume_role), ("GetCallerIdentity", sts::get_caller_identity)];

/// The handler of an action.
pub(super) fn find(table: &[(&str, Handler)], action: &str) -> Option<Handler> {
    table.iter().find(|(name, _)| *name == action).map(|(_, handler)| *handler)
}
