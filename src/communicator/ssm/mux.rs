//! The streams in a session, as a state machine: what arrives is sorted to them, what they write is
//! queued.
//!
//! Version 1 of smux has no flow control for a stream. When one stream's reader does not keep up,
//! its buffer fills, and then the whole session waits for it, up to the process at the far end.
//! Nothing is lost and memory stays flat.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::task::{Poll, Waker};

use super::channel::Mode;
use super::end::SessionEnd;
use super::smux::{self, Command, Decoder, SmuxError};

/// Bytes that may wait for the session to take them.
const OUTGOING: usize = 256 << 10;
/// Bytes that may wait for the reader of one stream.
const INCOMING: usize = 1 << 20;
/// The stream of a session without smux.
const ONLY: u32 = 0;

/// What is known of one stream.
#[derive(Debug, Default)]
struct Stream {
    incoming: VecDeque<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The far side ended it.
    ended: bool,
    /// This side ended it.
    closed: bool,
    /// Nobody reads it any more.
    abandoned: bool,
    /// Anything was ever read.
    heard: bool,
    /// The agent said that it cannot connect while nothing had been heard.
    refused: bool,
}

impl Stream {
    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }
}

/// Why there is no new stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoStream {
    /// The session takes one at a time, and has one.
    Busy,
    /// The session took one, and that was it.
    Used,
    /// The session is over.
    Over(SessionEnd),
}

/// All streams of a session.
#[derive(Debug)]
pub(super) struct Mux {
    mode: Option<Mode>,
    decoder: Decoder,
    last_id: u32,
    streams: HashMap<u32, Stream>,
    outgoing: VecDeque<u8>,
    /// A flag that the one connection has ended is to follow what is in `outgoing`.
    disconnect: bool,
    used: bool,
    over: Option<SessionEnd>,
}

impl Mux {
    pub(super) fn new() -> Self {
        Self {
            mode: None,
            decoder: Decoder::default(),
            last_id: 1,
            streams: HashMap::new(),
            outgoing: VecDeque::new(),
            disconnect: false,
            used: false,
            over: None,
        }
    }

    /// The agent is ready.
    pub(super) fn ready(&mut self, mode: Mode) {
        self.mode = Some(mode);
    }

    /// Whether streams can be opened.
    pub(super) fn is_ready(&self) -> bool {
        self.mode.is_some()
    }

    /// Whether the session is over.
    pub(super) fn over(&self) -> Option<&SessionEnd> {
        self.over.as_ref()
    }

    /// Opens a stream.
    pub(super) fn open(&mut self) -> Result<u32, NoStream> {
        if let Some(end) = &self.over {
            return Err(NoStream::Over(end.clone()));
        }
        let id = match self.mode {
            None => return Err(NoStream::Busy),
            Some(Mode::Smux { .. }) => {
                let Some(id) = self.last_id.checked_add(2) else { return Err(NoStream::Used) };
                self.last_id = id;
                self.frame(Command::Syn, id, &[]);
                id
            }
            Some(Mode::Raw) if self.used => return Err(NoStream::Used),
            Some(Mode::Basic) if self.disconnect || self.streams.contains_key(&ONLY) => {
                return Err(NoStream::Busy);
            }
            Some(Mode::Basic | Mode::Raw) => ONLY,
        };
        self.used = true;
        self.streams.insert(id, Stream::default());
        Ok(id)
    }

    fn is_smux(&self) -> bool {
        matches!(self.mode, Some(Mode::Smux { .. }))
    }

    /// Whether the agent closes a session from whose client it hears nothing.
    pub(super) fn wants_keepalive(&self) -> bool {
        self.mode == Some(Mode::Smux { keepalive: true })
    }

    /// Says that we live.
    pub(super) fn keep_alive(&mut self) {
        if self.outgoing.is_empty() {
            self.frame(Command::Nop, 0, &[]);
        }
    }

    /// Whether a reader is so far behind that nothing more should be handed in.
    pub(super) fn is_full(&self) -> bool {
        self.streams.values().any(|stream| stream.incoming.len() >= INCOMING)
    }

