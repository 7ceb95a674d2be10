//! The layer between a base and what is captured from it.
//!
//! It hides what belongs to the host's owner when the host's own root is the
//! base, gives each instance its host name and resolver, and puts stand-ins
//! for power commands in place of ones that would look for a systemd.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, XattrFlags};

use super::MachineError;
use super::failure::Tried;
use super::guest::first_boot::{INSTANCE, fresh_machine_id};

/// An empty directory hides what the layers below have in it. The attribute is
/// overlayfs's own, in the form for mounts without the host's privileges.
pub(in crate::sandbox) const OPAQUE: &str = "user.overlay.opaque";

/// Mount points and directories that every userland has, with their modes.
const SKELETON: [(&str, u32); 8] = [
    ("proc", 0o555),
    ("sys", 0o555),
    ("dev", 0o755),
    ("run", 0o755),
    ("tmp", 0o1777),
    ("root", 0o700),
    ("home", 0o755),
    ("var/tmp", 0o1777),
];

/// Directories of the host that an instance sees empty.
const EMPTY: [&str; 34] = [
    "proc",
    "sys",
    "dev",
    "run",
    "tmp",
    "root",
    "home",
    "var/tmp",
    "media",
    "mnt",
    "srv",
    "lost+found",
    "etc/NetworkManager/system-connections",
    "etc/kubernetes",
    "etc/letsencrypt",
    "etc/ssl/private",
    "etc/wireguard",
    "etc/openvpn",
    "var/backups",
    "var/crash",
    "var/lib/amazon",
    "var/lib/cloud",
    "var/lib/containerd",
    "var/lib/containers",
    "var/lib/docker",
    "var/lib/kubelet",
    "var/lib/libvirt",
    "var/lib/lxd",
    "var/lib/private",
    "var/lib/sudo",
    "var/lib/systemd/coredump",
    "var/mail",
    "var/spool/cron",
    "var/spool/cron/crontabs",
];

/// Files of the host that an instance does not see.
const HIDDEN: [&str; 10] = [
    "var/lib/systemd/random-seed",
    "etc/group-",
    "etc/gshadow-",
    "etc/krb5.keytab",
    "etc/passwd-",
    "etc/shadow-",
    "etc/subgid-",
    "etc/subuid-",
    "etc/sudoers.d/90-cloud-init-users",
    "etc/sssd/sssd.conf",
];

/// Top-level names that belong to the system; others are the owner's, and hidden.
const SYSTEM: [&str; 23] = [
    "bin",
    "boot",
    "dev",
    "etc",
    "home",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "media",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "sbin",
    "srv",
    "sys",
    "tmp",
    "usr",
    "var",
    "lost+found",
    "efi",
];

/// Ids of people; system accounts lie below, `nobody` above.
const PEOPLE: std::ops::RangeInclusive<u32> = 1000..=59_999;

/// What the layer is made for.
pub(super) struct Mask<'a> {
    /// The base's root directory.
    pub(super) base: &'a Path,
    /// Whether it is the host's own root.
    pub(super) is_host: bool,
    /// The sandbox store, hidden when it lies in the base.
    pub(super) store: &'a Path,
    pub(super) hostname: &'a str,
    /// The instance's own address, by which its name resolves.
    pub(super) address: std::net::IpAddr,
}

