//! `sudo` for bases that have none.
//!
//! Works for whom first boot made an administrator (groups `sudo`, `wheel`,
//! `admin`) and for users and groups that a `NOPASSWD` line of sudoers names;
//! it never asks for a password. What provisioner scripts use is here: users,
//! groups, environments and shells; editing, plug-ins and rules for single
//! commands are not.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Gid, Uid};

use super::account::{ADMINISTRATORS, Accounts, User};

const SECURE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables that pass through a reset, as sudo's own tables have them.
const KEPT: [&str; 16] = [
    "COLORS",
    "COLORTERM",
    "DISPLAY",
    "HOSTNAME",
    "KRB5CCNAME",
    "LANG",
    "LANGUAGE",
    "LINGUAS",
    "LS_COLORS",
    "PS1",
    "PS2",
    "SYSTEMD_OFFLINE",
    "TERM",
    "TZ",
    "XAUTHORITY",
    "XDG_CURRENT_DESKTOP",
];

/// How the command's environment starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Preserve {
    #[default]
    None,
    All,
    Listed(Vec<String>),
}

/// Which shell runs the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shell {
    #[default]
    None,
    /// `-s`
    Plain,
    /// `-i`
    Login,
}

/// A parsed command line.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    user: Option<String>,
    group: Option<String>,
    preserve: Preserve,
    set_home: bool,
    shell: Shell,
    directory: Option<OsString>,
    /// `-b`: do not wait for the command.
    background: bool,
    /// `-k`, `-K` or `-v`: nothing has to be run.
    only_credentials: bool,
    list: bool,
    version: bool,
    variables: Vec<(OsString, OsString)>,
    command: Vec<OsString>,
}

/// Runs the role; returns only when there is nothing to run or it cannot be run.
pub(in crate::sandbox::machine) fn main(arguments: Vec<OsString>) -> i32 {
    match run(arguments) {
        Ok(()) => 0,
        Err(message) => {
            drop(writeln!(io::stderr(), "sudo: {message}"));
            1
        }
    }
}

fn run(arguments: Vec<OsString>) -> Result<(), String> {
    let request = parse(arguments)?;
    if request.version {
        return say("Sudo version 1.9 (bake sandbox)");
    }
    let accounts = Accounts::read(Path::new("/")).map_err(|error| error.to_string())?;
    let uid = rustix::process::getuid().as_raw();
    let caller = accounts
        .user_by_id(uid)
        .ok_or_else(|| format!("you do not exist in the passwd database (uid {uid})"))?;
    if !rustix::process::geteuid().is_root() {
        return Err("must be owned by uid 0 and have the setuid bit set".into());
    }
    if uid != 0 && !is_allowed(&accounts, caller) {
        return Err(format!("{} is not in the sudoers file", caller.name));
    }
    if request.list {
        return say(&format!("User {} may run: (ALL : ALL) NOPASSWD: ALL", caller.name));
    }
    let wants_command = !request.command.is_empty() || request.shell != Shell::None;
    if !wants_command {
        if request.only_credentials {
            return Ok(());
        }
        return Err("usage: sudo [-EHinSs] [-u user] [-g group] [VAR=value] [command]".into());
    }

    let target = match &request.user {
        None => accounts.user_by_id(0).cloned().ok_or("no user with id 0")?,
        Some(name) => {
            find_user(&accounts, name).ok_or_else(|| format!("unknown user {name}"))?.clone()
        }
    };
    let gid = match &request.group {
        None => target.gid,
        Some(name) => find_group(&accounts, name).ok_or_else(|| format!("unknown group {name}"))?,
    };
    let current: Vec<_> = std::env::vars_os().collect();
    let variables = environment(&request, &target, caller, current);
    execute(&request, &accounts, &target, gid, variables)
}

fn say(text: &str) -> Result<(), String> {
    writeln!(io::stdout(), "{text}").map_err(|error| error.to_string())
}

fn find_user<'a>(accounts: &'a Accounts, name: &str) -> Option<&'a User> {
    match name.strip_prefix('#') {
        Some(id) => accounts.user_by_id(id.parse().ok()?),
        None => accounts.user(name),
    }
}

fn find_group(accounts: &Accounts, name: &str) -> Option<u32> {
    match name.strip_prefix('#') {
        Some(id) => id.parse().ok(),
        None => accounts.group(name).map(|group| group.gid),
    }
}

