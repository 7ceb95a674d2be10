//! What commands print besides the build log.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::diagnostic::{Diagnostics, Severity, Style, render};
use crate::render::{Mask, Settings, row};
use crate::sandbox::machine::MachineError;

use super::Exit;
use super::told::Log;

/// Whether rows for programs are printed instead of texts for people. Of the whole process, like
/// the streams that they are printed to.
static MACHINE_READABLE: AtomicBool = AtomicBool::new(false);

/// Chooses between texts for people and Packer's rows for programs (`packer-core.md` section 6.2).
pub(super) fn set_machine_readable(wanted: bool) {
    MACHINE_READABLE.store(wanted, Ordering::Relaxed);
}

/// Whether rows for programs are printed.
pub(super) fn is_machine_readable() -> bool {
    MACHINE_READABLE.load(Ordering::Relaxed)
}

/// Writes text to standard output. A closed pipe is no error.
pub(super) fn print(text: &str) {
    if is_machine_readable() {
        if !text.is_empty() {
            print_row("ui", &["say", text.strip_suffix('\n').unwrap_or(text)]);
        }
        return;
    }
    let mut out = anstream::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Writes a row for programs, without secrets, to standard output; when people read it, nothing.
pub(super) fn print_row(kind: &str, data: &[&str]) {
    if is_machine_readable() {
        // The caller has no secrets in it.
        let row = row(jiff::Timestamp::now().into(), "", kind, data, &Mask::default());
        drop(Stdout.write_all(row.as_bytes()).and_then(|()| Stdout.flush()));
    }
}

/// Writes text to standard error, where standard output is for programs.
pub(super) fn warn(text: &str) {
    let mut out = anstream::stderr().lock();
    drop(out.write_all(text.as_bytes()));
}

/// Writes a line to standard error; a program reads it among the other rows.
pub(super) fn complain(text: &str) {
    if is_machine_readable() {
        return print_row("ui", &["error", text]);
    }
    let mut out = anstream::stderr().lock();
    drop(writeln!(out, "{text}"));
}

/// Writes findings to standard error, in colour on a terminal, with secrets masked. A program gets
/// a row for each.
pub(super) fn report(found: &Diagnostics, mask: &Mask) {
    if found.is_empty() {
        return;
    }
    // Before it is rendered, as that cuts long lines, and after, for what only comes about then.
    let found = mask.findings(&found.in_file_order());
    if is_machine_readable() {
        for one in found {
            let what = match one.severity {
                Severity::Error => "error",
                Severity::Warning => "say",
            };
            let text = render(&one.into(), Style::default());
            print_row("ui", &[what, mask.apply(&text).trim_end()]);
        }
        return;
    }
    let text = render(&found, Style { colour: true, ..Style::default() });
    let mut out = anstream::stderr().lock();
    drop(out.write_all(mask.apply(&text).as_bytes()));
}

/// Reports what is wrong with a template: the end of a command.
pub(super) fn refused(found: &Diagnostics, mask: &Mask) -> Exit {
    report(found, mask);
    Exit::Failed
}

/// Says what went wrong outside of the template, and what helps: the end of a command.
pub(super) fn failed(error: &(dyn Error + 'static)) -> Exit {
    let mut text = format!("error: {error}");
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(MachineError::Unsupported { hint, .. }) = error.downcast_ref() {
            text += &format!("\n  = help: {hint}");
        }
        cause = error.source();
    }
    complain(&text);
    Exit::Failed
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

/// The log of commands that look after runs. Programs read what these print at their end.
pub(super) fn plain_log() -> Option<Log<Stdout>> {
    let settings = Settings { colour: colour(None), progress: false, timestamps: false };
    (!is_machine_readable()).then_some((Stdout, settings))
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

/// Starts the debugging log when it is wanted, with secrets masked.
pub(super) fn log_to_stderr(verbose: u8, mask: &Mask) {
    let filter = match verbose {
        0 => return,
        1 => "bake=debug",
        _ => "debug",
    };
    let mask = mask.clone();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(move || Masked { mask: mask.clone() })
        .init();
}

/// Standard error without secrets. It gets a whole record at once.
struct Masked {
    mask: Mask,
}

impl Write for Masked {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = self.mask.apply(&String::from_utf8_lossy(bytes));
        std::io::stderr().lock().write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().lock().flush()
    }
}
