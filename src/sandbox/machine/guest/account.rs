//! Users and groups of a userland, from its own `/etc/passwd` and `/etc/group`.
//!
//! The files are read as they are, without the C library's name services,
//! because those would be the host's.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The first id of people, as in every distribution's `/etc/login.defs`.
const FIRST_PERSON: u32 = 1000;
/// The last one.
const LAST_PERSON: u32 = 59_999;
/// Groups that may administer, by distribution.
pub(crate) const ADMINISTRATORS: [&str; 3] = ["sudo", "wheel", "admin"];

/// One line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: PathBuf,
    pub(crate) shell: PathBuf,
}

/// One line of `/etc/group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) gid: u32,
    pub(crate) members: Vec<String>,
}

/// The account files of one userland at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    pub(crate) users: Vec<User>,
    pub(crate) groups: Vec<Group>,
}

impl Accounts {
    /// Reads the files below `root`; a missing file is an empty one.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        Ok(Self {
            users: parse_passwd(&read_or_empty(&root.join("etc/passwd"))?),
            groups: parse_group(&read_or_empty(&root.join("etc/group"))?),
        })
    }

    /// The user of that name.
    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// The first user with that id.
    pub(crate) fn user_by_id(&self, uid: u32) -> Option<&User> {
        self.users.iter().find(|user| user.uid == uid)
    }

    /// The group of that name.
    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// The ids of the groups a user is in, the primary one first.
    pub(crate) fn groups_of(&self, user: &User) -> Vec<u32> {
        let mut ids = vec![user.gid];
        for group in &self.groups {
            if group.members.contains(&user.name) && !ids.contains(&group.gid) {
                ids.push(group.gid);
            }
        }
        ids
    }

    /// The names of the groups a user is in.
    pub(crate) fn group_names_of(&self, user: &User) -> Vec<&str> {
        let ids = self.groups_of(user);
        self.groups
            .iter()
            .filter(|group| ids.contains(&group.gid))
            .map(|group| group.name.as_str())
            .collect()
    }

    /// An id that neither a user nor a group has, from the range of people.
    fn free_id(&self) -> Option<u32> {
        (FIRST_PERSON..=LAST_PERSON).find(|id| {
            self.users.iter().all(|user| user.uid != *id)
                && self.groups.iter().all(|group| group.gid != *id)
        })
    }
}

fn read_or_empty(path: &Path) -> io::Result<String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// The well-formed lines of `/etc/passwd`; others (comments, NIS) are skipped, as getpwnam(3) does.
pub(crate) fn parse_passwd(text: &str) -> Vec<User> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
            Some(User {
                name: (!name.is_empty()).then(|| name.to_owned())?,
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                home: if home.is_empty() { "/".into() } else { home.into() },
                // An empty shell means /bin/sh, passwd(5).
                shell: if shell.is_empty() { "/bin/sh".into() } else { shell.into() },
            })
        })
        .collect()
}

/// The well-formed lines of `/etc/group`.
pub(crate) fn parse_group(text: &str) -> Vec<Group> {
    text.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, gid, members] = fields[..] else { return None };
            Some(Group {
                name: (!name.is_empty()).then(|| name.to_owned())?,
                gid: gid.parse().ok()?,
                members: members.split(',').filter(|m| !m.is_empty()).map(str::to_owned).collect(),
            })
        })
        .collect()
}

/// Whether useradd(8) would take the name.
pub(crate) fn is_user_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_')
        && characters
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.'))
        && name.len() <= 32
}

/// Makes a user as cloud-init makes an image's default user: a home from
/// `/etc/skel`, a locked password, the administrators' groups, and sudo
/// without password. Returns it as it is now.
///
/// # Errors
///
/// `InvalidInput` for a name that is none; what the file system says.
pub(crate) fn add_administrator(root: &Path, name: &str) -> io::Result<User> {
    if !is_user_name(name) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("`{name}` is no user name"),
        ));
    }
    let accounts = Accounts::read(root)?;
    let user = match accounts.user(name) {
        Some(user) => user.clone(),
        None => append_user(root, &accounts, name)?,
    };
    make_home(root, &user)?;
    allow_sudo(root, name)?;
    Ok(user)
}

