//! Sessions over the data channel, with a small client of its own.

use std::collections::HashMap;

use aws_sdk_ssm::types::SessionState;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use uuid::Uuid;

use super::commands::{connected, launch_with_agent, ssm};
use super::*;
use crate::communicator::ssm::frame::{AgentMessage, MessageType, PayloadType};
use crate::communicator::ssm::message::{
    ACTION_SESSION_TYPE, Acknowledge, ChannelClosed, HandshakeRequest, HandshakeResponse,
    OpenDataChannel, ProcessedAction, SUCCESS, json,
};
use crate::communicator::ssm::smux::{Command, Decoder, Frame};
use crate::sandbox::endpoint::FaultRule;

/// A service of the instance that sends back what it gets.
async fn echo() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                drop(tokio::io::copy(&mut reader, &mut writer).await);
            });
        }
    });
    port
}

struct Started {
    id: String,
    token: String,
    url: String,
}

async fn start(ssm: &aws_sdk_ssm::Client, instance: &str, document: &str, port: u16) -> Started {
    let parameters = HashMap::from([("portNumber".to_owned(), vec![port.to_string()])]);
    let start = ssm.start_session().target(instance).document_name(document);
    let started = good(start.set_parameters(Some(parameters)).send().await);
    Started {
        id: started.session_id.unwrap_or_default(),
        token: started.token_value.unwrap_or_default(),
        url: started.stream_url.unwrap_or_default(),
    }
}

const FORWARDING: &str = "AWS-StartPortForwardingSession";
const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20250101/us-east-1/ssmmessages/aws4_request, SignedHeaders=host;x-amz-date, Signature=00";

type Socket = WebSocketStream<TcpStream>;

async fn connect(url: &str, signature: &str) -> Result<Socket, Error> {
    let mut request = url.into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("authorization", signature.parse().expect("a header"));
    headers.insert("x-amz-date", "20250101T000000Z".parse().expect("a header"));
    let address = url.trim_start_matches("ws://").split('/').next().unwrap_or_default();
    let stream = TcpStream::connect(address).await?;
    Ok(tokio_tungstenite::client_async(request, stream).await?.0)
}

/// A client that does as little as it may.
struct Client {
    socket: Socket,
    sequence: i64,
    /// The first sequence number that has not come yet.
    expected: i64,
}

impl Client {
    async fn open(started: &Started, client_id: Uuid) -> Self {
        let mut socket = connect(&started.url, SIGNATURE).await.expect("a socket");
        let open = OpenDataChannel::new(&started.token, client_id);
        let text = String::from_utf8(json(&open)).expect("text");
        socket.send(Message::text(text)).await.expect("sent");
        Self { socket, sequence: 0, expected: 0 }
    }

    /// Opens, and shakes hands.
    async fn ready(started: &Started) -> Self {
        let mut client = Self::open(started, Uuid::new_v4()).await;
        let request = client.next().await.expect("a handshake");
        assert_eq!((request.payload_type, request.flags), (PayloadType::HANDSHAKE_REQUEST, 1));
        let request: HandshakeRequest = serde_json::from_slice(&request.payload).expect("JSON");
        let [action] = request.requested_client_actions.as_slice() else { panic!("{request:?}") };
        assert_eq!(action.action_type, ACTION_SESSION_TYPE);
        assert_eq!(action.action_parameters["SessionType"], "Port");
        client.send(PayloadType::HANDSHAKE_RESPONSE, response()).await;
        let complete = client.next().await.expect("the end of the handshake");
        assert_eq!(complete.payload_type, PayloadType::HANDSHAKE_COMPLETE);
        client
    }

    async fn send(&mut self, payload_type: PayloadType, payload: Vec<u8>) {
        let message = AgentMessage {
            kind: MessageType::InputStreamData,
            created: 1,
            sequence: self.sequence,
            flags: 0,
            id: Uuid::new_v4(),
            payload_type,
            payload,
        };
        self.sequence += 1;
        self.send_message(&message).await;
    }

    async fn send_message(&mut self, message: &AgentMessage) {
        let frame = Message::Binary(message.encode().into());
        self.socket.send(frame).await.expect("sent");
    }

    /// The next stream message, acknowledged, or the last word. Nothing else counts, nor what comes
    /// again because a busy machine acknowledged it late.
    async fn next(&mut self) -> Option<AgentMessage> {
        loop {
            let Some(Ok(message)) = self.socket.next().await else { return None };
            let Message::Binary(bytes) = message else { continue };
            let message = AgentMessage::decode(&bytes).expect("a frame");
            match message.kind {
                MessageType::OutputStreamData => {
                    let acknowledge = Acknowledge::of(&message).message(Uuid::new_v4(), 1);
                    self.send_message(&acknowledge).await;
                    if message.sequence >= self.expected {
                        self.expected = message.sequence + 1;
                        return Some(message);
                    }
                }
                MessageType::ChannelClosed => return Some(message),
                _ => {}
            }
        }
    }

