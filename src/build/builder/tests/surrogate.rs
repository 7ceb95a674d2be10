//! The `amazon-ebssurrogate` builder.

use super::support::{check, hcl, said};

const MINIMAL: &str =
    "source_ami = \"ami-12345678\"\ninstance_type = \"t3.micro\"\nssh_username = \"admin\"\n";

fn said_of(more: &str) -> String {
    said("amazon-ebssurrogate", &format!("{MINIMAL}{more}"))
}

#[test]
fn a_root_device_and_a_virtualization_type_are_needed() {
    insta::assert_snapshot!(said_of(""), @"
    error[wrong-option]: `ami_virtualization_type` is needed
      `hvm` on all current instances
    error[wrong-option]: a block `ami_root_device` is needed
      `ami_root_device { source_device_name = …, device_name = … }`
    ");
    insta::assert_snapshot!(
        said_of(r#"
          ami_virtualization_type = "hvm"
          ami_root_device {
            source_device_name = "/dev/sdg"
            iops = 100
            volume_type = "gp2"
            volume_size = -1
          }"#),
        @"
    error[wrong-option]: `device_name` is needed in `ami_root_device`
      such as `/dev/xvda`
    error[wrong-option]: `volume_size` must not be negative
    error[wrong-option]: `iops` cannot be set with `volume_type` gp2
    error[wrong-option]: no `launch_block_device_mappings` has the device `/dev/sdg`
      the instance needs the volume that becomes the root
    "
    );
    insta::assert_snapshot!(
        said_of(r#"
          ami_virtualization_type = "hvm"
          launch_block_device_mappings {
            device_name = "/dev/sdf"
            omit_from_artifact = true
          }
          ami_root_device {
            source_device_name = "/dev/sdf"
            device_name = "/dev/xvda"
          }"#),
        @"
    error[wrong-option]: `/dev/sdf` becomes the root and cannot be left out of the image
      remove `omit_from_artifact` from its mapping
    "
    );
}

#[test]
fn firmware_is_checked() {
    let body = format!(
        r#"{MINIMAL}
  ami_virtualization_type = "hvm"
  ami_architecture = "aarch64"
  boot_mode        = "bios"
  tpm_support      = "2.0"
  uefi_data        = "%"
  launch_block_device_mappings {{
    device_name = "/dev/sdf"
  }}
  ami_root_device {{
    source_device_name = "/dev/sdf"
    device_name        = "/dev/xvda"
  }}"#
    );
    insta::assert_snapshot!(check("a.pkr.hcl", &hcl("amazon-ebssurrogate", &body)).found, @r#"
    error[wrong-option]: `ami_architecture` cannot be `aarch64`
     --> a.pkr.hcl:7:22
      |
    7 |   ami_architecture = "aarch64"
      |                      ^^^^^^^^^
      |
      = help: did you mean `arm64`?

    error[wrong-option]: `boot_mode` cannot be `bios`
     --> a.pkr.hcl:8:22
      |
    8 |   boot_mode        = "bios"
      |                      ^^^^^^
      |
      = help: one of legacy-bios, uefi, uefi-preferred

    error[wrong-option]: `tpm_support` cannot be `2.0`
     --> a.pkr.hcl:9:22
      |
    9 |   tpm_support      = "2.0"
      |                      ^^^^^
      |
      = help: did you mean `v2.0`?

    error[wrong-option]: `uefi_data` is not in base64
      --> a.pkr.hcl:10:22
       |
    10 |   uefi_data        = "%"
       |                      ^^^
       |
       = help: as `aws ec2 get-instance-uefi-data` prints it
    "#);
    let body = body.replace("\"bios\"", "\"legacy-bios\"");
    insta::assert_snapshot!(said("amazon-ebssurrogate", &body), @r#"
    error[wrong-option]: `ami_architecture` cannot be `aarch64`
      did you mean `arm64`?
    error[wrong-option]: `tpm_support` cannot be `2.0`
      did you mean `v2.0`?
    error[wrong-option]: `uefi_data` is of no use with `boot_mode = "legacy-bios"`
    error[wrong-option]: `uefi_data` is not in base64
      as `aws ec2 get-instance-uefi-data` prints it
    "#);
    let body = body.replace("\"legacy-bios\"", "\"\"");
    insta::assert_snapshot!(said("amazon-ebssurrogate", &body), @"
    error[wrong-option]: `ami_architecture` cannot be `aarch64`
      did you mean `arm64`?
    error[wrong-option]: `tpm_support` cannot be `2.0`
      did you mean `v2.0`?
    error[wrong-option]: `uefi_data` needs `boot_mode`
      `uefi` or `uefi-preferred`
    error[wrong-option]: `uefi_data` is not in base64
      as `aws ec2 get-instance-uefi-data` prints it
    ");
}
