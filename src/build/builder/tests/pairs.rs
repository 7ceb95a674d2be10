//! The same recipe in HCL and in legacy JSON, for each builder.

use super::support::{check_in, hcl, legacy};
use crate::plan::identity::template_hash;

/// A builder, its options in HCL, and the same as an old template has them. `key.pem` is a file.
const PAIRS: &[(&str, &str, &str)] = &[
    (
        "amazon-ebs",
        r#"
  ami_name      = "web"
  instance_type = "t3.micro"
  ssh_username  = "admin"
  ssh_pty       = true
  ena_support   = true
  source_ami_filter {
    filters     = { name = "debian-12-*" }
    owners      = ["1", "2"]
    most_recent = true
  }
  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = 8
    delete_on_termination = true
  }
  metadata_options {
    http_tokens = "required"
  }
  tag {
    key   = "Team"
    value = "web"
  }"#,
        r#"
  "ami_name": "web {{timestamp}}", "instance_type": "t3.micro", "ssh_username": "admin",
  "ssh_pty": "true", "ena_support": "1", "spot_price": "", "kms_key_id": "", "access_key": "",
  "secret_key": "", "ssh_timeout": "10m", "tags": { "Team": "web" },
  "source_ami_filter": {
    "filters": { "name": "debian-12-*" }, "owners": "1,2", "most_recent": "true"
  },
  "launch_block_device_mappings": [
    { "Device_Name": "/dev/xvda", "volume_size": "8", "Delete_On_Termination": "true" }
  ],
  "Metadata_Options": { "http_tokens": "required" }"#,
    ),
    (
        "amazon-ebssurrogate",
        r#"
  source_ami              = "ami-12345678"
  instance_type           = "t3.micro"
  ssh_username            = "admin"
  ami_virtualization_type = "hvm"
  boot_mode               = "uefi"
  launch_block_device_mappings {
    device_name = "/dev/sdf"
    volume_size = 10
  }
  launch_block_device_mappings {
    device_name        = "/dev/sdg"
    omit_from_artifact = true
  }
  ami_root_device {
    source_device_name = "/dev/sdf"
    device_name        = "/dev/xvda"
  }"#,
        r#"
  "source_ami": "ami-12345678", "instance_type": "t3.micro", "ssh_username": "admin",
  "ami_virtualization_type": "hvm", "boot_mode": "uefi", "ami_architecture": "x86_64",
  "launch_block_device_mappings": [
    { "device_name": "/dev/sdf", "volume_size": "10", "omit_from_artifact": "false" },
    { "device_name": "/dev/sdg", "OMIT_FROM_ARTIFACT": "true" }
  ],
  "ami_root_device": { "source_device_name": "/dev/sdf", "device_name": "/dev/xvda" }"#,
    ),
    (
        "amazon-ebsvolume",
        r#"
  source_ami    = "ami-12345678"
  instance_type = "t3.micro"
  ssh_username  = "admin"
  ebs_volumes {
    device_name     = "/dev/sdf"
    volume_type     = "gp3"
    throughput      = 250
    snapshot_volume = true
    tag {
      key   = "Kind"
      value = "data"
    }
  }"#,
        r#"
  "source_ami": "ami-12345678", "instance_type": "t3.micro", "ssh_username": "admin",
  "ebs_volumes": {
    "device_name": "/dev/sdf", "volume_type": "gp3", "throughput": "250",
    "snapshot_volume": "true", "tags": { "Kind": "data" }
  }"#,
    ),
    (
        "amazon-chroot",
        r#"
  source_ami         = "ami-12345678"
  mount_partition    = "2"
  mount_options      = ["noatime", "subvol=@"]
  pre_mount_commands = ["fsck -y {{.Device}}"]
  chroot_mounts      = [["proc", "proc", "/proc"], ["bind", "/dev", "/dev"]]
  root_volume_size   = 20"#,
        r#"
  "source_ami": "ami-12345678", "mount_partition": 2, "mount_options": "noatime,subvol=@",
  "pre_mount_commands": ["fsck -y {{.Device}}"], "device_path": "/dev/sdh",
  "chroot_mounts": [["proc", "proc", "/proc"], ["bind", "/dev", "/dev"]],
  "root_volume_size": "20", "from_scratch": "false""#,
    ),
    (
        "amazon-instance",
        r#"
  source_ami         = "ami-12345678"
  instance_type      = "m3.medium"
  ssh_username       = "admin"
  account_id         = "1234-5678-9012"
  s3_bucket          = "images"
  x509_cert_path     = "key.pem"
  x509_key_path      = "key.pem"
  bundle_vol_command = "sudo ec2-bundle-vol -k {{.KeyPath}}""#,
        r#"
  "source_ami": "ami-12345678", "instance_type": "m3.medium", "ssh_username": "admin",
  "account_id": 123456789012, "s3_bucket": "other", "x509_cert_path": "key.pem",
  "x509_key_path": "key.pem", "bundle_vol_command": "sudo ec2-bundle-vol -k {{.KeyPath}}""#,
    ),
    (
        "file",
        "content = \"a\\nb\"\ntarget = \"out.txt\"",
        r#""content": "a\nb", "target": "elsewhere.txt", "source": """#,
    ),
    (
        "null",
        "ssh_host = \"db\"\nssh_port = 2222\nssh_username = \"admin\"\nssh_password = \"x\"\nssh_pty = true",
        r#""SSH_Host": "db2", "ssh_port": "22", "ssh_username": "admin", "ssh_password": "y",
           "ssh_pty": "1", "ssh_private_key_file": """#,
    ),
];

#[test]
fn a_recipe_has_one_hash_in_both_languages() {
    let directory = tempfile::tempdir().expect("temporary directory");
    std::fs::write(directory.path().join("key.pem"), "a key").expect("write");
    for (builder, new, old) in PAIRS {
        let hash = |name: &str, text: &str| {
            let checked = check_in(directory.path(), name, text, crate::build::KINDS);
            let plan = checked.plan.unwrap_or_else(|| panic!("{}", checked.found));
            template_hash(&plan).hex()
        };
        let written = hash("a.pkr.hcl", &hcl(builder, new));
        assert_eq!(hash("a.json", &legacy(builder, old)), written, "{builder}");
    }
    let mut known: Vec<_> = PAIRS.iter().map(|(name, ..)| *name).collect();
    known.sort_unstable();
    let registered: Vec<_> = crate::build::KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(known, registered);
}
