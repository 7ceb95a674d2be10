//! Options of images, through `amazon-ebs`.

use super::support::said;

const MINIMAL: &str =
    "source_ami = \"ami-12345678\"\ninstance_type = \"t3.micro\"\nssh_username = \"admin\"\n";

fn said_of(more: &str) -> String {
    said("amazon-ebs", &format!("{MINIMAL}{more}"))
}

#[test]
fn keys_need_encryption_and_regions() {
    insta::assert_snapshot!(said_of("kms_key_id = \"my key\""), @"
    error[wrong-option]: `my key` is no KMS key
      an id, `alias/…` or an ARN
    error[wrong-option]: `kms_key_id` needs `encrypt_boot = true`
    ");
    insta::assert_snapshot!(
        said_of(r#"
          encrypt_boot = true
          ami_regions = ["eu-west-1", "eu-west-2"]
          region_kms_key_ids = { eu-west-1 = "alias/x", us-east-1 = "" }
          ami_users = ["123456789012"]"#),
        @"
    error[wrong-option]: `us-east-1` has a key but is not in `ami_regions`
    error[wrong-option]: `eu-west-2` has no key in `region_kms_key_ids`
      an empty text stands for the region's own key
    error[wrong-option]: what is encrypted with a default key cannot be shared
      name keys in `kms_key_id` or `region_kms_key_ids`
    "
    );
    insta::assert_snapshot!(said_of("encrypt_boot = true\nsnapshot_users = [\"123456789012\"]"), @"
    error[wrong-option]: what is encrypted with a default key cannot be shared
      name keys in `kms_key_id` or `region_kms_key_ids`
    ");
}

#[test]
fn words_and_times_are_checked() {
    insta::assert_snapshot!(
        said_of(r#"
          ami_virtualization_type = "hmv"
          imds_support = "v1.0"
          deprecate_at = "tomorrow"
          ami_groups = ["al"]
          force_delete_snapshot = true"#),
        @"
    error[wrong-option]: `ami_groups` cannot be `al`
      did you mean `all`?
    error[wrong-option]: `imds_support` cannot be `v1.0`
      did you mean `v2.0`?
    error[wrong-option]: `tomorrow` is no time in RFC 3339
      such as `2027-01-31T00:00:00Z`
    warning[no-effect]: `force_delete_snapshot` has no effect without `force_deregister = true`
    error[wrong-option]: `ami_virtualization_type` cannot be `hmv`
      did you mean `hvm`?
    "
    );
    insta::assert_snapshot!(
        said_of("ami_virtualization_type = \"paravirtual\"\nena_support = true\nsriov_support = true"),
        @"
    error[wrong-option]: `ena_support` needs `hvm` virtualization
    error[wrong-option]: `sriov_support` needs `hvm` virtualization
    "
    );
}

#[test]
fn fast_launch_is_checked_although_it_is_not_done_yet() {
    insta::assert_snapshot!(
        said_of(r#"
          region = "eu-west-1"
          fast_launch {
            enable_fast_launch = true
            template_id = "lt-1"
            template_name = "x"
            template_version = -1
            max_parallel_launches = 5
            target_resource_count = 0
            region_launch_templates {
              region = "eu-west-1"
              template_version = 2
            }
            region_launch_templates {
              region = "eu-west-1"
            }
            region_launch_templates {
              region = "us-east-1"
            }
          }"#),
        @"
    error[wrong-option]: `template_id` and `template_name` exclude each other
      give one of them
    error[wrong-option]: versions start at 1
    error[wrong-option]: `max_parallel_launches` must be at least 6
    error[wrong-option]: `target_resource_count` must be at least 1
    error[wrong-option]: `template_version` needs `template_id` or `template_name`
    error[wrong-option]: `eu-west-1` has a launch template already
    error[wrong-option]: there will be no image in `us-east-1`
      add it to `ami_regions`
    "
    );
}

#[test]
fn devices_are_checked() {
    let device = |options: &str| {
        said_of(&format!(
            "launch_block_device_mappings {{\ndevice_name = \"/dev/sdf\"\n{options}\n}}"
        ))
    };
    insta::assert_snapshot!(device("volume_type = \"gp3\"\niops = 2000\nthroughput = 3000"), @"
    error[wrong-option]: `iops`: must be from 3000 to 80000 for gp3
    error[wrong-option]: `throughput`: must be from 125 to 2000
    ");
    insta::assert_snapshot!(device("volume_type = \"io1\"\niops = 600\nvolume_size = 10"), @"error[wrong-option]: `iops`: at most 50 for each GiB of `volume_size`");
    insta::assert_snapshot!(device("volume_type = \"gp2\"\niops = 100\nvolume_size = -1"), @"
    error[wrong-option]: `volume_size`: must be at least 1 GiB
    warning[no-effect]: `iops` has no effect without `volume_type` io1, io2 or gp3
    ");
    insta::assert_snapshot!(device("volume_type = \"gp2\"\niops = 0\nthroughput = 0"), @"");
    insta::assert_snapshot!(device("encrypted = false\nkms_key_id = \"alias/x\"\nvolume_type = \"gp4\""), @"
    error[wrong-option]: `kms_key_id`: a volume that is not encrypted has no key
    error[wrong-option]: `volume_type`: `gp4` is no volume type (standard, gp2, gp3, io1, io2, st1, sc1)
    ");
    insta::assert_snapshot!(
        said_of("ami_block_device_mappings {\n device_name = \"\"\n}\nami_block_device_mappings {\n device_name = \"a\"\n}\nami_block_device_mappings {\n device_name = \"a\"\n}"),
        @"
    error[wrong-option]: `device_name`: a device needs a name
    error[wrong-option]: `a` is mapped twice
    "
    );
}
