//! `ansible` steps with a program in place of Ansible that does what Ansible does: it looks at its
//! arguments and runs `ssh`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use crate::communicator::ssh::{KeyPair, KeyType};
use crate::event::Fact;
use crate::provision::ProvisionError;
use crate::provision::test_support::{Local, lines, plan_steps, run_all, said};

/// Finds its inventory, key and playbook; then does what the playbook says, as a shell script.
const STAND_IN: &str = r#"#!/bin/sh
[ "$1" = --version ] && exit 0
while [ $# -gt 1 ]; do
  case $1 in
    -i) inventory=$2; shift ;;
    -e) case $2 in *private_key_file*) key=${2##*\":\"}; key=${key%%\"*} ;; *) echo "-e $2" ;; esac; shift ;;
    *) echo "argument $1" ;;
  esac
  shift
done
port=$(sed -n '1s/.*ansible_port=\([0-9]*\).*/\1/p' "$inventory")
far() { ssh -F none $ANSIBLE_SSH_COMMON_ARGS -o BatchMode=yes -o IdentitiesOnly=yes "$@" 2>&1; }
. "$1"
"#;

/// Runs a step with this body and this playbook.
async fn run(local: &Local, playbook: &str, body: &str) -> (Result<(), ProvisionError>, Vec<Fact>) {
    run_command(local, "HERE/stand-in", playbook, body).await
}

/// The same with another program.
async fn run_command(
    local: &Local,
    command: &str,
    playbook: &str,
    body: &str,
) -> (Result<(), ProvisionError>, Vec<Fact>) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::write(here.join("stand-in"), STAND_IN).unwrap();
    fs::set_permissions(here.join("stand-in"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(here.join("site.yml"), playbook).unwrap();
    let here = here.display();
    let text = format!(
        "provisioner \"ansible\" {{\ncommand = \"{command}\"\n\
         playbook_file = \"HERE/site.yml\"\n{body}\n}}"
    );
    let text = text.replace("HERE", &here.to_string());
    let plan = plan_steps(folder.path(), &text).unwrap_or_else(|found| panic!("{found}"));
    run_all(&plan, local, &CancellationToken::new()).await
}

/// Whether there is an `ssh` here.
fn has_ssh() -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|one| one.join("ssh").is_file()))
}

#[tokio::test]
async fn commands_go_through_the_connection_of_the_build() {
    if !has_ssh() {
        return;
    }
    let local = Local::default();
    let playbook = r#"
        echo "some input" | far -p $port -i "$key" me@127.0.0.1 'cat; echo done; exit 3'
        echo "status $?"
        head -c 3000000 /dev/zero | far -p $port -i "$key" me@127.0.0.1 'wc -c'
        far -p $port -i "$key" me@127.0.0.1 'kill -TERM $$' >/dev/null; echo "killed $?"
        stat -c %a "$key"; dirname "$key" > "$KEPT"
    "#;
    let kept = tempfile::NamedTempFile::new().unwrap();
    let body = format!("ansible_env_vars = [\"KEPT={}\"]", kept.path().display());
    let (result, told) = run(&local, playbook, &body).await;
    result.unwrap();
    assert_eq!(
        lines(&told),
        [
            r#"-e {"packer_build_name":"app"}"#,
            r#"-e {"packer_builder_type":"vm"}"#,
            "argument --ssh-extra-args=-o IdentitiesOnly=yes",
            "some input",
            "done",
            "status 3",
            "3000000",
            "killed 255",
            "600"
        ]
    );
    assert_eq!(local.count(), 3);
    let private = fs::read_to_string(kept.path()).unwrap();
    assert!(!Path::new(private.trim()).exists(), "the key went away with the step");
}

#[tokio::test]
async fn nobody_else_gets_in() {
    if !has_ssh() {
        return;
    }
    let local = Local::default();
    let playbook = r#"
        other=$(mktemp -d)
        ssh-keygen -q -t ed25519 -N '' -f $other/key
        far -p $port -i $other/key me@127.0.0.1 'echo in' | grep -c "Permission denied"
        far -p $port me@127.0.0.1 'echo in' | grep -c "Permission denied"
        rm -r $other
    "#;
    let (result, told) = run(&local, playbook, "ansible_proxy_key_type = \"RSA\"").await;
    result.unwrap();
    assert_eq!(lines(&told)[3..], ["1", "1"]);
    assert_eq!(local.count(), 0);
}

