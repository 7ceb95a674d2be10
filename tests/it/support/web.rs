//! A web server that gives one text to everybody.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

/// Answers until the test ends.
pub(crate) struct Web {
    url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    text: String,
    paths: Vec<String>,
}

impl Web {
    /// Serves `text`.
    pub(crate) fn start(text: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = State { text: text.to_owned(), paths: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = Vec::new();
                let mut buffer = [0; 4096];
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut buffer) {
                        Ok(count) if count > 0 => head.extend_from_slice(&buffer[..count]),
                        _ => break,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let mut state = shared.lock().expect("no panic");
                state.paths.extend(head.split(' ').nth(1).map(str::to_owned));
                let (length, text) = (state.text.len(), &state.text);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}"
                );
                // A client that has gone is not this server's matter.
                drop(stream.write_all(answer.as_bytes()));
            }
        });
        Self { url, state }
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Serves another text from now on.
    pub(crate) fn serve(&self, text: &str) {
        text.clone_into(&mut self.state.lock().expect("no panic").text);
    }

    /// The paths that were asked for.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.state.lock().expect("no panic").paths.clone()
    }
}
