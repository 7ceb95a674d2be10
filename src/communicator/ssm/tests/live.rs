//! Sessions over sockets.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::{PortForward, SessionErrorKind, Settings};
use super::agent::{Manner, Port};
use super::bytes;
use super::service::{Breaks, Service};
use crate::communicator::{ConnectStage, Dial as _};

/// Fast: these tests are about connections.
const SETTINGS: Settings = Settings {
    payload: 1024,
    rate: 100_000,
    handshake: Duration::from_secs(10),
    ping: Duration::from_millis(50),
    silence: Duration::from_secs(10),
    resume: Duration::from_secs(10),
    ready: Duration::from_secs(10),
    goodbye: Duration::from_secs(2),
};

fn forward(service: &Arc<Service>) -> PortForward {
    forward_with(service, SETTINGS)
}

fn forward_with(service: &Arc<Service>, settings: Settings) -> PortForward {
    let cancel = CancellationToken::new();
    PortForward::new(service.clone(), "i-0123456789abcdef0", 22, settings, cancel)
}

/// Sends so many bytes and reads them back.
async fn echo(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite, total: usize) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let send = async {
        for from in (0..total).step_by(10_000) {
            let piece = bytes(from as u64, (total - from).min(10_000));
            writer.write_all(&piece).await.unwrap();
        }
    };
    let receive = async {
        let mut got = Vec::new();
        let mut space = vec![0; 32 << 10];
        while got.len() < total {
            let count = reader.read(&mut space).await.unwrap();
            assert!(count > 0, "ended after {} bytes", got.len());
            got.extend_from_slice(&space[..count]);
        }
        assert!(got == bytes(0, total));
    };
    let both = async { tokio::join!(send, receive) };
    timeout(Duration::from_secs(60), both).await.unwrap();
}

#[tokio::test]
async fn one_session_carries_many_streams_and_ends_in_good_order() {
    let service = Service::new(Manner::default(), Breaks::default()).await;
    let forward = forward(&service);
    assert_eq!(forward.name(), "i-0123456789abcdef0 (Session Manager)");
    let (one, two) = (forward.dial().await.unwrap(), forward.dial().await.unwrap());
    tokio::join!(echo(one, 300_000), echo(two, 300_000));
    assert_eq!(service.started.load(Ordering::SeqCst), 1);
    assert_eq!(service.agent(|agent| agent.opened.clone()), [3, 5]);
    forward.close().await;
    assert!(service.agent(|agent| agent.terminated), "the flag comes before the call");
    assert_eq!(service.terminated.load(Ordering::SeqCst), 1);
    let error = forward.dial().await.err().unwrap();
    assert!(error.fatal);
}

