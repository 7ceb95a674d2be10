//! The `amazon-ebsvolume` builder.

use super::support::{check, hcl, said};

const MINIMAL: &str =
    "source_ami = \"ami-12345678\"\ninstance_type = \"t3.micro\"\nssh_username = \"admin\"\n";

#[test]
fn volumes_are_checked() {
    let body = format!(
        r#"{MINIMAL}
  ebs_volumes {{
    device_name          = "/dev/sdf"
    throughput           = 200
    snapshot_description = "x"
    snapshot_groups      = ["everybody"]
  }}
  ebs_volumes {{
    device_name = "/dev/sdf"
  }}"#
    );
    insta::assert_snapshot!(said("amazon-ebsvolume", &body), @"
    error[wrong-option]: `throughput`: can only be set with `volume_type` gp3
    error[wrong-option]: `/dev/sdf` is mapped twice
    error[wrong-option]: `snapshot_description` needs `snapshot_volume = true`
    error[wrong-option]: `snapshot_groups` cannot be `everybody`
      one of all
    ");
}

#[test]
fn it_has_no_image() {
    let body = format!("{MINIMAL}ami_name = \"x\"");
    insta::assert_snapshot!(check("a.pkr.hcl", &hcl("amazon-ebsvolume", &body)).found, @r#"
    error[unknown-option]: unknown option `ami_name`
     --> a.pkr.hcl:5:1
      |
    5 | ami_name = "x"
      | ^^^^^^^^ not known here
    "#);
}
