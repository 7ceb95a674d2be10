//! One direction of a long link: carries whole packets, each after a delay, and loses none.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The largest packet.
const PACKET: usize = 65536;

/// How many packets are read before those that are due go on.
const AT_ONCE: usize = 64;

/// Carries packets from the device that is standard input to the one that is standard output, until
/// what is standard error can be read, as `relay.py` arranges it.
pub(crate) fn carry(delay: Duration) {
    let (source, sink, end) = (io::stdin(), io::stdout(), io::stderr());
    let mut waiting = VecDeque::new();
    let mut packet = vec![0; PACKET];
    loop {
        let due: Option<Instant> = waiting.front().map(|(due, _): &(Instant, Vec<u8>)| *due);
        let left = due.map(|due| due.saturating_duration_since(Instant::now()));
        let left = left.map(|left| Timespec::try_from(left).expect("a short time"));
        let mut ready = [PollFd::new(&source, PollFlags::IN), PollFd::new(&end, PollFlags::IN)];
        match poll(&mut ready, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("poll: {error}"),
        }
        let [has_packet, is_over] = ready.map(|one| !one.revents().is_empty());
        if is_over {
            return;
        }
        let now = Instant::now();
        for _ in 0..if has_packet { AT_ONCE } else { 0 } {
            match rustix::io::read(&source, &mut packet) {
                Ok(length) => waiting.push_back((now + delay, packet[..length].to_vec())),
                Err(Errno::AGAIN) => break,
                Err(error) => {
                    not_up_yet(error);
                    break;
                }
            }
        }
        while waiting.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, packet)) = waiting.pop_front() else { break };
            if let Err(error) = rustix::io::write(&sink, &packet) {
                not_up_yet(error);
            }
        }
    }
}

/// A device that is down, as both are at first, answers so.
fn not_up_yet(error: Errno) {
    assert_eq!(error, Errno::IO);
    std::thread::park_timeout(Duration::from_millis(1));
}
