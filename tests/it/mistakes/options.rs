//! Options that do not exist, or cannot be what they are.

use super::refusal::{after, refused, with_options, with_steps};

#[test]
fn an_unknown_option() {
    insta::assert_snapshot!(refused(&with_options("  ami_nam       = \"web\"")), @r#"
    error[unknown-option]: unknown option `ami_nam`
     --> web.pkr.hcl:5:3
      |
    5 |   ami_nam       = "web"
      |   ^^^^^^^ not known here
      |
      = help: did you mean `ami_name`?
    "#);
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(refused(&with_options("  run_tags      = [\"a\"]\n  ssh_port      = \"many\"\n  ebs_optimized = \"perhaps\"")), @r#"
    error[wrong-type]: wrong type for `run_tags`: a map of strings is required, but this is a tuple
     --> web.pkr.hcl:5:19
      |
    5 |   run_tags      = ["a"]
      |                   ^^^^^ map(string) is expected

    error[wrong-type]: wrong type for `ssh_port`: "many" is not a number
     --> web.pkr.hcl:6:19
      |
    6 |   ssh_port      = "many"
      |                   ^^^^^^ number is expected

    error[wrong-type]: wrong type for `ebs_optimized`: "perhaps" is neither `true` nor `false`
     --> web.pkr.hcl:7:19
      |
    7 |   ebs_optimized = "perhaps"
      |                   ^^^^^^^^^ bool is expected
    "#);
}

#[test]
fn a_bad_duration() {
    insta::assert_snapshot!(refused(&with_options("  ssh_timeout   = \"5 minutes\"")), @r#"
    error[wrong-value]: wrong value for `ssh_timeout`
     --> web.pkr.hcl:5:19
      |
    5 |   ssh_timeout   = "5 minutes"
      |                   ^^^^^^^^^^^ `5 minutes` is not a duration such as `90s`, `5m` or `1h30m`
    "#);
}

#[test]
fn values_that_do_not_exist() {
    insta::assert_snapshot!(refused(&with_options("  shutdown_behavior = \"terminat\"\n  region        = \"frankfurt\"\n  tenancy       = \"mine\"")), @r#"
    error[wrong-option]: `shutdown_behavior` cannot be `terminat`
     --> web.pkr.hcl:5:23
      |
    5 |   shutdown_behavior = "terminat"
      |                       ^^^^^^^^^^
      |
      = help: did you mean `terminate`?

    error[wrong-option]: `frankfurt` is no region
     --> web.pkr.hcl:6:19
      |
    6 |   region        = "frankfurt"
      |                   ^^^^^^^^^^^
      |
      = help: regions look like `eu-west-1`; zones have a letter at their end

    error[wrong-option]: `tenancy` cannot be `mine`
     --> web.pkr.hcl:7:19
      |
    7 |   tenancy       = "mine"
      |                   ^^^^^^
      |
      = help: one of default, dedicated, host
    "#);
}

#[test]
fn missing_required_options() {
    insta::assert_snapshot!(refused(&format!("source \"amazon-ebs\" \"web\" {{\n}}\n\n{}", super::refusal::BUILD)), @r#"
    error[wrong-option]: a source image is needed
     --> web.pkr.hcl:1:1
      |
    1 | source "amazon-ebs" "web" {
      | ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `source_ami = "ami-…"`, or a `source_ami_filter` block

    error[wrong-option]: `instance_type` is needed
     --> web.pkr.hcl:1:1
      |
    1 | source "amazon-ebs" "web" {
      | ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: for example `instance_type = "t3.micro"`

    error[wrong-option]: `ssh_username` is needed
     --> web.pkr.hcl:1:1
      |
    1 | source "amazon-ebs" "web" {
      | ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: images have their own: ec2-user, ubuntu, admin, rocky, fedora, …
    "#);
}

#[test]
fn a_step_without_anything_to_do() {
    insta::assert_snapshot!(refused(&with_steps("  provisioner \"shell\" {\n  }\n  provisioner \"file\" {\n    destination = \"/tmp/x\"\n  }")), @r#"
    error[what-to-run]: a `shell` provisioner needs one of `inline`, `script` and `scripts`
      --> web.pkr.hcl:10:3
       |
    10 |   provisioner "shell" {
       |   ^^^^^^^^^^^^^^^^^^^

    error[what-to-upload]: a `file` provisioner needs one of `source`, `sources` and `content`
      --> web.pkr.hcl:12:3
       |
    12 |   provisioner "file" {
       |   ^^^^^^^^^^^^^^^^^^
    "#);
}

#[test]
fn an_unsupported_option() {
    insta::assert_snapshot!(refused(&with_options("  spot_price    = \"auto\"")), @r#"
    error[unsupported-option]: `spot_price` is not supported yet
     --> web.pkr.hcl:5:19
      |
    5 |   spot_price    = "auto"
      |                   ^^^^^^
      |
      = help: leave it out to launch on demand
    "#);
}

#[test]
fn options_that_exclude_each_other() {
    insta::assert_snapshot!(refused(&with_options("  security_group_id  = \"sg-1\"\n  security_group_ids = [\"sg-2\"]")), @r#"
    error[wrong-option]: `security_group_id` and `security_group_ids` exclude each other
     --> web.pkr.hcl:6:24
      |
    6 |   security_group_ids = ["sg-2"]
      |                        ^^^^^^^^
      |
      = help: give one of them
    "#);
}

#[test]
fn a_name_that_ec2_does_not_take() {
    insta::assert_snapshot!(refused(&with_options("  ami_name      = \"web: stable\"")), @r#"
    error[wrong-option]: `ami_name` has `:` in it, which EC2 does not take
     --> web.pkr.hcl:5:19
      |
    5 |   ami_name      = "web: stable"
      |                   ^^^^^^^^^^^^^
      |
      = help: the function `clean_resource_name` replaces what is not allowed
    "#);
}

#[test]
fn a_bad_go_template() {
    insta::assert_snapshot!(refused(&with_options("  ami_name      = \"web-{{timestmp}}\"")), @r#"
    error[template-error]: unknown function `timestmp`
     --> web.pkr.hcl:5:26
      |
    5 |   ami_name      = "web-{{timestmp}}"
      |                          ^^^^^^^^ in this template text
      |
      = help: did you mean `timestamp`?
    "#);
    insta::assert_snapshot!(refused(&with_options("  ami_name      = \"web-{{timestamp\"")), @r#"
    error[template-syntax]: this action is not closed
     --> web.pkr.hcl:5:24
      |
    5 |   ami_name      = "web-{{timestamp"
      |                        ^^ in this template text
      |
      = help: end it with `}}`; for a literal `{{` write {{`{{`}}
    "#);
}

#[test]
fn an_unknown_builder() {
    insta::assert_snapshot!(refused(&after("").replace("amazon-ebs", "amazon-ebx")), @r#"
    error[unknown-component]: there is no builder `amazon-ebx`
     --> web.pkr.hcl:2:9
      |
    2 | source "amazon-ebx" "web" {
      |         ^^^^^^^^^^ not known to bake
      |
      = help: did you mean `amazon-ebs`?
    "#);
}

#[test]
fn an_unknown_provisioner() {
    insta::assert_snapshot!(refused(&with_steps("  provisioner \"shel\" {\n    inline = [\"true\"]\n  }")), @r#"
    error[unknown-component]: there is no provisioner `shel`
      --> web.pkr.hcl:10:16
       |
    10 |   provisioner "shel" {
       |                ^^^^ not known to bake
       |
       = help: did you mean `shell`?
    "#);
}

#[test]
fn an_unknown_post_processor() {
    insta::assert_snapshot!(refused(&with_steps("  post-processor \"manifst\" {\n  }")), @r#"
    error[unknown-component]: there is no post-processor `manifst`
      --> web.pkr.hcl:10:19
       |
    10 |   post-processor "manifst" {
       |                   ^^^^^^^ not known to bake
       |
       = help: did you mean `manifest`?
    "#);
}

#[test]
fn a_filter_without_owners() {
    insta::assert_snapshot!(refused(&with_options("  source_ami_filter {\n    filters = {\n      name = \"al2023-ami-*\"\n    }\n  }").replace("  source_ami    = \"ami-12345678\"\n", "")), @r#"
    error[wrong-option]: `source_ami_filter` needs `owners`
     --> web.pkr.hcl:4:3
      |
    4 |   source_ami_filter {
      |   ^^^^^^^^^^^^^^^^^
      |
      = help: `owners = ["amazon"]`, `["self"]` or an account: without it anybody's image may match
    "#);
}
