//! Options of the `shell` provisioner.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::template::schema::Deferred;

/// Exit status by which a template may say that losing the connection is fine.
pub(super) const DISCONNECTED: u32 = 2_300_218;

crate::options! {
    /// Runs scripts on the instance.
    pub(super) struct ShellOptions {
        /// Commands that run as one script. Excludes `script` and `scripts`.
        hashed inline: Vec<Deferred>,
        /// A script on this machine.
        unhashed script: Option<String>,
        /// Scripts on this machine; they run in this order.
        unhashed scripts: Vec<String>,
        /// What follows `#!` in the script made of `inline`; `/bin/sh -e` unless the commands
        /// begin with a `#!` of their own.
        hashed inline_shebang: Option<String>,
        /// Whether scripts are sent as they are. Otherwise CRLF becomes LF, and the last line gets
        /// its end.
        hashed binary: bool = false,
        /// Exit statuses that are not failures.
        hashed valid_exit_codes: Vec<u32> = vec![0],
        /// Variables for the script, as `NAME=VALUE`.
        hashed environment_vars: Vec<String>,
        /// Variables for the script; these win over `environment_vars`.
        hashed env: BTreeMap<String, String>,
        /// How a variable is written: `%s='%s' ` by default, `export %s='%s'\n` with
        /// `use_env_var_file`.
        hashed env_var_format: Option<String>,
        /// Whether variables go into a file that `execute_command` reads, rather than into it.
        hashed use_env_var_file: bool = false,
        /// How the script is run: a Go template with `.Path`, `.Vars` and `.EnvVarFile`.
        hashed execute_command: Option<Deferred>,
        /// Directory of the script on the instance.
        hashed remote_folder: String = "/tmp".to_owned(),
        /// Name of the script on the instance; `script_NNNN.sh` by default.
        hashed remote_file: Option<String>,
        /// Path of the script on the instance, in place of `remote_folder` and `remote_file`.
        hashed remote_path: Option<String>,
        /// How long to try again when the script cannot be started.
        unhashed start_retry_timeout: Duration = Duration::from_secs(300),
        /// Whether losing the connection while a script runs is fine, as when it restarts the machine.
        hashed expect_disconnect: bool = false,
        /// Whether the script stays on the instance.
        hashed skip_clean: bool = false,
        /// How long to wait after the last script.
        unhashed pause_after: Duration = Duration::ZERO,
    }
}

impl ShellOptions {
    /// The local scripts in order.
    pub(super) fn local_scripts(&self) -> impl Iterator<Item = &str> {
        self.script.iter().chain(&self.scripts).map(String::as_str)
    }

    /// How the script is run.
    pub(super) fn command(&self) -> Deferred {
        self.execute_command.clone().unwrap_or_else(|| {
            Deferred::new(if self.use_env_var_file {
                "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}"
            } else {
                "chmod +x {{.Path}}; {{.Vars}} {{.Path}}"
            })
        })
    }

    /// How a variable is written.
    pub(super) fn variable_format(&self) -> &str {
        self.env_var_format.as_deref().unwrap_or(if self.use_env_var_file {
            "export %s='%s'\n"
        } else {
            "%s='%s' "
        })
    }

    /// Whether losing the connection is no failure.
    pub(super) fn allows_disconnect(&self) -> bool {
        self.expect_disconnect || self.valid_exit_codes.contains(&DISCONNECTED)
    }
}