    /// Takes bytes of the session in.
    ///
    /// # Errors
    /// When they are not smux; the session is of no use any more.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<(), SmuxError> {
        if !self.is_smux() {
            self.deliver(ONLY, bytes);
            return Ok(());
        }
        self.decoder.push(bytes);
        while let Some(frame) = self.decoder.next()? {
            match frame.command {
                Command::Push => self.deliver(frame.stream, &frame.data),
                Command::Fin => {
                    let Some(stream) = self.streams.get_mut(&frame.stream) else { continue };
                    stream.ended = true;
                    stream.wake();
                    if stream.abandoned {
                        self.streams.remove(&frame.stream);
                    }
                }
                // The agent opens no streams.
                Command::Syn | Command::Nop => {}
            }
        }
        Ok(())
    }

    fn deliver(&mut self, id: u32, bytes: &[u8]) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.heard = true;
        if !stream.abandoned {
            stream.incoming.extend(bytes);
            stream.reader.take().into_iter().for_each(Waker::wake);
        }
    }

    /// The agent could not connect. It does not say for which stream; only those of which nothing
    /// was heard can be meant, and the end of that stream follows.
    pub(super) fn refused(&mut self) {
        for stream in self.streams.values_mut().filter(|stream| !stream.heard) {
            stream.refused = true;
        }
    }

    /// The session is over.
    pub(super) fn end(&mut self, end: SessionEnd) {
        self.over.get_or_insert(end);
        for stream in self.streams.values_mut() {
            stream.wake();
        }
    }

    /// Whether there are bytes for the session.
    pub(super) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty() || self.disconnect
    }

    /// Up to `most` bytes for the session.
    pub(super) fn take(&mut self, most: usize) -> Vec<u8> {
        let count = most.min(self.outgoing.len());
        let bytes = self.outgoing.drain(..count).collect();
        if self.outgoing.len() < OUTGOING {
            for stream in self.streams.values_mut() {
                stream.writer.take().into_iter().for_each(Waker::wake);
            }
        }
        bytes
    }

    /// Whether the flag that the one connection has ended is to be sent now.
    pub(super) fn take_disconnect(&mut self) -> bool {
        self.outgoing.is_empty() && std::mem::take(&mut self.disconnect)
    }

    fn frame(&mut self, command: Command, id: u32, data: &[u8]) {
        let mut bytes = Vec::with_capacity(smux::HEADER + data.len());
        smux::encode(command, id, data, &mut bytes);
        self.outgoing.extend(bytes);
    }

    /// Reads what is there of a stream into `buffer`; nothing at its end.
    pub(super) fn read(
        &mut self,
        id: u32,
        buffer: &mut tokio::io::ReadBuf<'_>,
        waker: &Waker,
    ) -> Poll<io::Result<()>> {
        let Some(stream) = self.streams.get_mut(&id) else { return Poll::Ready(Ok(())) };
        if !stream.incoming.is_empty() {
            let (first, _) = stream.incoming.as_slices();
            let count = first.len().min(buffer.remaining());
            buffer.put_slice(first.get(..count).unwrap_or_default());
            stream.incoming.drain(..count);
            return Poll::Ready(Ok(()));
        }
        if stream.refused && stream.ended && !stream.heard {
            return Poll::Ready(Err(refused()));
        }
        if stream.ended {
            return Poll::Ready(Ok(()));
        }
        if let Some(end) = &self.over {
            return Poll::Ready(Err(lost(end)));
        }
        stream.reader = Some(waker.clone());
        Poll::Pending
    }

    /// Takes bytes of a stream.
    pub(super) fn write(
        &mut self,
        id: u32,
        bytes: &[u8],
        waker: &Waker,
    ) -> Poll<io::Result<usize>> {
        if let Some(end) = &self.over {
            return Poll::Ready(Err(lost(end)));
        }
        let smux = self.is_smux();
        let Some(stream) = self.streams.get_mut(&id) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        if stream.refused && stream.ended && !stream.heard {
            return Poll::Ready(Err(refused()));
        }
        if stream.ended || stream.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = OUTGOING.saturating_sub(self.outgoing.len());
        if room == 0 {
            stream.writer = Some(waker.clone());
            return Poll::Pending;
        }
        let count = bytes.len().min(room).min(smux::PIECE);
        let piece = bytes.get(..count).unwrap_or_default();
        if smux {
            self.frame(Command::Push, id, piece);
        } else {
            self.outgoing.extend(piece);
        }
        Poll::Ready(Ok(count))
    }

    /// Ends a stream for writing. smux has no half of an end: the far side's process reads its end
    /// of file, and is cut off soon after.
    pub(super) fn shut(&mut self, id: u32) {
        let smux = self.is_smux();
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if std::mem::replace(&mut stream.closed, true) || self.over.is_some() {
            return;
        }
        if smux {
            self.frame(Command::Fin, id, &[]);
        } else if self.mode == Some(Mode::Basic) {
            self.disconnect = true;
        }
    }

    /// Nobody holds the stream any more.
    pub(super) fn abandon(&mut self, id: u32) {
        self.shut(id);
        let smux = self.is_smux();
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.abandoned = true;
        stream.incoming = VecDeque::new();
        // Until the far side ends it too, what comes for it is known to be for nobody.
        if stream.ended || !smux || self.over.is_some() {
            self.streams.remove(&id);
        }
    }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, "nothing listens on that port of the instance")
}

