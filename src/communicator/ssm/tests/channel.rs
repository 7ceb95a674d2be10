//! The rules of the channel, in a time of its own.

use std::io::ErrorKind;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::ReadBuf;
use uuid::Uuid;

use super::super::channel::{Channel, Event, Mode};
use super::super::end::SessionEnd;
use super::super::frame::{AgentMessage, MessageType, PayloadType};
use super::super::message::Acknowledge;
use super::super::settings::Settings;
use super::agent::{Manner, Port};
use super::network::{Faults, World};

/// 4 MB, or 100 when all tests are wanted.
fn amount() -> u64 {
    let all = std::env::var_os("BAKE_TEST_ALL").is_some();
    if all { 100_000_000 } else { 4_000_000 }
}

fn world(manner: Manner) -> World {
    World::new(manner, Settings::default(), Faults::default())
}

const FAULTY: Faults = Faults { lost: 10, twice: 10, late: 50 };

#[test]
fn a_sound_network_carries_bytes_both_ways_at_the_pace_that_was_set() {
    let total = 1_000_000;
    let manner = Manner { port: Port::Exchange { send: total }, rate: 1000, ..Manner::default() };
    let mut world = world(manner);
    world.exchange(total, &[]);
    let seconds = (world.now - world.start).as_secs_f64();
    // 977 messages and a few, at 900 a second.
    assert!((1.0..1.5).contains(&seconds), "{seconds}");
    assert_eq!(world.events, [Event::Ready(Mode::Smux { keepalive: false })]);
}

#[test]
fn loss_repetition_and_reordering_change_nothing() {
    let total = amount();
    let manner = Manner { port: Port::Exchange { send: total }, rate: 1000, ..Manner::default() };
    let mut world = World::new(manner, Settings::default(), FAULTY);
    world.exchange(total, &[]);
    let seconds = (world.now - world.start).as_secs_f64();
    let best = total as f64 / 1024.0 / 900.0;
    assert!(world.agent.resent > 0);
    // The agent resends only its oldest message, so that it is the slower one.
    assert!(seconds < best * 6.0, "{seconds} s, {best} s without faults");
    assert!(world.most_flying <= 2100, "{}", world.most_flying);
}

#[test]
fn three_reconnects_on_a_bad_network_lose_nothing() {
    let total = amount();
    let manner = Manner { port: Port::Exchange { send: total }, rate: 1000, ..Manner::default() };
    let mut world = World::new(manner, Settings::default(), FAULTY);
    world.exchange(total, &[total / 7, total / 3, total * 2 / 3]);
    assert_eq!(world.events, [Event::Ready(Mode::Smux { keepalive: false })], "one handshake");
}

#[test]
fn a_stall_of_a_minute_loses_nothing() {
    let total = 300_000;
    let manner = Manner { port: Port::Exchange { send: total }, rate: 1000, ..Manner::default() };
    let mut world = world(manner);
    world.ready();
    world.reconnect(Duration::from_secs(60));
    world.exchange(total, &[total / 2]);
}

#[test]
fn larger_payloads_are_faster() {
    let total = 4_000_000;
    let manner = Manner { port: Port::Exchange { send: 10 }, ..Manner::default() };
    let settings = Settings { payload: 16 << 10, ..Settings::default() };
    let mut world = World::new(manner, settings, Faults::default());
    world.ready();
    let id = world.mux.open().unwrap();
    let mut written = 0;
    world.until(Duration::from_secs(60), |world| {
        while written < total {
            let piece = super::bytes(written, (total - written).min(30_000) as usize);
            let Poll::Ready(Ok(count)) = world.mux.write(id, &piece, Waker::noop()) else { break };
            written += count as u64;
        }
        world.agent.received == total
    });
    let seconds = (world.now - world.start).as_secs_f64();
    assert!(seconds < 0.6, "{seconds}");
}

#[test]
fn a_pause_means_nothing_and_a_lone_newline_stays_one() {
    let mut world = world(Manner::default());
    world.ready();
    world.agent.pause();
    let id = world.mux.open().unwrap();
    let mut echoed = Vec::new();
    for _ in 0..5 {
        assert!(world.mux.write(id, b"\n", Waker::noop()).is_ready());
        let before = echoed.len();
        world.until(Duration::from_secs(5), |world| {
            let mut space = [0; 16];
            let mut buffer = ReadBuf::new(&mut space);
            if world.mux.read(id, &mut buffer, Waker::noop()).is_ready() {
                echoed.extend_from_slice(buffer.filled());
            }
            echoed.len() > before
        });
    }
    assert_eq!(echoed, b"\n\n\n\n\n");
}

#[test]
fn the_agents_version_and_the_document_choose_the_mode() {
    let mode = |version, forwarding| {
        let mut world = world(Manner { version, forwarding, ..Manner::default() });
        world.ready();
        world.events
    };
    assert_eq!(mode("3.1.1511.0", true), [Event::Ready(Mode::Smux { keepalive: true })]);
    assert_eq!(mode("2.3.800.0", true), [Event::Ready(Mode::Basic)]);
    assert_eq!(mode("3.3.808.0", false), [Event::Ready(Mode::Raw)]);
}

#[test]
fn basic_mode_tells_the_agent_that_a_connection_has_ended() {
    let mut world = world(Manner { version: "2.3.800.0", ..Manner::default() });
    world.ready();
    let id = world.mux.open().unwrap();
    assert!(world.mux.write(id, b"hello", Waker::noop()).is_ready());
    world.until(Duration::from_secs(5), |world| world.agent.received == 5);
    world.mux.abandon(id);
    world.until(Duration::from_secs(5), |world| world.agent.disconnects == 1);
    assert!(world.mux.open().is_ok());
}

