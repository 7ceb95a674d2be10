//! Lines that are typed.

use rustyline::error::ReadlineError;
use rustyline::{
    Cmd, ConditionalEventHandler, DefaultEditor, Event, EventContext, EventHandler, KeyEvent,
    Movement, RepeatCount,
};

use crate::cli::Exit;
use crate::cli::outcome::{complain, print};

use super::session::{Answer, Session};

const PROMPT: &str = "> ";

/// Reads lines until the user leaves. They can be edited, and earlier ones called back; none is
/// kept on disk, as it may hold a secret.
pub(super) fn run(session: &Session) -> Exit {
    match read_and_answer(session) {
        Ok(()) => Exit::Done,
        Err(error) => {
            complain(&format!("error: cannot read from the terminal: {error}"));
            Exit::Failed
        }
    }
}

fn read_and_answer(session: &Session) -> Result<(), ReadlineError> {
    let mut editor = DefaultEditor::new()?;
    let clear = EventHandler::Conditional(Box::new(ClearOrLeave));
    editor.bind_sequence(KeyEvent::ctrl('C'), clear);
    loop {
        let line = match editor.readline(PROMPT) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error),
        };
        editor.add_history_entry(line.as_str())?;
        match session.answer(&line) {
            Answer::Nothing | Answer::Failed => {}
            Answer::Text(text) => print(&format!("{text}\n")),
            Answer::End => return Ok(()),
        }
    }
}

/// What Ctrl-C does: it drops the line, and leaves when there is none.
struct ClearOrLeave;

impl ConditionalEventHandler for ClearOrLeave {
    fn handle(
        &self,
        _: &Event,
        _: RepeatCount,
        _: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        let leaves = context.line().is_empty();
        Some(if leaves { Cmd::Interrupt } else { Cmd::Kill(Movement::WholeBuffer) })
    }
}
