//! Commands: their output, their input, their ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};
use tokio::time::{sleep, timeout};

use super::*;
use crate::communicator::{Exit, Stdin};
use crate::event::Stream;

#[tokio::test]
async fn output_and_status_arrive() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    let answer = run(&*winrm, "sh:echo 'out <&> \u{e9}'; echo err >&2; exit 37").await.unwrap();
    assert_eq!(answer.stdout, "out <&> \u{e9}\n");
    assert_eq!(answer.stderr, "err\n");
    assert_eq!(answer.exit, Exit::Code(37));
    let answer = run(&*winrm, "nonsense").await.unwrap();
    assert_eq!(answer.exit, Exit::Code(1));
    assert!(answer.stderr.contains("is not recognized"));
    winrm.disconnect().await;
    assert!(windows.wait_until_idle());
}

#[tokio::test]
async fn a_silent_command_is_waited_for_past_the_time_limit_of_a_question() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    let answer = run(&*winrm, "sh:sleep 1; echo late").await.unwrap();
    assert_eq!((answer.exit, answer.stdout.as_str()), (Exit::Code(0), "late\n"));
    let questions = windows.log().iter().filter(|one| *one == "Receive").count();
    assert!(questions >= 3, "{:?}", windows.log());
}

#[tokio::test]
async fn output_comes_as_it_is_printed_and_waits_for_its_reader() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    let (output, mut chunks) = mpsc::channel(1);
    let script = "sh:echo first; dd if=/dev/zero bs=65536 count=64 2>/dev/null; echo last >&2";
    let running = winrm.exec(Command::new(script), output);
    let reading = async {
        let first = chunks.recv().await.unwrap();
        assert_eq!((first.stream, first.bytes.get(..6)), (Stream::Stdout, Some(&b"first\n"[..])));
        sleep(Duration::from_millis(100)).await;
        let (mut bytes, mut last) = (first.bytes.len(), Vec::new());
        while let Some(chunk) = chunks.recv().await {
            match chunk.stream {
                Stream::Stdout => bytes += chunk.bytes.len(),
                Stream::Stderr => last.extend(chunk.bytes),
            }
        }
        (bytes, last)
    };
    let (exit, (bytes, last)) = tokio::join!(running, reading);
    assert_eq!((exit.unwrap(), bytes, last), (Exit::Code(0), 6 + 64 * 65536, b"last\n".to_vec()));
}

#[tokio::test]
async fn input_arrives_in_pieces_that_messages_take() {
    let (windows, _drive) = machine();
    windows.state().limit = Some(64);
    let winrm = login(&windows).await;
    let bytes: Arc<[u8]> = (0..200_000_u32).map(|one| (one % 251) as u8).collect();
    let digest = crate::plan::Digest::of(&bytes).hex();
    let stdin = Stdin::Bytes(bytes);
    let command = Command { stdin, ..Command::new("sh:sha256sum") };
    let answer = ask(&*winrm, command).await.unwrap();
    assert_eq!(answer.stdout, format!("{digest}  -\n"));
    let largest = windows.state().largest;
    assert!((60 << 10..=64 << 10).contains(&largest), "{largest}");
}

#[tokio::test]
async fn input_may_come_as_a_stream() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    let (sender, pieces) = mpsc::channel(1);
    let stdin = Stdin::Stream(Arc::new(Mutex::new(pieces)));
    let command = Command { stdin, ..Command::new("sh:cat; echo end") };
    let feeding = async {
        for piece in ["one ", "two ", "three\n"] {
            sender.send(piece.as_bytes().to_vec()).await.unwrap();
        }
        drop(sender);
    };
    let (answer, ()) = tokio::join!(ask(&*winrm, command), feeding);
    assert_eq!(answer.unwrap().stdout, "one two three\nend\n");
}

#[tokio::test]
async fn a_command_need_not_read_its_input() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    let stdin = Stdin::Bytes(vec![b'x'; 2_000_000].into());
    let command = Command { stdin, ..Command::new("sh:exec <&-; sleep 0.1; exit 3") };
    let answer = timeout(Duration::from_secs(10), ask(&*winrm, command)).await.unwrap();
    assert_eq!(answer.unwrap().exit, Exit::Code(3));
}

