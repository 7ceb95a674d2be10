//! The binary frame of the data channel: a header of 120 bytes and a payload.
//!
//! All integers are big-endian. Decoding takes anything and never panics; it is as lenient as the
//! reference client where that does no harm, since the far side may be of any version.

use std::fmt;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Bytes before the payload, as this version writes them.
pub const HEADER: usize = 120;

/// What the field `HeaderLength` says: where `PayloadLength` starts.
const HEADER_LENGTH: u32 = 116;

/// The most that one frame may hold, by our own rule: the far side sends about 1 KiB, and has been
/// seen to take 1 MiB.
pub const MAX_FRAME: usize = 2 << 20;

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// From the client, in sequence.
    InputStreamData,
    /// From the agent, in sequence.
    OutputStreamData,
    /// That one of the two above has been taken.
    Acknowledge,
    /// The end of the session, with a reason.
    ChannelClosed,
    /// The service thinks that the peer is active. Means nothing: not that it is ready.
    StartPublication,
    /// The service thinks that the peer is inactive. Means nothing either.
    PausePublication,
    /// Anything else.
    Other(String),
}

impl MessageType {
    /// As it stands in the frame.
    pub fn name(&self) -> &str {
        match self {
            Self::InputStreamData => "input_stream_data",
            Self::OutputStreamData => "output_stream_data",
            Self::Acknowledge => "acknowledge",
            Self::ChannelClosed => "channel_closed",
            Self::StartPublication => "start_publication",
            Self::PausePublication => "pause_publication",
            Self::Other(name) => name,
        }
    }

    /// From its name.
    pub fn from_name(name: &str) -> Self {
        match name {
            "input_stream_data" => Self::InputStreamData,
            "output_stream_data" => Self::OutputStreamData,
            "acknowledge" => Self::Acknowledge,
            "channel_closed" => Self::ChannelClosed,
            "start_publication" => Self::StartPublication,
            "pause_publication" => Self::PausePublication,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Digest, length and date of these are not to be trusted.
    fn is_publication(&self) -> bool {
        matches!(self, Self::StartPublication | Self::PausePublication)
    }
}

/// What the payload of a stream message is. Numbers without a name are passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadType(pub u32);

impl PayloadType {
    /// Not a stream message.
    pub const NONE: Self = Self(0);
    /// Bytes of the stream, both ways.
    pub const OUTPUT: Self = Self(1);
    /// The terminal's size, as JSON.
    pub const SIZE: Self = Self(3);
    /// [`HandshakeRequest`](super::message::HandshakeRequest).
    pub const HANDSHAKE_REQUEST: Self = Self(5);
    /// [`HandshakeResponse`](super::message::HandshakeResponse).
    pub const HANDSHAKE_RESPONSE: Self = Self(6);
    /// [`HandshakeComplete`](super::message::HandshakeComplete).
    pub const HANDSHAKE_COMPLETE: Self = Self(7);
    /// [`Flag`].
    pub const FLAG: Self = Self(10);
    /// Bytes of standard error, from the agent.
    pub const STDERR: Self = Self(11);
    /// `EXIT_CODE: ` and a decimal number, from the agent.
    pub const EXIT_CODE: Self = Self(12);
}

/// What a payload of type [`PayloadType::FLAG`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// The client's local connection has ended (basic mode).
    DisconnectToPort,
    /// The client wants the session to end.
    TerminateSession,
    /// The agent could not connect to the port.
    ConnectToPortError,
}

impl Flag {
    /// The payload.
    pub fn encode(self) -> [u8; 4] {
        let number: u32 = match self {
            Self::DisconnectToPort => 1,
            Self::TerminateSession => 2,
            Self::ConnectToPortError => 3,
        };
        number.to_be_bytes()
    }

    /// From a payload; `None` when it is none of them.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        match u32::from_be_bytes(payload.try_into().ok()?) {
            1 => Some(Self::DisconnectToPort),
            2 => Some(Self::TerminateSession),
            3 => Some(Self::ConnectToPortError),
            _ => None,
        }
    }
}

