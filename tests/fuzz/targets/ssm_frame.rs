//! Frames of Session Manager's data channel and of smux: any bytes are read without a panic, and
//! what is read is written the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::frame::{AgentMessage, Flag, MessageType};
use rooms::message::{Acknowledge, ChannelClosed, HandshakeRequest};
use rooms::smux::Decoder;

fuzz_target!(|data: &[u8]| {
    if let Ok(message) = AgentMessage::decode(data) {
        check(&message);
    }
    // As most changes break the digest, the same with one that is right.
    let mut mended = data.to_vec();
    if let (Some(digest), Some(payload)) = (data.get(80..112), data.get(120..)) {
        let whole = AgentMessage {
            kind: MessageType::OutputStreamData,
            created: 1,
            sequence: 0,
            flags: 0,
            id: Default::default(),
            payload_type: rooms::frame::PayloadType::OUTPUT,
            payload: payload.to_vec(),
        };
        let right = whole.encode();
        if let (Some(place), Some(right)) = (mended.get_mut(80..112), right.get(80..112)) {
            assert_eq!(digest.len(), right.len());
            place.copy_from_slice(right);
        }
        if let Ok(message) = AgentMessage::decode(&mended) {
            check(&message);
        }
    }
    let (cut, bytes) = data.split_first().map_or((1, data), |(cut, rest)| (*cut, rest));
    smux(bytes, usize::from(cut).max(1));
});

fn check(message: &AgentMessage) {
    let again = AgentMessage::decode(&message.encode());
    if message.created > 0 {
        assert_eq!(again.as_ref(), Ok(message));
    }
    let _flag = Flag::decode(&message.payload);
    let _read = Acknowledge::read(&message.payload);
    let _closed = serde_json::from_slice::<ChannelClosed>(&message.payload);
    let _request = serde_json::from_slice::<HandshakeRequest>(&message.payload);
}

/// Frames are the same however their bytes are cut, and make the same bytes again.
fn smux(bytes: &[u8], cut: usize) {
    let mut whole = Decoder::default();
    whole.push(bytes);
    let mut frames = Vec::new();
    while let Ok(Some(frame)) = whole.next() {
        frames.push(frame);
    }
    let mut pieces = Decoder::default();
    let mut again = Vec::new();
    for piece in bytes.chunks(cut) {
        pieces.push(piece);
        while let Ok(Some(frame)) = pieces.next() {
            again.push(frame);
        }
    }
    assert_eq!(frames, again);
    let written: Vec<u8> = frames.iter().flat_map(|frame| frame.encode()).collect();
    assert_eq!(bytes.get(..written.len()), Some(written.as_slice()));
}
