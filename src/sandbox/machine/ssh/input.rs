//! What a client sent and a program has not read yet.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// How much is kept in memory; twice a channel's window.
const MEMORY: usize = 4 << 20;
/// How much is read back from disk at once.
const CHUNK: usize = 256 << 10;

/// A queue between the connection and a program's standard input.
///
/// russh opens a channel's window again as soon as data has arrived, and one
/// task serves all channels of a connection. Waiting for a slow program there
/// would stop the other channels and this one's output too (`cat` with a big
/// file would hang for ever), so the queue never waits: what does not fit into
/// memory goes to an unlinked file.
#[derive(Debug, Default)]
pub(super) struct Input {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    memory: VecDeque<Vec<u8>>,
    in_memory: usize,
    spill: Option<File>,
    spill_read: u64,
    spill_written: u64,
    ended: bool,
    /// Nobody reads any more; what still comes is of no use.
    closed: bool,
}

impl Input {
    /// Adds bytes at the end.
    ///
    /// # Errors
    ///
    /// When the spill file cannot be written.
    pub(super) fn push(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        if state.closed {
            return Ok(());
        }
        let on_disk = state.spill_written > state.spill_read;
        if !on_disk && state.in_memory < MEMORY {
            state.in_memory += bytes.len();
            state.memory.push_back(bytes.to_vec());
        } else {
            let offset = state.spill_written;
            let file = match &mut state.spill {
                Some(file) => file,
                empty => empty.insert(tempfile::tempfile_in("/var/tmp")?),
            };
            file.write_all_at(bytes, offset)?;
            state.spill_written += bytes.len() as u64;
        }
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// No more will come.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_one();
    }

    /// The reader is gone: forgets what it has not read, and what still comes.
    pub(super) fn close(&self) {
        *self.lock() = State { closed: true, ended: true, ..State::default() };
    }

    /// Takes the next bytes, `None` after the last. For one reader.
    pub(super) async fn next(&self) -> io::Result<Option<Vec<u8>>> {
        loop {
            // The permit of `notify_one` is kept, so nothing between the look
            // and the wait is missed.
            if let Some(found) = self.lock().take()? {
                return Ok(found);
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next chunk, `Some(None)` at the end, `None` when one has to wait.
    fn take(&mut self) -> io::Result<Option<Option<Vec<u8>>>> {
        if let Some(bytes) = self.memory.pop_front() {
            self.in_memory -= bytes.len();
            return Ok(Some(Some(bytes)));
        }
        let left = self.spill_written - self.spill_read;
        if let (Some(file), 1..) = (&self.spill, left) {
            let length = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, self.spill_read)?;
            self.spill_read += length as u64;
            if self.spill_read == self.spill_written {
                file.set_len(0)?;
                (self.spill_read, self.spill_written) = (0, 0);
            }
            return Ok(Some(Some(bytes)));
        }
        Ok(self.ended.then_some(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_out_in_order_through_memory_and_disk() {
        let input = Input::default();
        let chunks = 200u32;
        let mut sent = Vec::new();
        let mut received = Vec::new();
        for n in 0..chunks {
            let chunk = vec![u8::try_from(n % 251).unwrap(); 40_000];
            input.push(&chunk).unwrap();
            sent.extend_from_slice(&chunk);
            if n % 7 == 0 {
                received.extend(input.next().await.unwrap().unwrap());
            }
        }
        assert!(input.lock().spill_written > 0, "the test must reach the disk");
        assert!(input.lock().in_memory <= MEMORY + 40_000);
        input.end();
        assert!(input.lock().spill.is_some());
        while let Some(bytes) = input.next().await.unwrap() {
            received.extend(bytes);
        }
        assert!(sent == received);
        assert_eq!(input.lock().spill_written, 0);
        input.close();
        input.push(b"late").unwrap();
        assert!(input.lock().spill.is_none() && input.lock().memory.is_empty());
    }
}
