//! The `bake` command.

use std::process::ExitCode;

use bake::cli::Exit;

fn main() -> ExitCode {
    // First of all: inside a sandbox machine this executable has other roles,
    // and those want a process with one thread.
    if let Some(code) = bake::sandbox::machine::reentry(std::env::args_os()) {
        return ExitCode::from(u8::try_from(code).unwrap_or(Exit::Failed.code()));
    }
    ExitCode::from(bake::cli::run(std::env::args_os()).code())
}
