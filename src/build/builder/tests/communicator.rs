//! Ways to reach a machine, through the `null` builder.

use super::support::{check_in, hcl, headings, said};
use crate::build::KINDS;
use crate::communicator::ssh::{KeyPair, KeyType};

const LOGIN: &str = "ssh_host = \"db\"\nssh_username = \"admin\"\nssh_password = \"x\"\n";

fn said_of(more: &str) -> String {
    said("null", &format!("{LOGIN}{more}"))
}

#[test]
fn words_are_checked() {
    insta::assert_snapshot!(said("null", "communicator = \"shh\""), @"
    error[wrong-option]: `communicator` cannot be `shh`
      did you mean `ssh`?
    ");
    insta::assert_snapshot!(
        said_of(r#"
          ssh_file_transfer_method = "spc"
          ssh_keep_alive_interval = "often"
          ssh_ciphers = ["aes128-ctr", "aes256-crt", "rot13"]
          ssh_key_exchange_algorithms = ["curve25519-sha265"]"#),
        @"
    error[wrong-option]: there is no cipher `aes256-crt`
      did you mean `aes256-ctr`?
    error[wrong-option]: there is no cipher `rot13`
      one of aes256-gcm@openssh.com, aes128-gcm@openssh.com, chacha20-poly1305@openssh.com, aes256-ctr, aes192-ctr, aes128-ctr, aes128-cbc, aes192-cbc, aes256-cbc
    error[wrong-option]: there is no key exchange `curve25519-sha265`
      did you mean `curve25519-sha256`?
    error[wrong-option]: `ssh_file_transfer_method` cannot be `spc`
      did you mean `scp`?
    error[wrong-option]: `often` is no duration
      such as `5s`
    "
    );
}

#[test]
fn kinds_and_sizes_of_keys_are_checked() {
    insta::assert_snapshot!(said_of("temporary_key_pair_type = \"dsa\""), @"
    error[wrong-option]: there are no DSA keys any more: OpenSSH has given them up
      write `ed25519`, or leave it out
    warning[no-effect]: `temporary_key_pair_type` has no effect: this builder makes no key
      leave it out
    ");
    insta::assert_snapshot!(said_of("temporary_key_pair_type = \"ed25591\""), @"
    error[wrong-option]: `temporary_key_pair_type` cannot be `ed25591`
      did you mean `ed25519`?
    warning[no-effect]: `temporary_key_pair_type` has no effect: this builder makes no key
      leave it out
    ");
    insta::assert_snapshot!(
        said_of("temporary_key_pair_type = \"rsa\"\ntemporary_key_pair_bits = 1024"),
        @"
    error[wrong-option]: no RSA key of 1024 bits
      one of 2048, 3072, 4096
    warning[no-effect]: `temporary_key_pair_bits` has no effect: this builder makes no key
      leave it out
    warning[no-effect]: `temporary_key_pair_type` has no effect: this builder makes no key
      leave it out
    "
    );
    insta::assert_snapshot!(
        said_of("temporary_key_pair_type = \"ecdsa\"\ntemporary_key_pair_bits = 2048"),
        @"
    error[wrong-option]: no ECDSA key of 2048 bits
      one of 256, 384, 521
    warning[no-effect]: `temporary_key_pair_bits` has no effect: this builder makes no key
      leave it out
    warning[no-effect]: `temporary_key_pair_type` has no effect: this builder makes no key
      leave it out
    "
    );
    insta::assert_snapshot!(
        said_of("temporary_key_pair_type = \"ecdsa\"\ntemporary_key_pair_bits = 521"),
        @"
    warning[no-effect]: `temporary_key_pair_bits` has no effect: this builder makes no key
      leave it out
    warning[no-effect]: `temporary_key_pair_type` has no effect: this builder makes no key
      leave it out
    "
    );
}

#[test]
fn a_bastion_needs_a_way_in_and_excludes_a_proxy() {
    insta::assert_snapshot!(
        said_of("ssh_bastion_host = \"gate\"\nssh_proxy_host = \"proxy\"\nssh_bastion_username = \"b\""),
        @"
    error[wrong-option]: `ssh_bastion_host` and `ssh_proxy_host` exclude each other
      give one of them
    error[wrong-option]: there is no way to log in to the bastion host
      give `ssh_bastion_private_key_file`, `ssh_bastion_password` or `ssh_bastion_agent_auth`
    "
    );
    insta::assert_snapshot!(
        said_of("ssh_bastion_host = \"gate\"\nssh_bastion_agent_auth = true"),
        @""
    );
}

#[test]
fn tunnels_have_a_form() {
    insta::assert_snapshot!(
        said_of("ssh_local_tunnels = [\"8080:db:80\", \"8080:80\"]\nssh_remote_tunnels = [\"x:db:80\"]"),
        @"
    error[wrong-option]: `8080:80` is no tunnel: it has the form `PORT:HOST:PORT`
      such as `8080:db.internal:5432`
    error[wrong-option]: `x:db:80` is no tunnel: `x` is no port
      such as `8080:db.internal:5432`
    "
    );
}

#[test]
fn two_time_limits_are_one_too_many() {
    insta::assert_snapshot!(said_of("ssh_timeout = \"1m\"\nssh_wait_timeout = \"2m\""), @"
    warning[no-effect]: `ssh_timeout` has no effect beside its old name `ssh_wait_timeout`
      leave `ssh_wait_timeout` out
    ");
}

#[test]
fn a_key_is_read() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let write = |name: &str, text: &str| {
        std::fs::write(directory.path().join(name), text).expect("write");
    };
    let said = |body: &str| {
        let body = format!("ssh_host = \"db\"\nssh_username = \"admin\"\n{body}");
        let checked = check_in(directory.path(), "a.pkr.hcl", &hcl("null", &body), KINDS);
        headings(&checked.found)
    };
    let pair = KeyPair::generate(KeyType::Ed25519, "test").expect("a key");
    write("key", pair.private.reveal());
    write("key.pub", &pair.public);
    write("locked", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n");
    insta::assert_snapshot!(said("ssh_private_key_file = \"key\""), @"");
    insta::assert_snapshot!(said("ssh_private_key_file = \"key.pub\""), @"
    error[wrong-option]: the private key in `key.pub` cannot be used: it is not a private key in a known format
      OpenSSH, PKCS#1, PKCS#8 and SEC1 keys are known, as PEM
    ");
    insta::assert_snapshot!(said("ssh_private_key_file = \"locked\""), @"
    error[wrong-option]: the private key in `locked` cannot be used: it is encrypted with a passphrase
      `ssh-keygen -p -f COPY` removes the passphrase of a copy
    ");
    insta::assert_snapshot!(said("ssh_private_key_file = \"missing\""), @"
    error[wrong-option]: `missing` cannot be read: No such file or directory (os error 2)
      paths are relative to the directory in which bake runs; `${path.root}` is the template's
    ");
    insta::assert_snapshot!(
        said("ssh_private_key_file = \"key\"\nssh_certificate_file = \"key.pub\""),
        @"
    error[wrong-option]: `key.pub` is no certificate to log in with: it is not in OpenSSH's format
      `ssh-keygen -L -f FILE` shows one
    "
    );
    insta::assert_snapshot!(
        said("ssh_password = \"x\"\nssh_certificate_file = \"missing\""),
        @"
    error[wrong-option]: `ssh_certificate_file` needs `ssh_private_key_file`
      the key that the certificate is for
    error[wrong-option]: `missing` cannot be read: No such file or directory (os error 2)
      paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "
    );
}

#[test]
fn empty_texts_are_as_good_as_none() {
    insta::assert_snapshot!(
        said_of(r#"
          ssh_private_key_file = ""
          ssh_bastion_host = ""
          ssh_bastion_password = ""
          ssh_proxy_host = ""
          temporary_key_pair_type = ""
          ssh_file_transfer_method = """#),
        @""
    );
}

#[test]
fn every_broken_cipher_is_refused_with_a_list_of_sound_ones() {
    insta::assert_snapshot!(said_of("ssh_ciphers = [\"arcfour128\", \"3des-cbc\"]"), @"
    error[wrong-option]: bake has no cipher `arcfour128`: it is broken
      one of aes256-gcm@openssh.com, aes128-gcm@openssh.com, chacha20-poly1305@openssh.com, aes256-ctr, aes192-ctr, aes128-ctr, aes128-cbc, aes192-cbc, aes256-cbc
    error[wrong-option]: bake has no cipher `3des-cbc`: it is broken
      one of aes256-gcm@openssh.com, aes128-gcm@openssh.com, chacha20-poly1305@openssh.com, aes256-ctr, aes192-ctr, aes128-ctr, aes128-cbc, aes192-cbc, aes256-cbc
    ");
}

#[test]
fn bastion_hosts_are_read() {
    let bastion = |host: &str| {
        said_of(&format!("ssh_bastion_host = \"{host}\"\nssh_bastion_password = \"x\""))
    };
    insta::assert_snapshot!(bastion("outer, me@inner:2222"), @"");
    insta::assert_snapshot!(bastion("outer,,inner"), @"
    error[wrong-option]: in `ssh_bastion_host`, `` names no host
      hosts are separated by commas; each is `host`, `host:port` or `user@host:port`
    ");
    insta::assert_snapshot!(
        said_of("ssh_bastion_host = \"gate\"\nssh_bastion_interactive = true"),
        @"
    error[unsupported-option]: `ssh_bastion_interactive` is not supported yet
      give `ssh_bastion_password`, such as a variable that is set by `PKR_VAR_…`, or a key
    "
    );
}

#[test]
fn a_proxy_wants_a_user_and_a_password_or_neither() {
    insta::assert_snapshot!(said_of("ssh_proxy_host = \"p\"\nssh_proxy_username = \"me\""), @"
    error[wrong-option]: `ssh_proxy_username` needs `ssh_proxy_password`
      SOCKS 5 knows no users without a password
    ");
    insta::assert_snapshot!(said_of("ssh_proxy_host = \"p\"\nssh_proxy_password = \"pw\""), @"error[wrong-option]: `ssh_proxy_password` needs `ssh_proxy_username`");
}

#[test]
fn a_key_in_the_template_is_read() {
    insta::assert_snapshot!(said_of("ssh_private_key = [107, 101, 121]"), @"
    error[wrong-option]: the private key cannot be used: it is not a private key in a known format
      an unencrypted OpenSSH, PKCS#1, PKCS#8 or SEC1 key, as PEM
    ");
}

#[test]
fn what_says_more_of_a_host_needs_the_host() {
    insta::assert_snapshot!(
        said_of("ssh_bastion_username = \"me\"\nssh_proxy_port = 1081\nssh_bastion_host = \"\""),
        @"warning[no-effect]: `ssh_proxy_port` has no effect without `ssh_proxy_host`"
    );
    insta::assert_snapshot!(
        said_of("ssh_bastion_host = \"gate\"\nssh_bastion_password = \"x\"\nssh_bastion_certificate_file = \"missing\""),
        @"
    error[wrong-option]: `ssh_bastion_certificate_file` needs `ssh_bastion_private_key_file`
      the key that the certificate is for
    error[wrong-option]: `missing` cannot be read: No such file or directory (os error 2)
      paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "
    );
}

/// An instance that is launched and reached in some way.
fn said_of_instance(more: &str) -> String {
    let body =
        "source_ami = \"ami-12345678\"\ninstance_type = \"t3.micro\"\nregion = \"eu-west-1\"\n";
    said("amazon-ebs", &format!("{body}{more}"))
}

#[test]
fn what_a_session_passes_by_has_no_effect() {
    insta::assert_snapshot!(
        said_of_instance(r#"
          ssh_interface            = "session_manager"
          ssh_username             = "admin"
          ssh_host                 = "db"
          ssh_port                 = 2222
          ssh_bastion_host         = "gate"
          ssh_bastion_username     = "guard"
          ssh_bastion_password     = "x"
          ssh_bastion_port         = 22
          ssh_timeout              = "1m"
          pause_before_connecting  = "1s"
        "#),
        @r#"
    warning[no-effect]: `ssh_bastion_host` has no effect with `ssh_interface = "session_manager"`
      leave it out: sessions go to the instance through AWS, not to an address
    warning[no-effect]: `ssh_bastion_password` has no effect with `ssh_interface = "session_manager"`
      leave it out: sessions go to the instance through AWS, not to an address
    warning[no-effect]: `ssh_bastion_port` has no effect with `ssh_interface = "session_manager"`
      leave it out: sessions go to the instance through AWS, not to an address
    warning[no-effect]: `ssh_bastion_username` has no effect with `ssh_interface = "session_manager"`
      leave it out: sessions go to the instance through AWS, not to an address
    warning[no-effect]: `ssh_host` has no effect with `ssh_interface = "session_manager"`
      leave it out: sessions go to the instance through AWS, not to an address
    "#
    );
    insta::assert_snapshot!(
        said_of_instance(r#"
          ssh_interface   = "session_manager"
          ssh_username    = "admin"
          ssh_proxy_host  = "proxy"
          ssh_proxy_port  = 1080
        "#),
        @r#"
    warning[no-effect]: `ssh_proxy_host` has no effect with `ssh_interface = "session_manager"`
      leave it out: sessions go to the instance through AWS, not to an address
    warning[no-effect]: `ssh_proxy_port` has no effect with `ssh_interface = "session_manager"`
      leave it out: sessions go to the instance through AWS, not to an address
    "#
    );
}

#[test]
fn systems_manager_needs_no_log_in() {
    insta::assert_snapshot!(
        said_of_instance(r#"
          communicator                 = "ssm"
          ssh_interface                = "session_manager"
          ssh_username                 = "admin"
          ssh_agent_auth               = true
          ssh_timeout                  = "1m"
          ssh_pty                      = true
          ssh_clear_authorized_keys    = true
          ssh_keypair_name             = "ours"
          temporary_key_pair_type      = "rsa"
          pause_before_connecting      = "1s"
          winrm_username               = "Administrator"
        "#),
        @r#"
    warning[no-effect]: `pause_before_connecting` has no effect with `communicator = "ssm"`
      `pause_before_ssm` waits before the agent is asked for anything
    warning[no-effect]: `ssh_keypair_name` has no effect with `communicator = "ssm"`
      leave it out: everything goes through the agent of Systems Manager
    warning[no-effect]: `temporary_key_pair_type` has no effect with `communicator = "ssm"`
      leave it out: everything goes through the agent of Systems Manager
    warning[no-effect]: `ssh_agent_auth` has no effect with `communicator = "ssm"`
      leave it out: everything goes through the agent of Systems Manager
    warning[no-effect]: `ssh_clear_authorized_keys` has no effect with `communicator = "ssm"`
      leave it out: everything goes through the agent of Systems Manager
    warning[no-effect]: `ssh_pty` has no effect with `communicator = "ssm"`
      leave it out: everything goes through the agent of Systems Manager
    warning[no-effect]: `ssh_timeout` has no effect with `communicator = "ssm"`
      leave it out: everything goes through the agent of Systems Manager
    warning[no-effect]: `winrm_username` has no effect with `communicator = "ssm"`
      leave it out: everything goes through the agent of Systems Manager
    "#
    );
}

#[test]
fn without_a_communicator_nothing_is_connected_to() {
    insta::assert_snapshot!(
        said_of_instance(r#"
          communicator    = "none"
          ssh_interface   = "public_ip"
          ssh_username    = "admin"
          ssh_password    = "x"
          ssh_timeout     = "1m"
          winrm_password  = "x"
        "#),
        @r#"
    warning[no-effect]: `ssh_username` has no effect with `communicator = "none"`
      leave it out: nothing is connected to
    warning[no-effect]: `ssh_password` has no effect with `communicator = "none"`
      leave it out: nothing is connected to
    warning[no-effect]: `ssh_timeout` has no effect with `communicator = "none"`
      leave it out: nothing is connected to
    warning[no-effect]: `winrm_password` has no effect with `communicator = "none"`
      leave it out: nothing is connected to
    warning[no-effect]: `ssh_interface` has no effect with `communicator = "none"`
      leave it out
    "#
    );
}

#[test]
fn ssh_and_winrm_have_nothing_of_each_other() {
    insta::assert_snapshot!(
        said("null", r#"
          communicator    = "winrm"
          winrm_host      = "db"
          winrm_username  = "Administrator"
          winrm_password  = "x"
          ssh_host        = "db"
          ssh_username    = "admin"
          ssh_password    = "x"
          ssh_timeout     = "1m"
          ssh_ciphers     = ["aes128-ctr"]
        "#),
        @r#"
    warning[no-effect]: `ssh_username` has no effect with `communicator = "winrm"`
      `winrm_username` is the user
    warning[no-effect]: `ssh_ciphers` has no effect with `communicator = "winrm"`
      leave it out, or set `communicator = "ssh"`
    warning[no-effect]: `ssh_password` has no effect with `communicator = "winrm"`
      `winrm_password` is the password
    warning[no-effect]: `ssh_timeout` has no effect with `communicator = "winrm"`
      `winrm_timeout` is the time limit
    warning[no-effect]: `ssh_host` has no effect with `communicator = "winrm"`
      `winrm_host` names the machine
    "#
    );
    insta::assert_snapshot!(
        said_of("winrm_use_ssl = true\nwinrm_timeout = \"1m\"\nwinrm_insecure = false"),
        @r#"
    warning[no-effect]: `winrm_timeout` has no effect with `communicator = "ssh"`
      leave it out, or set `communicator = "winrm"`
    warning[no-effect]: `winrm_use_ssl` has no effect with `communicator = "ssh"`
      leave it out, or set `communicator = "winrm"`
    "#
    );
}

#[test]
fn keys_that_nobody_makes_have_no_names() {
    insta::assert_snapshot!(
        said_of(r#"
          ssh_keypair_name           = "ours"
          temporary_key_pair_name    = "mine"
          ssh_clear_authorized_keys  = true
        "#),
        @"
    warning[no-effect]: `ssh_clear_authorized_keys` has no effect: this builder makes no key
      leave it out
    warning[no-effect]: `ssh_keypair_name` has no effect: this builder makes no key
      leave it out
    warning[no-effect]: `temporary_key_pair_name` has no effect: this builder makes no key
      leave it out
    "
    );
    insta::assert_snapshot!(
        said_of_instance(r#"
          ssh_username               = "admin"
          ssh_agent_auth             = true
          ssh_keypair_name           = "ours"
          temporary_key_pair_type    = "rsa"
          ssh_clear_authorized_keys  = true
        "#),
        @"
    warning[no-effect]: `ssh_clear_authorized_keys` has no effect beside `ssh_keypair_name`: no key is made
      leave it out
    warning[no-effect]: `temporary_key_pair_type` has no effect beside `ssh_keypair_name`: no key is made
      leave it out
    "
    );
}

#[test]
fn what_has_no_effect_is_pointed_at() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let body = format!("{LOGIN}winrm_port = 5986");
    let checked = check_in(directory.path(), "a.pkr.hcl", &hcl("null", &body), KINDS);
    assert!(checked.plan.is_some(), "the template goes on working");
    insta::assert_snapshot!(checked.found, @r#"
    warning[no-effect]: `winrm_port` has no effect with `communicator = "ssh"`
     --> a.pkr.hcl:5:14
      |
    5 | winrm_port = 5986
      |              ^^^^
      |
      = help: leave it out, or set `communicator = "winrm"`
    "#);
}

const WINRM: &str = "communicator = \"winrm\"\nwinrm_host = \"db\"\nwinrm_username = \"admin\"\nwinrm_password = \"x\"\n";

#[test]
fn winrm_has_options_of_its_own() {
    let said_of = |more: &str| said("null", &format!("{WINRM}{more}"));
    insta::assert_snapshot!(said_of("winrm_port = 5999\nwinrm_timeout = \"1h\"\nwinrm_use_ntlm = true\nwinrm_no_proxy = true"), @"");
    insta::assert_snapshot!(said_of("winrm_use_ssl = true\nwinrm_insecure = true"), @"");
    insta::assert_snapshot!(said_of("winrm_insecure = true"), @"warning[no-effect]: `winrm_insecure` has no effect without `winrm_use_ssl`");
    insta::assert_snapshot!(said_of("winrm_port = 99999"), @"error[wrong-value]: wrong value for `winrm_port`");
}