#[test]
fn encryption_is_refused_in_words_and_the_agent_is_told() {
    let manner = Manner { kms: Some("arn:aws:kms:…:key/1"), ..Manner::default() };
    let mut world = world(manner);
    world.until(Duration::from_secs(5), |world| !world.events.is_empty());
    let [Event::Ended(end)] = &world.events[..] else { panic!("{:?}", world.events) };
    assert_eq!(
        end.to_string(),
        "the agent asks for encryption with the KMS key `arn:aws:kms:…:key/1`, which bake does not do for port sessions"
    );
    assert!(!end.hints().is_empty());
    assert_eq!(world.channel.room(), 0);
}

#[test]
fn a_session_of_another_kind_is_refused() {
    let mut world = world(Manner { kind: "InteractiveCommands", ..Manner::default() });
    world.until(Duration::from_secs(5), |world| !world.events.is_empty());
    assert_eq!(world.events, [Event::Ended(SessionEnd::Kind("InteractiveCommands".to_owned()))]);
}

#[test]
fn a_port_where_nothing_listens_ends_the_stream_and_not_the_session() {
    let mut world = world(Manner { port: Port::Closed, ..Manner::default() });
    world.ready();
    for expected in [3, 5] {
        let id = world.mux.open().unwrap();
        assert_eq!(id, expected);
        let mut found = None;
        world.until(Duration::from_secs(5), |world| {
            let mut space = [0; 16];
            let mut buffer = ReadBuf::new(&mut space);
            if let Poll::Ready(result) = world.mux.read(id, &mut buffer, Waker::noop()) {
                found = Some(result);
            }
            found.is_some()
        });
        let error = found.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        world.mux.abandon(id);
    }
    assert_eq!(world.events.len(), 1);
}

#[test]
fn a_closed_channel_gives_its_reason_after_its_data() {
    let total = 50_000;
    let manner = Manner { port: Port::Exchange { send: total }, ..Manner::default() };
    let mut world = world(manner);
    world.exchange(total, &[]);
    world.agent.close("Session was terminated by an administrator");
    world.until(Duration::from_secs(5), |world| world.events.len() == 2);
    let Event::Ended(end) = &world.events[1] else { panic!("{:?}", world.events) };
    assert_eq!(
        end.to_string(),
        "the far side closed the session: Session was terminated by an administrator"
    );
}

#[test]
fn an_agent_that_says_nothing_is_given_up() {
    let now = Instant::now();
    let mut channel = Channel::new(Settings::default(), now);
    let late = channel.deadline(now).unwrap();
    assert_eq!(late - now, Duration::from_secs(30));
    channel.check(late);
    assert_eq!(channel.event(), Some(Event::Ended(SessionEnd::Handshake { seconds: 30 })));
    assert_eq!(channel.event(), None);
}

/// A message of the agent.
fn said(sequence: i64, payload_type: PayloadType, payload: &[u8]) -> AgentMessage {
    AgentMessage {
        kind: MessageType::OutputStreamData,
        created: 1,
        sequence,
        flags: 0,
        id: Uuid::from_u128(sequence.unsigned_abs().into()),
        payload_type,
        payload: payload.to_vec(),
    }
}

#[test]
fn damaged_frames_are_dropped_without_an_acknowledgement() {
    let now = Instant::now();
    let mut channel = Channel::new(Settings::default(), now);
    let request = br#"{"AgentVersion":"3.3.0.0","RequestedClientActions":[]}"#;
    let mut frame = said(0, PayloadType::HANDSHAKE_REQUEST, request).encode();
    *frame.last_mut().unwrap() ^= 1;
    channel.receive(&frame, now);
    channel.receive(b"short", now);
    channel.receive(&[0; 500], now);
    assert_eq!(channel.event(), None);
    assert!(channel.transmit(now).is_none());
    *frame.last_mut().unwrap() ^= 1;
    channel.receive(&frame, now);
    assert_eq!(channel.event(), None);
    let acknowledgement = AgentMessage::decode(&channel.transmit(now).unwrap()).unwrap();
    assert_eq!(Acknowledge::read(&acknowledgement.payload).unwrap().sequence, 0);
    let response = AgentMessage::decode(&channel.transmit(now).unwrap()).unwrap();
    assert_eq!(response.payload_type, PayloadType::HANDSHAKE_RESPONSE);
    assert_eq!((response.sequence, response.flags), (0, 0));
}

#[test]
fn a_shell_session_is_told_by_its_first_message() {
    let now = Instant::now();
    let mut channel = Channel::new(Settings::default(), now);
    channel.receive(&said(0, PayloadType::OUTPUT, b"sh-4.2$ ").encode(), now);
    let end = SessionEnd::Kind("Standard_Stream".to_owned());
    assert_eq!(channel.event(), Some(Event::Ended(end)));
}

#[test]
fn messages_that_mean_nothing_are_passed_over() {
    let now = Instant::now();
    let mut channel = Channel::new(Settings::default(), now);
    for kind in [MessageType::Other("news".into()), MessageType::InputStreamData] {
        channel.receive(&AgentMessage { kind, ..said(0, PayloadType::OUTPUT, b"x") }.encode(), now);
    }
    let junk =
        AgentMessage { kind: MessageType::Acknowledge, ..said(0, PayloadType::NONE, b"not json") };
    channel.receive(&junk.encode(), now);
    channel.receive(&said(0, PayloadType::HANDSHAKE_REQUEST, b"not json").encode(), now);
    channel.receive(&said(1, PayloadType::HANDSHAKE_COMPLETE, b"{}").encode(), now);
    channel.receive(&said(2, PayloadType(99), b"?").encode(), now);
    assert_eq!(channel.event(), None);
    assert_eq!(channel.room(), 0);
}
