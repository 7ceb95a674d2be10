//! Ways in, and what is said when there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::super::HttpProxy;
use super::front::{self, Session};
use super::*;
use crate::communicator::Exit;

/// The error of an attempt, without its port and its time, and what it advises.
async fn refused(options: WinRmOptions) -> String {
    let port = options.port.to_string();
    let error = connected(options).await.0.unwrap_err();
    assert!(error.may_pass());
    let text = format!("{error}\n{}", error.hints().join("\n")).replace(&port, "PORT");
    let time = regex::Regex::new(r"\d+ attempts? in \d+\.\d s").unwrap();
    time.replace_all(&text, "ATTEMPTS").into_owned()
}

#[tokio::test]
async fn a_password_lets_in_and_is_told_as_an_event() {
    let (windows, _drive) = machine();
    let (connection, told) = connected(options(windows.port)).await;
    let winrm = connection.unwrap();
    let [
        Fact::ConnectStarted { communicator: "WinRM", address },
        Fact::Connected { attempts: 1, .. },
    ] = told.as_slice()
    else {
        panic!("{told:?}");
    };
    assert_eq!(*address, format!("127.0.0.1:{}", windows.port));
    winrm.disconnect().await;
    insta::assert_snapshot!(windows.log().join("\n"), @r"
    Create
    Command
    > echo bake
    Receive
    Delete
    ");
    assert!(!format!("{winrm:?}").contains(PASSWORD));
}

#[tokio::test]
async fn ntlm_lets_in_and_seals_what_is_said() {
    for (scheme, ntlm) in [("Negotiate", true), ("Negotiate", false), ("NTLM", true)] {
        let drive = tempfile::tempdir().unwrap();
        let windows = guard::machine(drive.path(), scheme, true);
        let options = WinRmOptions { ntlm, ..options(windows.port) };
        let winrm = connected(options).await.0.unwrap();
        let answer = run(&*winrm, "echo hello").await.unwrap();
        assert_eq!((answer.exit, answer.stdout.as_str()), (Exit::Code(0), "hello\r\n"));
        winrm.disconnect().await;
    }
}

#[tokio::test]
async fn what_is_refused_is_tried_a_few_times() {
    let (windows, _drive) = machine();
    let wrong = WinRmOptions { password: Secret::new("x"), ..options(windows.port) };
    insta::assert_snapshot!(refused(wrong).await, @"
    127.0.0.1:PORT does not let user `Administrator` log in: it refuses the user name or the password; the service takes Basic, Negotiate (ATTEMPTS)
    check `winrm_username` (`Administrator` here) and `winrm_password`; Windows may lock the account after some wrong passwords
    ");
    let drive = tempfile::tempdir().unwrap();
    let windows = guard::machine(drive.path(), "Negotiate", true);
    let wrong = WinRmOptions { password: Secret::new("x"), ..options(windows.port) };
    insta::assert_snapshot!(refused(wrong).await, @"
    127.0.0.1:PORT does not let user `Administrator` log in: it refuses the user name or the password; the service takes Kerberos, Negotiate (ATTEMPTS)
    check `winrm_username` (`Administrator` here) and `winrm_password`; Windows may lock the account after some wrong passwords
    ");
    let windows = guard::machine(drive.path(), "Digest", true);
    let wrong = WinRmOptions { ntlm: true, ..options(windows.port) };
    insta::assert_snapshot!(refused(wrong).await, @r#"
    127.0.0.1:PORT does not let user `Administrator` log in: it does not take `Negotiate`; the service takes Digest, Kerberos (ATTEMPTS)
    bake knows Basic and NTLM: have the user data allow one of them, such as by `winrm set winrm/config/service/auth @{Basic="true"}`
    "#);
}

#[tokio::test]
async fn a_service_that_is_not_ready_is_waited_for() {
    let (windows, _drive) = machine();
    windows.state().faults.extend([
        ("Create", 1, "not yet"),
        ("Command", 2_147_943_418, "Illegal operation attempted on a registry key."),
        ("Create", 2, "not yet"),
    ]);
    let (connection, told) = connected(options(windows.port)).await;
    connection.unwrap();
    assert!(matches!(told.as_slice(), [_, Fact::Connected { attempts: 4, .. }]), "{told:?}");
}

#[tokio::test]
async fn each_stage_has_its_words() {
    let nothing = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let timeout = Duration::from_millis(120);
    let at = |port| WinRmOptions { timeout, ..options(port) };
    insta::assert_snapshot!(refused(at(nothing)).await, @"
    no TCP connection to 127.0.0.1:PORT: Connection refused (os error 111) (ATTEMPTS)
    check that the security group, the network and Windows' own firewall let this machine reach 127.0.0.1:PORT, and that WinRM is on (`winrm quickconfig` in the user data)
    ");
    let unknown = WinRmOptions { host: "no-such-host.invalid".to_owned(), ..at(5985) };
    let text = refused(unknown).await;
    assert!(text.starts_with("`no-such-host.invalid:PORT` has no address: "), "{text}");
    let (windows, _drive) = machine();
    windows.state().raw.extend(vec![(404, "nothing here"); 100]);
    insta::assert_snapshot!(refused(at(windows.port)).await, @"
    no WinRM service answers at 127.0.0.1:PORT: it answers with status 404 Not Found (ATTEMPTS)
    check `winrm_port` and `winrm_use_ssl`: WinRM listens at 5985 without TLS and at 5986 with it
    ");
    let (windows, _drive) = machine();
    windows.state().raw.extend(vec![(200, "<html>Welcome!"); 100]);
    insta::assert_snapshot!(refused(at(windows.port)).await, @"
    no WinRM service answers at 127.0.0.1:PORT: its answer makes no sense: it ends too early (ATTEMPTS)
    check `winrm_port` and `winrm_use_ssl`: WinRM listens at 5985 without TLS and at 5986 with it
    ");
    let (windows, _drive) = machine();
    windows.state().faults.extend([("Create", 5, "Access is denied."); 3]);
    insta::assert_snapshot!(refused(at(windows.port)).await, @r"
    127.0.0.1:PORT runs no command for user `Administrator`: Access is denied (code 5) (ATTEMPTS)
    the user must be an administrator; for one other than `Administrator` set `LocalAccountTokenFilterPolicy` to 1 below `HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`
    ");
    let session = Session { to: 0, streams: AtomicU32::new(0), closed: AtomicU32::new(0) };
    let dial: Arc<dyn crate::communicator::Dial> = Arc::new(session);
    insta::assert_snapshot!(refused(WinRmOptions { dial: Some(dial), ..at(5985) }).await, @"no session to i-1 (Session Manager): the agent is not registered (ATTEMPTS)");
}

#[tokio::test]
async fn tls_is_checked_unless_that_is_not_wanted() {
    let (windows, _drive) = machine();
    let port = front::tls(windows.port).await;
    let tls = WinRmOptions { tls: true, ..options(port) };
    insta::assert_snapshot!(refused(tls.clone()).await, @"
    the TLS handshake with 127.0.0.1:PORT failed: its certificate is not trusted: invalid peer certificate: Other(OtherError(CaUsedAsEndEntity)) (ATTEMPTS)
    a fresh Windows has only a certificate that it made itself: set `winrm_insecure = true`, or give it one that this machine trusts
    ");
    let winrm = connected(WinRmOptions { insecure: true, ..tls }).await.0.unwrap();
    assert_eq!(run(&*winrm, "echo a").await.unwrap().stdout, "a\r\n");
    // NTLM, too; TLS seals enough.
    let drive = tempfile::tempdir().unwrap();
    let windows = guard::machine(drive.path(), "Negotiate", false);
    let port = front::tls(windows.port).await;
    let both = WinRmOptions { tls: true, insecure: true, ntlm: true, ..options(port) };
    let winrm = connected(both).await.0.unwrap();
    assert_eq!(run(&*winrm, "echo b").await.unwrap().stdout, "b\r\n");
    // Without TLS at that port.
    let timeout = Duration::from_millis(100);
    let plain = WinRmOptions { tls: true, timeout, ..options(windows.port) };
    let text = refused(plain).await;
    assert!(text.starts_with("the TLS handshake with 127.0.0.1:PORT failed: "), "{text}");
    assert!(text.contains("winrm_use_ssl"), "{text}");
}

#[tokio::test]
async fn a_proxy_passes_requests_or_whole_streams_on() {
    let (windows, _drive) = machine();
    let (port, lines) = front::proxy(windows.port).await;
    let proxy = Some(HttpProxy::at(&format!("127.0.0.1:{port}")));
    let with = |options: WinRmOptions| WinRmOptions {
        proxy: proxy.clone(),
        host: "win.example".to_owned(),
        ..options
    };
    let winrm = connected(with(options(5985))).await.0.unwrap();
    assert_eq!(run(&*winrm, "echo a").await.unwrap().stdout, "a\r\n");
    assert_eq!(lines.lock().unwrap()[0], "POST http://win.example:5985/wsman HTTP/1.1");
    let drive = tempfile::tempdir().unwrap();
    let windows = guard::machine(drive.path(), "Negotiate", true);
    let (port, lines) = front::proxy(windows.port).await;
    let proxy = Some(HttpProxy::at(&format!("127.0.0.1:{port}")));
    let host = "win.example".to_owned();
    let ntlm = WinRmOptions { proxy, host, ntlm: true, ..options(5985) };
    let winrm = connected(ntlm).await.0.unwrap();
    assert_eq!(run(&*winrm, "echo b").await.unwrap().stdout, "b\r\n");
    assert_eq!(lines.lock().unwrap()[0], "CONNECT win.example:5985 HTTP/1.1");
}

#[tokio::test]
async fn a_session_carries_it_and_is_closed_in_the_end() {
    let (windows, _drive) = machine();
    let session =
        Session { to: windows.port, streams: AtomicU32::new(0), closed: AtomicU32::new(0) };
    let session = Arc::new(session);
    let dial: Arc<dyn crate::communicator::Dial> = session.clone();
    let options = WinRmOptions { dial: Some(dial), host: "i-1".to_owned(), ..options(5985) };
    let (winrm, told) = connected(options).await;
    let winrm = winrm.unwrap();
    assert!(
        matches!(&told[0], Fact::ConnectStarted { address, .. } if address == "i-1 (Session Manager)"),
        "{told:?}"
    );
    assert_eq!(run(&*winrm, "echo a").await.unwrap().stdout, "a\r\n");
    winrm.disconnect().await;
    assert!(session.streams.load(Ordering::Relaxed) >= 1);
    assert_eq!(session.closed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn it_connects_again_after_the_pause() {
    let (windows, _drive) = machine();
    let pause = Duration::from_millis(50);
    let start = Instant::now();
    let (winrm, told) = connected(WinRmOptions { pause, ..options(windows.port) }).await;
    winrm.unwrap();
    assert!(start.elapsed() >= pause);
    assert!(matches!(told.as_slice(), [_, Fact::Connected { attempts: 2, .. }]), "{told:?}");
    assert_eq!(windows.log().iter().filter(|one| *one == "Create").count(), 2);
}

#[tokio::test]
async fn an_interruption_ends_the_wait() {
    let (emitter, _events) = event::channel();
    let cancel = CancellationToken::new();
    let nobody = WinRmOptions { host: "192.0.2.1".to_owned(), ..options(5985) };
    let (result, ()) = tokio::join!(connect(nobody, emitter, cancel.clone()), async {
        tokio::task::yield_now().await;
        cancel.cancel();
    });
    assert!(matches!(result, Err(CommunicatorError::Cancelled)));
}
