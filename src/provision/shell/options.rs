//! Options of the `shell` provisioner.

use std::time::Duration;

use crate::provision::script::ScriptOptions;
use crate::template::schema::Deferred;

/// Exit status by which a template may say that losing the connection is fine.
pub(super) const DISCONNECTED: u32 = 2_300_218;

crate::options! {
    /// Runs scripts on the instance.
    pub(super) struct ShellOptions {
        /// What to run, with which variables, and when that has failed.
        flat scripting: ScriptOptions,
        /// What follows `#!` in the script made of `inline`; `/bin/sh -e` unless the commands
        /// begin with a `#!` of their own.
        hashed inline_shebang: Option<String>,
        /// Whether scripts are sent as they are. Otherwise CRLF becomes LF, and the last line gets
        /// its end.
        hashed binary: bool = false,
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
    /// How the script is run.
    pub(super) fn command(&self) -> Deferred {
        self.execute_command.clone().unwrap_or_else(|| self.usual_command())
    }

    /// How a script is run unless the template says otherwise.
    pub(super) fn usual_command(&self) -> Deferred {
        Deferred::new(if self.use_env_var_file {
            "chmod +x {{.Path}}; . {{.EnvVarFile}} && {{.Path}}"
        } else {
            "chmod +x {{.Path}}; {{.Vars}} {{.Path}}"
        })
    }

    /// How a variable is written.
    pub(super) fn variable_format(&self) -> String {
        self.env_var_format.clone().unwrap_or_else(|| self.usual_variable_format())
    }

    /// How a variable is written unless the template says otherwise.
    pub(super) fn usual_variable_format(&self) -> String {
        if self.use_env_var_file { "export %s='%s'\n" } else { "%s='%s' " }.to_owned()
    }

    /// Whether losing the connection is no failure.
    pub(super) fn allows_disconnect(&self) -> bool {
        self.expect_disconnect || self.scripting.valid_exit_codes.contains(&DISCONNECTED)
    }
}
