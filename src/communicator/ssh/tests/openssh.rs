//! A private OpenSSH server on a loopback port.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::{Address, Authentication, KeyPair, KeyType, Ssh, SshOptions, connect};
use crate::event;
use crate::template::schema::Secret;

/// A server that dies with the value.
pub(crate) struct Sshd {
    child: Child,
    folder: TempDir,
    key: Secret,
    port: u16,
}

/// Where Debian and most others put it; it insists on being started by its full path.
fn program() -> Option<PathBuf> {
    ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"]
        .into_iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
}

/// Starts a server, or says why the test does nothing.
///
/// With `BAKE_TEST_ALL` a missing sshd is a failure.
pub(crate) fn start(settings: &str) -> Option<Sshd> {
    start_with(settings, KeyType::Ed25519)
}

pub(super) fn start_with(settings: &str, kind: KeyType) -> Option<Sshd> {
    let Some(program) = program() else {
        let required = std::env::var_os("BAKE_TEST_ALL").is_some();
        assert!(!required, "sshd is not installed: install `openssh-server`");
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: sshd is not installed (Debian package `openssh-server`)");
        }
        return None;
    };
    if rustix::process::geteuid().is_root() {
        // What the init script of the package does.
        std::fs::create_dir_all("/run/sshd").unwrap();
    }
    let folder = TempDir::new().unwrap();
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let host = KeyPair::generate(KeyType::Ed25519, "host").unwrap();
    let user = KeyPair::generate(kind, "user").unwrap();
    write_private(&folder.path().join("host"), host.private.reveal());
    std::fs::write(folder.path().join("authorized"), format!("{}\n", user.public)).unwrap();
    let at = folder.path().display();
    // What comes first holds. The real home directory may have start-up files that cost time.
    let configuration = format!(
        "{settings}\nSetEnv HOME={at}\nListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nPidFile none\nUsePAM no\n\
         StrictModes no\nAuthorizedKeysFile {at}/authorized\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         PermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    );
    std::fs::write(folder.path().join("config"), configuration).unwrap();
    let child = Command::new(program)
        .args(["-D", "-E"])
        .arg(folder.path().join("log"))
        .arg("-f")
        .arg(folder.path().join("config"))
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    Some(Sshd { child, folder, key: user.private, port })
}

/// A server whose sessions are those of a user who is not root, even when it is started by root.
pub(crate) fn as_nobody() -> Option<Sshd> {
    if !rustix::process::geteuid().is_root() {
        return start("");
    }
    start(
        "ForceCommand umask 027; exec setpriv --reuid 65534 --regid 65534 --clear-groups \
         sh -c \"$SSH_ORIGINAL_COMMAND\"",
    )
}

pub(super) fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

impl Sshd {
    pub(super) fn options(&self) -> SshOptions {
        SshOptions::new(user(), vec![self.login()])
    }

    /// The way in that the server knows.
    pub(super) fn login(&self) -> Authentication {
        Authentication::Key(self.key.clone())
    }

    /// The key that the server knows.
    pub(super) fn key(&self) -> &Secret {
        &self.key
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn address(&self) -> Address {
        Address { host: "127.0.0.1".into(), port: self.port }
    }

    pub(super) async fn connect_with(&self, options: SshOptions) -> Ssh {
        let address = Address::known("127.0.0.1", self.port);
        let (emitter, _events) = event::channel();
        let connected = connect(options, address, emitter, CancellationToken::new()).await;
        connected.unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    pub(crate) async fn connect(&self) -> Ssh {
        self.connect_with(self.options()).await
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Stops listening; connections go on.
    pub(super) fn stop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Who logs in.
pub(super) fn user() -> String {
    std::env::var_os("USER").map_or_else(whoami, |user| user.into_string().unwrap())
}

fn whoami() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}