#[tokio::test]
async fn a_connection_that_is_closed_again_and_again_loses_nothing() {
    let breaks = Breaks { after: Some(300), ..Breaks::default() };
    let service = Service::new(Manner::default(), breaks).await;
    let forward = forward(&service);
    let stream = forward.dial().await.unwrap();
    echo(stream, 600_000).await;
    assert!(service.resumed.load(Ordering::SeqCst) >= 3);
    let signed = service.signed.load(Ordering::SeqCst);
    assert_eq!(signed, service.resumed.load(Ordering::SeqCst) + 1, "each connection is signed");
    assert_eq!(service.started.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_dropped_tunnel_ends_its_session_in_the_background() {
    let service = Service::new(Manner::default(), Breaks::default()).await;
    let stream = forward(&service).dial().await.unwrap();
    drop(stream);
    let ended = async {
        while service.terminated.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), ended).await.unwrap();
}

#[tokio::test]
async fn an_agent_that_is_not_there_yet_is_waited_for() {
    let service = Service::new(Manner::default(), Breaks::default()).await;
    service.refusals.lock().unwrap().push_back(SessionErrorKind::TargetNotConnected);
    let stream = forward(&service).dial().await.unwrap();
    drop(stream);
    assert_eq!(service.started.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn closing_ends_a_wait_for_the_agent_and_nothing_else() {
    let service = Service::new(Manner::default(), Breaks::default()).await;
    service.refusals.lock().unwrap().extend([SessionErrorKind::TargetNotConnected; 50]);
    let run = CancellationToken::new();
    let forward = PortForward::new(service.clone(), "i-0", 22, SETTINGS, run.clone());
    let waiting = async {
        while service.started.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        forward.close().await;
    };
    let both = async { tokio::join!(forward.dial(), waiting) };
    let (dialled, ()) = timeout(Duration::from_secs(5), both).await.unwrap();
    assert_eq!(dialled.err().unwrap().reason, "interrupted");
    assert!(!run.is_cancelled());
}

#[tokio::test]
async fn an_agent_that_never_comes_is_an_error_with_what_it_needs() {
    let service = Service::new(Manner::default(), Breaks::default()).await;
    service.refusals.lock().unwrap().extend([SessionErrorKind::TargetNotConnected; 50]);
    let settings = Settings { ready: Duration::from_millis(600), ..SETTINGS };
    let error = forward_with(&service, settings).dial().await.err().unwrap();
    assert_eq!(error.stage, ConnectStage::Tcp);
    insta::assert_snapshot!(error.reason, @"i-0123456789abcdef0 is not connected; the instance needs the agent (amazon-ssm-agent), an instance profile with AmazonSSMManagedInstanceCore, and a way to the endpoints `ssm` and `ssmmessages` of its region on port 443");
    assert!(error.fatal);
}

#[tokio::test]
async fn no_permission_is_not_tried_again() {
    let service = Service::new(Manner::default(), Breaks::default()).await;
    service.refusals.lock().unwrap().push_back(SessionErrorKind::Denied);
    let error = forward(&service).dial().await.err().unwrap();
    assert!(error.fatal);
    assert_eq!(service.started.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_session_beyond_resuming_ends_its_streams_and_another_takes_its_place() {
    let breaks = Breaks { after: Some(100), ..Breaks::default() };
    let service = Service::new(Manner::default(), breaks).await;
    *service.expired.lock().unwrap() = true;
    let forward = forward(&service);
    let mut stream = forward.dial().await.unwrap();
    let mut space = [0; 1024];
    let error = loop {
        if let Err(error) = stream.write_all(&[7; 5000]).await {
            break error;
        }
        if let Err(error) = timeout(Duration::from_secs(10), stream.read(&mut space)).await.unwrap()
        {
            break error;
        }
    };
    assert_eq!(
        error.to_string(),
        "the session has timed out (idle too long, or closed by the service)"
    );
    *service.expired.lock().unwrap() = false;
    echo(forward.dial().await.unwrap(), 1000).await;
    assert_eq!(service.started.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_resume_that_is_denied_is_told() {
    let breaks = Breaks { after: Some(50), ..Breaks::default() };
    let service = Service::new(Manner::default(), breaks).await;
    *service.resume_refusal.lock().unwrap() = Some(SessionErrorKind::CredentialsExpired);
    let forward = forward(&service);
    let mut stream = forward.dial().await.unwrap();
    let error = loop {
        match stream.write_all(&[7; 5000]).await {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    // How the loss showed first is chance.
    let text = error.to_string();
    assert!(text.starts_with("the connection of the session was lost ("), "{text}");
    let end = ") and could not be made again: ResumeSession was refused";
    assert!(text.ends_with(end), "{text}");
}

#[tokio::test]
async fn a_silent_connection_is_given_up_and_made_again() {
    let service = Service::new(Manner::default(), Breaks { silent: true, after: Some(60) }).await;
    let settings = Settings {
        silence: Duration::from_millis(300),
        resume: Duration::from_millis(900),
        ..SETTINGS
    };
    let forward = forward_with(&service, settings);
    let mut stream = forward.dial().await.unwrap();
    let fill = async {
        loop {
            if stream.write_all(&[7; 5000]).await.is_err() {
                return;
            }
        }
    };
    // Resumes work but nothing is ever heard on them: again and again, never a hang.
    drop(timeout(Duration::from_secs(2), fill).await);
    assert!(service.resumed.load(Ordering::SeqCst) >= 2);
}

#[tokio::test]
async fn a_port_where_nothing_listens_is_refused() {
    let manner = Manner { port: Port::Closed, ..Manner::default() };
    let service = Service::new(manner, Breaks::default()).await;
    let forward = forward(&service);
    let mut stream = forward.dial().await.unwrap();
    let error = stream.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.to_string(), "nothing listens on that port of the instance");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    drop(stream);
    assert!(forward.dial().await.is_ok(), "the session lives");
}

#[tokio::test]
async fn an_old_agent_gets_a_session_for_each_stream() {
    let manner = Manner { version: "2.3.800.0", ..Manner::default() };
    let service = Service::new(manner, Breaks::default()).await;
    let forward = forward(&service);
    echo(forward.dial().await.unwrap(), 50_000).await;
    let raw =
        Service::new(Manner { forwarding: false, ..Manner::default() }, Breaks::default()).await;
    let forward = self::forward(&raw);
    echo(forward.dial().await.unwrap(), 50_000).await;
}

#[tokio::test]
async fn encryption_is_a_fatal_error_with_a_hint() {
    let manner = Manner { kms: Some("key-1"), ..Manner::default() };
    let service = Service::new(manner, Breaks::default()).await;
    let error = forward(&service).dial().await.err().unwrap();
    assert!(error.fatal);
    assert!(error.reason.contains("KMS key `key-1`"), "{}", error.reason);
    assert!(error.reason.contains("SSM-SessionManagerRunShell"), "{}", error.reason);
}

#[tokio::test]
async fn a_slow_reader_holds_the_sender_back() {
    let total = 12_000_000;
    let manner =
        Manner { port: Port::Exchange { send: total }, payload: 16 << 10, ..Manner::default() };
    let service = Service::new(manner, Breaks::default()).await;
    let forward = forward(&service);
    let mut stream = forward.dial().await.unwrap();
    stream.write_all(&bytes(0, 1)).await.unwrap();
    // Nothing is read until the agent has stopped making progress.
    let mut before = service.agent(|agent| agent.unacknowledged());
    loop {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let now = service.agent(|agent| agent.unacknowledged());
        if now > 0 && now == before {
            break;
        }
        before = now;
    }
    let mut got = 0;
    let mut space = vec![0; 64 << 10];
    while got < total {
        let count =
            timeout(Duration::from_secs(30), stream.read(&mut space)).await.unwrap().unwrap();
        assert!(count > 0);
        assert!(space[..count] == bytes(got, count));
        got += count as u64;
    }
}