/// The flag of a first message, which the agent sets on its request for a handshake.
pub const SYN: u64 = 1;
/// The flag of a last message.
pub const FIN: u64 = 2;

/// One message of the data channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentMessage {
    /// What it is.
    pub kind: MessageType,
    /// Unix time in milliseconds.
    pub created: u64,
    /// Counts from 0 in each direction; 0 for what is not in sequence.
    pub sequence: i64,
    /// [`SYN`] and [`FIN`]; both for an acknowledgement.
    pub flags: u64,
    /// Names the message in its acknowledgement.
    pub id: Uuid,
    /// What the payload is.
    pub payload_type: PayloadType,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Fewer bytes than a header has.
    Short {
        /// How many.
        length: usize,
    },
    /// More bytes than [`MAX_FRAME`].
    Long {
        /// How many.
        length: usize,
    },
    /// `HeaderLength` is too small, or points behind the end.
    HeaderLength {
        /// What it says.
        value: u32,
    },
    /// The type is empty, or not in ASCII.
    Type,
    /// There is no date.
    Date,
    /// The payload is not what its digest says.
    Digest,
}

impl std::error::Error for FrameError {}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { length } => {
                write!(f, "a message of {length} bytes is shorter than its header of {HEADER}")
            }
            Self::Long { length } => {
                write!(f, "a message of {length} bytes is longer than the limit of {MAX_FRAME}")
            }
            Self::HeaderLength { value } => write!(f, "a message says a header length of {value}"),
            Self::Type => f.write_str("a message has no type"),
            Self::Date => f.write_str("a message has no date"),
            Self::Digest => f.write_str("the payload of a message does not match its digest"),
        }
    }
}

impl AgentMessage {
    /// The bytes of the frame. A type of more than 32 bytes is cut.
    pub fn encode(&self) -> Vec<u8> {
        let mut frame = Vec::with_capacity(HEADER + self.payload.len());
        frame.extend_from_slice(&HEADER_LENGTH.to_be_bytes());
        let name = self.kind.name().bytes().chain(std::iter::repeat(b' '));
        frame.extend(name.take(32));
        frame.extend_from_slice(&1_u32.to_be_bytes());
        frame.extend_from_slice(&self.created.to_be_bytes());
        frame.extend_from_slice(&self.sequence.to_be_bytes());
        frame.extend_from_slice(&self.flags.to_be_bytes());
        // The two halves of the id stand the other way round.
        let (high, low) = self.id.as_u64_pair();
        frame.extend_from_slice(&low.to_be_bytes());
        frame.extend_from_slice(&high.to_be_bytes());
        frame.extend_from_slice(&Sha256::digest(&self.payload));
        frame.extend_from_slice(&self.payload_type.0.to_be_bytes());
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(&self.payload);
        frame
    }

