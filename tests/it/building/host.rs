//! Nothing of the host changes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::support::{Workspace, root, shell, template};

/// Everything below some directories that a careless instance would reach: modes, owners, sizes
/// and times.
fn state() -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for directory in ["/etc", "/usr/local", "/usr/share/misc", "/var/lib", "/srv", "/opt", "/boot"]
    {
        walk(Path::new(directory), &mut state);
    }
    for directory in ["/", "/usr", "/usr/bin", "/usr/sbin", "/usr/lib", "/var", "/home", "/root"] {
        let names = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        state.insert(format!("names in {directory}"), names.join(" "));
    }
    state
}

fn walk(path: &Path, state: &mut BTreeMap<String, String>) {
    let Ok(data) = path.symlink_metadata() else { return };
    let text = format!(
        "{:o} {}:{} {} {}.{}",
        data.mode(),
        data.uid(),
        data.gid(),
        if data.is_dir() { 0 } else { data.size() },
        data.mtime(),
        data.mtime_nsec()
    );
    state.insert(path.display().to_string(), text);
    if data.is_dir() {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            walk(&entry.path(), state);
        }
    }
}

#[test]
fn a_build_that_changes_everything_changes_nothing_of_the_host() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").expect("host name");
    let before = state();
    let script = "sudo sh -exc '
useradd -m intruder; groupadd intruders; echo root:changed | chpasswd
rm -f /etc/hostname; hostname changed; echo changed > /etc/motd; chmod 777 /etc /usr/local
echo changed > /usr/bin/changed; echo changed > /usr/local/bin/changed; echo changed > /var/lib/changed
echo changed > /opt/changed; echo changed > /srv/changed; mkdir /changed; rm -rf /usr/share/misc
touch -d 2001-01-01 /etc/passwd; chown intruder /etc/fstab || true
mount -t tmpfs none /opt; echo changed > /opt/in-tmpfs; umount /opt
echo changed > /root/changed; echo changed > /home/changed; test -f /etc/motd' && echo all done";
    let path = workspace.write("t.pkr.hcl", template(&shell(script)));
    let outcome = workspace.build(path).expect(0);
    assert!(outcome.lines_of("amazon-ebs.t").contains(&"all done"), "{}", outcome.stdout);
    let after = state();
    let changed: Vec<_> = before
        .iter()
        .filter(|(path, was)| after.get(*path) != Some(was))
        .map(|(path, was)| (path, was, after.get(path)))
        .collect();
    assert!(changed.is_empty(), "{changed:#?}");
    let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
    assert!(new.is_empty(), "{new:?}");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").expect("host name"), hostname);
    workspace.assert_nothing_runs();
}

#[test]
fn an_instance_does_not_see_what_belongs_to_the_hosts_owner() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    workspace.write("secret", "of the owner");
    let secret = workspace.path().join("secret").display().to_string();
    let script = format!(
        "sudo sh -c 'test ! -e {secret} && test -z \"$(ls -A /root)\" && ps -e | wc -l; cut -d: -f2 /etc/shadow | grep -c \"^[$]\" || echo no passwords'"
    );
    let path = workspace.write("t.pkr.hcl", template(&shell(&script)));
    let outcome = workspace.build(path).expect(0);
    assert!(outcome.lines_of("amazon-ebs.t").contains(&"no passwords"), "{}", outcome.stdout);
}