#[tokio::test]
async fn a_dropped_command_ends() {
    let (windows, drive) = machine();
    let winrm = login(&windows).await;
    let mark = drive.path().join("mark");
    let script = format!("sh:trap '' TERM; sleep 1; touch {}", mark.display());
    let running = timeout(Duration::from_millis(200), run(&*winrm, &script)).await;
    assert!(running.is_err());
    winrm.disconnect().await;
    assert!(windows.wait_until_idle());
    assert!(!mark.exists());
    let log = windows.log();
    let ends: Vec<_> = log.iter().rev().take(2).map(String::as_str).collect();
    assert_eq!(ends, ["Delete", "Signal"], "{log:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_under_a_command_is_made_again() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    windows.state().cuts = 2;
    let answer = run(&*winrm, "sh:echo a; sleep 0.2; echo b").await.unwrap();
    assert_eq!((answer.exit, answer.stdout.as_str()), (Exit::Code(0), "a\nb\n"));
}

#[tokio::test]
async fn a_command_whose_machine_goes_down_is_lost_and_the_next_one_waits() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    let start = Instant::now();
    let going = async {
        sleep(Duration::from_millis(100)).await;
        windows.reboot(Duration::from_millis(300));
    };
    let (answer, ()) = tokio::join!(run(&*winrm, "sh:sleep 30"), going);
    let exit = answer.unwrap().exit;
    assert!(matches!(exit, Exit::Disconnected { .. }), "{exit:?}");
    let answer = run(&*winrm, "echo back").await.unwrap();
    assert_eq!(answer.stdout, "back\r\n");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_machine_that_stays_away_is_lost() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    let going = async {
        sleep(Duration::from_millis(100)).await;
        windows.reboot(Duration::from_secs(60));
    };
    let (answer, ()) = tokio::join!(run(&*winrm, "sh:sleep 30"), going);
    assert!(matches!(answer.unwrap().exit, Exit::Disconnected { .. }));
}

#[tokio::test]
async fn a_kept_connection_that_is_gone_is_made_again() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    for _ in 0..3 {
        assert_eq!(run(&*winrm, "echo a").await.unwrap().stdout, "a\r\n");
        windows.reboot(Duration::ZERO);
    }
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    windows.state().faults.push_back(("Command", 2_150_859_174, "Too many of them."));
    let error = run(&*winrm, "echo a").await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot start a command: Too many of them (code 2150859174)");
    let error = run(&*winrm, "echo \u{1}").await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot start a command: the command has the character U+0001 in it");
    let command = Command { pty: true, ..Command::new("echo") };
    let (output, _chunks) = mpsc::channel(1);
    let error = winrm.exec(command, output).await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot give a command a terminal: WinRM has none");
}

#[tokio::test]
async fn a_command_whose_answer_a_proxy_keeps_is_not_sent_again() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    for (action, status) in [("Command", 502), ("Command", 500), ("Send", 504)] {
        windows.state().log.clear();
        windows.state().replaced.push_back((action, status, "<html>Bad gateway</html>"));
        let stdin = Stdin::Bytes(b"a"[..].into());
        let command = Command { stdin, ..Command::new("sh:cat") };
        match ask(&*winrm, command).await {
            // It had all of its input, and ended by itself.
            Ok(answer) => assert_eq!((action, answer.stdout.as_str()), ("Send", "a")),
            Err(error) => {
                let text = format!("was lost: it answers with status {status} ");
                assert!(error.to_string().contains(&text), "{error}");
            }
        }
        let sent = windows.log().iter().filter(|one| *one == action).count();
        assert_eq!(sent, 1, "{action}");
    }
}

#[tokio::test]
async fn output_that_nobody_understands_is_not_passed_over() {
    let (windows, _drive) = machine();
    let winrm = login(&windows).await;
    windows.state().replaced.push_back(("Receive", 200, "<html>Welcome"));
    let exit = run(&*winrm, "sh:echo a").await.unwrap().exit;
    let Exit::Disconnected { reason } = exit else { panic!("{exit:?}") };
    insta::assert_snapshot!(reason, @"its answer makes no sense: it ends too early");
}

#[tokio::test]
async fn nobody_but_the_service_refuses_what_is_sealed() {
    let drive = tempfile::tempdir().unwrap();
    let windows = guard::machine(drive.path(), "Negotiate", true);
    let winrm = connected(WinRmOptions { ntlm: true, ..options(windows.port) }).await.0.unwrap();
    let fault = "<Envelope><Body><Fault><WSManFault Code=\"5\"><Message>No.</Message></WSManFault></Fault></Body></Envelope>";
    for (status, told) in [
        (500, "it answers with status 500 Internal Server Error, not sealed"),
        (200, "its answer makes no sense: it is not sealed"),
    ] {
        windows.state().replaced.push_back(("Command", status, fault));
        let error = run(&*winrm, "echo a").await.unwrap_err().to_string();
        assert!(error.ends_with(told), "{error}");
    }
}