    /// Reads a frame. The payload is all that follows the header, whatever `PayloadLength` says,
    /// as both ends of the reference have it.
    ///
    /// # Errors
    /// When it is no message, or its payload does not match the digest.
    pub fn decode(frame: &[u8]) -> Result<Self, FrameError> {
        let short = FrameError::Short { length: frame.len() };
        if frame.len() < HEADER {
            return Err(short);
        }
        if frame.len() > MAX_FRAME {
            return Err(FrameError::Long { length: frame.len() });
        }
        let mut fields = Fields { rest: frame };
        let header_length = u32::from_be_bytes(fields.take().ok_or(short)?);
        let name: [u8; 32] = fields.take().ok_or(short)?;
        let _schema_version: [u8; 4] = fields.take().ok_or(short)?;
        let created = u64::from_be_bytes(fields.take().ok_or(short)?);
        let sequence = i64::from_be_bytes(fields.take().ok_or(short)?);
        let flags = u64::from_be_bytes(fields.take().ok_or(short)?);
        let low = u64::from_be_bytes(fields.take().ok_or(short)?);
        let high = u64::from_be_bytes(fields.take().ok_or(short)?);
        let digest: [u8; 32] = fields.take().ok_or(short)?;
        let payload_type = PayloadType(u32::from_be_bytes(fields.take().ok_or(short)?));

        let bad_length = FrameError::HeaderLength { value: header_length };
        if header_length < HEADER_LENGTH {
            return Err(bad_length);
        }
        let start = usize::try_from(header_length).map_err(|_| bad_length)?;
        let mut end = Fields { rest: frame.get(start..).ok_or(bad_length)? };
        let payload_length = u32::from_be_bytes(end.take().ok_or(bad_length)?);
        let payload = end.rest;

        let name = std::str::from_utf8(&name).map_err(|_| FrameError::Type)?;
        let name = name.trim_matches([' ', '\0']);
        if name.is_empty() || !name.is_ascii() {
            return Err(FrameError::Type);
        }
        let kind = MessageType::from_name(name);
        if !kind.is_publication() {
            if created == 0 {
                return Err(FrameError::Date);
            }
            if payload_length != 0 && digest != *Sha256::digest(payload) {
                return Err(FrameError::Digest);
            }
        }
        Ok(Self {
            kind,
            created,
            sequence,
            flags,
            id: Uuid::from_u64_pair(high, low),
            payload_type,
            payload: payload.to_vec(),
        })
    }
}

