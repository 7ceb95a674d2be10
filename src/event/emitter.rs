//! The way from a run to its renderers.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::{Event, Fact};

/// Events that may wait for a slow renderer before the run waits for it too.
const CAPACITY: usize = 4096;

/// Emits facts in the name of one build, or of the whole run.
#[derive(Clone)]
pub struct Emitter {
    build: Option<Arc<str>>,
    sender: mpsc::Sender<Event>,
}

/// An emitter for the whole run and the end at which renderers listen. The stream ends when the
/// last emitter is gone.
pub fn channel() -> (Emitter, mpsc::Receiver<Event>) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Emitter { build: None, sender }, receiver)
}

impl Emitter {
    /// The same way, in the name of `build`.
    #[must_use]
    pub fn of_build(&self, build: &str) -> Self {
        Self { build: Some(build.into()), sender: self.sender.clone() }
    }

    /// Tells a fact; waits while the renderer is far behind. Without a listener nothing happens.
    pub async fn emit(&self, fact: Fact) {
        drop(self.sender.send(self.event(fact)).await);
    }

    /// Tells a fact that may be lost when the renderer is far behind, such as progress.
    pub fn emit_lossy(&self, fact: Fact) {
        drop(self.sender.try_send(self.event(fact)));
    }

    fn event(&self, fact: Fact) -> Event {
        #[expect(clippy::disallowed_methods, reason = "the one place where events get their time")]
        let at = SystemTime::now();
        Event { at, build: self.build.clone(), fact }
    }
}
