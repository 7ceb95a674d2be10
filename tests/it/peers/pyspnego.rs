//! pyspnego, another implementation of NTLM, as the service that bake logs in to.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::python;
use crate::support::{Workspace, all_suites};

/// The service; it ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn pyspnego_takes_our_log_in_and_reads_what_we_seal() {
    if !all_suites("NTLM against pyspnego") {
        return;
    }
    let workspace = Workspace::new();
    let users = workspace.write("users", "CORP:builder:pa$$w0rd \u{e9}\n");
    let mut command = Command::new(python::programs().join("python3"));
    command.args(["-c", include_str!("pyspnego.py")]).arg(users).stdout(Stdio::piped());
    let mut service = Service(command.spawn().expect("start python3"));
    let mut port = String::new();
    let output = service.0.stdout.take().expect("piped");
    BufReader::new(output).read_line(&mut port).expect("a port");
    let template = format!(
        "variable \"password\" {{
  sensitive = true
}}
source \"null\" \"t\" {{
  communicator   = \"winrm\"
  winrm_host     = \"127.0.0.1\"
  winrm_port     = {}
  winrm_username = \"CORP\\\\builder\"
  winrm_password = var.password
  winrm_use_ntlm = true
}}
build {{
  sources = [\"source.null.t\"]
  provisioner \"windows-shell\" {{
    inline = [\"echo hello\"]
  }}
}}
",
        port.trim()
    );
    let path = workspace.write("t.pkr.hcl", template);
    let build = |password: &str| {
        let mut command = workspace.command([Path::new("build"), path.as_path()]);
        command.env("PKR_VAR_password", password);
        crate::support::Running::start(command).finish()
    };
    let outcome = build("pa$$w0rd \u{e9}").expect(0);
    let lines = outcome.lines_of("null.t");
    assert!(lines.contains(&"hello from pyspnego"), "{}", outcome.stdout);
    let outcome = build("pa$$w0rd e").expect(1);
    assert!(
        outcome.stdout.contains("it refuses the user name or the password"),
        "{}",
        outcome.stdout
    );
}
