//! The `amazon-ebs` builder as legacy templates use it.

use super::support::{check, legacy};

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

    error[wrong-type]: wrong type for `spot_instance_types`: [0]: a string is required, but this is an object
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
