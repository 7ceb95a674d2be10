//! A network that fails in the middle.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// How it fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Failing {
    /// Both sides hear that the other one has gone.
    Closes,
    /// Nothing arrives any more, and nobody is told.
    Stalls,
}

/// Passes so many bytes on to the machine, all connections together, and then fails. Its threads
/// end with the test's process.
pub(super) fn start(machine: u16, bytes: u64, failing: Failing) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let passed = Arc::new(AtomicU64::new(0));
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(("127.0.0.1", machine)) else { continue };
            let (Ok(from_far), Ok(to_near)) = (far.try_clone(), near.try_clone()) else { continue };
            let (up, down) = (passed.clone(), passed.clone());
            let may_go_up = move |count| up.fetch_add(count, Ordering::SeqCst) + count <= bytes;
            let may_come_down = move |_| down.load(Ordering::SeqCst) <= bytes;
            thread::spawn(move || pass(near, far, may_go_up, failing));
            thread::spawn(move || pass(from_far, to_near, may_come_down, failing));
        }
    });
    port
}

/// Passes on while it may. The streams stay open when it stalls.
fn pass(mut from: TcpStream, mut to: TcpStream, may: impl Fn(u64) -> bool, failing: Failing) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !may(count as u64) {
            if failing == Failing::Stalls {
                thread::park();
            }
            break;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop(from.shutdown(Shutdown::Both));
    drop(to.shutdown(Shutdown::Both));
}