/// Takes fields of fixed size off the front.
struct Fields<'a> {
    rest: &'a [u8],
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::Acknowledge;
    use super::*;

    const ID: Uuid = Uuid::from_u128(0x0123_4567_89ab_4cde_8f01_2345_6789_abcd);
    const CREATED: u64 = 1_700_000_000_000;

    const DATA: &str = "
        00000074696e7075745f73747265616d5f646174612020202020202020202020
        20202020000000010000018bcfe5680000000000000000050000000000000000
        8f0123456789abcd0123456789ab4cde2cf24dba5fb0a30e26e83b2ac5b9e29e
        1b161e5c1fa7425e73043362938b9824000000010000000568656c6c6f";

    const ACKNOWLEDGE: &str = "
        0000007461636b6e6f776c656467652020202020202020202020202020202020
        20202020000000010000018bcfe5680000000000000000000000000000000003
        8f0123456789abcd0123456789ab4cded12503350ce3332a3dbd5208ab8278ec
        a43a8248cca61224fd1fa76cfd7a2f5100000000000000b07b2241636b6e6f77
        6c65646765644d65737361676554797065223a226f75747075745f7374726561
        6d5f64617461222c2241636b6e6f776c65646765644d6573736167654964223a
        2230313233343536372d383961622d346364652d386630312d32333435363738
        3961626364222c2241636b6e6f776c65646765644d6573736167655365717565
        6e63654e756d626572223a372c22497353657175656e7469616c4d6573736167
        65223a747275657d";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    fn hello() -> AgentMessage {
        AgentMessage {
            kind: MessageType::InputStreamData,
            created: CREATED,
            sequence: 5,
            flags: 0,
            id: ID,
            payload_type: PayloadType::OUTPUT,
            payload: b"hello".to_vec(),
        }
    }

    #[test]
    fn data_is_the_golden_vector() {
        let golden = bytes(DATA);
        assert_eq!(golden.len(), 125);
        assert_eq!(hello().encode(), golden);
        assert_eq!(AgentMessage::decode(&golden).unwrap(), hello());
    }

    #[test]
    fn an_acknowledgement_is_the_golden_vector() {
        let golden = bytes(ACKNOWLEDGE);
        assert_eq!(golden.len(), 296);
        let acknowledge = Acknowledge::of(&AgentMessage {
            kind: MessageType::OutputStreamData,
            sequence: 7,
            ..hello()
        });
        let message = acknowledge.message(ID, CREATED);
        assert_eq!(message.encode(), golden);
        let back = AgentMessage::decode(&golden).unwrap();
        assert_eq!(back, message);
        assert_eq!(Acknowledge::read(&back.payload).unwrap(), acknowledge);
    }

    #[test]
    fn what_the_reference_accepts_is_accepted() {
        let mut wrong_length = bytes(DATA);
        wrong_length[119] = 3;
        assert_eq!(AgentMessage::decode(&wrong_length).unwrap().payload, b"hello");

        let mut padded_with_nul = bytes(DATA);
        padded_with_nul[21..36].fill(0);
        assert_eq!(AgentMessage::decode(&padded_with_nul).unwrap(), hello());

        let mut schema_version_7 = bytes(DATA);
        schema_version_7[39] = 7;
        assert_eq!(AgentMessage::decode(&schema_version_7).unwrap(), hello());

        let large = AgentMessage { payload: vec![7; 1 << 20], ..hello() };
        assert_eq!(AgentMessage::decode(&large.encode()).unwrap(), large);

        let unknown = AgentMessage {
            kind: MessageType::Other("agent_session_state".into()),
            payload_type: PayloadType(77),
            payload: Vec::new(),
            ..hello()
        };
        assert_eq!(AgentMessage::decode(&unknown.encode()).unwrap(), unknown);
    }

    #[test]
    fn a_publication_needs_neither_date_nor_digest() {
        let message = AgentMessage { kind: MessageType::StartPublication, created: 0, ..hello() };
        let mut frame = message.encode();
        frame[80] ^= 1;
        assert_eq!(AgentMessage::decode(&frame).unwrap(), message);
    }

    #[test]
    fn each_way_to_be_no_message_is_told() {
        let with = |position: usize, value: u8| {
            let mut frame = bytes(DATA);
            frame[position] = value;
            AgentMessage::decode(&frame).unwrap_err()
        };
        assert_eq!(AgentMessage::decode(&[]).unwrap_err(), FrameError::Short { length: 0 });
        let cut = AgentMessage::decode(&bytes(DATA)[..119]).unwrap_err();
        assert_eq!(cut, FrameError::Short { length: 119 });
        assert_eq!(with(3, 115), FrameError::HeaderLength { value: 115 });
        assert_eq!(with(3, 122), FrameError::HeaderLength { value: 122 });
        assert_eq!(with(0, 255), FrameError::HeaderLength { value: 0xff00_0074 });
        assert_eq!(with(10, 0xff), FrameError::Type);
        assert_eq!(with(124, b'O'), FrameError::Digest);
        let undated = AgentMessage { created: 0, ..hello() }.encode();
        assert_eq!(AgentMessage::decode(&undated).unwrap_err(), FrameError::Date);
        let endless = AgentMessage { payload: vec![0; MAX_FRAME], ..hello() }.encode();
        let length = MAX_FRAME + HEADER;
        assert_eq!(AgentMessage::decode(&endless).unwrap_err(), FrameError::Long { length });
    }

    #[test]
    fn flags_are_numbers_of_four_bytes() {
        for flag in [Flag::DisconnectToPort, Flag::TerminateSession, Flag::ConnectToPortError] {
            assert_eq!(Flag::decode(&flag.encode()), Some(flag));
        }
        assert_eq!(Flag::TerminateSession.encode(), [0, 0, 0, 2]);
        assert_eq!(Flag::decode(&[0, 0, 0, 9]), None);
        assert_eq!(Flag::decode(b"no"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_written_is_read(
            created in 1_u64..,
            sequence: i64,
            flags: u64,
            id: u128,
            payload_type: u32,
            payload in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let message = AgentMessage {
                kind: MessageType::OutputStreamData,
                created, sequence, flags,
                id: Uuid::from_u128(id),
                payload_type: PayloadType(payload_type),
                payload,
            };
            prop_assert_eq!(AgentMessage::decode(&message.encode()), Ok(message));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(
            mut frame in prop::collection::vec(any::<u8>(), 0..400),
            header_length in 100_u32..140,
        ) {
            drop(AgentMessage::decode(&frame));
            if let Some(start) = frame.first_chunk_mut::<4>() {
                *start = header_length.to_be_bytes();
            }
            drop(AgentMessage::decode(&frame));
        }
    }
}
