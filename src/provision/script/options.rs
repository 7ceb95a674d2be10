//! Options that all provisioners with scripts have.

use std::collections::BTreeMap;

use crate::template::schema::Deferred;

crate::options! {
    /// What to run, with which variables, and when that has failed.
    pub(crate) struct ScriptOptions {
        /// Commands that run as one script. Excludes `script` and `scripts`.
        hashed inline: Vec<Deferred>,
        /// A script on this machine.
        unhashed script: Option<String>,
        /// Scripts on this machine; they run in this order.
        unhashed scripts: Vec<String>,
        /// Exit statuses that are not failures.
        hashed valid_exit_codes: Vec<u32> = vec![0],
        /// Variables for the script, as `NAME=VALUE`.
        hashed environment_vars: Vec<String>,
        /// Variables for the script; these win over `environment_vars`.
        hashed env: BTreeMap<String, String>,
    }
}

impl ScriptOptions {
    /// `script`; as in Packer, no text is no script.
    pub(crate) fn single_script(&self) -> Option<&String> {
        self.script.as_ref().filter(|path| !path.is_empty())
    }

    /// The local scripts in order.
    pub(crate) fn local_scripts(&self) -> impl Iterator<Item = &str> {
        self.single_script().into_iter().chain(&self.scripts).map(String::as_str)
    }
}