fn parse(arguments: Vec<OsString>) -> Result<Request, String> {
    let mut request = Request::default();
    let mut rest = arguments.into_iter().peekable();
    while let Some(argument) = rest.next_if(|a| a.as_bytes().starts_with(b"-") && a != "-") {
        if argument == "--" {
            break;
        }
        let Some(text) = argument.to_str() else {
            return Err("invalid option".into());
        };
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            match (name, value) {
                ("preserve-env", None) => request.preserve = Preserve::All,
                ("preserve-env", Some(list)) => keep_listed(&mut request.preserve, &list),
                (name, value) => {
                    let letter =
                        letter_of(name).ok_or_else(|| format!("unrecognized option '--{name}'"))?;
                    let value = match value {
                        Some(value) => Some(OsString::from(value)),
                        None if takes_value(letter) => rest.next(),
                        None => None,
                    };
                    set(&mut request, letter, value)?;
                }
            }
            continue;
        }
        for (at, letter) in text.char_indices().skip(1) {
            if !takes_value(letter) {
                set(&mut request, letter, None)?;
                continue;
            }
            let attached = &text[at + letter.len_utf8()..];
            let value =
                if attached.is_empty() { rest.next() } else { Some(OsString::from(attached)) };
            set(&mut request, letter, value)?;
            break;
        }
    }
    while let Some((name, value)) = rest.peek().and_then(|argument| assignment(argument)) {
        request.variables.push((name, value));
        rest.next();
    }
    request.command = rest.collect();
    Ok(request)
}

fn letter_of(long: &str) -> Option<char> {
    Some(match long {
        "user" => 'u',
        "group" => 'g',
        "set-home" => 'H',
        "non-interactive" => 'n',
        "stdin" => 'S',
        "login" => 'i',
        "shell" => 's',
        "reset-timestamp" => 'k',
        "remove-timestamp" => 'K',
        "validate" => 'v',
        "list" => 'l',
        "version" => 'V',
        "background" => 'b',
        "prompt" => 'p',
        "chdir" => 'D',
        "close-from" => 'C',
        "preserve-groups" => 'P',
        "askpass" => 'A',
        "bell" => 'B',
        "host" => 'h',
        "other-user" => 'U',
        "command-timeout" => 'T',
        _ => return None,
    })
}

fn takes_value(letter: char) -> bool {
    matches!(letter, 'u' | 'g' | 'p' | 'D' | 'C' | 'h' | 'U' | 'T')
}

fn set(request: &mut Request, letter: char, value: Option<OsString>) -> Result<(), String> {
    let needed = |value: Option<OsString>| {
        value
            .and_then(|value| value.into_string().ok())
            .ok_or_else(|| format!("option requires an argument -- '{letter}'"))
    };
    match letter {
        'u' => request.user = Some(needed(value)?),
        'g' => request.group = Some(needed(value)?),
        'D' => request.directory = Some(needed(value)?.into()),
        'E' => request.preserve = Preserve::All,
        'H' => request.set_home = true,
        'i' => request.shell = Shell::Login,
        's' => request.shell = Shell::Plain,
        'b' => request.background = true,
        'k' | 'K' | 'v' => request.only_credentials = true,
        'l' => request.list = true,
        'V' => request.version = true,
        // How a password is asked for: none is.
        'n' | 'S' | 'A' | 'B' => {}
        'p' => drop(needed(value)?),
        _ => return Err(format!("option -- '{letter}' is not supported in the sandbox")),
    }
    Ok(())
}

fn keep_listed(preserve: &mut Preserve, list: &str) {
    let names = list.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
    match preserve {
        Preserve::All => {}
        Preserve::Listed(listed) => listed.extend(names),
        Preserve::None => *preserve = Preserve::Listed(names.collect()),
    }
}

/// `NAME=value`, where the name is one.
fn assignment(argument: &OsStr) -> Option<(OsString, OsString)> {
    let bytes = argument.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (bytes.get(..at)?, bytes.get(at + 1..)?);
    let is_name = name.first().is_some_and(|first| !first.is_ascii_digit())
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_name.then(|| (OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec())))
}

fn is_allowed(accounts: &Accounts, caller: &User) -> bool {
    let groups = accounts.group_names_of(caller);
    groups.iter().any(|group| ADMINISTRATORS.contains(group))
        || sudoers().iter().any(|text| names_in(text, &caller.name, &groups))
}

/// The texts of sudoers and its drop-ins (`@includedir` skips names with a dot or a tilde).
fn sudoers() -> Vec<String> {
    let drop_ins = fs::read_dir("/etc/sudoers.d").into_iter().flatten().flatten();
    drop_ins
        .filter(|entry| {
            let name = entry.file_name();
            !name.as_bytes().contains(&b'.') && !name.as_bytes().ends_with(b"~")
        })
        .map(|entry| entry.path())
        .chain(["/etc/sudoers".into()])
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect()
}