#[tokio::test]
async fn the_inventory_has_groups_and_a_line_of_ones_own() {
    let local = Local::default();
    let playbook = "sed \"s/$port/PORT/\" \"$inventory\"; echo $PYTHONUNBUFFERED \
                    $ANSIBLE_SSH_TRANSFER_METHOD $ANSIBLE_ROLES_PATH $MINE";
    let body = r#"
        host_alias       = "web"
        user             = "admin"
        groups           = ["one", "two"]
        empty_groups     = ["none"]
        use_sftp         = true
        roles_path       = "r"
        ansible_env_vars = ["MINE=${build.Host}"]
        extra_arguments  = ["-v"]"#;
    let (result, told) = run(&local, playbook, body).await;
    result.unwrap();
    insta::assert_snapshot!(lines(&told)[2..].join("\n"), @"
    argument --ssh-extra-args=-o IdentitiesOnly=yes
    argument -v
    web ansible_host=127.0.0.1 ansible_user=admin ansible_port=PORT
    [one]
    web ansible_host=127.0.0.1 ansible_user=admin ansible_port=PORT
    [two]
    web ansible_host=127.0.0.1 ansible_user=admin ansible_port=PORT
    [none]
    1 sftp r 198.51.100.7
    ");
    let body =
        "inventory_file_template = \"{{ .HostAlias }} x={{ .User }} ansible_port={{ .Port }}\"";
    let (result, told) = run(&local, playbook, body).await;
    result.unwrap();
    let found = lines(&told);
    assert!(found[3].starts_with("default x=") && found[3].ends_with("=PORT"), "{found:?}");
}

#[tokio::test]
async fn without_the_proxy_it_goes_to_the_instance() {
    let body = "use_proxy = false\nuser = \"admin\"";
    let playbook = "cat \"$inventory\"; echo \"$key.\" $ANSIBLE_HOST_KEY_CHECKING";
    let (result, told) = run(&Local::default(), playbook, body).await;
    result.unwrap();
    insta::assert_snapshot!(lines(&told)[3..].join("\n"), @"
    default ansible_host=198.51.100.7 ansible_user=admin ansible_port=22
    . False
    ");
}

#[tokio::test]
async fn a_play_that_fails_fails_the_step() {
    let (result, told) = run(&Local::default(), "exit 2", "").await;
    let error = result.unwrap_err();
    assert!(error.to_string().ends_with("/stand-in` exited with status 2"), "{error}");
    insta::assert_snapshot!(error.hints().join("\n"), @"a task failed on the instance: its output is above");
    assert!(said(&told)[1].starts_with("Executing Ansible: /"), "{:?}", said(&told));
    let body = "keep_inventory_file = true";
    let (_, told) = run(&Local::default(), "exit 0", body).await;
    let kept = said(&told).pop().unwrap();
    let path = kept.strip_prefix("The inventory stays: ").unwrap();
    assert!(fs::read_to_string(path).unwrap().starts_with("default "));
    fs::remove_file(path).unwrap();
}

/// A directory with a host key, a key pair of the user, and an `ansible-galaxy` that says how it is
/// called.
fn own_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str, mode: u32| {
        fs::write(path(name), text).unwrap();
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for name in ["host", "user"] {
        let pair = KeyPair::generate(KeyType::Ed25519, name).unwrap();
        write(name, pair.private.reveal(), 0o600);
        write(&format!("{name}.pub"), &pair.public, 0o644);
    }
    write("needs.yml", "roles: []\ncollections: []\n", 0o644);
    write("galaxy", "#!/bin/sh\necho \"$@\" / $ANSIBLE_COLLECTIONS_PATH\n", 0o755);
    write("hosts", "own ansible_port=77\n", 0o644);
    folder
}

/// Says which key the proxy shows, as `ssh` knows it.
const HOST_KEY: &str = "known=${ANSIBLE_SSH_COMMON_ARGS#*UserKnownHostsFile=}; \
                        cut -d ' ' -f 2,3 \"${known%% *}\"";

#[tokio::test]
async fn keys_and_ports_of_the_proxy_can_be_chosen() {
    if !has_ssh() {
        return;
    }
    let own = own_files();
    let at = own.path().display();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = port.min(u16::MAX - 10);
    let playbook = format!(
        "{HOST_KEY}\necho \"key: $key\"\necho $port\n\
         far -p $port -i {at}/user me@127.0.0.1 'echo in'\n\
         far -p $port -i {at}/host me@127.0.0.1 'echo in' | grep -c 'Permission denied'\n"
    );
    let body = format!(
        "ssh_host_key_file = \"{at}/host\"\nssh_authorized_key_file = \"{at}/user.pub\"\n\
         local_port = {port}\nansible_ssh_extra_args = [\"-o Compression=no\", \"-o {{{{ .Host }}}}\"]"
    );
    let (result, told) = run(&Local::default(), &playbook, &body).await;
    result.unwrap();
    let found = lines(&told);
    assert_eq!(found[2], "argument --ssh-extra-args=-o Compression=no -o 198.51.100.7");
    let public = fs::read_to_string(own.path().join("host.pub")).unwrap();
    assert!(public.starts_with(&found[3]), "{public} {found:?}");
    assert_eq!(found[4], "key:");
    let listens: u16 = found[5].parse().unwrap();
    assert!((port..port + 10).contains(&listens), "{listens} for {port}");
    assert_eq!(found[6..], ["in", "1"]);
}

#[tokio::test]
async fn keys_that_are_made_have_the_type_that_is_asked_for() {
    for (body, kind) in
        [("", "ecdsa-sha2-nistp256 "), ("ansible_proxy_key_type = \"RSA\"", "ssh-rsa ")]
    {
        let (result, told) = run(&Local::default(), HOST_KEY, body).await;
        result.unwrap();
        assert!(lines(&told).last().unwrap().starts_with(kind), "{:?}", lines(&told));
    }
}

#[tokio::test]
async fn sftp_is_served_by_the_command_that_is_given() {
    if !has_ssh() {
        return;
    }
    let playbook = "far -p $port -i \"$key\" -s me@127.0.0.1 sftp";
    let body = "sftp_command = \"echo served by $0\"";
    let (result, told) = run(&Local::default(), playbook, body).await;
    result.unwrap();
    assert!(lines(&told).last().unwrap().starts_with("served by "), "{:?}", lines(&told));
}

#[tokio::test]
async fn an_inventory_has_its_place_or_is_given() {
    let own = own_files();
    let at = own.path().display();
    let body = format!("inventory_directory = \"{at}\"");
    let (result, told) = run(&Local::default(), "dirname \"$inventory\"", &body).await;
    result.unwrap();
    assert_eq!(lines(&told)[3], at.to_string());
    let left = fs::read_dir(own.path()).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.starts_with("packer")), "{left:?}");

    let body = format!("inventory_file = \"{at}/hosts\"");
    let (result, told) = run(&Local::default(), "echo \"$inventory\" $port", &body).await;
    result.unwrap();
    assert_eq!(lines(&told)[3], format!("{at}/hosts 77"));
}

