//! The command line: one file a command; arguments to calls, answers to exit codes.

mod arguments;
mod build;
mod clouds;
mod console;
mod depends;
mod exit;
mod explore;
mod fix;
mod fmt;
mod gc;
mod hash;
mod inputs;
mod inspect;
mod lock;
mod outcome;
mod plugins;
mod prune;
mod records;
mod repro;
mod resume;
mod runs;
mod runtime;
mod sandbox;
mod signals;
mod table;
mod told;
mod upgrade;
mod validate;
mod values;
mod verify;
mod version;
mod why;

pub use exit::Exit;

use std::ffi::OsString;

use clap::Parser;

use arguments::{Arguments, Command};

use crate::directories;
use crate::plan::{self, DigestCache};
use crate::render::Mask;

/// Runs bake with the process's arguments, the first being the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let (arguments, machine_readable) = arguments::machine_readable(arguments);
    let arguments = match Arguments::try_parse_from(arguments::long_flags(arguments)) {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // A closed pipe is no error.
            drop(error.print());
            return exit;
        }
    };
    let mask = Mask::default();
    outcome::log_to_stderr(arguments.verbose, &mask);
    outcome::set_machine_readable(machine_readable);
    if let Some(cache) = directories::cache() {
        plan::remember_digests_in(DigestCache::new(cache.join("digests")));
    }
    match arguments.command {
        Command::Build(arguments) => build::run(arguments, &mask),
        Command::Validate(arguments) => validate::run(&arguments, &mask),
        Command::Hash(arguments) => hash::run(&arguments, &mask),
        Command::Inspect(arguments) => inspect::run(&arguments, &mask),
        Command::Console(arguments) => console::run(&arguments, &mask),
        Command::Fmt(arguments) => fmt::run(&arguments),
        Command::Init(arguments) => plugins::init(&arguments),
        Command::Plugins(arguments) => plugins::run(&arguments.command),
        Command::Version => version::run(),
        Command::Fix(arguments) => fix::run(&arguments, &mask),
        Command::Upgrade(arguments) => upgrade::run(&arguments),
        Command::Sandbox(arguments) => sandbox::run(&arguments),
        Command::Lock(arguments) => lock::run(arguments, &mask),
        Command::Why(arguments) => why::run(&arguments, &mask),
        Command::Inputs(arguments) => depends::run(&arguments, &mask),
        Command::Repro(arguments) => repro::run(arguments, &mask),
        Command::Verify(arguments) => verify::run(&arguments, &mask),
        Command::Gc(arguments) => gc::run(&arguments, &mask),
        Command::Runs(arguments) => runs::run(&arguments, &mask),
    }
}