fn lost(end: &SessionEnd) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, end.clone())
}

#[cfg(test)]
mod tests {
    use tokio::io::ReadBuf;

    use super::super::smux::Frame;
    use super::*;

    fn smux() -> Mux {
        let mut mux = Mux::new();
        mux.ready(Mode::Smux { keepalive: false });
        mux
    }

    fn sent(mux: &mut Mux) -> Vec<Frame> {
        let mut decoder = Decoder::default();
        decoder.push(&mux.take(usize::MAX));
        std::iter::from_fn(|| decoder.next().unwrap()).collect()
    }

    fn frame(command: Command, stream: u32, data: &[u8]) -> Vec<u8> {
        Frame { command, stream, data: data.to_vec() }.encode()
    }

    /// What a read gives: `None` when there is nothing yet.
    fn read(mux: &mut Mux, id: u32) -> Option<io::Result<Vec<u8>>> {
        let mut space = [0; 4096];
        let mut buffer = ReadBuf::new(&mut space);
        match mux.read(id, &mut buffer, Waker::noop()) {
            Poll::Ready(Ok(())) => Some(Ok(buffer.filled().to_vec())),
            Poll::Ready(Err(error)) => Some(Err(error)),
            Poll::Pending => None,
        }
    }

    fn write(mux: &mut Mux, id: u32, bytes: &[u8]) -> Poll<io::Result<usize>> {
        mux.write(id, bytes, Waker::noop())
    }

    fn kind(result: Option<io::Result<Vec<u8>>>) -> io::ErrorKind {
        result.unwrap().unwrap_err().kind()
    }

    #[test]
    fn ids_are_odd_from_3_and_never_used_again() {
        let mut mux = smux();
        assert_eq!(mux.open(), Ok(3));
        mux.abandon(3);
        assert_eq!(mux.open(), Ok(5));
        let frames = sent(&mut mux);
        let short: Vec<_> = frames.iter().map(|f| (f.command, f.stream)).collect();
        assert_eq!(short, [(Command::Syn, 3), (Command::Fin, 3), (Command::Syn, 5)]);
    }

    #[test]
    fn data_goes_to_its_stream_and_unknown_streams_are_ignored() {
        let mut mux = smux();
        mux.open().unwrap();
        mux.open().unwrap();
        mux.receive(&frame(Command::Push, 5, b"five")).unwrap();
        mux.receive(&frame(Command::Push, 9, b"nine")).unwrap();
        mux.receive(&frame(Command::Nop, 0, b"")).unwrap();
        assert!(read(&mut mux, 3).is_none());
        assert_eq!(read(&mut mux, 5).unwrap().unwrap(), b"five");
        assert_eq!(mux.receive(&[7]), Err(SmuxError::Version(7)));
    }

    #[test]
    fn the_far_end_drains_what_came_before_its_end() {
        let mut mux = smux();
        let id = mux.open().unwrap();
        mux.receive(&frame(Command::Push, id, b"last words")).unwrap();
        mux.receive(&frame(Command::Fin, id, b"")).unwrap();
        assert_eq!(read(&mut mux, id).unwrap().unwrap(), b"last words");
        assert!(read(&mut mux, id).unwrap().unwrap().is_empty());
        let Poll::Ready(Err(error)) = write(&mut mux, id, b"x") else { panic!("not refused") };
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        sent(&mut mux);
        mux.abandon(id);
        assert_eq!(sent(&mut mux), [Frame::new(Command::Fin, id)], "its own end is owed");
        assert!(mux.streams.is_empty());
    }

