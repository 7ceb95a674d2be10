//! `ansible-local` steps from the template to what an instance is asked to do.

use std::fs;

use insta::assert_snapshot;
use tokio_util::sync::CancellationToken;

use crate::communicator::Exit;
use crate::provision::ProvisionError;
use crate::provision::test_support::{Local, plan_steps, run_all, story};

async fn run(body: &str, last: u32) -> (Result<(), ProvisionError>, String) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for directory in ["plays/tasks", "vars", "role/tasks"] {
        fs::create_dir_all(here.join(directory)).unwrap();
    }
    fs::write(here.join("site.yml"), "- hosts: all\n").unwrap();
    fs::write(here.join("plays/web.yml"), "- hosts: all\n").unwrap();
    fs::write(here.join("plays/tasks/main.yml"), "[]\n").unwrap();
    fs::write(here.join("vars/all.yml"), "a: 1\n").unwrap();
    fs::write(here.join("role/tasks/main.yml"), "[]\n").unwrap();
    fs::write(here.join("hosts"), "127.0.0.1\n").unwrap();
    fs::write(here.join("needs.yml"), "roles: []\ncollections: []\n").unwrap();
    let here = here.display().to_string();
    let body = body.replace("HERE", &here);
    let text = format!("provisioner \"ansible-local\" {{\n{body}\n}}");
    let plan = plan_steps(folder.path(), &text).unwrap_or_else(|found| panic!("{found}"));
    let mut answers = vec![Ok(Exit::Code(last))];
    answers.extend((0..8).map(|_| Ok(Exit::Code(0))));
    let local = Local::answering(answers);
    let (result, _) = run_all(&plan, &local, &CancellationToken::new()).await;
    (result, story(&local).replace(&here, "HERE"))
}