/// Whether a line lets the user, or a group of theirs, run everything without a password.
fn names_in(sudoers: &str, user: &str, groups: &[&str]) -> bool {
    sudoers.lines().any(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let Some((who, rule)) = line.trim().split_once(char::is_whitespace) else { return false };
        let names = match who.strip_prefix('%') {
            Some(group) => groups.contains(&group),
            None => who == user || who == "ALL",
        };
        let rule: String = rule.chars().filter(|c| !c.is_whitespace()).collect();
        names && rule.ends_with("NOPASSWD:ALL")
    })
}

/// The command's environment: reset as sudo's default policy does, or kept.
fn environment(
    request: &Request,
    target: &User,
    caller: &User,
    current: Vec<(OsString, OsString)>,
) -> BTreeMap<OsString, OsString> {
    let login = request.shell == Shell::Login;
    let all = request.preserve == Preserve::All && !login;
    let listed: &[String] = match &request.preserve {
        Preserve::Listed(names) => names,
        _ => &[],
    };
    let kept = |name: &OsStr| {
        let Some(name) = name.to_str() else { return false };
        KEPT.contains(&name) || name.starts_with("LC_") || listed.iter().any(|kept| kept == name)
    };
    let mut variables: BTreeMap<OsString, OsString> =
        current.into_iter().filter(|(name, _)| all || kept(name)).collect();
    let mut put = |name: &str, value: &OsStr| variables.insert(name.into(), value.into());

    put("PATH", SECURE_PATH.as_ref());
    put("USER", target.name.as_ref());
    put("LOGNAME", target.name.as_ref());
    if !all {
        put("MAIL", format!("/var/mail/{}", target.name).as_ref());
        put("SHELL", target.shell.as_os_str());
    }
    let home_is_listed = listed.iter().any(|name| name == "HOME");
    if request.set_home || !(all || home_is_listed) {
        put("HOME", target.home.as_os_str());
    }
    put("SUDO_USER", caller.name.as_ref());
    put("SUDO_UID", caller.uid.to_string().as_ref());
    put("SUDO_GID", caller.gid.to_string().as_ref());
    let command = if request.command.is_empty() {
        target.shell.clone().into_os_string()
    } else {
        request.command.join(OsStr::new(" "))
    };
    put("SUDO_COMMAND", &command);
    for (name, value) in &request.variables {
        variables.insert(name.clone(), value.clone());
    }
    variables
}

/// The words of a command in one line for a shell, as sudo quotes them.
fn shell_line(command: &[OsString]) -> OsString {
    let mut line = Vec::new();
    for (n, word) in command.iter().enumerate() {
        if n > 0 {
            line.push(b' ');
        }
        for &byte in word.as_bytes() {
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'$') || byte >= 128)
            {
                line.push(b'\\');
            }
            line.push(byte);
        }
    }
    OsString::from_vec(line)
}

fn execute(
    request: &Request,
    accounts: &Accounts,
    target: &User,
    gid: u32,
    variables: BTreeMap<OsString, OsString>,
) -> Result<(), String> {
    let program = match request.shell {
        Shell::None => request.command.first().cloned().unwrap_or_default(),
        Shell::Login => target.shell.clone().into(),
        Shell::Plain => std::env::var_os("SHELL")
            .filter(|shell| !shell.is_empty())
            .unwrap_or_else(|| target.shell.clone().into()),
    };
    let mut command = Command::new(&program);
    match request.shell {
        Shell::None => {
            command.args(request.command.iter().skip(1));
        }
        Shell::Login | Shell::Plain => {
            if request.shell == Shell::Login {
                let mut name = OsString::from("-");
                name.push(target.shell.file_name().unwrap_or_default());
                command.arg0(name);
            }
            if !request.command.is_empty() {
                command.arg("-c").arg(shell_line(&request.command));
            }
        }
    }
    command.env_clear().envs(variables);
    match (&request.directory, request.shell) {
        (Some(directory), _) => {
            command.current_dir(directory);
        }
        (None, Shell::Login) if target.home.is_dir() => {
            command.current_dir(&target.home);
        }
        _ => {}
    }

    // sudo's umask option: the caller's, and at least 022.
    let umask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(umask | rustix::fs::Mode::from_raw_mode(0o022));
    let mut groups: Vec<Gid> = accounts.groups_of(target).into_iter().map(Gid::from_raw).collect();
    if let Some(first) = groups.first_mut() {
        *first = Gid::from_raw(gid);
    }
    become_target(target.uid, gid, &groups)
        .map_err(|error| format!("cannot become {}: {error}", target.name))?;
    let error = if request.background {
        match command.spawn() {
            Ok(_child) => return Ok(()),
            Err(error) => error,
        }
    } else {
        command.exec()
    };
    let name = program.to_string_lossy().into_owned();
    Err(match error.kind() {
        io::ErrorKind::NotFound => format!("{name}: command not found"),
        _ => format!("unable to execute {name}: {error}"),
    })
}

