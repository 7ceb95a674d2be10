//! An OpenSSH server in the namespace of the servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::link::SERVER;

/// The server; it dies with the value.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    /// Starts one on port 22 of all addresses, with its keys in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        fs::create_dir_all("/run/sshd").expect("make a directory");
        for name in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(folder.join(name))
                .status();
            assert!(made.is_ok_and(|status| status.success()), "ssh-keygen");
        }
        let at = folder.display();
        // Login shells that read much would be measured otherwise.
        let text = format!(
            "SetEnv HOME={at}\nHostKey {at}/host\nPidFile none\nUsePAM no\nStrictModes no\n\
             AuthorizedKeysFile {at}/user.pub\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
        );
        fs::write(folder.join("sshd_config"), text).expect("write");
        let child = Command::new("ip")
            .args(["netns", "exec", SERVER, "/usr/sbin/sshd", "-D", "-E"])
            .arg(folder.join("log"))
            .arg("-f")
            .arg(folder.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start sshd");
        Self { child, folder: folder.to_path_buf() }
    }

    /// The private key of the user.
    pub(crate) fn key(&self) -> PathBuf {
        self.folder.join("user")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
