//! Options of the `windows-shell` provisioner.

use std::time::Duration;

use crate::provision::script::ScriptOptions;
use crate::template::schema::Deferred;

crate::options! {
    /// Runs batch files on the instance.
    pub(super) struct WindowsShellOptions {
        /// What to run, with which variables, and when that has failed.
        flat scripting: ScriptOptions,
        /// Whether scripts are sent as they are. Otherwise lines get the ends that `cmd.exe` needs.
        hashed binary: bool = false,
        /// Path of the script on the instance.
        hashed remote_path: String = "c:/Windows/Temp/script.bat".to_owned(),
        /// How the script is run: a Go template with `.Path` and `.Vars`.
        hashed execute_command: Deferred = Deferred::new("{{.Vars}}\"{{.Path}}\""),
        /// How a variable is written.
        hashed env_var_format: String = "set \"%s=%s\" && ".to_owned(),
        /// How long to try again when the script cannot be started.
        unhashed start_retry_timeout: Duration = Duration::from_secs(300),
    }
}