fn append_user(root: &Path, accounts: &Accounts, name: &str) -> io::Result<User> {
    let full = || io::Error::other("no free user id from 1000 to 59999");
    let (gid, new_group) = match accounts.group(name) {
        Some(group) => (group.gid, false),
        None => (accounts.free_id().ok_or_else(full)?, true),
    };
    let uid = if new_group { gid } else { accounts.free_id().ok_or_else(full)? };
    let shell = if root.join("bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    let home = format!("/home/{name}");

    let etc = root.join("etc");
    let mut group = read_or_empty(&etc.join("group"))?;
    if new_group {
        append_line(&mut group, &format!("{name}:x:{gid}:"));
        let shadow = etc.join("gshadow");
        if shadow.exists() {
            append_to(&shadow, &format!("{name}:!::"), 0o640)?;
        }
    }
    replace(&etc.join("group"), &join_groups(&group, name), 0o644)?;
    append_to(&etc.join("passwd"), &format!("{name}:x:{uid}:{gid}::{home}:{shell}"), 0o644)?;
    // No date of the last change: it would make each image differ, and empty
    // means that ageing is off, shadow(5). `*` lets a key in but no password.
    append_to(&etc.join("shadow"), &format!("{name}:*:::::::"), 0o640)?;
    Ok(User { name: name.to_owned(), uid, gid, home: home.into(), shell: shell.into() })
}

/// `/etc/group` with the user added to each group that administers.
fn join_groups(text: &str, name: &str) -> String {
    let mut joined = String::with_capacity(text.len() + 64);
    for line in text.lines() {
        joined.push_str(line);
        let group = line.split(':').next().unwrap_or_default();
        if ADMINISTRATORS.contains(&group) || group == "adm" {
            if !line.ends_with(':') {
                joined.push(',');
            }
            joined.push_str(name);
        }
        joined.push('\n');
    }
    joined
}

fn append_line(text: &mut String, line: &str) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(line);
    text.push('\n');
}

fn append_to(path: &Path, line: &str, mode: u32) -> io::Result<()> {
    let mut text = read_or_empty(path)?;
    append_line(&mut text, line);
    replace(path, &text, mode)
}

/// Writes in place: a new file would lose the owner (`shadow` has a group of its own).
fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

fn make_home(root: &Path, user: &User) -> io::Result<()> {
    let home = inside(root, &user.home);
    if home.exists() {
        return Ok(());
    }
    if let Some(parent) = home.parent() {
        fs::create_dir_all(parent)?;
    }
    let skeleton = root.join("etc/skel");
    if skeleton.is_dir() {
        copy_skeleton(&skeleton, &home, user)?;
    } else {
        fs::create_dir(&home)?;
        own(&home, user)?;
    }
    fs::set_permissions(&home, Permissions::from_mode(0o755))
}

fn copy_skeleton(from: &Path, to: &Path, user: &User) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_skeleton(&entry.path(), &target, user)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, &target)?;
            own(&target, user)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
            own(&target, user)?;
        }
    }
    own(to, user)
}

fn own(path: &Path, user: &User) -> io::Result<()> {
    std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid))
}

/// The same file as cloud-init writes.
fn allow_sudo(root: &Path, name: &str) -> io::Result<()> {
    let directory = root.join("etc/sudoers.d");
    if !directory.exists() {
        fs::create_dir_all(&directory)?;
        fs::set_permissions(&directory, Permissions::from_mode(0o750))?;
    }
    let file = directory.join("90-cloud-init-users");
    let line = format!("{name} ALL=(ALL) NOPASSWD:ALL");
    if read_or_empty(&file)?.lines().any(|present| present == line) {
        return Ok(());
    }
    append_to(&file, &line, 0o440)
}