fn become_target(uid: u32, gid: u32, groups: &[Gid]) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::thread::set_thread_groups(groups)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Request {
        parse(line.split(' ').map(OsString::from).collect()).unwrap()
    }

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn root() -> User {
        User {
            name: "root".into(),
            uid: 0,
            gid: 0,
            home: "/root".into(),
            shell: "/bin/bash".into(),
        }
    }

    fn ann() -> User {
        User { name: "ann".into(), uid: 1000, gid: 1000, home: "/home/ann".into(), ..root() }
    }

    #[test]
    fn a_command_keeps_its_own_options() {
        let request = parsed("ls -u -E");
        assert_eq!(request, Request { command: words("ls -u -E"), ..Request::default() });
    }

    #[test]
    fn options_can_be_joined_and_spelled_out() {
        for line in [
            "-nSEHu www sh -c x",
            "-n -S -E -H -uwww sh -c x",
            "--non-interactive --stdin --preserve-env --set-home --user=www -- sh -c x",
            "-nSEH --user www sh -c x",
        ] {
            let request = parsed(line);
            assert_eq!(request.user.as_deref(), Some("www"), "{line}");
            assert_eq!(request.preserve, Preserve::All, "{line}");
            assert!(request.set_home, "{line}");
            assert_eq!(request.command, words("sh -c x"), "{line}");
        }
    }

    #[test]
    fn variables_before_the_command_are_set() {
        let request = parsed("-E A=1 B_2= 3C=x D=4");
        assert_eq!(request.variables, [("A".into(), "1".into()), ("B_2".into(), OsString::new())]);
        assert_eq!(request.command, words("3C=x D=4"));
    }

    #[test]
    fn unknown_options_are_refused() {
        for line in ["-Z ls", "--nonsense ls", "-u", "-e /etc/passwd"] {
            assert!(parse(words(line)).is_err(), "{line}");
        }
    }

    #[test]
    fn the_environment_is_reset_by_default() {
        let current = vec![
            ("HOME".into(), "/home/ann".into()),
            ("SECRET".into(), "x".into()),
            ("LC_ALL".into(), "C".into()),
            ("PATH".into(), "/evil".into()),
        ];
        let text = |request: &Request| {
            environment(request, &root(), &ann(), current.clone())
                .iter()
                .map(|(name, value)| format!("{}={}\n", name.display(), value.display()))
                .collect::<String>()
        };
        insta::assert_snapshot!(text(&parsed("A=1 id -u")), @r"
        A=1
        HOME=/root
        LC_ALL=C
        LOGNAME=root
        MAIL=/var/mail/root
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        SHELL=/bin/bash
        SUDO_COMMAND=id -u
        SUDO_GID=1000
        SUDO_UID=1000
        SUDO_USER=ann
        USER=root
        ");
        insta::assert_snapshot!(text(&parsed("-E id")), @r"
        HOME=/home/ann
        LC_ALL=C
        LOGNAME=root
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        SECRET=x
        SUDO_COMMAND=id
        SUDO_GID=1000
        SUDO_UID=1000
        SUDO_USER=ann
        USER=root
        ");
        assert!(text(&parsed("--preserve-env=SECRET id")).contains("SECRET=x"));
        assert!(text(&parsed("-EH id")).contains("HOME=/root"));
    }

    #[test]
    fn only_rules_for_everything_without_password_count() {
        let text = "# ann ALL=(ALL) NOPASSWD:ALL\nbob ALL=(ALL:ALL) NOPASSWD: ALL\n\
                    %ops ALL = (ALL) NOPASSWD:ALL # all\ncat ALL=(ALL) ALL\nDefaults env_reset\n";
        assert!(names_in(text, "bob", &[]));
        assert!(names_in(text, "x", &["ops"]));
        assert!(!names_in(text, "ann", &[]));
        assert!(!names_in(text, "cat", &[]));
    }

    #[test]
    fn a_shell_line_is_quoted() {
        assert_eq!(shell_line(&words("echo a;b $HOME")), r"echo a\;b $HOME");
    }
}
