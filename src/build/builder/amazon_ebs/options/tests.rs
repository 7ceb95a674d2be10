//! Templates to settings, and what is refused on the way.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::{Communication, KeySettings, Prepared, prepare};
use crate::build::builder::tests::support::{check_in, hcl};
use crate::plan::Plan;
use crate::template::schema::BuildData;
use crate::value::Value;

/// Plans a template in a directory of its own; errors as people see them, and what bake cannot do
/// yet is one.
fn planned(name: &str, text: &str, directory: &Path) -> Result<Plan, String> {
    let checked = check_in(directory, name, text, crate::build::KINDS);
    let plan = checked.plan.filter(|plan| !plan.unsupported().has_errors());
    plan.ok_or(checked.found)
}

/// A template around the body of an `amazon-ebs` source.
fn template(body: &str) -> String {
    hcl("amazon-ebs", body)
}

fn prepared(body: &str) -> Prepared {
    let directory = tempfile::tempdir().expect("temporary directory");
    let plan = planned("a.pkr.hcl", &template(body), directory.path())
        .unwrap_or_else(|found| panic!("{found}"));
    prepare(&plan.builder, directory.path()).unwrap_or_else(|found| panic!("{found:?}"))
}

fn refused(body: &str) -> String {
    let directory = tempfile::tempdir().expect("temporary directory");
    planned("a.pkr.hcl", &template(body), directory.path()).expect_err("is wrong")
}

const MINIMAL: &str = r#"
  source_ami    = "ami-12345678"
  instance_type = "t3.micro"
  ssh_username  = "admin"
"#;

fn data() -> BuildData {
    let text = |name: &str, text: &str| (name.to_owned(), Value::string(text));
    BuildData::from([
        text("SourceAMI", "ami-12345678"),
        text("SourceAMIName", "debian-12"),
        text("ImageHash", "0123456789abcdef"),
        text("BuildRegion", "eu-west-1"),
    ])
}

#[test]
fn defaults_are_put_in() {
    let Prepared { build, late } = prepared(MINIMAL);
    assert_eq!(build.instance.shutdown_behavior, "terminate");
    assert_eq!(build.security.source_cidrs, ["0.0.0.0/0"]);
    assert_eq!(build.access.max_retries, Some(10));
    let Communication::Ssh { key, port, login, .. } = &build.communication else {
        panic!("it is SSH");
    };
    assert!(matches!(
        key,
        KeySettings::Temporary { kind: crate::communicator::ssh::KeyType::Ed25519, name: None }
    ));
    assert_eq!((*port, login.handshake_attempts, login.timeout.as_secs()), (22, 10, 300));
    let texts = late(&data()).expect("renders");
    assert_eq!(texts.image_name, None);
    assert!(texts.tags.is_empty());
}

#[test]
fn late_texts_know_source_image_and_hash() {
    let body = format!(
        "{MINIMAL}
  ami_name        = \"web-{{{{ timestamp }}}}-${{substr(build.ImageHash, 0, 4)}}\"
  ami_description = \"of {{{{ .SourceAMIName }}}}\"
  tags            = {{ Base = \"{{{{ .SourceAMI }}}}\", Region = build.BuildRegion }}
  run_tag {{
    key   = \"Team\"
    value = \"{{{{ .BuildRegion }}}}-team\"
  }}
  run_volume_tag {{
    name  = \"Kind\"
    value = \"root\"
  }}"
    );
    let texts = (prepared(&body).late)(&data()).expect("renders");
    assert_eq!(texts.image_name.as_deref(), Some("web-1700000000-0123"));
    assert_eq!(texts.description.as_deref(), Some("of debian-12"));
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let tags = BTreeMap::from([pair("Base", "ami-12345678"), pair("Region", "eu-west-1")]);
    assert_eq!(texts.tags, tags);
    assert_eq!(texts.run_tags, BTreeMap::from([pair("Team", "eu-west-1-team")]));
    assert_eq!(texts.run_volume_tags, BTreeMap::from([pair("Kind", "root")]));
}

#[test]
fn a_legacy_template_gives_the_same_settings() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let text = r#"{
      "builders": [{
        "type": "amazon-ebs",
        "source_ami": "ami-12345678",
        "instance_type": "t3.micro",
        "ssh_username": "admin",
        "ssh_timeout": "10m",
        "ssh_pty": "true",
        "ebs_optimized": "true",
        "associate_public_ip_address": "true",
        "spot_price": "",
        "ami_name": "web {{timestamp}}",
        "launch_block_device_mappings": [
          { "device_name": "/dev/sda1", "volume_size": "12", "volume_type": "gp3" }
        ]
      }]
    }"#;
    let plan = planned("a.json", text, directory.path()).unwrap_or_else(|found| panic!("{found}"));
    let Prepared { build, late } = prepare(&plan.builder, directory.path()).expect("is readable");
    assert!(build.instance.ebs_optimized);
    assert_eq!(build.network.public_address, Some(true));
    assert_eq!(build.instance.devices[0].volume_size, Some(12));
    let Communication::Ssh { login, .. } = &build.communication else { panic!("it is SSH") };
    assert!(login.pty);
    assert_eq!((login.timeout.as_secs(), login.handshake_attempts), (600, 0));
    let texts = late(&data()).expect("renders");
    assert_eq!(texts.image_name.as_deref(), Some("web 1700000000"));
}

