//! The `amazon-chroot` builder.

use super::support::{check, hcl, said};

#[test]
fn a_source_image_and_little_else_is_needed() {
    insta::assert_snapshot!(said("amazon-chroot", ""), @r#"
    error[wrong-option]: a source image is needed
      `source_ami = "ami-…"`, or a `source_ami_filter` block
    "#);
    let checked = check("a.pkr.hcl", &hcl("amazon-chroot", "source_ami = \"ami-12345678\""));
    assert!(checked.plan.is_some());
    insta::assert_snapshot!(checked.found, @r#"
    error[unsupported-option]: the builder `amazon-chroot` is not supported yet
     --> a.pkr.hcl:1:1
      |
    1 | source "amazon-chroot" "app" {
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn an_empty_volume_needs_to_be_described() {
    insta::assert_snapshot!(said("amazon-chroot", "from_scratch = true\nsource_ami = \"ami-1\""), @"
    error[wrong-option]: `root_volume_size` is needed with `from_scratch = true`
    error[wrong-option]: `pre_mount_commands` is needed with `from_scratch = true`
    error[wrong-option]: `ami_virtualization_type` is needed with `from_scratch = true`
    error[wrong-option]: `root_device_name` is needed with `from_scratch = true`
    error[wrong-option]: `ami_block_device_mappings` is needed with `from_scratch = true`
    warning[no-effect]: `source_ami` has no effect with `from_scratch = true`
      leave it out
    ");
    let body = r#"
      from_scratch = true
      root_volume_size = 8
      root_device_name = "xvda"
      ami_virtualization_type = "hvm"
      pre_mount_commands = ["mkfs {{.Device}}"]
      ami_block_device_mappings {
        device_name = "xvda"
        delete_on_termination = true
      }"#;
    insta::assert_snapshot!(said("amazon-chroot", body), @"error[unsupported-option]: the builder `amazon-chroot` is not supported yet");
}

#[test]
fn devices_and_root_belong_together() {
    let said_of = |more: &str| said("amazon-chroot", &format!("source_ami = \"ami-1\"\n{more}"));
    let devices = "ami_block_device_mappings {\n device_name = \"xvda\"\n}\n";
    insta::assert_snapshot!(said_of(devices), @"error[wrong-option]: `ami_block_device_mappings` needs `root_device_name`");
    insta::assert_snapshot!(said_of("root_device_name = \"xvda\""), @"error[wrong-option]: `root_device_name` needs `ami_block_device_mappings`");
    insta::assert_snapshot!(said_of(&format!("{devices}root_device_name = \"xvda\"")), @"error[wrong-option]: `root_volume_size` is needed with `ami_block_device_mappings`");
    insta::assert_snapshot!(
        said_of(r#"
          root_volume_size = -1
          root_volume_encrypt_boot = false
          root_volume_kms_key_id = "alias/x"
          chroot_mounts = [["proc", "/proc"]]"#),
        @r#"
    error[wrong-option]: `root_volume_size` must not be negative
    error[wrong-option]: a volume that is not encrypted has no key
      `root_volume_encrypt_boot = true`
    error[wrong-option]: a mount has three parts, not 2
      type, source and place: `["bind", "/dev", "/dev"]`
    "#
    );
}

#[test]
fn it_has_no_communicator() {
    insta::assert_snapshot!(
        said("amazon-chroot", "source_ami = \"ami-1\"\nssh_username = \"x\"\nmount_pat = \"/mnt\""),
        @"
    error[unknown-option]: unknown option `ssh_username`
    error[unknown-option]: unknown option `mount_pat`
      did you mean `mount_path`?
    "
    );
}
