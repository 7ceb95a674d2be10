//! The `amazon-ebs` builder as legacy templates use it.

use super::support::{check, hcl, legacy, said};

#[test]
fn old_templates_leave_options_empty() {
    let text = legacy(
        "amazon-ebs",
        r#""access_key": "", "secret_key": "", "source_ami": "ami-12345678", "instance_type": "t3.micro",
           "ssh_username": "admin", "ami_name": "web", "vpc_id": "", "subnet_id": "", "spot_price": "0",
           "security_group_id": "", "kms_key_id": "", "iam_instance_profile": "", "tenancy": "",
           "ssh_bastion_host": "", "ssh_private_key_file": "", "ssh_keypair_name": "",
           "user_data_file": "", "ami_regions": "", "ami_users": "", "encrypt_boot": "false",
           "shutdown_behavior": "", "temporary_key_pair_bits": 0, "windows_password_timeout": "20m""#,
    );
    let checked = check("a.json", &text);
    assert_eq!(checked.found, "");
    assert!(checked.plan.is_some());
}

#[test]
fn a_type_that_does_not_fit_is_said_even_where_bake_cannot_do_it_yet() {
    let text = legacy(
        "amazon-ebs",
        r#""spot_instance_types": { "a": "b" }, "block_duration_minutes": "long", "encrypt_boot": "yes",
           "winrm_port": "x", "fast_launch": { "template_version": "one" }"#,
    );
    insta::assert_snapshot!(check("a.json", &text).found, @r#"
    error[wrong-type]: wrong type for `encrypt_boot`: "yes" is neither `true` nor `false`
     --> a.json:1:142
      |
    1 | ...minutes": "long", "encrypt_boot": "yes",
      |                                      ^^^^^ bool is expected

    error[wrong-type]: wrong type for `spot_instance_types`: at `[0]`: a string is required, but this is an object
     --> a.json:1:78
      |
    1 | ...", "spot_instance_types": { "a": "b" }, "block_duration_minutes": "long", "encrypt_boot": ...
      |                              ^^^^^^^^^^^^ list(string) is expected

    error[wrong-type]: wrong type for `block_duration_minutes`: "long" is not a number
     --> a.json:1:118
      |
    1 | ...b" }, "block_duration_minutes": "long", "encrypt_boot": "yes",
      |                                    ^^^^^^ number is expected

    error[wrong-type]: wrong type for `winrm_port`: "x" is not a number
     --> a.json:2:26
      |
    2 |            "winrm_port": "x", "fast_launch": { "template_version": "one" } }] }
      |                          ^^^ number is expected

    error[wrong-type]: wrong type for `template_version`: "one" is not a number
     --> a.json:2:68
      |
    2 |            "winrm_port": "x", "fast_launch": { "template_version": "one" } }] }
      |                                                                    ^^^^^ number is expected
    "#);
}

#[test]
fn of_two_blocks_each_is_read_for_what_is_wrong_in_it() {
    let text = hcl(
        "amazon-ebs",
        r#"
  instance_type = "t3.micro"
  ssh_username  = "admin"
  source_ami_filter {
    owner = ["amazon"]
  }
  source_ami_filter {
    owners      = ["amazon"]
    most_recent = "x"
  }"#,
    );
    insta::assert_snapshot!(check("a.pkr.hcl", &text).found, @r#"
    error[duplicate-block]: this block may stand here only once
     --> a.pkr.hcl:8:3
      |
    5 |   source_ami_filter {
      |   ----------------- first here
    ...
    8 |   source_ami_filter {
      |   ^^^^^^^^^^^^^^^^^ again here

    error[unknown-option]: unknown option `owner`
     --> a.pkr.hcl:6:5
      |
    6 |     owner = ["amazon"]
      |     ^^^^^ not known here
      |
      = help: did you mean `owners`?

    error[wrong-type]: wrong type for `most_recent`: "x" is neither `true` nor `false`
      --> a.pkr.hcl:10:19
       |
    10 |     most_recent = "x"
       |                   ^^^ bool is expected
    "#);
}

#[test]
fn what_packer_refuses_is_refused() {
    let minimal = "source_ami = \"ami-12345678\"\nssh_username = \"admin\"\n";
    for builder in ["amazon-ebs", "amazon-ebssurrogate", "amazon-instance"] {
        let found = |more: &str| {
            said(
                builder,
                &format!("{minimal}instance_type = \"t3.micro\"\nami_name = \"web\"\n{more}"),
            )
        };
        for (options, wrong) in [
            (
                "spot_instance_types = [\"t3.small\"]",
                "`instance_type` and `spot_instance_types` exclude each other",
            ),
            ("ssh_interface = \"carrier_pigeon\"", "`ssh_interface` cannot be `carrier_pigeon`"),
            ("kms_key_id = \"alias/x\"", "`kms_key_id` needs `encrypt_boot = true`"),
            (
                "kms_key_id = \"alias/x\"\nencrypt_boot = false",
                "`kms_key_id` needs `encrypt_boot = true`",
            ),
            (
                "region_kms_key_ids = { eu-west-1 = \"\" }",
                "`eu-west-1` has a key but is not in `ami_regions`",
            ),
            (
                "encrypt_boot = true\nami_regions = [\"a\", \"b\"]\nregion_kms_key_ids = { a = \"alias/x\" }",
                "`b` has no key in `region_kms_key_ids`",
            ),
        ] {
            let found = found(options);
            assert!(
                found.contains(&format!("error[wrong-option]: {wrong}")),
                "{builder}: {options}: {found}"
            );
        }
    }
}
