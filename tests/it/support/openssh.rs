//! A private OpenSSH server in place of an instance: what is done "inside" is done here.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server that ends with the value.
pub(crate) struct OpenSsh {
    process: Child,
    directory: TempDir,
    port: u16,
}

impl OpenSsh {
    /// Starts one that lets in whom `authorized_keys` names: nobody so far.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// The same; what the settings say comes before all else.
    pub(crate) fn start_with(settings: &str) -> Self {
        if rustix::process::geteuid().is_root() {
            // What the service of the distribution does; sshd insists on it.
            fs::create_dir_all("/run/sshd").expect("make /run/sshd");
        }
        let directory = tempfile::tempdir().expect("temporary directory");
        let here = directory.path();
        make_key(&here.join("host"));
        fs::write(here.join("authorized_keys"), "").expect("write");
        let port = free_port();
        let at = here.display();
        let sftp = match settings.contains("Subsystem") {
            true => "",
            false => "Subsystem sftp internal-sftp\n",
        };
        fs::write(
            here.join("config"),
            format!(
                "{settings}\nListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nPidFile none\n\
                 UsePAM no\nStrictModes no\nAuthorizedKeysFile {at}/authorized_keys\n\
                 PasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 PermitRootLogin yes\nSetEnv HOME={at}\n{sftp}"
            ),
        )
        .expect("write");
        // It wants to be called by its full path.
        let process = Command::new("/usr/sbin/sshd")
            .args(["-D", "-E"])
            .arg(here.join("log"))
            .arg("-f")
            .arg(here.join("config"))
            .stdin(Stdio::null())
            .spawn()
            .expect("start sshd (Debian's package is `openssh-server`)");
        let server = Self { process, directory, port };
        await_port(port, "sshd");
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What it has noted.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory().join("log")).unwrap_or_default()
    }

    /// A place of its own, where uploads may go.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Where the public keys of its users are.
    pub(crate) fn authorized_keys(&self) -> PathBuf {
        self.directory().join("authorized_keys")
    }

    /// Lets in the holder of a new private key, and returns its file.
    pub(crate) fn user_key(&self) -> PathBuf {
        let key = self.directory().join("user");
        make_key(&key);
        fs::copy(key.with_extension("pub"), self.authorized_keys()).expect("copy the key");
        key
    }
}

impl Drop for OpenSsh {
    fn drop(&mut self) {
        // It has ended by itself, or does now.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The user that this process runs as: a server without root can only let in that one.
pub(crate) fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("run id");
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// Whether there is a server that can be started; says so when not.
#[expect(clippy::print_stderr, reason = "whoever reads a test's output has to know")]
pub(crate) fn has_sshd() -> bool {
    let found = Path::new("/usr/sbin/sshd").exists();
    let required = std::env::var_os("BAKE_TEST_ALL").is_some();
    assert!(found || !required, "sshd is not installed: install `openssh-server`");
    if !found {
        eprintln!("skipped: sshd is not installed (Debian package `openssh-server`)");
    }
    found
}

/// A new key pair without a passphrase.
pub(crate) fn make_key(path: &Path) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(path)
        .status()
        .expect("start ssh-keygen");
    assert!(made.success(), "ssh-keygen failed");
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Waits until something listens. Nothing tells when, so it is tried.
#[track_caller]
pub(crate) fn await_port(port: u16, what: &str) {
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what} does not listen");
        #[expect(clippy::disallowed_methods, reason = "there is nothing to wait on")]
        std::thread::sleep(Duration::from_millis(20));
    }
}