impl Mask<'_> {
    /// Fills the directory of the layer.
    pub(super) fn write(&self, layer: &Path) -> Result<(), MachineError> {
        let tree = Tree { base: self.base, layer };
        for (path, mode) in SKELETON {
            tree.directory(path, Some(mode)).tried_on("mask", &layer.join(path))?;
        }
        if self.is_host {
            self.hide_the_owner(&tree)?;
        }
        self.name_the_instance(&tree)?;
        tree.link("var/lib/cloud/instance", INSTANCE)
            .tried_on("link", &layer.join("var/lib/cloud/instance"))?;
        // For a real sudo, which would not pass it on; see SYSTEMD_OFFLINE in init.
        let keep = b"Defaults env_keep += \"SYSTEMD_OFFLINE\"\n";
        tree.directory("etc/sudoers.d", None)
            .and_then(|_| tree.file("etc/sudoers.d/00-bake-sandbox", keep, Some(0o440)))
            .tried_on("write", &layer.join("etc/sudoers.d"))?;
        power_commands(&tree)
    }

    fn hide_the_owner(&self, tree: &Tree<'_>) -> Result<(), MachineError> {
        for path in EMPTY {
            if tree.exists(path) || SKELETON.iter().any(|(name, _)| *name == path) {
                tree.empty(path).tried_on("mask", &tree.layer.join(path))?;
            }
        }
        for path in HIDDEN {
            tree.hide(Path::new(path)).tried_on("hide", Path::new(path))?;
        }
        let keys = fs::read_dir(tree.base.join("etc/ssh")).into_iter().flatten().flatten();
        for key in keys.filter(|key| key.file_name().to_string_lossy().starts_with("ssh_host_")) {
            let path = Path::new("etc/ssh").join(key.file_name());
            tree.hide(&path).tried_on("hide", &path)?;
        }
        let top = fs::read_dir(tree.base).tried_on("list", tree.base)?;
        for entry in top.flatten() {
            let name = entry.file_name();
            if !SYSTEM.iter().any(|known| name == *known) {
                tree.hide(Path::new(&name)).tried_on("hide", Path::new(&name))?;
            }
        }
        self.empty_logs(tree)?;
        // Last, so that a store in a directory that is masked already costs nothing.
        if let Ok(store) = self.store.strip_prefix(self.base)
            && !tree.is_masked(store)
        {
            tree.empty(store).tried_on("mask", self.store)?;
        }
        self.forget_people(tree)
    }

    /// Keeps the directories of /var/log, which services expect, without what is in them.
    fn empty_logs(&self, tree: &Tree<'_>) -> Result<(), MachineError> {
        let log = Path::new("var/log");
        if !tree.exists(log) {
            return Ok(());
        }
        tree.empty(log).tried_on("mask", log)?;
        for entry in fs::read_dir(tree.base.join(log)).tried_on("list", log)?.flatten() {
            // systemd's and audit's logs grow large and have readers of their own.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let path = log.join(entry.file_name());
                tree.directory(&path, None).tried_on("make", &path)?;
            }
        }
        Ok(())
    }

    /// Account files without the host's people and without password hashes.
    fn forget_people(&self, tree: &Tree<'_>) -> Result<(), MachineError> {
        let read = |path: &str| fs::read_to_string(tree.base.join(path)).unwrap_or_default();
        let (passwd, group) = (read("etc/passwd"), read("etc/group"));
        let people = names_of_people(&passwd, 2);
        let groups_of_people = names_of_people(&group, 2);
        for path in
            ["etc/passwd", "etc/shadow", "etc/group", "etc/gshadow", "etc/subuid", "etc/subgid"]
        {
            let text = read(path);
            if text.is_empty() {
                continue;
            }
            let text = match path {
                "etc/passwd" => without(&text, &people, |line| line),
                "etc/shadow" => without(&text, &people, lock_password),
                "etc/group" => without(&text, &groups_of_people, |line| leave(&line, &people, 3)),
                "etc/gshadow" => without(&text, &groups_of_people, |line| leave(&line, &people, 3)),
                _ => without(&text, &people, |line| line),
            };
            tree.file(path, text.as_bytes(), None).tried_on("mask", Path::new(path))?;
        }
        Ok(())
    }

    fn name_the_instance(&self, tree: &Tree<'_>) -> Result<(), MachineError> {
        let hosts = format!(
            "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{} {}\n",
            self.address, self.hostname
        );
        let resolver = fs::read("/etc/resolv.conf").unwrap_or_default();
        let hostname = format!("{}\n", self.hostname);
        let machine_id = fresh_machine_id();
        let mut files: Vec<(&str, &[u8])> = vec![
            ("etc/hostname", hostname.as_bytes()),
            ("etc/hosts", hosts.as_bytes()),
            ("etc/machine-id", machine_id.as_bytes()),
        ];
        // A link stays a link: its target is put below /run at boot.
        if !is_link(&tree.base.join("etc/resolv.conf")) {
            files.push(("etc/resolv.conf", &resolver));
        }
        for (path, content) in files {
            tree.file(path, content, Some(0o644)).tried_on("write", &tree.layer.join(path))?;
        }
        Ok(())
    }
}

/// The file below `/run` that the base's resolver configuration is a link to, with the host's content.
pub(super) fn resolver_in_run(base: &Path) -> Vec<(PathBuf, String)> {
    let Ok(target) = fs::read_link(base.join("etc/resolv.conf")) else { return Vec::new() };
    let target = Path::new("/etc").join(target);
    let mut normal = PathBuf::from("/");
    for component in target.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::Normal(name) => normal.push(name),
            _ => {}
        }
    }
    let below = normal.strip_prefix("/run").or_else(|_| normal.strip_prefix("/var/run"));
    let content = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    below.map(|path| vec![(path.to_owned(), content)]).unwrap_or_default()
}

