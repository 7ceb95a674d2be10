//! Stands between a build and an endpoint, counts the calls, and kills the build at one of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

/// At which call a build is killed, and what it gets to know of it.
///
/// Not by its number among all calls: how often a build looks whether something is ready differs from
/// run to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Strike {
    /// The call's action.
    pub(crate) action: String,
    /// The number of the call among those of that action, from one.
    pub(crate) number: usize,
    /// Whether it gets the answer before. Either way the endpoint has done what was asked.
    pub(crate) answered: bool,
}

/// A proxy that understands as much HTTP as the endpoint speaks: requests and answers with a
/// `content-length`, one after the other on a connection.
pub(crate) struct Tap {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    over: AtomicBool,
    state: Mutex<State>,
    victim: Condvar,
}

#[derive(Default)]
struct State {
    /// Counts builds: what a connection of an earlier one still has to say is not counted.
    round: u32,
    actions: Vec<String>,
    strike: Option<Strike>,
    victim: Option<Pid>,
}

impl Tap {
    /// Starts in front of `http://HOST:PORT`.
    pub(crate) fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            upstream: url.trim_start_matches("http://").trim_end_matches('/').to_owned(),
            over: AtomicBool::new(false),
            state: Mutex::default(),
            victim: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                // However a connection breaks: both sides see that for themselves.
                thread::spawn(move || drop(shared.serve(client)));
            }
        });
        Self { address, shared }
    }

    /// What `AWS_ENDPOINT_URL` is set to.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Counts from one again. The next process, which [`Tap::aim`] names once it is started, is killed
    /// at `strike`.
    pub(crate) fn arm(&self, strike: Option<Strike>) {
        let mut state = self.shared.state();
        *state = State { round: state.round + 1, strike, ..State::default() };
    }

    /// Says which process is to be killed. Until then, the call at which it is waits.
    pub(crate) fn aim(&self, victim: Pid) {
        self.shared.state().victim = Some(victim);
        self.shared.victim.notify_all();
    }

    /// The calls since it was armed, in the order in which they came.
    pub(crate) fn actions(&self) -> Vec<String> {
        self.shared.state().actions.clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, client: TcpStream) -> std::io::Result<()> {
        let round = self.state().round;
        let server = TcpStream::connect(&self.upstream)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (mut to_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        let (mut client, mut server) = (BufReader::new(client), BufReader::new(server));
        while let Some(request) = message(&mut client)? {
            let struck = self.count(round, &request);
            to_server.write_all(&request)?;
            // That it comes means that the endpoint has done what was asked.
            let Some(answer) = message(&mut server)? else { return Ok(()) };
            match struck {
                Some(strike) if !strike.answered => return self.kill(),
                Some(_) => {
                    to_client.write_all(&answer)?;
                    return self.kill();
                }
                None => to_client.write_all(&answer)?,
            }
        }
        Ok(())
    }

    /// Counts a call; says whether the build is to be killed at it.
    fn count(&self, round: u32, request: &[u8]) -> Option<Strike> {
        let mut state = self.state();
        if state.round != round {
            return None;
        }
        let action = action(request);
        let number = state.actions.iter().filter(|one| **one == action).count() + 1;
        let struck = |one: &&Strike| one.action == action && one.number == number;
        let struck = state.strike.as_ref().filter(struck).cloned();
        state.actions.push(action);
        struck
    }

    fn kill(&self) -> std::io::Result<()> {
        let mut state = self.state();
        loop {
            if let Some(victim) = state.victim {
                return Ok(kill_process(victim, Signal::KILL)?);
            }
            state = self.victim.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The next request or answer, head and body; `None` when there is no more.
fn message(from: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    loop {
        let start = bytes.len();
        if from.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&bytes[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    from.take(length).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The action of the query protocol that a request asks for, or else its first line. Those that were
/// only tried begin with `DryRun`.
fn action(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    let named = text.split_once("\r\n\r\n").and_then(|(_, body)| body.strip_prefix("Action="));
    let Some(rest) = named else { return text.lines().next().unwrap_or_default().to_owned() };
    let action = rest.split('&').next().unwrap_or_default();
    if rest.contains("&DryRun=true") { format!("DryRun{action}") } else { action.to_owned() }
}
