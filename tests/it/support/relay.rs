//! Stands between a client and an endpoint and keeps what was asked.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes every byte on, and remembers the requests.
pub(crate) struct Relay {
    address: SocketAddr,
    state: Arc<State>,
}

type Look = dyn Fn(&[u8]) + Send + Sync;

struct State {
    upstream: String,
    over: AtomicBool,
    /// What each connection has sent so far.
    requests: Mutex<Vec<Vec<u8>>>,
    /// Sees what a connection has sent so far, before the newest piece of it is passed on.
    look: Box<Look>,
}

impl Relay {
    /// Starts in front of `http://HOST:PORT`.
    pub(crate) fn to(url: &str) -> Self {
        Self::looking(url, |_| {})
    }

    /// The same; `look` sees the requests on their way.
    pub(crate) fn looking(url: &str, look: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            upstream: url.trim_start_matches("http://").trim_end_matches('/').to_owned(),
            over: AtomicBool::new(false),
            requests: Mutex::default(),
            look: Box::new(look),
        });
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.over.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&accepting);
                thread::spawn(move || state.serve(client));
            }
        });
        Self { address, state }
    }

    /// What `AWS_ENDPOINT_URL` is set to.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The actions of the query protocol that were asked for, in the order of connections; those
    /// that were only tried begin with `DryRun`.
    pub(crate) fn actions(&self) -> Vec<String> {
        let requests = self.state.requests.lock().expect("no panic");
        requests
            .iter()
            .flat_map(|bytes| {
                let text = String::from_utf8_lossy(bytes).into_owned();
                let action = |part: &str| {
                    let (action, rest) = part.split_once("&Version=")?;
                    let prefix = if rest.contains("&DryRun=true") { "DryRun" } else { "" };
                    Some(format!("{prefix}{action}"))
                };
                text.split("Action=").skip(1).filter_map(action).collect::<Vec<_>>()
            })
            .collect()
    }

    /// The actions of all protocols that were asked for; objects are put, fetched and deleted.
    pub(crate) fn all_actions(&self) -> Vec<String> {
        let mut actions = self.actions();
        let requests = self.state.requests.lock().expect("no panic");
        for bytes in requests.iter() {
            for line in String::from_utf8_lossy(bytes).lines() {
                if let Some((_, action)) = line.split_once("x-amz-target: AmazonSSM.") {
                    actions.push(action.to_owned());
                }
                if line.ends_with(" HTTP/1.1") && !line.contains(" / ") {
                    for (method, action) in
                        [("PUT", "PutObject"), ("GET", "GetObject"), ("DELETE", "DeleteObject")]
                    {
                        if line.strip_prefix(method).is_some_and(|rest| rest.starts_with(" /")) {
                            actions.push(action.to_owned());
                        }
                    }
                }
            }
        }
        actions
    }

    /// Fails the test unless there were calls, and none of them changed anything.
    #[track_caller]
    pub(crate) fn assert_only_asked(&self) {
        let actions = self.actions();
        assert!(!actions.is_empty(), "the endpoint was never asked");
        let changing: Vec<_> = actions
            .iter()
            .filter(|action| {
                !["Describe", "Get", "DryRun"].iter().any(|one| action.starts_with(one))
            })
            .collect();
        assert!(changing.is_empty(), "calls that change something: {changing:?}");
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl State {
    /// Passes on until either side has enough.
    fn serve(&self, client: TcpStream) {
        let Ok(server) = TcpStream::connect(&self.upstream) else { return };
        let number = {
            let mut requests = self.requests.lock().expect("no panic");
            requests.push(Vec::new());
            requests.len() - 1
        };
        let (Ok(from_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else {
            return;
        };
        thread::scope(|scope| {
            scope.spawn(|| pump(from_server, to_client, |_| {}));
            pump(client, server, |piece| {
                let mut requests = self.requests.lock().expect("no panic");
                requests[number].extend_from_slice(piece);
                (self.look)(&requests[number]);
            });
        });
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, seen: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut buffer) {
        let piece = &buffer[..length];
        seen(piece);
        if length == 0 || to.write_all(piece).is_err() {
            break;
        }
    }
    // Ends the other direction too; it may have ended by itself.
    drop(to.shutdown(Shutdown::Both));
    drop(from.shutdown(Shutdown::Both));
}
