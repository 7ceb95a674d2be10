//! Options of `shell-local`.

use crate::provision::script::ScriptOptions;
use crate::template::schema::Deferred;

crate::options! {
    /// Runs scripts on the machine that bake runs on.
    pub(crate) struct ShellLocalOptions {
        /// One command, in place of `inline`.
        hashed command: Option<Deferred>,
        /// What to run, with which variables, and when that has failed.
        flat scripting: ScriptOptions,
        /// How a script is run: a program and its arguments, with `.Vars` and `.Script`.
        hashed execute_command: Vec<Deferred> = usual_command(),
        /// What follows `#!` in the script made of `inline`.
        hashed inline_shebang: String = "/bin/sh -e".to_owned(),
        /// How a variable is written.
        hashed env_var_format: String = "%s='%s' ".to_owned(),
        /// How the name of the script made of `inline` ends.
        unhashed tempfile_extension: Option<String>,
        /// Operating systems of this machine on which it runs; all by default.
        hashed only_on: Vec<String>,
        /// Whether paths are written as in the Windows subsystem for Linux.
        unhashed use_linux_pathing: bool = false,
    }
}

/// How a script is run unless the template says otherwise.
pub(super) fn usual_command() -> Vec<Deferred> {
    ["/bin/sh", "-c", "{{.Vars}} {{.Script}}"].map(Deferred::new).to_vec()
}
