//! Options of the `powershell` provisioner.

use std::time::Duration;

use crate::provision::script::ScriptOptions;
use crate::template::schema::{Deferred, Secret};

crate::options! {
    /// Runs PowerShell scripts on the instance.
    pub(super) struct PowershellOptions {
        /// What to run, with which variables, and when that has failed.
        flat scripting: ScriptOptions,
        /// Whether scripts are sent as they are. Otherwise those in UTF-8 that are not ASCII get
        /// the byte order mark by which Windows PowerShell knows them.
        hashed binary: bool = false,
        /// Path of the script on the instance; a new one in `c:/Windows/Temp` by default.
        hashed remote_path: Option<String>,
        /// Path of the file with the variables on the instance; a new one by default.
        hashed remote_env_var_path: Option<String>,
        /// How a variable is written.
        hashed env_var_format: String = "$env:%s=\"%s\"; ".to_owned(),
        /// How a variable is written for `elevated_user`.
        hashed elevated_env_var_format: String = "$env:%s=\"%s\"; ".to_owned(),
        /// How the script is run: a Go template with `.Path` and `.Vars`.
        hashed execute_command: Option<Deferred>,
        /// How the script is run as `elevated_user`.
        hashed elevated_execute_command: Option<Deferred>,
        /// User that runs the script in a scheduled task, with all rights.
        hashed elevated_user: Option<Deferred>,
        /// Password of `elevated_user`.
        unhashed elevated_password: Option<Secret>,
        /// PowerShell's execution policy; `none` leaves it alone.
        hashed execution_policy: String = "bypass".to_owned(),
        /// Whether `pwsh` runs the script in place of `powershell`.
        hashed use_pwsh: bool = false,
        /// Level of `Set-PsDebug -Trace`: 0, 1 or 2.
        hashed debug_mode: i64 = 0,
        /// How long to try again when the script cannot be started.
        unhashed start_retry_timeout: Duration = Duration::from_secs(300),
        /// Whether what was uploaded stays on the instance.
        hashed skip_clean: bool = false,
        /// How long to wait after the last script.
        unhashed pause_after: Duration = Duration::ZERO,
    }
}
