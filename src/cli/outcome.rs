//! What commands print besides the build log.

use std::io::{IsTerminal, Write};

use crate::diagnostic::{Diagnostics, Style, render};
use crate::render::Mask;

/// Writes text to standard output. A closed pipe is no error.
pub(super) fn print(text: &str) {
    let mut out = anstream::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Writes text to standard error, where standard output is for programs.
pub(super) fn warn(text: &str) {
    let mut out = anstream::stderr().lock();
    drop(out.write_all(text.as_bytes()));
}

/// Writes a line to standard error.
pub(super) fn complain(text: &str) {
    let mut out = anstream::stderr().lock();
    drop(writeln!(out, "{text}"));
}

/// Writes findings to standard error, in colour on a terminal, with secrets masked.
pub(super) fn report(found: &Diagnostics, mask: &Mask) {
    if found.is_empty() {
        return;
    }
    let text = render(&found.in_file_order(), Style { colour: true, ..Style::default() });
    let mut out = anstream::stderr().lock();
    drop(out.write_all(mask.apply(&text).as_bytes()));
}

/// Whether people read standard output, rather than a program.
pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether standard error is a terminal, where progress lines may be drawn.
pub(super) fn errors_on_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether the build log is to be coloured: as the user says, else on a terminal that wants it.
pub(super) fn colour(wanted: Option<bool>) -> bool {
    let refused = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    wanted.unwrap_or_else(is_terminal) && !refused("PACKER_NO_COLOR") && !refused("NO_COLOR")
}

/// Standard output, locked for each piece only, as several things print.
pub(super) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::stdout().lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().lock().flush()
    }
}

/// Starts the debugging log when it is wanted.
pub(super) fn log_to_stderr(verbose: u8) {
    let filter = match verbose {
        0 => return,
        1 => "bake=debug",
        _ => "debug",
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .init();
}
