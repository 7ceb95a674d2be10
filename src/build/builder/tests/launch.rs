//! Options of instances and of access, through `amazon-ebsvolume`, which has little else.

use super::support::said;

const MINIMAL: &str = "source_ami = \"ami-12345678\"\nssh_username = \"admin\"\n";

fn said_of(more: &str) -> String {
    said("amazon-ebsvolume", &format!("{MINIMAL}{more}"))
}

fn said_of_micro(more: &str) -> String {
    said_of(&format!("instance_type = \"t3.micro\"\n{more}"))
}

#[test]
fn one_kind_of_instance_is_needed() {
    insta::assert_snapshot!(said_of(""), @r#"
    error[wrong-option]: `instance_type` is needed
      for example `instance_type = "t3.micro"`
    "#);
    insta::assert_snapshot!(said_of_micro("spot_instance_types = [\"t3.small\"]"), @"
    error[wrong-option]: `instance_type` and `spot_instance_types` exclude each other
      give one of them
    ");
}

#[test]
fn credits_and_enclaves_depend_on_the_type() {
    insta::assert_snapshot!(
        said_of("instance_type = \"m5.large\"\nenable_unlimited_credits = true"),
        @"
    error[wrong-option]: `m5.large` has no CPU credits
      only t2, t3, t3a, t4g
    "
    );
    insta::assert_snapshot!(
        said_of("instance_type = \"t2.micro\"\nenable_t2_unlimited = true\nspot_price = \"auto\""),
        @"
    warning[deprecated]: `enable_t2_unlimited` is the old name of `enable_unlimited_credits`
      use the new name
    error[wrong-option]: t2 spot instances have no unlimited credits
    "
    );
    insta::assert_snapshot!(
        said_of("instance_type = \"t3.micro\"\nenable_nitro_enclave = true\nspot_price = \"0.1\""),
        @"
    error[wrong-option]: `t3.micro` has no enclaves
    error[wrong-option]: spot instances have no enclaves
    "
    );
}

#[test]
fn spot_options_are_checked() {
    insta::assert_snapshot!(
        said_of_micro(r#"
          spot_price = "cheap"
          spot_allocation_strategy = "lowest_price"
          block_duration_minutes = 90
          ena_support = true
          sriov_support = true"#),
        @"
    error[wrong-option]: `ena_support` cannot be set on spot instances
      they cannot be stopped and changed; use a source image that has it
    error[wrong-option]: `sriov_support` cannot be set on spot instances
      they cannot be stopped and changed; use a source image that has it
    error[wrong-option]: `cheap` is no price
      `auto`, or dollars an hour such as `0.05`
    error[wrong-option]: `spot_allocation_strategy` cannot be `lowest_price`
      did you mean `lowest-price`?
    error[wrong-option]: `block_duration_minutes` must be a multiple of 60
    warning[no-effect]: `block_duration_minutes` has no effect; Packer has given it up
      leave it out
    "
    );
    insta::assert_snapshot!(said_of_micro("spot_tags = { A = \"b\" }\nspot_price = \"0\""), @"error[wrong-option]: `spot_tags` needs `spot_price`");
}

#[test]
fn the_source_image_needs_an_owner_and_a_filter() {
    let said_of = |more: &str| {
        let body = format!("instance_type = \"t3.micro\"\nssh_username = \"admin\"\n{more}");
        said("amazon-ebsvolume", &body)
    };
    insta::assert_snapshot!(said_of(""), @r#"
    error[wrong-option]: a source image is needed
      `source_ami = "ami-…"`, or a `source_ami_filter` block
    "#);
    insta::assert_snapshot!(said_of("source_ami_filter {}"), @r#"
    error[wrong-option]: `source_ami_filter` needs `owners`
      `owners = ["amazon"]`, `["self"]` or an account: without it anybody's image may match
    error[wrong-option]: `source_ami_filter` has no filters
    "#);
    insta::assert_snapshot!(said_of("source_ami_filter {}\nsource_ami = \"ami-1\""), @"error[unsupported-option]: the builder `amazon-ebsvolume` is not supported yet");
}

#[test]
fn where_and_how_it_runs_is_checked() {
    insta::assert_snapshot!(
        said_of_micro(r#"
          shutdown_behavior = "hibernate"
          tenancy = "dedicated"
          capacity_reservation_id = "cr-1"
          capacity_reservation_group_arn = "arn:x"
          capacity_reservation_preference = "opne"
          placement {
            tenancy = "default"
            host_id = "h-1"
            host_resource_group_arn = "arn:x"
          }
          metadata_options {
            http_put_response_hop_limit = 65
            instance_metadata_tags = "on"
          }"#),
        @r#"
    error[wrong-option]: `shutdown_behavior` cannot be `hibernate`
      one of stop, terminate
    error[wrong-option]: `capacity_reservation_id` and `capacity_reservation_group_arn` exclude each other
      give one of them
    error[wrong-option]: `capacity_reservation_id` and `capacity_reservation_preference` exclude each other
      give one of them
    error[wrong-option]: `capacity_reservation_group_arn` and `capacity_reservation_preference` exclude each other
      give one of them
    error[wrong-option]: `capacity_reservation_preference` cannot be `opne`
      did you mean `open`?
    error[wrong-option]: `instance_metadata_tags` cannot be `on`
      one of enabled, disabled
    error[wrong-option]: `http_put_response_hop_limit` must be from 1 to 64
    error[wrong-option]: `tenancy` is given here and in `placement`
      leave it out here
    error[wrong-option]: `host_id` and `host_resource_group_arn` exclude each other
      give one of them
    error[wrong-option]: a dedicated host needs `tenancy = "host"`
    "#
    );
}

#[test]
fn the_network_is_checked() {
    insta::assert_snapshot!(
        said_of_micro(r#"
          subnet_id = "subnet-1"
          subnet_filter {
            filters = { "tag:Name" = "x" }
          }
          security_group_id = "sg-1"
          security_group_ids = ["sg-2"]
          temporary_security_group_source_public_ip = true
          temporary_security_group_source_cidrs = ["10.0.0.0/33"]"#),
        @"
    error[wrong-option]: `security_group_id` and `security_group_ids` exclude each other
      give one of them
    warning[no-effect]: `subnet_filter` has no effect beside `subnet_id`
      give one of them
    error[wrong-option]: `10.0.0.0/33` is no CIDR range
    warning[no-effect]: `temporary_security_group_source_public_ip` has no effect beside `temporary_security_group_source_cidrs`
      give one of them
    warning[no-effect]: `temporary_security_group_source_cidrs` has no effect: with `security_group_id` no group is made
      leave it out
    "
    );
}

#[test]
fn who_may_connect_matters_only_to_a_port_that_is_opened() {
    let cidrs = "temporary_security_group_source_cidrs = [\"10.0.0.0/8\"]\n";
    let said = |more: &str| said_of_micro(&format!("{cidrs}{more}"));
    let all = [
        said(""),
        said("security_group_ids = [\"sg-1\"]"),
        said("ssh_interface = \"session_manager\""),
        said("communicator = \"ssm\""),
    ];
    insta::assert_snapshot!(all.join("\n\n"), @"
    error[unsupported-option]: the builder `amazon-ebsvolume` is not supported yet

    warning[no-effect]: `temporary_security_group_source_cidrs` has no effect: with `security_group_ids` no group is made
      leave it out
    error[unsupported-option]: the builder `amazon-ebsvolume` is not supported yet

    warning[no-effect]: `temporary_security_group_source_cidrs` has no effect: the agent of Systems Manager needs no open port
      leave it out
    error[unsupported-option]: the builder `amazon-ebsvolume` is not supported yet

    warning[no-effect]: `temporary_security_group_source_cidrs` has no effect: the agent of Systems Manager needs no open port
      leave it out
    error[unsupported-option]: the builder `amazon-ebsvolume` is not supported yet
    ");
}

#[test]
fn the_session_manager_needs_ssh() {
    insta::assert_snapshot!(said_of_micro("ssh_interface = \"session_manager\""), @"error[unsupported-option]: the builder `amazon-ebsvolume` is not supported yet");
    insta::assert_snapshot!(said_of_micro("ssh_interface = \"public_pi\""), @"
    error[wrong-option]: `ssh_interface` cannot be `public_pi`
      did you mean `public_ip`?
    ");
    insta::assert_snapshot!(
        said_of_micro("ssh_interface = \"session_manager\"\ncommunicator = \"none\"\niam_instance_profile = \"ssm\""),
        @r#"
    warning[no-effect]: `ssh_username` has no effect with `communicator = "none"`
      leave it out: nothing is connected to
    error[wrong-option]: the Session Manager needs the communicator `ssh` or `winrm`
    "#
    );
}

#[test]
fn a_temporary_profile_is_for_builds_without_one() {
    let policy = "temporary_iam_instance_profile_policy_document {\n Version = \"2012-10-17\"\n Statement {\n Effect = \"Allow\"\n Action = [\"s3:Get*\"]\n Resource = [\"*\"]\n }\n}\n";
    insta::assert_snapshot!(said_of_micro(policy), @"error[unsupported-option]: the builder `amazon-ebsvolume` is not supported yet");
    insta::assert_snapshot!(said_of_micro(&format!("{policy}iam_instance_profile = \"x\"")), @"
    warning[no-effect]: `temporary_iam_instance_profile_policy_document` has no effect beside `iam_instance_profile`
      give one of them
    error[unsupported-option]: the builder `amazon-ebsvolume` is not supported yet
    ");
}

#[test]
fn keys_of_ec2_are_checked() {
    insta::assert_snapshot!(
        said_of_micro("ssh_keypair_name = \"x\"\ntemporary_key_pair_type = \"ecdsa\""),
        @"
    warning[no-effect]: `temporary_key_pair_type` has no effect beside `ssh_keypair_name`: no key is made
      leave it out
    error[wrong-option]: EC2 takes no ECDSA keys
      `ed25519` or `rsa`
    error[wrong-option]: `ssh_keypair_name` needs `ssh_private_key_file`
      leave both out to use a temporary key pair
    "
    );
    insta::assert_snapshot!(said_of_micro("ssh_keypair_name = \"x\"\nssh_agent_auth = true"), @"error[unsupported-option]: the builder `amazon-ebsvolume` is not supported yet");
    insta::assert_snapshot!(
        said_of_micro("ssh_keypair_name = \"x\"\ncommunicator = \"winrm\"\nwinrm_username = \"a\""),
        @r#"
    warning[no-effect]: `ssh_username` has no effect with `communicator = "winrm"`
      `winrm_username` is the user
    error[wrong-option]: `ssh_keypair_name` needs `ssh_private_key_file`
      the key decrypts the password of the Windows instance
    "#
    );
}

#[test]
fn the_key_of_a_windows_instance_decrypts_its_password() {
    let said_of = |more: &str| {
        said_of_micro(&format!("communicator = \"winrm\"\nwinrm_username = \"a\"\n{more}"))
    };
    insta::assert_snapshot!(said_of("ssh_interface = \"session_manager\""), @r#"
    warning[no-effect]: `ssh_username` has no effect with `communicator = "winrm"`
      `winrm_username` is the user
    error[unsupported-option]: the builder `amazon-ebsvolume` is not supported yet
    "#);
    insta::assert_snapshot!(said_of("temporary_key_pair_bits = 1024"), @r#"
    warning[no-effect]: `ssh_username` has no effect with `communicator = "winrm"`
      `winrm_username` is the user
    error[wrong-option]: no RSA key of 1024 bits
      one of 2048, 3072, 4096
    "#);
    insta::assert_snapshot!(said_of("temporary_key_pair_type = \"rsa\"\ntemporary_key_pair_bits = 4096"), @r#"
    warning[no-effect]: `ssh_username` has no effect with `communicator = "winrm"`
      `winrm_username` is the user
    error[unsupported-option]: the builder `amazon-ebsvolume` is not supported yet
    "#);
    insta::assert_snapshot!(said_of("ssh_private_key_file = \"missing\""), @r#"
    warning[no-effect]: `ssh_username` has no effect with `communicator = "winrm"`
      `winrm_username` is the user
    error[wrong-option]: `ssh_private_key_file` needs `ssh_keypair_name`
      the password of a Windows instance is encrypted for the key pair that it is launched with; leave both out to use a temporary one, or give `winrm_password`
    error[wrong-option]: `missing` cannot be read: No such file or directory (os error 2)
      paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "#);
}

#[test]
fn user_data_is_given_once_and_fits() {
    insta::assert_snapshot!(
        said_of_micro("user_data = \"x\"\nuser_data_file = \"missing\""),
        @"
    error[wrong-option]: `user_data` and `user_data_file` exclude each other
      give one of them
    error[wrong-option]: `missing` cannot be read: No such file or directory (os error 2)
      paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "
    );
    let long = "x".repeat(16 * 1024 + 1);
    insta::assert_snapshot!(said_of_micro(&format!("user_data = \"{long}\"")), @"
    error[wrong-option]: user data of 16385 bytes; EC2 takes 16384
      let it fetch the rest, or use a provisioner
    ");
}

#[test]
fn access_is_checked() {
    insta::assert_snapshot!(
        said_of_micro(r#"
          region = "eu-west-1a"
          access_key = "AKIA"
          assume_role {
            role_arn = "builder"
            duration_seconds = 60
            policy = "{"
            transitive_tag_keys = ["Team"]
          }
          vault_aws_engine {}
          mfa_code = "123456"
          insecure_skip_tls_verify = true
          decode_authorization_messages = true"#),
        @"
    error[wrong-option]: `access_key` and `secret_key` belong together
    error[wrong-option]: `eu-west-1a` is no region
      regions look like `eu-west-1`; zones have a letter at their end
    error[wrong-option]: an ARN is expected
      such as `arn:aws:iam::123456789012:role/build`
    error[wrong-option]: a role's credentials last from 900 to 43200 seconds
    error[wrong-option]: the session policy is no JSON: EOF while parsing an object at line 1 column 1
      `jsonencode({ … })` writes it
    error[wrong-option]: `vault_aws_engine` needs `name`
    error[wrong-option]: `vault_aws_engine` and `access_key` exclude each other
      give one of them
    "
    );
    insta::assert_snapshot!(said_of_micro("access_key = \"\"\nsecret_key = \"\"\ntoken = \"t\""), @"error[wrong-option]: `token` needs `access_key` and `secret_key`");
}
