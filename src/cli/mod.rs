//! The command line: one file a command; arguments to calls, answers to exit codes.

mod arguments;
mod build;
mod console;
mod exit;
mod explore;
mod fix;
mod fmt;
mod hash;
mod inputs;
mod inspect;
mod outcome;
mod sandbox;
mod signals;
mod upgrade;
mod validate;
mod values;

pub use exit::Exit;

use std::ffi::OsString;

use clap::Parser;

use arguments::{Arguments, Command};

/// Runs bake with the process's arguments, the first being the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments::long_flags(arguments)) {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // A closed pipe is no error.
            drop(error.print());
            return exit;
        }
    };
    outcome::log_to_stderr(arguments.verbose);
    match arguments.command {
        Command::Build(arguments) => build::run(&arguments),
        Command::Validate(arguments) => validate::run(&arguments),
        Command::Hash(arguments) => hash::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Console(arguments) => console::run(&arguments),
        Command::Fmt(arguments) => fmt::run(&arguments),
        Command::Fix(arguments) => fix::run(&arguments),
        Command::Upgrade(arguments) => upgrade::run(&arguments),
        Command::Sandbox(arguments) => sandbox::run(&arguments),
    }
}
