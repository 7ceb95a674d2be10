//! A network that loses, repeats and reorders, in a time of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::ReadBuf;

use super::super::channel::{Channel, Event};
use super::super::mux::Mux;
use super::super::settings::Settings;
use super::agent::{Agent, Manner};
use super::{byte, bytes};

/// What goes wrong, in parts of a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) lost: u64,
    pub(super) twice: u64,
    pub(super) late: u64,
}

/// One direction.
struct Link {
    delay: Duration,
    faults: Faults,
    random: u64,
    count: u64,
    flying: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
}

impl Link {
    fn chance(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % 1000
    }

    fn send(&mut self, frame: Vec<u8>, now: Instant) {
        if self.chance() < self.faults.lost {
            return;
        }
        let copies = if self.chance() < self.faults.twice { 2 } else { 1 };
        for _ in 0..copies {
            let late = self.chance() < self.faults.late;
            let delay = if late { self.delay * 3 } else { self.delay };
            self.count += 1;
            self.flying.push(Reverse((now + delay, self.count, frame.clone())));
        }
    }

    fn arrived(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.flying.peek().filter(|Reverse((at, ..))| *at <= now)?;
        self.flying.pop().map(|Reverse((_, _, frame))| frame)
    }

    fn next(&self) -> Option<Instant> {
        self.flying.peek().map(|Reverse((at, ..))| *at)
    }
}

/// A client and an agent, and what is between them.
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) start: Instant,
    pub(super) channel: Channel,
    pub(super) mux: Mux,
    pub(super) agent: Agent,
    up: Link,
    down: Link,
    pub(super) events: Vec<Event>,
    /// Most messages that were on their way at once.
    pub(super) most_flying: usize,
}

impl World {
    pub(super) fn new(manner: Manner, settings: Settings, faults: Faults) -> Self {
        let now = Instant::now();
        let link = |random| Link {
            delay: Duration::from_millis(20),
            faults,
            random,
            count: 0,
            flying: BinaryHeap::new(),
        };
        Self {
            now,
            start: now,
            channel: Channel::new(settings, now),
            mux: Mux::new(),
            agent: Agent::new(manner),
            up: link(0x1234_5678_9abc_def1),
            down: link(0xfeed_beef_0bad_cafe),
            events: Vec::new(),
            most_flying: 0,
        }
    }

    /// Everything on its way is gone; for so long nothing gets through.
    pub(super) fn reconnect(&mut self, after: Duration) {
        self.up.flying.clear();
        self.down.flying.clear();
        self.now += after;
        self.channel.reopened(self.now);
    }

    /// Lets time go on to the next thing that happens. Whether there was one.
    pub(super) fn step(&mut self) -> bool {
        let now = self.now;
        while let Some(frame) = self.up.arrived(now) {
            self.agent.receive(&frame);
        }
        while let Some(frame) = self.down.arrived(now) {
            self.channel.receive(&frame, now);
        }
        self.channel.check(now);
        while !self.mux.is_full() {
            match self.channel.event() {
                None => break,
                Some(Event::Data(bytes)) => self.mux.receive(&bytes).unwrap(),
                Some(Event::PortRefused) => self.mux.refused(),
                Some(event) => {
                    if let Event::Ready(mode) = event {
                        self.mux.ready(mode);
                    }
                    self.events.push(event);
                }
            }
        }
        while self.mux.has_outgoing() && self.channel.room() > 0 {
            let bytes = self.mux.take(self.channel.room());
            if bytes.is_empty() {
                assert!(self.mux.take_disconnect());
                self.channel.flag(super::super::frame::Flag::DisconnectToPort);
            } else {
                self.channel.send(bytes);
            }
        }
        while let Some(frame) = self.channel.transmit(now) {
            self.up.send(frame.to_vec(), now);
        }
        while let Some(frame) = self.agent.transmit(now) {
            self.down.send(frame, now);
        }
        self.most_flying = self.most_flying.max(self.up.flying.len());
        let next =
            [self.up.next(), self.down.next(), self.channel.deadline(now), self.agent.deadline()];
        match next.into_iter().flatten().min() {
            Some(next) => {
                // Where both have nothing to wait for but each other, a little time.
                self.now = next.max(now + Duration::from_micros(100));
                true
            }
            None => false,
        }
    }

    /// Lets time go on until it is so, or so much of it has passed.
    pub(super) fn until(&mut self, limit: Duration, mut so: impl FnMut(&mut Self) -> bool) {
        let limit = self.now + limit;
        while !so(self) {
            assert!(self.now < limit, "not in time; events: {:?}", self.events);
            self.step();
        }
    }

    pub(super) fn ready(&mut self) {
        self.until(Duration::from_secs(60), |world| world.mux.is_ready());
    }

    /// Moves so many bytes each way in one stream, and checks each of them. Reconnects when so much
    /// has moved.
    pub(super) fn exchange(&mut self, total: u64, reconnects: &[u64]) {
        self.ready();
        let id = self.mux.open().unwrap();
        let (mut written, mut read) = (0, 0);
        let mut reconnects = reconnects.iter().peekable();
        let limit = self.now + Duration::from_secs(3600 * 10);
        while read < total || self.agent.received < total {
            assert!(self.now < limit, "{written} written, {read} read");
            assert!(self.events.len() < 2, "{:?}", self.events);
            while written < total {
                let length = (total - written).min(8192) as usize;
                let piece = bytes(written, length);
                let Poll::Ready(Ok(count)) = self.mux.write(id, &piece, Waker::noop()) else {
                    break;
                };
                written += count as u64;
            }
            let mut space = [0; 16 << 10];
            let mut buffer = ReadBuf::new(&mut space);
            while let Poll::Ready(Ok(())) = self.mux.read(id, &mut buffer, Waker::noop()) {
                assert!(!buffer.filled().is_empty(), "ended after {read}");
                for got in buffer.filled() {
                    assert_eq!(*got, byte(read), "at {read}");
                    read += 1;
                }
                buffer.clear();
            }
            if reconnects.next_if(|at| **at <= read).is_some() {
                self.reconnect(Duration::from_millis(700));
            }
            self.step();
        }
    }
}