/// Commands that tell process 1 what they are asked for.
fn power_commands(tree: &Tree<'_>) -> Result<(), MachineError> {
    for directory in ["usr/sbin", "sbin", "usr/bin", "bin"] {
        for name in ["shutdown", "poweroff", "halt", "reboot"] {
            let path = Path::new(directory).join(name);
            // Everywhere the base has one, and at the usual place in any case.
            let present = tree.base.join(&path).symlink_metadata().is_ok();
            if tree.resolve(&path).as_deref() != Some(&path)
                || !(present || directory == "usr/sbin")
            {
                continue;
            }
            tree.file(&path, power_command(name).as_bytes(), Some(0o755))
                .tried_on("write", &tree.layer.join(&path))?;
        }
    }
    // Ahead of the real one in every PATH.
    let real = ["usr/bin/systemctl", "bin/systemctl"].into_iter().find(|path| tree.exists(path));
    let path = "usr/local/bin/systemctl";
    match real {
        Some(real) if !tree.exists(path) => tree
            .file(path, systemctl(real).as_bytes(), Some(0o755))
            .tried_on("write", &tree.layer.join(path)),
        _ => Ok(()),
    }
}

/// Answers what systemctl(1) would need a systemd for; everything else goes to the base's own.
fn systemctl(real: &str) -> String {
    format!(
        "#!/bin/sh\n\
         # Stands in front of systemctl(1): there is no systemd to ask for power in this userland.\n\
         for word; do\n  case $word in\n    -*) ;;\n    \
         reboot | kexec | soft-reboot) PATH=$PATH:/usr/sbin:/sbin exec reboot ;;\n    \
         poweroff | halt) PATH=$PATH:/usr/sbin:/sbin exec poweroff ;;\n    \
         *) break ;;\n  esac\ndone\nexec /{real} \"$@\"\n"
    )
}

fn power_command(name: &str) -> String {
    let signal = if name == "reboot" { "39" } else { "38" };
    let options = if name == "shutdown" {
        // A time (`now`, `+0`, `23:00`) and a message are taken and not waited for.
        "for argument; do\n  case $argument in\n    -c) exit 0 ;;\n    --reboot) signal=39 ;;\n    --*) ;;\n    -*r*) signal=39 ;;\n  esac\ndone\n"
    } else {
        ""
    };
    format!(
        "#!/bin/sh\n\
         # Stands in for {name}(8): there is no systemd in this userland.\n\
         signal={signal}\n\
         {options}\
         if [ \"$(id -u)\" != 0 ]; then\n  echo \"{name}: must be root\" >&2\n  exit 1\nfi\n\
         kill -s \"$signal\" 1\n"
    )
}

/// Names in the first field of lines whose id (field `id`) is a person's.
fn names_of_people(text: &str, id: usize) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let number = fields.get(id)?.parse().ok()?;
            PEOPLE.contains(&number).then(|| fields.first().map(|name| (*name).to_owned()))?
        })
        .collect()
}

/// The lines whose first field is not one of the names, each changed.
fn without(text: &str, names: &[String], change: impl Fn(String) -> String) -> String {
    text.lines()
        .filter(|line| {
            let name = line.split(':').next().unwrap_or_default();
            !names.iter().any(|person| person == name)
        })
        .map(|line| change(line.to_owned()) + "\n")
        .collect()
}

/// A shadow line whose hash, if it has one, is replaced by none.
fn lock_password(line: String) -> String {
    let mut fields: Vec<&str> = line.split(':').collect();
    if let Some(password) = fields.get_mut(1)
        && !password.starts_with(['*', '!'])
    {
        *password = "*";
    }
    fields.join(":")
}

/// A line of a group file without the people in its list of members.
fn leave(line: &str, people: &[String], members: usize) -> String {
    let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
    if let Some(list) = fields.get_mut(members) {
        let staying: Vec<&str> =
            list.split(',').filter(|name| !people.iter().any(|person| person == name)).collect();
        *list = staying.join(",");
    }
    fields.join(":")
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
}

/// A layer under construction over a base.
struct Tree<'a> {
    base: &'a Path,
    layer: &'a Path,
}

