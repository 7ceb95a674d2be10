//! smux, version 1: many streams in the one stream of bytes of a session.
//!
//! Unlike everything else in the protocol, integers are little-endian. The cut of the byte stream
//! into messages has nothing to do with that into these frames.

use std::fmt;

/// Bytes before the data.
pub const HEADER: usize = 8;
/// The largest piece of data that the reference sends in one frame.
pub const PIECE: usize = 32 << 10;

const VERSION: u8 = 1;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Opens a stream.
    Syn,
    /// Ends a stream, in both directions: its sender reads nothing more of it.
    Fin,
    /// Carries data.
    Push,
    /// Says that the sender lives.
    Nop,
}

impl Command {
    fn number(self) -> u8 {
        match self {
            Self::Syn => 0,
            Self::Fin => 1,
            Self::Push => 2,
            Self::Nop => 3,
        }
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is for.
    pub command: Command,
    /// Which stream; 0 for [`Command::Nop`]. Those that the client opens are odd and start at 3.
    pub stream: u32,
    /// Empty but for [`Command::Push`]; at most 65,535 bytes.
    pub data: Vec<u8>,
}

impl Frame {
    /// A frame without data.
    pub fn new(command: Command, stream: u32) -> Self {
        Self { command, stream, data: Vec::new() }
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.data.len());
        encode(self.command, self.stream, &self.data, &mut bytes);
        bytes
    }
}

/// Appends a frame to `bytes`. Data beyond 65,535 bytes is left out: cut it into [`PIECE`]s.
pub fn encode(command: Command, stream: u32, data: &[u8], bytes: &mut Vec<u8>) {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let data = data.get(..usize::from(length)).unwrap_or(data);
    bytes.extend_from_slice(&[VERSION, command.number()]);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&stream.to_le_bytes());
    bytes.extend_from_slice(data);
}

/// Why bytes are no frame. The session cannot go on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmuxError {
    /// Another version than 1.
    Version(u8),
    /// A command that version 1 does not have.
    Command(u8),
}

impl std::error::Error for SmuxError {}

impl fmt::Display for SmuxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "the agent speaks version {version} of smux, not {VERSION}")
            }
            Self::Command(command) => {
                write!(f, "the agent sent the unknown smux command {command}")
            }
        }
    }
}

/// Puts frames together from pieces of any size. It holds less than one frame between calls of
/// [`next`](Self::next) that return `None`.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    /// When the bytes are no frames; they are no frames for ever then.
    #[expect(clippy::should_implement_trait, reason = "there may be more after `None`")]
    pub fn next(&mut self) -> Result<Option<Frame>, SmuxError> {
        let bytes = self.buffer.get(self.start..).unwrap_or_default();
        if let Some(version) = bytes.first().filter(|version| **version != VERSION) {
            return Err(SmuxError::Version(*version));
        }
        let command = match bytes.get(1) {
            Some(0) => Command::Syn,
            Some(1) => Command::Fin,
            Some(2) => Command::Push,
            Some(3) => Command::Nop,
            Some(other) => return Err(SmuxError::Command(*other)),
            None => return Ok(None),
        };
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
        let [_, _, length @ .., a, b, c, d] = *header;
        let length = usize::from(u16::from_le_bytes(length));
        let Some(data) = rest.get(..length) else { return Ok(None) };
        let frame =
            Frame { command, stream: u32::from_le_bytes([a, b, c, d]), data: data.to_vec() };
        self.start += HEADER + length;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn data_is_the_golden_vector() {
        let frame = Frame { command: Command::Push, stream: 3, data: b"hello".to_vec() };
        assert_eq!(frame.encode(), b"\x01\x02\x05\x00\x03\x00\x00\x00hello");
    }

    #[test]
    fn another_version_and_an_unknown_command_are_fatal() {
        let mut decoder = Decoder::default();
        decoder.push(&[2]);
        assert_eq!(decoder.next(), Err(SmuxError::Version(2)));
        let mut decoder = Decoder::default();
        decoder.push(&[1, 4]);
        assert_eq!(decoder.next(), Err(SmuxError::Command(4)));
    }

    #[test]
    fn data_that_is_too_long_for_the_field_is_cut_at_it() {
        let mut bytes = Vec::new();
        encode(Command::Push, 3, &[1; 70_000], &mut bytes);
        assert_eq!(bytes.len(), HEADER + 65_535);
    }

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let data = prop::collection::vec(any::<u8>(), 0..50);
        let frame = (0..4_usize, any::<u32>(), data).prop_map(|(command, stream, data)| Frame {
            command: [Command::Syn, Command::Fin, Command::Push, Command::Nop][command],
            stream,
            data,
        });
        prop::collection::vec(frame, 0..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn frames_survive_any_cut(sent in frames(), cut in 1_usize..20) {
            let bytes: Vec<u8> = sent.iter().flat_map(Frame::encode).collect();
            let mut decoder = Decoder::default();
            let mut arrived = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.push(piece);
                while let Some(frame) = decoder.next().unwrap() {
                    arrived.push(frame);
                }
            }
            prop_assert_eq!(arrived, sent);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next() {}
        }
    }
}