/// Old templates have variables for keys, which are empty where the environment has them.
#[test]
fn empty_options_are_as_good_as_none() {
    let body = format!(
        "{MINIMAL}  access_key = \"\"\n  secret_key = \"\"\n  ssh_keypair_name = \"\"\n  ssh_password = \"\"\n  ssh_timeout = \"0s\"\n  ssh_port = 0\n"
    );
    let build = prepared(&body).build;
    assert!(build.access.credentials.is_none());
    let Communication::Ssh { key, port, login, .. } = &build.communication else {
        panic!("it is SSH");
    };
    assert!(matches!(key, KeySettings::Temporary { .. }));
    assert_eq!((*port, login.handshake_attempts, login.timeout.as_secs()), (22, 10, 300));
    assert!(login.login.password.is_none());
}

/// Every option of SSH gets to the connection.
#[tokio::test]
async fn ways_and_routes_are_put_together() {
    use crate::communicator::ssh::{Algorithms, Authentication, FileTransfer, KeyPair, Route};
    let directory = tempfile::tempdir().expect("temporary directory");
    let write = |name: &str| {
        let kind = crate::communicator::ssh::KeyType::Ed25519;
        let key = KeyPair::generate(kind, name).expect("a key").private;
        let path = directory.path().join(name);
        std::fs::write(&path, key.reveal()).expect("write");
        // `ssh-keygen` reads no key that others can read.
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).expect("chmod");
        key
    };
    let (own, gate, made) = (write("own"), write("gate"), write("made"));
    let bytes: Vec<_> = write("bytes").reveal().bytes().map(|one| one.to_string()).collect();
    let bytes = bytes.join(", ");
    let login = async |body: &str| {
        let body = format!("{MINIMAL}{body}");
        let plan = planned("a.pkr.hcl", &template(&body), directory.path())
            .unwrap_or_else(|found| panic!("{found}"));
        let Prepared { build, .. } = prepare(&plan.builder, directory.path()).expect("is readable");
        let Communication::Ssh { login, key, .. } = build.communication else { panic!("SSH") };
        let agent = Some("/run/agent".into());
        (login.load_with(agent, Some(&made), None).await.expect("loads"), key)
    };
    let ways = |all: &[Authentication]| {
        let name = |one: &Authentication| match one {
            Authentication::Agent(socket) => socket.display().to_string(),
            Authentication::Key(key) if *key == own => "own".to_owned(),
            Authentication::Key(key) if *key == gate => "gate".to_owned(),
            Authentication::Key(key) if *key == made => "made".to_owned(),
            Authentication::Key(_) => "bytes".to_owned(),
            Authentication::Certificate { .. } => "certificate".to_owned(),
            Authentication::Password(password) => password.reveal().to_owned(),
        };
        all.iter().map(name).collect::<Vec<_>>().join(" ")
    };

    let (options, key) = login(&format!(
        r#"
          ssh_agent_auth                = true
          ssh_private_key_file          = "own"
          ssh_private_key               = [{bytes}]
          ssh_password                  = "pw"
          ssh_timeout                   = "2m"
          ssh_handshake_attempts        = 7
          ssh_pty                       = true
          ssh_file_transfer_method      = "sftp"
          ssh_keep_alive_interval       = "-1s"
          ssh_read_write_timeout        = "4m"
          pause_before_connecting       = "9s"
          ssh_ciphers                   = ["aes128-ctr"]
          ssh_key_exchange_algorithms   = ["curve25519-sha256"]
          ssh_local_tunnels             = ["8080:db:80"]
          ssh_remote_tunnels            = ["9090:localhost:90"]
          ssh_disable_agent_forwarding  = true
          ssh_bastion_host              = "outer,me@inner:2222"
          ssh_bastion_port              = 23
          ssh_bastion_username          = "guard"
          ssh_bastion_agent_auth        = true
          ssh_bastion_private_key_file  = "gate"
          ssh_bastion_password          = "gate-pw"
        "#
    ))
    .await;
    assert!(matches!(key, KeySettings::Nothing));
    assert_eq!(ways(&options.authentication), "/run/agent own made bytes pw");
    assert_eq!((options.timeout.as_secs(), options.handshake_attempts), (120, 7));
    assert_eq!((options.pty, options.file_transfer), (true, FileTransfer::Sftp));
    assert_eq!((options.keep_alive_interval, options.forward_agent), (None, None));
    assert_eq!(options.read_write_timeout.map(|time| time.as_secs()), Some(240));
    assert_eq!(options.pause.as_secs(), 9);
    let list = |name: &str| [name.to_owned()];
    let algorithms = Algorithms::named(&list("aes128-ctr"), &list("curve25519-sha256"));
    assert_eq!(Ok(options.algorithms), algorithms);
    assert_eq!(options.local_tunnels[0].to_string(), "8080:db:80");
    assert_eq!(options.remote_tunnels[0].to_string(), "9090:localhost:90");
    let Route::Bastions(bastions) = options.route else { panic!("{:?}", options.route) };
    let told = bastions.iter().map(|one| format!("{}@{}", one.username, one.address));
    assert_eq!(told.collect::<Vec<_>>(), ["guard@outer:23", "me@inner:2222"]);
    assert_eq!(ways(&bastions[1].authentication), "/run/agent gate gate-pw");

    // The machine's key and user are the bastion's too, when it has none; agents are forwarded.
    let (options, _) = login("ssh_private_key_file = \"own\"\nssh_bastion_host = \"gate\"").await;
    assert_eq!(options.forward_agent, Some("/run/agent".into()));
    let Route::Bastions(bastions) = options.route else { panic!("{:?}", options.route) };
    assert_eq!(bastions[0].username, "admin");
    assert_eq!(ways(&bastions[0].authentication), "own");

    // A certificate comes before its key, and goes with it.
    certify(directory.path());
    let files = "ssh_private_key_file = \"own\"\nssh_certificate_file = \"own-cert.pub\"";
    let (options, _) = login(&format!("{files}\nssh_bastion_host = \"gate\"")).await;
    assert_eq!(ways(&options.authentication), "certificate own made");
    let Route::Bastions(bastions) = options.route else { panic!("{:?}", options.route) };
    assert_eq!(ways(&bastions[0].authentication), "certificate own");
    let files =
        "ssh_bastion_private_key_file = \"own\"\nssh_bastion_certificate_file = \"own-cert.pub\"";
    let (options, _) = login(&format!("{files}\nssh_bastion_host = \"gate\"")).await;
    let Route::Bastions(bastions) = options.route else { panic!("{:?}", options.route) };
    assert_eq!(ways(&bastions[0].authentication), "certificate own");

    let proxy = "ssh_proxy_host = \"proxy\"\nssh_proxy_username = \"me\"\nssh_proxy_password = \"pw\"\nssh_proxy_port = 1081";
    let (options, key) = login(proxy).await;
    assert!(matches!(key, KeySettings::Temporary { .. }));
    let Route::Proxy(proxy) = options.route else { panic!("{:?}", options.route) };
    assert_eq!(proxy.address.to_string(), "proxy:1081");
    let (user, password) = proxy.login.expect("a log-in");
    assert_eq!((user.as_str(), password.reveal()), ("me", "pw"));
    let (options, _) = login("ssh_proxy_host = \"proxy\"").await;
    let Route::Proxy(proxy) = options.route else { panic!("{:?}", options.route) };
    assert_eq!(proxy.address.to_string(), "proxy:1080");
    let (options, _) = login("").await;
    assert!(matches!(options.route, Route::Direct));
    assert_eq!(ways(&options.authentication), "made");
    assert_eq!((options.timeout.as_secs(), options.handshake_attempts), (300, 10));
    assert_eq!(options.keep_alive_interval.map(|time| time.as_secs()), Some(5));
    // The old name wins, and alone it means as many attempts as fit in.
    let (options, _) = login("ssh_wait_timeout = \"7m\"\nssh_timeout = \"2m\"").await;
    assert_eq!((options.timeout.as_secs(), options.handshake_attempts), (420, 0));
}

