//! The runtime in which commands wait for others.

use std::io;
use std::panic::resume_unwind;

use tokio::runtime::Runtime;

use super::Exit;
use super::outcome::failed;

/// Waits on this thread.
///
/// # Errors
/// When the system has no thread or descriptor left.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    Ok(Runtime::new()?.block_on(work))
}

/// The same for a whole command.
pub(super) fn run(command: impl Future<Output = Exit>) -> Exit {
    block_on(command).unwrap_or_else(|error| failed(&error))
}

/// The same for one that sends files, on a worker of the runtime: what sends takes turns there with
/// what encrypts, where a thread of its own would have to be woken for each packet.
pub(super) fn run_on_worker(command: impl Future<Output = Exit> + Send + 'static) -> Exit {
    run(async {
        match tokio::spawn(command).await {
            Ok(exit) => exit,
            Err(error) => resume_unwind(error.into_panic()),
        }
    })
}
