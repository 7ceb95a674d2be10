//! What all provisioners that run scripts have in common: options, checks, variables.

pub(super) mod environment;
pub(super) mod line_end;
mod options;
mod plan;
mod run;

pub(crate) use options::ScriptOptions;
pub(super) use plan::{
    check, check_format, file_name, has_unknown_script, name, read_scripts, title, variables,
    what_to_run,
};
pub(super) use run::Script;
pub(crate) use run::Surroundings;