    /// Why the session was ended.
    async fn reason(&mut self) -> String {
        loop {
            let message = self.next().await.expect("a last word");
            if message.kind == MessageType::ChannelClosed {
                let closed: ChannelClosed = serde_json::from_slice(&message.payload).expect("JSON");
                return closed.output;
            }
        }
    }
}

fn response() -> Vec<u8> {
    json(&HandshakeResponse {
        client_version: "1.2.764.0".to_owned(),
        processed_client_actions: vec![ProcessedAction {
            action_type: ACTION_SESSION_TYPE.to_owned(),
            action_status: SUCCESS,
            action_result: serde_json::Value::Null,
            error: String::new(),
        }],
        errors: None,
    })
}

async fn world_with_agent(rules: &[&str]) -> (World, aws_sdk_ssm::Client, String) {
    let parse = |rule: &&str| rule.parse::<FaultRule>().unwrap_or_else(|error| panic!("{error}"));
    let faults = rules.iter().map(parse).collect();
    let world = World::with(Options { faults, ..Options::default() }).await;
    let ssm = ssm(&world);
    let id = launch_with_agent(&world, "any").await;
    eventually(|| connected(&ssm, &id)).await;
    (world, ssm, id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_reach_a_port_of_the_instance() {
    let (world, ssm, id) = world_with_agent(&[]).await;
    let started = start(&ssm, &id, FORWARDING, echo().await).await;
    let mut client = Client::ready(&started).await;
    let content: Vec<u8> = (0..5000_u32).flat_map(u32::to_le_bytes).collect();
    for stream in [3, 5] {
        let mut bytes = Frame::new(Command::Syn, stream).encode();
        for data in content.chunks(9999) {
            let push = Frame { command: Command::Push, stream, data: data.to_vec() };
            bytes.extend(push.encode());
        }
        // Cut with no regard to frames.
        for piece in bytes.chunks(777) {
            client.send(PayloadType::OUTPUT, piece.to_vec()).await;
        }
    }
    let mut decoder = Decoder::default();
    let mut arrived: HashMap<u32, Vec<u8>> = HashMap::new();
    while arrived.values().map(Vec::len).sum::<usize>() < 2 * content.len() {
        let message = client.next().await.expect("data");
        assert!(message.payload.len() <= 1024);
        decoder.push(&message.payload);
        while let Some(frame) = decoder.next().expect("smux") {
            arrived.entry(frame.stream).or_default().extend(frame.data);
        }
    }
    assert!(arrived[&3] == content && arrived[&5] == content);
    client.send(PayloadType::OUTPUT, Frame::new(Command::Fin, 3).encode()).await;
    let fin = client.next().await.expect("an end");
    assert_eq!(fin.payload, Frame::new(Command::Fin, 3).encode());
    client.send(PayloadType::FLAG, vec![0, 0, 0, 2]).await;
    assert_eq!(client.reason().await, "");
    let history = ssm.describe_sessions().state(SessionState::History).send().await;
    let history = good(history).sessions.unwrap_or_default();
    let ended: Vec<_> = history.iter().filter_map(|session| session.session_id()).collect();
    assert_eq!(ended, [started.id.as_str()]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_refuses_is_a_flag_and_the_end_of_the_stream() {
    let (world, ssm, id) = world_with_agent(&[]).await;
    let closed = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = closed.local_addr().expect("an address").port();
    drop(closed);
    let started = start(&ssm, &id, FORWARDING, port).await;
    let mut client = Client::ready(&started).await;
    client.send(PayloadType::OUTPUT, Frame::new(Command::Syn, 3).encode()).await;
    let flag = client.next().await.expect("a flag");
    assert_eq!((flag.payload_type, flag.payload), (PayloadType::FLAG, vec![0, 0, 0, 3]));
    let fin = client.next().await.expect("an end");
    assert_eq!(fin.payload, Frame::new(Command::Fin, 3).encode());

    let started = start(&ssm, &id, "AWS-StartSSHSession", port).await;
    let mut client = Client::ready(&started).await;
    let reason = client.reason().await;
    assert!(reason.starts_with("Connection to destination port failed"), "{reason}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stream_ends_with_its_connection() {
    let (world, ssm, id) = world_with_agent(&[]).await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let started = start(&ssm, &id, "AWS-StartSSHSession", port).await;
    let mut client = Client::ready(&started).await;
    let (mut stream, _) = listener.accept().await.expect("a connection");
    client.send(PayloadType::OUTPUT, b"ping\n".to_vec()).await;
    let mut got = [0; 5];
    stream.read_exact(&mut got).await.expect("data");
    assert_eq!(&got, b"ping\n");
    stream.write_all(b"pong").await.expect("sent");
    drop(stream);
    assert_eq!(client.next().await.expect("data").payload, b"pong");
    assert_eq!(client.reason().await, "");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_goes_on_over_another_socket() {
    let (world, ssm, id) = world_with_agent(&["DataChannel:#3:bye=1"]).await;
    let started = start(&ssm, &id, FORWARDING, echo().await).await;
    let client_id = Uuid::new_v4();
    let mut client = Client::open(&started, client_id).await;
    client.next().await.expect("a handshake");
    client.send(PayloadType::HANDSHAKE_RESPONSE, response()).await;
    client.next().await.expect("the end of the handshake");
    client.send(PayloadType::OUTPUT, Frame::new(Command::Syn, 3).encode()).await;
    let push =
        |data: &[u8]| Frame { command: Command::Push, stream: 3, data: data.to_vec() }.encode();
    let repeated = client.sequence;
    client.send(PayloadType::OUTPUT, push(b"abc")).await;
    drop(client.socket);

    let resume = || ssm.resume_session().session_id(&started.id).send();
    let token = good(resume().await).token_value.unwrap_or_default();
    assert_ne!(token, started.token);
    let url = started.url.clone();
    let again = |token: String| Started { id: started.id.clone(), token, url: url.clone() };
    let mut second = Client::open(&again(token), client_id).await;
    // Maybe the first socket was gone before this arrived; if not, it is taken once.
    second.sequence = repeated;
    second.send(PayloadType::OUTPUT, push(b"abc")).await;
    second.send(PayloadType::OUTPUT, push(b"def")).await;
    let mut arrived = Vec::new();
    let mut decoder = Decoder::default();
    let mut last = -1;
    while arrived.len() < 6 {
        let message = second.next().await.expect("data, and no second handshake");
        assert_eq!(message.payload_type, PayloadType::OUTPUT);
        if message.sequence > last {
            last = message.sequence;
            decoder.push(&message.payload);
        }
        while let Some(frame) = decoder.next().expect("smux") {
            arrived.extend(frame.data);
        }
    }
    assert_eq!(String::from_utf8_lossy(&arrived), "abcdef");

    let token = good(resume().await).token_value.unwrap_or_default();
    let mut third = Client::open(&again(token), client_id).await;
    match third.socket.next().await {
        Some(Ok(Message::Close(Some(close)))) => {
            assert_eq!((u16::from(close.code), close.reason.as_str()), (1000, "Bye"));
        }
        other => panic!("{other:?}"),
    }
    // Another client id is another client.
    let token = good(resume().await).token_value.unwrap_or_default();
    let mut stranger = Client::open(&again(token), Uuid::new_v4()).await;
    match stranger.socket.next().await {
        Some(Ok(Message::Close(Some(close)))) => {
            assert!(close.reason.contains("ClientId"), "{}", close.reason);
        }
        other => panic!("{other:?}"),
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_open_a_data_channel_is_told_why() {
    let (world, ssm, id) = world_with_agent(&["ResumeSession:#1:empty-token"]).await;
    let started = start(&ssm, &id, FORWARDING, 22).await;
    let refused = |result: Result<Socket, Error>| match result {
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            format!("{}: {}", response.status().as_u16(), String::from_utf8_lossy(&body))
        }
        other => panic!("{other:?}"),
    };
    let ec2 = SIGNATURE.replace("ssmmessages", "ec2");
    insta::assert_snapshot!(refused(connect(&started.url, &ec2).await), @"403: the request is not signed for the service `ssmmessages`");
    let encoded = started.url.replace("Z+/", "Z%2B%2F");
    insta::assert_snapshot!(refused(connect(&encoded, SIGNATURE).await), @"400: the query is not the one of StreamUrl, as it is");
    let other = started.url.replace(&started.id, "sandbox-0");
    insta::assert_snapshot!(refused(connect(&other, SIGNATURE).await), @"404: there is no such session");

    let empty = good(ssm.resume_session().session_id(&started.id).send().await);
    assert_eq!(empty.token_value(), Some(""));
    let unknown = ssm.resume_session().session_id("sandbox-0").send().await;
    assert_eq!(code(unknown), "DoesNotExistException");
    good(ssm.terminate_session().session_id(&started.id).send().await);
    good(ssm.terminate_session().session_id(&started.id).send().await);
    let ended = good(ssm.resume_session().session_id(&started.id).send().await);
    assert_eq!(ended.token_value(), Some(""));
    let nowhere = ssm.start_session().target("i-0123456789abcdef0").document_name(FORWARDING);
    assert_eq!(code(nowhere.send().await), "TargetNotConnected");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_breaks_the_protocol_is_told_how() {
    let (world, ssm, id) = world_with_agent(&[]).await;
    let message = |sequence: i64, flags: u64| AgentMessage {
        kind: MessageType::InputStreamData,
        created: 1,
        sequence,
        flags,
        id: Uuid::new_v4(),
        payload_type: PayloadType::OUTPUT,
        payload: b"early".to_vec(),
    };
    let mut reasons = Vec::new();
    for wrong in [
        vec![AgentMessage { flags: 1, ..message(0, 0) }],
        // Data before the handshake is lost, and the response is late then.
        vec![
            message(0, 0),
            AgentMessage {
                payload_type: PayloadType::HANDSHAKE_RESPONSE,
                payload: response(),
                ..message(1, 0)
            },
        ],
        vec![AgentMessage { kind: MessageType::OutputStreamData, ..message(0, 0) }],
        vec![AgentMessage { kind: MessageType::Acknowledge, ..message(0, 3) }],
    ] {
        let started = start(&ssm, &id, FORWARDING, 22).await;
        let mut client = Client::open(&started, Uuid::new_v4()).await;
        client.next().await.expect("a handshake");
        for message in &wrong {
            client.send_message(message).await;
        }
        reasons.push(client.reason().await);
    }
    insta::assert_snapshot!(reasons.join("\n"), @r"
    the client broke the protocol: a stream message has flags 1
    the client broke the protocol: the handshake response has number 1, not 0
    the client broke the protocol: a client does not send `output_stream_data`
    the client broke the protocol: an acknowledgement: expected value at line 1 column 1
    ");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_does_not_read_holds_acknowledgements_back() {
    let (world, ssm, id) = world_with_agent(&[]).await;
    // The system would take tens of megabytes for it.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(64 << 10).expect("a buffer size");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let listener = socket.listen(1).expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let started = start(&ssm, &id, "AWS-StartSSHSession", port).await;
    let client = Client::ready(&started).await;
    let (mut service, _) = listener.accept().await.expect("a connection");
    // More than the system's buffers and the agent's take.
    let (pieces, size) = (220, 64 << 10);
    let (mut sink, mut stream) = client.socket.split();
    let first = client.sequence;
    let send = async {
        for sequence in first..first + pieces {
            let message = AgentMessage {
                kind: MessageType::InputStreamData,
                created: 1,
                sequence,
                flags: 0,
                id: Uuid::new_v4(),
                payload_type: PayloadType::OUTPUT,
                payload: vec![7; size],
            };
            sink.send(Message::Binary(message.encode().into())).await.expect("sent");
        }
    };
    let mut acknowledged = 0;
    let mut quiet = false;
    let receive = async {
        while acknowledged < pieces {
            let next = tokio::time::timeout(Duration::from_secs(2), stream.next()).await;
            let Ok(message) = next else {
                if quiet {
                    break;
                }
                quiet = true;
                continue;
            };
            if let Some(Ok(Message::Binary(bytes))) = message {
                let message = AgentMessage::decode(&bytes).expect("a frame");
                acknowledged += i64::from(message.kind == MessageType::Acknowledge);
            }
        }
    };
    let ((), ()) = tokio::join!(send, receive);
    assert!((1..pieces).contains(&acknowledged), "{acknowledged} were acknowledged");
    // The rest is acted on without being sent again.
    let total = usize::try_from(pieces).expect("a number") * size;
    let read = async {
        let mut got = vec![0; total];
        service.read_exact(&mut got).await.expect("all of it");
    };
    let rest = async {
        while acknowledged < pieces {
            let Some(Ok(message)) = stream.next().await else { panic!("the socket ended") };
            let Message::Binary(bytes) = message else { continue };
            let message = AgentMessage::decode(&bytes).expect("a frame");
            acknowledged += i64::from(message.kind == MessageType::Acknowledge);
        }
    };
    tokio::join!(read, rest);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reboot_ends_sessions() {
    let (world, ssm, id) = world_with_agent(&[]).await;
    let started = start(&ssm, &id, FORWARDING, 22).await;
    let mut client = Client::ready(&started).await;
    world.host.machine(&id).expect("a machine").boot_again();
    let reason = client.reason().await;
    assert_eq!(reason, format!("The agent of {id} was started again."));
    world.end().await;
}
