//! Playbooks against instances of the sandbox, with the real Ansible.

use crate::support::{Workspace, all_suites, root, shell, template_with};

/// A template with one source and these steps.
fn template(steps: &str) -> String {
    template_with("source_ami = \"ami-12345678\"\n  readiness_timeout = \"0s\"", steps)
}

/// Whether Ansible can be run here; says so when not.
#[expect(clippy::print_stderr, reason = "whoever reads a test's output has to know")]
fn has_ansible() -> bool {
    if !root("building in the sandbox") || !all_suites("playbooks with the real Ansible") {
        return false;
    }
    let found = std::process::Command::new("ansible-playbook").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: playbooks with the real Ansible (there is no ansible-playbook)");
    }
    found
}

const PLAYBOOK: &str = r#"
- hosts: web
  gather_facts: true
  tasks:
    - name: who am I
      command: id -un
      register: me
    - name: write a file
      copy:
        content: "{{ me.stdout }} on {{ ansible_system }} for {{ packer_build_name }} {{ word }}\n"
        dest: /opt/by-ansible
        mode: "0640"
      become: true
    - name: fill in a template
      template:
        src: motd.j2
        dest: /tmp/motd
"#;

/// A workspace with a playbook and what it uses.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("play/site.yml", PLAYBOOK);
    workspace.write("play/templates/motd.j2", "built by {{ packer_builder_type }}\n");
    workspace
}

#[test]
fn a_playbook_runs_through_the_connection_of_the_build() {
    if !has_ansible() {
        return;
    }
    let workspace = workspace();
    let playbook = workspace.path().join("play/site.yml");
    let step = |options: &str| {
        format!(
            "provisioner \"ansible\" {{
    playbook_file   = \"{}\"
    groups          = [\"web\"]
    extra_arguments = [\"-e\", \"word=here\"]
    {options}
  }}
",
            playbook.display()
        )
    };
    let steps = step("")
        + &shell(
            "sudo cat /opt/by-ansible; cat /tmp/motd; rm /tmp/motd; ls -A ~/.ansible/tmp | wc -l",
        )
        + &step("use_sftp = true")
        + &shell("sudo stat -c '%a %U' /opt/by-ansible; test -f /tmp/motd && echo by SFTP");
    let path = workspace.write("t.pkr.hcl", template(&steps));
    let outcome = workspace.build(&path).expect(0);
    workspace.assert_nothing_runs();
    let lines = outcome.lines_of("amazon-ebs.t");
    for line in ["admin on Linux for t here", "built by amazon-ebs", "0", "640 root", "by SFTP"] {
        assert!(lines.contains(&line), "no `{line}` in\n{}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains("PRIVATE KEY"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("[WARNING]"), "{}", outcome.stdout);
    assert_eq!(workspace.images().len(), 1);
}

#[test]
fn a_task_that_fails_fails_the_build() {
    if !has_ansible() {
        return;
    }
    let workspace = Workspace::new();
    let playbook = workspace.write(
        "site.yml",
        "- hosts: all\n  gather_facts: false\n  tasks: [{ command: 'false' }]\n",
    );
    let step =
        format!("provisioner \"ansible\" {{\n playbook_file = \"{}\"\n }}", playbook.display());
    let path = workspace.write("t.pkr.hcl", template(&step));
    let outcome = workspace.build(&path).expect(1);
    workspace.assert_nothing_runs();
    assert!(outcome.stdout.contains("exited with status 2"), "{}", outcome.stdout);
}

#[test]
fn a_playbook_runs_on_the_instance_itself() {
    if !has_ansible() {
        return;
    }
    let workspace = workspace();
    let step = format!(
        "provisioner \"ansible-local\" {{
    playbook_dir            = \"{}\"
    playbook_file           = \"site.yml\"
    inventory_groups        = [\"web\"]
    extra_arguments         = [\"-e word=there\"]
    clean_staging_directory = true
  }}
",
        workspace.path().join("play").display()
    );
    let steps = step
        + &shell("sudo cat /opt/by-ansible; ls -A /tmp/packer-provisioner-ansible-local | wc -l");
    let path = workspace.write("t.pkr.hcl", template(&steps));
    let outcome = workspace.build(&path).expect(0);
    workspace.assert_nothing_runs();
    let lines = outcome.lines_of("amazon-ebs.t");
    for line in ["admin on Linux for t there", "0"] {
        assert!(lines.contains(&line), "no `{line}` in\n{}", outcome.stdout);
    }
}