#[tokio::test]
async fn roles_and_collections_are_installed_before() {
    let own = own_files();
    let at = own.path().display();
    let body = format!(
        "galaxy_file = \"{at}/needs.yml\"\ngalaxy_command = \"{at}/galaxy\"\n\
         roles_path = \"r\"\ncollections_path = \"c\""
    );
    let playbook = "echo play $ANSIBLE_ROLES_PATH $ANSIBLE_COLLECTIONS_PATH";
    for (more, word) in [
        ("", ""),
        ("galaxy_force_install = true", " --force"),
        ("galaxy_force_with_deps = true", " --force-with-deps"),
    ] {
        let (result, told) = run(&Local::default(), playbook, &format!("{body}\n{more}")).await;
        result.unwrap();
        let found = lines(&told);
        assert_eq!(found[0], format!("install -r {at}/needs.yml -p r{word} / c"));
        assert_eq!(found[1], format!("collection install -r {at}/needs.yml -p c{word} / c"));
        assert_eq!(found.last().unwrap(), "play r c");
    }
}

#[tokio::test]
async fn ansible_may_come_into_being_during_the_build() {
    let local = Local::default();
    let (result, told) = run_command(&local, "HERE/gone", "", "").await;
    assert!(matches!(result, Err(ProvisionError::Program { .. })), "{result:?}");
    assert!(!said(&told).iter().any(|text| text.contains("/gone -e")), "{:?}", said(&told));
    let (result, told) = run_command(&local, "HERE/gone", "", "skip_version_check = true").await;
    assert!(matches!(result, Err(ProvisionError::Program { .. })), "{result:?}");
    assert!(said(&told).iter().any(|text| text.contains("/gone -e")), "{:?}", said(&told));
}
