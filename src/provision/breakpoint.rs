//! `breakpoint`: waits for a key, so that somebody can look at the instance.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::Mutex;

use super::{ProvisionError, Provisioner, StepRun};
use crate::plan::{ComponentKind, Planner};

crate::options! {
    /// Waits until somebody presses Enter.
    struct BreakpointOptions {
        /// Said while it waits.
        unhashed note: Option<String>,
        /// Whether it does not wait.
        unhashed disable: bool = false,
    }
}

/// The provisioner.
pub(super) const PROVISIONER: Provisioner = Provisioner {
    kind: ComponentKind { name: "breakpoint", schema: BreakpointOptions::schema, plan },
    run: Some(run),
};

/// The terminal that bake was started from, whatever became of its standard input.
const TERMINAL: &str = "/dev/tty";

/// Builds wait at the terminal in turn, so that one Enter is for one of them.
static TURN: Mutex<()> = Mutex::const_new(());

fn plan(planner: &mut Planner<'_>) {
    let schema = BreakpointOptions::schema();
    let Some(options) = planner.decode(schema, BreakpointOptions::decode_options) else { return };
    if !options.disable {
        // Nobody knows what was done to the instance meanwhile.
        planner.mark_volatile("breakpoint");
    }
    planner.set_title(match options.note {
        Some(note) => format!("Pausing at breakpoint: {note}"),
        None => "Pausing at breakpoint".to_owned(),
    });
}

fn run<'a>(step: &'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>> {
    async move {
        let schema = BreakpointOptions::schema();
        let decoded = step
            .planned
            .component
            .decode(Some(step.context.data), schema, BreakpointOptions::decode_options)
            .map_err(ProvisionError::Options)?;
        if decoded.options.disable {
            step.say("Breakpoint disabled; continuing...").await;
            return Ok(());
        }
        let _turn = TURN.lock().await;
        let wrong = |reason| ProvisionError::NoTerminal { reason };
        let terminal = File::open(TERMINAL).map_err(wrong)?;
        step.say("Press enter to continue.").await;
        line_end(terminal.into()).await.map_err(wrong)
    }
    .boxed()
}

/// Waits for the end of a line. Dropping the future ends the wait: the thread that waits hears of
/// it, and takes nothing more from the terminal.
async fn line_end(terminal: OwnedFd) -> io::Result<()> {
    let (given_up, _alive) = io::pipe()?;
    let given_up = OwnedFd::from(given_up);
    match tokio::task::spawn_blocking(move || read_line_end(&terminal, &given_up)).await {
        Ok(result) => result,
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Reads until a line ends, or nobody has the other end of `given_up` any more.
fn read_line_end(terminal: &OwnedFd, given_up: &OwnedFd) -> io::Result<()> {
    loop {
        let mut ready = [
            PollFd::from_borrowed_fd(terminal.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(given_up.as_fd(), PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        let [here, gone] = ready;
        if !gone.revents().is_empty() {
            return Ok(());
        }
        if here.revents().is_empty() {
            continue;
        }
        let mut bytes = [0; 256];
        match rustix::io::read(terminal, &mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) if bytes.iter().take(count).any(|byte| *byte == b'\n') => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn it_waits_for_the_end_of_a_line() {
        let (terminal, keyboard) = io::pipe().unwrap();
        let mut keyboard = keyboard;
        let waiting = tokio::spawn(line_end(terminal.into()));
        keyboard.write_all(b"so").unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        keyboard.write_all(b"me\n").unwrap();
        timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_terminal_that_goes_away_is_an_error() {
        let (terminal, keyboard) = io::pipe().unwrap();
        drop(keyboard);
        let error = line_end(terminal.into()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn giving_up_ends_the_wait_and_takes_nothing() {
        let (mut terminal, mut keyboard) = io::pipe().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let wait = line_end(terminal.try_clone().unwrap().into());
            assert!(timeout(Duration::from_millis(20), wait).await.is_err());
        });
        // Waits for the thread: this would not return if it still waited for a key.
        drop(runtime);
        keyboard.write_all(b"x\n").unwrap();
        let mut bytes = [0; 2];
        io::Read::read_exact(&mut terminal, &mut bytes).unwrap();
        assert_eq!(&bytes, b"x\n");
    }
}