/// Makes a certificate for the key `own`, which is valid from now on.
fn certify(directory: &Path) {
    use std::process::{Command, Stdio};
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(directory).stdin(Stdio::null());
        command.output().expect("openssh-client is installed")
    };
    let public = run("ssh-keygen", &["-y", "-f", "own"]).stdout;
    std::fs::write(directory.join("own.pub"), public).expect("write");
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
    let signed = run("ssh-keygen", &["-q", "-s", "ca", "-I", "x", "-n", "admin", "own.pub"]);
    assert!(signed.status.success(), "{signed:?}");
}

#[test]
fn a_host_and_a_port_stand_in_for_the_instances_own() {
    let body = format!("{MINIMAL}  ssh_host = \"gate\"\n  ssh_port = 2222\n");
    let Communication::Ssh { host, port, .. } = prepared(&body).build.communication else {
        panic!("it is SSH");
    };
    assert_eq!((host.as_deref(), port), (Some("gate"), 2222));
    // A session goes to the instance.
    let body = format!("{body}  ssh_interface = \"session_manager\"\n");
    let Communication::Ssh { host, port, .. } = prepared(&body).build.communication else {
        panic!("it is SSH");
    };
    assert_eq!((host.as_deref(), port), (None, 2222));
}

#[test]
fn a_bucket_for_large_files_has_a_name_and_a_prefix() {
    let bucket = |more: &str| {
        let body = format!("{MINIMAL}  communicator = \"ssm\"\n{more}");
        let Communication::Ssm { bucket, .. } = prepared(&body).build.communication else {
            panic!("it is Systems Manager");
        };
        bucket.map(|bucket| (bucket.name, bucket.prefix))
    };
    assert_eq!(bucket(""), None);
    let (name, prefix) = ("ours-1".to_owned(), "a/b".to_owned());
    assert_eq!(bucket("ssm_bucket = \"ours-1\"\n"), Some((name.clone(), String::new())));
    let both = "ssm_bucket = \"ours-1\"\nssm_bucket_prefix = \"a/b\"\n";
    assert_eq!(bucket(both), Some((name, prefix)));
    let text = refused(&format!("{MINIMAL}  communicator = \"ssm\"\nssm_bucket = \"s3://x\"\n"));
    assert!(text.contains("`s3://x` is no name of a bucket"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_logged_in_with_is_told_before_anything_is_made() {
    let body = format!("{MINIMAL}  ssh_agent_auth = true\n");
    let Communication::Ssh { login, .. } = prepared(&body).build.communication else {
        panic!("it is SSH");
    };
    let error = login.load_with(None, None, None).await.expect_err("no agent");
    insta::assert_snapshot!(error, @"the SSH agent cannot be used: `SSH_AUTH_SOCK` is not set");
}

#[test]
fn temporary_keys_have_kinds_and_sizes() {
    use crate::communicator::ssh::KeyType;
    let kind = |more: &str| match prepared(&format!("{MINIMAL}{more}")).build.communication {
        Communication::Ssh { key: KeySettings::Temporary { kind, .. }, .. } => kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(""), KeyType::Ed25519);
    assert_eq!(kind("temporary_key_pair_type = \"rsa\""), KeyType::Rsa(3072));
    let sized = "temporary_key_pair_type = \"rsa\"\ntemporary_key_pair_bits = 4096";
    assert_eq!(kind(sized), KeyType::Rsa(4096));
}

#[test]
fn keys_have_the_names_that_are_asked_for() {
    let keys = |more: &str| match prepared(&format!("{MINIMAL}{more}")).build.communication {
        Communication::Ssh { key, clear_key, .. } => (key, clear_key),
        other => panic!("{other:?}"),
    };
    let (key, clear) = keys("");
    assert!(matches!(key, KeySettings::Temporary { name: None, .. }), "{key:?}");
    assert!(!clear);
    let (key, clear) = keys("temporary_key_pair_name = \"mine\"\nssh_clear_authorized_keys = true");
    assert!(
        matches!(&key, KeySettings::Temporary { name: Some(name), .. } if name == "mine"),
        "{key:?}"
    );
    assert!(clear);
    let (key, _) = keys("ssh_keypair_name = \"ours\"\nssh_agent_auth = true");
    assert!(matches!(&key, KeySettings::Existing { name } if name == "ours"), "{key:?}");
}

/// Only with a warning, as Packer takes both.
#[test]
fn groups_by_id_come_before_a_filter() {
    let body = format!(
        "{MINIMAL}  security_group_id = \"sg-1\"\n  security_group_filter {{\n    filters = {{ a = \"b\" }}\n  }}\n"
    );
    let security = prepared(&body).build.security;
    assert_eq!(security.group_ids, ["sg-1"]);
    assert!(security.group_filter.is_empty());
}

#[test]
fn a_dead_man_switch_does_not_terminate_what_the_steps_stop() {
    let build = prepared(&format!("{MINIMAL}  disable_stop_instance = true")).build;
    assert_eq!(build.instance.shutdown_behavior, "stop");
}

#[test]
fn polling_counts_fifteen_seconds_an_attempt() {
    let body = format!("{MINIMAL}  aws_polling {{\n    max_attempts = 240\n  }}");
    let waits = prepared(&body).build.waits;
    assert_eq!(waits.available.deadline.as_secs(), 3600);
    assert!(!waits.available.extend);
}

#[test]
fn missing_options_are_named() {
    insta::assert_snapshot!(refused("  region = \"eu-west-1\""), @r#"
    error[wrong-option]: a source image is needed
     --> a.pkr.hcl:1:1
      |
    1 | source "amazon-ebs" "app" {
      | ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `source_ami = "ami-…"`, or a `source_ami_filter` block

    error[wrong-option]: `instance_type` is needed
     --> a.pkr.hcl:1:1
      |
    1 | source "amazon-ebs" "app" {
      | ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: for example `instance_type = "t3.micro"`

    error[wrong-option]: `ssh_username` is needed
     --> a.pkr.hcl:1:1
      |
    1 | source "amazon-ebs" "app" {
      | ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: images have their own: ec2-user, ubuntu, admin, rocky, fedora, …
    "#);
}

#[test]
fn what_is_not_done_yet_is_refused_at_its_place() {
    let body = format!(
        "{MINIMAL}  spot_price   = \"auto\"\n  ami_regions  = [\"us-east-1\"]\n  encrypt_boot = true\n  fast_launch {{\n    enable_fast_launch = true\n  }}"
    );
    insta::assert_snapshot!(refused(&body), @r#"
    error[unsupported-option]: `spot_price` is not supported yet
     --> a.pkr.hcl:6:18
      |
    6 |   spot_price   = "auto"
      |                  ^^^^^^
      |
      = help: leave it out to launch on demand

    error[unsupported-option]: `encrypt_boot` is not supported yet
     --> a.pkr.hcl:8:18
      |
    8 |   encrypt_boot = true
      |                  ^^^^

    error[unsupported-option]: `ami_regions` is not supported yet
     --> a.pkr.hcl:7:18
      |
    7 |   ami_regions  = ["us-east-1"]
      |                  ^^^^^^^^^^^^^

    error[unsupported-option]: `fast_launch` is not supported yet
     --> a.pkr.hcl:9:3
      |
    9 |   fast_launch {
      |   ^^^^^^^^^^^
    "#);
}

#[test]
fn combinations_are_checked() {
    let body = format!(
        "{MINIMAL}  ami_name           = \"a:b\"
  region             = \"eu-west-1a\"
  security_group_id  = \"sg-1\"
  security_group_ids = [\"sg-2\"]
  temporary_security_group_source_cidrs = [\"10.0.0.1\"]
  shutdown_behavior  = \"terminat\"
  user_data_file     = \"missing.sh\"
  launch_block_device_mappings {{
    device_name = \"/dev/sda1\"
    volume_type = \"gp2\"
    throughput  = 200
  }}
  metadata_options {{
    http_tokens = \"mandatory\"
  }}"
    );
    insta::assert_snapshot!(refused(&body), @r#"
    error[wrong-option]: `eu-west-1a` is no region
     --> a.pkr.hcl:7:24
      |
    7 |   region             = "eu-west-1a"
      |                        ^^^^^^^^^^^^
      |
      = help: regions look like `eu-west-1`; zones have a letter at their end

    error[wrong-option]: `shutdown_behavior` cannot be `terminat`
      --> a.pkr.hcl:11:24
       |
    11 |   shutdown_behavior  = "terminat"
       |                        ^^^^^^^^^^
       |
       = help: did you mean `terminate`?

    error[wrong-option]: `http_tokens` cannot be `mandatory`
      --> a.pkr.hcl:19:19
       |
    19 |     http_tokens = "mandatory"
       |                   ^^^^^^^^^^^
       |
       = help: one of optional, required

    error[wrong-option]: `security_group_id` and `security_group_ids` exclude each other
     --> a.pkr.hcl:9:24
      |
    9 |   security_group_ids = ["sg-2"]
      |                        ^^^^^^^^
      |
      = help: give one of them

    error[wrong-option]: `10.0.0.1` is no CIDR range
      --> a.pkr.hcl:10:43
       |
    10 |   temporary_security_group_source_cidrs = ["10.0.0.1"]
       |                                           ^^^^^^^^^^^^
       |
       = help: a single address ends in `/32`

    warning[no-effect]: `temporary_security_group_source_cidrs` has no effect: with `security_group_id` no group is made
      --> a.pkr.hcl:10:43
       |
    10 |   temporary_security_group_source_cidrs = ["10.0.0.1"]
       |                                           ^^^^^^^^^^^^
       |
       = help: leave it out

    error[wrong-option]: `missing.sh` cannot be read: No such file or directory (os error 2)
      --> a.pkr.hcl:12:24
       |
    12 |   user_data_file     = "missing.sh"
       |                        ^^^^^^^^^^^^
       |
       = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's

    error[wrong-option]: `ami_name` has `:` in it, which EC2 does not take
     --> a.pkr.hcl:6:24
      |
    6 |   ami_name           = "a:b"
      |                        ^^^^^
      |
      = help: the function `clean_resource_name` replaces what is not allowed

    error[wrong-option]: `throughput`: can only be set with `volume_type` gp3
      --> a.pkr.hcl:16:19
       |
    16 |     throughput  = 200
       |                   ^^^
    "#);
}

#[test]
fn a_typo_gets_a_suggestion() {
    insta::assert_snapshot!(refused(&format!("{MINIMAL}  instance_typ = \"t3.micro\"")), @r#"
    error[unknown-option]: unknown option `instance_typ`
     --> a.pkr.hcl:6:3
      |
    6 |   instance_typ = "t3.micro"
      |   ^^^^^^^^^^^^ not known here
      |
      = help: did you mean `instance_type`?
    "#);
}

#[test]
fn only_names_and_tags_may_wait_for_the_build() {
    insta::assert_snapshot!(
        refused(&format!("{MINIMAL}  subnet_id = build.SourceAMI")),
        @"
    error[late-option]: `subnet_id` is not known before the build runs
     --> a.pkr.hcl:6:15
      |
    6 |   subnet_id = build.SourceAMI
      |               ^^^^^^^^^^^^^^^
      |
      = note: `build.SourceAMI` is not known yet (string)
      = help: only names, descriptions and tags of this builder can use `build`
    "
    );
}

#[test]
fn an_option_that_packer_has_given_up_is_warned_of() {
    let body = format!("{MINIMAL}  spot_price_auto_product = \"Linux/UNIX\"\n");
    prepared(&body);
    // Warnings are shown together with errors.
    let text = refused(&format!("{body}  communicator = \"sssh\"\n"));
    assert!(text.contains("warning[no-effect]: `spot_price_auto_product` has no effect"), "{text}");
}
