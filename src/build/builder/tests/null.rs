//! The `null` builder.

use super::support::{check, hcl, legacy, said};

#[test]
fn without_a_communicator_nothing_is_needed() {
    let checked = check("a.pkr.hcl", &hcl("null", "communicator = \"none\""));
    assert!(checked.plan.is_some(), "{}", checked.found);
    insta::assert_snapshot!(checked.found, @"");
    let checked = check("a.json", &legacy("null", r#""communicator": "none""#));
    assert!(checked.plan.is_some(), "{}", checked.found);
}

#[test]
fn a_machine_needs_a_name_and_a_way_in() {
    insta::assert_snapshot!(said("null", ""), @"
    error[wrong-option]: `ssh_username` is needed
      images have their own: ec2-user, ubuntu, admin, rocky, fedora, …
    error[wrong-option]: `ssh_host` is needed
      the machine's name or address
    error[wrong-option]: there is no way to log in
      give `ssh_password` or `ssh_private_key_file` or `ssh_agent_auth`
    ");
    insta::assert_snapshot!(
        said("null", r#"
          ssh_host = "db"
          ssh_username = "admin"
          ssh_agent_auth = true
          ssh_password = "x""#),
        @"
    error[wrong-option]: `ssh_password` and `ssh_agent_auth` exclude each other
      give one of them
    "
    );
    insta::assert_snapshot!(said("null", "communicator = \"winrm\""), @"
    error[wrong-option]: `winrm_username` is needed
      often Administrator
    error[wrong-option]: `winrm_host` is needed
      the machine's name or address
    error[wrong-option]: there is no way to log in
      give `winrm_password`
    ");
}