    #[test]
    fn an_abandoned_stream_takes_no_memory_and_goes_with_the_far_end() {
        let mut mux = smux();
        let id = mux.open().unwrap();
        mux.abandon(id);
        mux.receive(&frame(Command::Push, id, &[0; 60_000])).unwrap();
        assert_eq!(mux.streams.get(&id).unwrap().incoming.len(), 0);
        mux.receive(&frame(Command::Fin, id, b"")).unwrap();
        assert!(mux.streams.is_empty());
    }

    #[test]
    fn a_port_that_refuses_is_an_error_of_the_new_stream_alone() {
        let mut mux = smux();
        let old = mux.open().unwrap();
        mux.receive(&frame(Command::Push, old, b"x")).unwrap();
        let new = mux.open().unwrap();
        mux.refused();
        assert!(read(&mut mux, new).is_none(), "the end tells which");
        mux.receive(&frame(Command::Fin, new, b"")).unwrap();
        assert_eq!(kind(read(&mut mux, new)), io::ErrorKind::ConnectionRefused);
        assert_eq!(read(&mut mux, old).unwrap().unwrap(), b"x");
        assert!(read(&mut mux, old).is_none());
    }

    #[test]
    fn writers_wait_when_the_queue_is_full() {
        let mut mux = smux();
        let id = mux.open().unwrap();
        let mut written = 0;
        while let Poll::Ready(Ok(count)) = write(&mut mux, id, &[7; 100_000]) {
            written += count;
        }
        assert!((OUTGOING - 100..=OUTGOING + 100).contains(&written), "{written}");
        mux.take(1024);
        assert!(write(&mut mux, id, b"more").is_ready());
    }

    #[test]
    fn a_reader_that_does_not_keep_up_shows() {
        let mut mux = smux();
        let id = mux.open().unwrap();
        while !mux.is_full() {
            mux.receive(&frame(Command::Push, id, &[7; 60_000])).unwrap();
        }
        while mux.is_full() {
            assert!(!read(&mut mux, id).unwrap().unwrap().is_empty());
        }
    }

    #[test]
    fn the_end_of_the_session_comes_after_what_was_delivered() {
        let mut mux = smux();
        let id = mux.open().unwrap();
        mux.receive(&frame(Command::Push, id, b"x")).unwrap();
        mux.end(SessionEnd::Expired);
        assert_eq!(read(&mut mux, id).unwrap().unwrap(), b"x");
        assert_eq!(kind(read(&mut mux, id)), io::ErrorKind::ConnectionReset);
        assert!(write(&mut mux, id, b"x").is_ready());
        assert_eq!(mux.open(), Err(NoStream::Over(SessionEnd::Expired)));
    }

    #[test]
    fn without_smux_there_is_one_stream_at_a_time() {
        let mut basic = Mux::new();
        assert_eq!(basic.open(), Err(NoStream::Busy), "not ready");
        basic.ready(Mode::Basic);
        let id = basic.open().unwrap();
        assert_eq!(basic.open(), Err(NoStream::Busy));
        basic.receive(b"raw \x01\x02").unwrap();
        assert_eq!(read(&mut basic, id).unwrap().unwrap(), b"raw \x01\x02");
        assert!(write(&mut basic, id, b"\n").is_ready());
        basic.abandon(id);
        assert!(!basic.take_disconnect(), "after the data");
        assert_eq!(basic.take(10), b"\n");
        assert_eq!(basic.open(), Err(NoStream::Busy));
        assert!(basic.take_disconnect());
        assert!(!basic.take_disconnect());
        assert_eq!(basic.open(), Ok(id));

        let mut raw = Mux::new();
        raw.ready(Mode::Raw);
        let id = raw.open().unwrap();
        raw.abandon(id);
        assert!(!raw.has_outgoing());
        assert_eq!(raw.open(), Err(NoStream::Used));
    }

    #[test]
    fn a_keepalive_is_sent_for_old_agents_when_nothing_else_is() {
        let mut mux = Mux::new();
        mux.ready(Mode::Smux { keepalive: true });
        assert!(mux.wants_keepalive());
        mux.keep_alive();
        mux.keep_alive();
        assert_eq!(sent(&mut mux), [Frame::new(Command::Nop, 0)]);
    }
}