/// Adds keys to a user's `authorized_keys`, those that are not there yet.
pub(crate) fn authorize(root: &Path, user: &User, keys: &[String]) -> io::Result<()> {
    let directory = inside(root, &user.home).join(".ssh");
    if !directory.exists() {
        fs::create_dir_all(&directory)?;
        fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
        own(&directory, user)?;
    }
    let file = directory.join("authorized_keys");
    let mut text = read_or_empty(&file)?;
    for key in keys {
        if !text.lines().any(|line| line.trim() == key.trim()) {
            append_line(&mut text, key.trim());
        }
    }
    replace(&file, &text, 0o600)?;
    own(&file, user)
}

/// An absolute path of the userland as seen from here.
pub(crate) fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwd_lines_are_read_and_broken_ones_skipped() {
        let users = parse_passwd(
            "root:x:0:0:root:/root:/bin/bash\n# comment\nbad:x:one:0::/:/bin/sh\n+::::::\nsvc:x:5:6:::\n",
        );
        assert_eq!(
            users.iter().map(|user| (user.name.as_str(), user.uid)).collect::<Vec<_>>(),
            [("root", 0), ("svc", 5)]
        );
        assert_eq!(users[1].home, Path::new("/"));
        assert_eq!(users[1].shell, Path::new("/bin/sh"));
    }

    #[test]
    fn a_users_groups_start_with_the_primary_one() {
        let accounts = Accounts {
            users: parse_passwd("ann:x:1000:1000::/home/ann:/bin/sh"),
            groups: parse_group("adm:x:4:bob,ann\nsudo:x:27:ann\nann:x:1000:ann\n"),
        };
        let ann = accounts.user("ann").unwrap();
        assert_eq!(accounts.groups_of(ann), [1000, 4, 27]);
        assert_eq!(accounts.group_names_of(ann), ["adm", "sudo", "ann"]);
    }

    #[test]
    fn user_names_follow_useradd() {
        for good in ["ec2-user", "_apt", "u1.x"] {
            assert!(is_user_name(good), "{good}");
        }
        for bad in ["", "-a", "a b", "a:b", "Ann", "../x", "1a", "a\n"] {
            assert!(!is_user_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_new_administrator_is_in_every_file() {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        fs::create_dir_all(etc.join("skel")).unwrap();
        fs::write(etc.join("skel/.profile"), "x").unwrap();
        fs::write(etc.join("passwd"), "root:x:0:0::/root:/bin/sh\nother:x:1000:1000::/:/bin/sh")
            .unwrap();
        fs::write(etc.join("group"), "root:x:0:\nsudo:x:27:\nadm:x:4:bob\n").unwrap();
        if !rustix::process::geteuid().is_root() {
            return; // giving files away needs root
        }
        let user = add_administrator(root.path(), "ubuntu").unwrap();
        assert_eq!((user.uid, user.gid), (1001, 1001));
        let again = add_administrator(root.path(), "ubuntu").unwrap();
        assert_eq!(user, again);
        let accounts = Accounts::read(root.path()).unwrap();
        assert_eq!(accounts.groups_of(&user), [1001, 27, 4]);
        assert_eq!(fs::read_to_string(root.path().join("home/ubuntu/.profile")).unwrap(), "x");
        authorize(root.path(), &user, &["ssh-ed25519 AAAA a".into()]).unwrap();
        authorize(root.path(), &user, &["ssh-ed25519 AAAA a".into()]).unwrap();
        insta::assert_snapshot!(
            fs::read_to_string(root.path().join("home/ubuntu/.ssh/authorized_keys")).unwrap(),
            @"ssh-ed25519 AAAA a"
        );
        insta::assert_snapshot!(
            fs::read_to_string(etc.join("sudoers.d/90-cloud-init-users")).unwrap(),
            @"ubuntu ALL=(ALL) NOPASSWD:ALL"
        );
        assert!(add_administrator(root.path(), "a:b").is_err());
    }
}