#[tokio::test]
async fn a_playbook_goes_to_the_instance_and_runs_there() {
    let (result, story) = run("playbook_file = \"HERE/site.yml\"", 0).await;
    result.unwrap();
    assert_snapshot!(story, @r#"
    put /tmp/packer-provisioner-ansible-local/ID/site.yml: 1 of site.yml
    put /tmp/packer-provisioner-ansible-local/ID/packer-provisioner-ansible-local-inventory:
    127.0.0.1

    run exec sh -c 'cd /tmp/packer-provisioner-ansible-local/ID && export PYTHONUNBUFFERED=1; ansible-playbook -e '\''{"packer_build_name":"app"}'\'' -e '\''{"packer_builder_type":"vm"}'\'' -c local -i /tmp/packer-provisioner-ansible-local/ID/packer-provisioner-ansible-local-inventory /tmp/packer-provisioner-ansible-local/ID/site.yml'
    "#);
}

#[tokio::test]
async fn everything_has_its_place_in_the_staging_directory() {
    let body = r#"
        playbook_dir            = "HERE/plays"
        playbook_files          = ["web.yml", "HERE/site.yml"]
        group_vars              = "HERE/vars"
        role_paths              = ["HERE/role"]
        galaxy_file             = "HERE/needs.yml"
        galaxy_force_install    = true
        inventory_groups        = ["web", "db"]
        staging_directory       = "/opt/it's/"
        clean_staging_directory = true
        command                 = "sudo ansible-playbook"
        extra_arguments         = ["--extra-vars \"x=${build.Host}\""]"#;
    let (result, story) = run(body, 0).await;
    result.unwrap();
    assert_snapshot!(story, @r#"
    put /opt/it's: 2 of plays
    put /opt/it's/site.yml: 1 of site.yml
    put /opt/it's/group_vars: 1 of vars
    put /opt/it's/roles/role: 1 of role
    put /opt/it's/packer-provisioner-ansible-local-inventory:
    [web]
    127.0.0.1
    [db]
    127.0.0.1

    put /opt/it's/needs.yml: 1 of needs.yml
    run exec sh -c 'cd '\''/opt/it'\''\'\'''\''s'\'' && export PYTHONUNBUFFERED=1; ansible-galaxy install -r '\''/opt/it'\''\'\'''\''s/needs.yml'\'' -p '\''/opt/it'\''\'\'''\''s/roles'\'' --force'
    run exec sh -c 'cd '\''/opt/it'\''\'\'''\''s'\'' && export PYTHONUNBUFFERED=1; ansible-galaxy collection install -r '\''/opt/it'\''\'\'''\''s/needs.yml'\'' -p '\''/opt/it'\''\'\'''\''s/collections'\'' --force'
    run exec sh -c 'cd '\''/opt/it'\''\'\'''\''s'\'' && export PYTHONUNBUFFERED=1; sudo ansible-playbook -e '\''{"packer_build_name":"app"}'\'' -e '\''{"packer_builder_type":"vm"}'\'' --extra-vars "x=198.51.100.7" -c local -i '\''/opt/it'\''\'\'''\''s/packer-provisioner-ansible-local-inventory'\'' '\''/opt/it'\''\'\'''\''s/web.yml'\'''
    run exec sh -c 'cd '\''/opt/it'\''\'\'''\''s'\'' && export PYTHONUNBUFFERED=1; sudo ansible-playbook -e '\''{"packer_build_name":"app"}'\'' -e '\''{"packer_builder_type":"vm"}'\'' --extra-vars "x=198.51.100.7" -c local -i '\''/opt/it'\''\'\'''\''s/packer-provisioner-ansible-local-inventory'\'' '\''/opt/it'\''\'\'''\''s/site.yml'\'''
    run rm -rf '/opt/it'\''s'
    "#);
}

#[tokio::test]
async fn what_is_given_takes_the_place_of_what_is_made() {
    let body = r#"
        playbook_file           = "HERE/site.yml"
        playbook_paths          = ["HERE/plays"]
        collection_paths        = ["HERE/role"]
        host_vars               = "HERE/vars"
        inventory_file          = "HERE/hosts"
        galaxy_file             = "HERE/needs.yml"
        galaxy_command          = "sudo ansible-galaxy"
        galaxy_roles_path       = "/r"
        galaxy_collections_path = "/c"
        galaxy_force_with_deps  = true
        staging_directory       = "/opt/a""#;
    let (result, story) = run(body, 0).await;
    result.unwrap();
    assert_snapshot!(story, @r#"
    put /opt/a/site.yml: 1 of site.yml
    put /opt/a/host_vars: 1 of vars
    put /opt/a/playbooks/plays: 2 of plays
    put /opt/a/collections/role: 1 of role
    put /opt/a/hosts: 1 of hosts
    put /opt/a/needs.yml: 1 of needs.yml
    run exec sh -c 'cd /opt/a && export PYTHONUNBUFFERED=1; sudo ansible-galaxy install -r /opt/a/needs.yml -p /r --force-with-deps'
    run exec sh -c 'cd /opt/a && export PYTHONUNBUFFERED=1; sudo ansible-galaxy collection install -r /opt/a/needs.yml -p /c --force-with-deps'
    run exec sh -c 'cd /opt/a && export PYTHONUNBUFFERED=1; ansible-playbook -e '\''{"packer_build_name":"app"}'\'' -e '\''{"packer_builder_type":"vm"}'\'' -c local -i /opt/a/hosts /opt/a/site.yml'
    "#);
}

#[tokio::test]
async fn what_it_leaves_is_removed_after_a_failure_too() {
    let body = "playbook_file = \"HERE/site.yml\"\nclean_staging_directory = true";
    let (result, story) = run(body, 127).await;
    let error = result.unwrap_err();
    assert_snapshot!(error, @"`ansible-playbook` exited with status 127 on the instance");
    assert_snapshot!(error.hints().join("\n"), @"install Ansible on the instance in a `shell` provisioner before");
    assert!(story.lines().last().unwrap().contains("rm -rf "), "{story}");
}