impl Tree<'_> {
    /// Where a path of the base really is, links of directories followed inside
    /// the base; `None` when that leads nowhere.
    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        let mut real = PathBuf::new();
        let mut ahead: Vec<std::ffi::OsString> =
            path.components().rev().map(|part| part.as_os_str().to_owned()).collect();
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            if part == "/" {
                real.clear();
            } else if part == ".." {
                real.pop();
            } else if part != "." {
                let next = real.join(&part);
                // Only directories on the way are followed, not the last part.
                match (ahead.is_empty(), fs::read_link(self.base.join(&next))) {
                    (false, Ok(target)) => {
                        links += 1;
                        if links > 40 {
                            return None;
                        }
                        ahead.extend(
                            target.components().rev().map(|part| part.as_os_str().to_owned()),
                        );
                    }
                    _ => real = next,
                }
            }
        }
        Some(real)
    }

    fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.base.join(path.as_ref()).symlink_metadata().is_ok()
    }

    /// Whether the layer hides the path or a directory above it.
    fn is_masked(&self, path: &Path) -> bool {
        path.ancestors().filter(|ancestor| !ancestor.as_os_str().is_empty()).any(|ancestor| {
            let ours = self.layer.join(ancestor);
            ours.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir())
                || rustix::fs::lgetxattr(&ours, OPAQUE, &mut [0u8; 1][..]).is_ok()
        })
    }

    /// Makes a directory and those above it, with the base's owners and modes:
    /// the topmost layer's count.
    fn directory(&self, path: impl AsRef<Path>, mode: Option<u32>) -> io::Result<PathBuf> {
        let path = self.resolve(path.as_ref()).ok_or(io::ErrorKind::NotFound)?;
        let mut ours = self.layer.to_owned();
        let mut theirs = self.base.to_owned();
        for part in path.components() {
            ours.push(part);
            theirs.push(part);
            match fs::create_dir(&ours) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            match fs::metadata(&theirs) {
                Ok(metadata) => {
                    chown(&ours, Some(metadata.uid()), Some(metadata.gid()))?;
                    fs::set_permissions(&ours, Permissions::from_mode(metadata.mode() & 0o7777))?;
                }
                Err(_) => fs::set_permissions(&ours, Permissions::from_mode(0o755))?,
            }
        }
        if let Some(mode) = mode {
            fs::set_permissions(&ours, Permissions::from_mode(mode))?;
        }
        Ok(ours)
    }

    /// Makes a directory that hides everything the base has in it.
    fn empty(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let directory = self.directory(path, None)?;
        Ok(rustix::fs::lsetxattr(&directory, OPAQUE, b"y", XattrFlags::empty())?)
    }

    /// Makes the base's file or directory vanish.
    fn hide(&self, path: &Path) -> io::Result<()> {
        if !self.exists(path) || self.is_masked(path) {
            return Ok(());
        }
        let path = self.resolve(path).ok_or(io::ErrorKind::NotFound)?;
        if let Some(parent) = path.parent() {
            self.directory(parent, None)?;
        }
        Ok(whiteout(&self.layer.join(path))?)
    }

    /// Puts a link over whatever the base has.
    fn link(&self, path: &str, target: &str) -> io::Result<()> {
        let path = self.resolve(Path::new(path)).ok_or(io::ErrorKind::NotFound)?;
        if let Some(parent) = path.parent() {
            self.directory(parent, None)?;
        }
        std::os::unix::fs::symlink(target, self.layer.join(path))
    }

    /// Puts a file over the base's, with its owner and mode unless told otherwise.
    fn file(&self, path: impl AsRef<Path>, content: &[u8], mode: Option<u32>) -> io::Result<()> {
        let path = self.resolve(path.as_ref()).ok_or(io::ErrorKind::NotFound)?;
        if let Some(parent) = path.parent() {
            self.directory(parent, None)?;
        }
        let ours = self.layer.join(&path);
        fs::write(&ours, content)?;
        let theirs = fs::symlink_metadata(self.base.join(&path)).ok();
        if let Some(metadata) = &theirs {
            chown(&ours, Some(metadata.uid()), Some(metadata.gid()))?;
        }
        let mode = mode.or(theirs.map(|metadata| metadata.mode() & 0o7777)).unwrap_or(0o644);
        fs::set_permissions(&ours, Permissions::from_mode(mode))
    }
}

/// overlayfs's sign that a name is gone: a character device 0/0.
pub(in crate::sandbox) fn whiteout(path: &Path) -> Result<(), rustix::io::Errno> {
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path,
        FileType::CharacterDevice,
        Mode::empty(),
        rustix::fs::makedev(0, 0),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;
    use std::os::unix::fs::symlink;

    use super::*;

    fn listing(root: &Path) -> BTreeMap<String, String> {
        fn walk(root: &Path, directory: &Path, found: &mut BTreeMap<String, String>) {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(root).unwrap().display().to_string();
                if path.is_dir() && !is_link(&path) {
                    let opaque = rustix::fs::lgetxattr(&path, OPAQUE, &mut [0u8; 1][..]).is_ok();
                    found.insert(name, if opaque { "empty".into() } else { "directory".into() });
                    walk(root, &path, found);
                } else {
                    found.insert(name, fs::read_to_string(&path).unwrap_or_else(|_| "gone".into()));
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(root, root, &mut found);
        found
    }

    fn base() -> tempfile::TempDir {
        let base = tempfile::tempdir().unwrap();
        let root = base.path();
        for path in [
            "etc/ssh",
            "etc/sudoers.d",
            "home/ann",
            "root",
            "usr/sbin",
            "usr/bin",
            "var/log/nginx",
            "var/lib/docker/secret",
            "srv/data",
            "work/mine",
            "opt/tool",
            "data/store/layers",
        ] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        symlink("usr/sbin", root.join("sbin")).unwrap();
        symlink("../run/systemd/resolve/stub-resolv.conf", root.join("etc/resolv.conf")).unwrap();
        for (path, text) in [
            ("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n"),
            ("etc/shadow", "root:$6$hash:1:0:99999:7:::\ndaemon:!:1::::::\nann:$6$x:1::::::\n"),
            ("etc/group", "root:x:0:\nsudo:x:27:ann,svc\nann:x:1000:\n"),
            ("etc/ssh/ssh_host_rsa_key", "secret"),
            ("etc/ssh/sshd_config", "kept"),
            ("var/log/syslog", "secret"),
            ("usr/sbin/reboot", "systemctl"),
        ] {
            fs::write(root.join(path), text).unwrap();
        }
        base
    }

    fn mask_of(base: &Path, is_host: bool) -> BTreeMap<String, String> {
        let layer = tempfile::tempdir().unwrap();
        let mask = Mask {
            base,
            is_host,
            store: &base.join("data/store"),
            hostname: "ip-1",
            address: Ipv4Addr::new(127, 1, 2, 3).into(),
        };
        mask.write(layer.path()).unwrap();
        let mode = |path: &str| fs::metadata(layer.path().join(path)).unwrap().mode() & 0o7777;
        assert_eq!((mode("root"), mode("tmp"), mode("var/tmp")), (0o700, 0o1777, 0o1777));
        assert_eq!(mode("usr/sbin/reboot"), 0o755);
        listing(layer.path())
    }

    #[test]
    fn the_hosts_owner_is_hidden() {
        if !rustix::process::geteuid().is_root() {
            return; // signs of removal are device nodes
        }
        let base = base();
        let mut found = mask_of(base.path(), true);
        found.retain(|path, _| !path.starts_with("usr"));
        assert_eq!(found.remove("etc/machine-id").unwrap().len(), 33);
        let text: String = found.iter().map(|(path, what)| format!("{path}: {what:?}\n")).collect();
        insta::assert_snapshot!(text, @r#"
        data: "gone"
        dev: "empty"
        etc: "directory"
        etc/group: "root:x:0:\nsudo:x:27:svc\n"
        etc/hostname: "ip-1\n"
        etc/hosts: "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.1.2.3 ip-1\n"
        etc/passwd: "root:x:0:0::/root:/bin/sh\n"
        etc/shadow: "root:*:1:0:99999:7:::\ndaemon:!:1::::::\n"
        etc/ssh: "directory"
        etc/ssh/ssh_host_rsa_key: "gone"
        etc/sudoers.d: "directory"
        etc/sudoers.d/00-bake-sandbox: "Defaults env_keep += \"SYSTEMD_OFFLINE\"\n"
        home: "empty"
        proc: "empty"
        root: "empty"
        run: "empty"
        srv: "empty"
        sys: "empty"
        tmp: "empty"
        var: "directory"
        var/lib: "directory"
        var/lib/cloud: "directory"
        var/lib/cloud/instance: "gone"
        var/lib/docker: "empty"
        var/log: "empty"
        var/log/nginx: "directory"
        var/tmp: "empty"
        work: "gone"
        "#);
    }

    #[test]
    fn an_imported_base_keeps_its_own() {
        let base = base();
        let found = mask_of(base.path(), false);
        assert_eq!(found.get("home").map(String::as_str), Some("directory"));
        for path in ["etc/passwd", "etc/ssh", "srv", "work", "etc/resolv.conf"] {
            assert!(!found.contains_key(path), "{path}");
        }
        // Only where the base has a real directory.
        assert!(found.contains_key("usr/sbin/shutdown") && !found.contains_key("sbin"));
    }

    #[test]
    fn a_resolver_link_to_run_is_served_there() {
        let base = base();
        let files = resolver_in_run(base.path());
        assert_eq!(files[0].0, Path::new("systemd/resolve/stub-resolv.conf"));
        fs::remove_file(base.path().join("etc/resolv.conf")).unwrap();
        assert!(resolver_in_run(base.path()).is_empty());
    }
}
