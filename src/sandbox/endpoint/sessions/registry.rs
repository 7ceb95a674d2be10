//! The sessions that were started.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::agent::Agent;
use super::document::Target;
use super::link::Link;
use super::upgrade::PATH;
use crate::communicator::ssm::message::OpenDataChannel;
use crate::sandbox::cloud::{Cloud, CloudError};

/// What follows the path of a data channel. The second value is not encoded, as on AWS.
pub(super) const QUERY: &str = "role=publish_subscribe&cell-number=AAEAAZ+/sandbox==";

/// StartSession.
#[derive(Clone, Debug, Default)]
pub(in crate::sandbox::endpoint) struct StartSession {
    /// The instance.
    pub(in crate::sandbox::endpoint) target: String,
    /// The document; empty for the account's own.
    pub(in crate::sandbox::endpoint) document: String,
    /// Its parameters.
    pub(in crate::sandbox::endpoint) parameters: BTreeMap<String, Vec<String>>,
    /// For people.
    pub(in crate::sandbox::endpoint) reason: String,
}

/// A session.
#[derive(Debug)]
pub(in crate::sandbox::endpoint) struct Session {
    /// Its id.
    pub(in crate::sandbox::endpoint) id: String,
    /// The region that it was started in.
    pub(in crate::sandbox::endpoint) region: String,
    /// What it was started with.
    pub(in crate::sandbox::endpoint) request: StartSession,
    /// When.
    pub(in crate::sandbox::endpoint) started: Timestamp,
    links: mpsc::Sender<Link>,
    end: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: String,
    client_id: Option<String>,
    request_ids: BTreeSet<String>,
    ended: Option<Timestamp>,
}

impl Session {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it ended, if it has.
    pub(in crate::sandbox::endpoint) fn ended(&self) -> Option<Timestamp> {
        self.state().ended
    }

    /// Nothing can be attached to it any more.
    pub(super) fn set_ended(&self) {
        self.state().ended.get_or_insert_with(Timestamp::now);
    }

    /// A fresh token, the only one that is good from now on; empty when the session has ended.
    pub(in crate::sandbox::endpoint) fn renew(&self) -> String {
        let mut state = self.state();
        if state.ended.is_some() {
            return String::new();
        }
        state.token = fresh_token();
        state.token.clone()
    }

    /// Where its data channel is.
    pub(in crate::sandbox::endpoint) fn url(&self, authority: &str) -> String {
        format!("ws://{authority}{PATH}{}?{QUERY}", self.id)
    }

    /// Lets a client in by its first message.
    ///
    /// # Errors
    /// What is wrong with the message.
    pub(super) fn admit(&self, first: &str) -> Result<(), String> {
        let open: OpenDataChannel =
            serde_json::from_str(first).map_err(|error| format!("the first message: {error}"))?;
        let uuid = |name: &str, text: &str| match uuid::Uuid::parse_str(text) {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("{name} `{text}` is not a UUID")),
        };
        if open.message_schema_version != "1.0" {
            return Err("MessageSchemaVersion is not 1.0".to_owned());
        }
        uuid("RequestId", &open.request_id)?;
        uuid("ClientId", &open.client_id)?;
        let version: Vec<Option<u32>> =
            open.client_version.split('.').map(|part| part.parse().ok()).collect();
        if version.len() != 4 || version.contains(&None) {
            return Err(format!("ClientVersion `{}` is not four numbers", open.client_version));
        }
        let mut state = self.state();
        if state.ended.is_some() {
            return Err("the session has ended".to_owned());
        }
        if open.token_value != state.token {
            return Err("the token is not the last one that was given for this session".to_owned());
        }
        if !state.request_ids.insert(open.request_id) {
            return Err("RequestId was used before".to_owned());
        }
        let known = state.client_id.get_or_insert_with(|| open.client_id.clone());
        if *known != open.client_id {
            return Err(format!("ClientId was {known} before, and is {} now", open.client_id));
        }
        Ok(())
    }

    /// Gives a socket to the session's agent; whether it still takes any.
    pub(super) async fn attach(&self, link: Link) -> bool {
        self.links.send(link).await.is_ok()
    }
}

fn fresh_token() -> String {
    format!("AAEAA{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

/// All sessions.
#[derive(Debug)]
pub(in crate::sandbox::endpoint) struct Sessions {
    all: Mutex<BTreeMap<String, Arc<Session>>>,
    pub(super) tasks: TaskTracker,
    pub(super) closing: CancellationToken,
}

impl Sessions {
    /// None yet. Their tasks are tracked, and end at closing time.
    pub(in crate::sandbox::endpoint) fn new(
        tasks: TaskTracker,
        closing: CancellationToken,
    ) -> Self {
        Self { all: Mutex::default(), tasks, closing }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Session>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of them.
    pub(in crate::sandbox::endpoint) fn get(&self, id: &str) -> Option<Arc<Session>> {
        self.all().get(id).cloned()
    }

    /// Those of a region, newest first.
    pub(in crate::sandbox::endpoint) fn list(&self, region: &str) -> Vec<Arc<Session>> {
        let mut found: Vec<Arc<Session>> =
            self.all().values().filter(|session| session.region == region).cloned().collect();
        found.sort_by_key(|session| std::cmp::Reverse(session.started));
        found
    }

    /// Starts one; its first token is in it. Must be called within a tokio runtime.
    pub(in crate::sandbox::endpoint) fn start(
        &self,
        cloud: &Cloud,
        region: &str,
        request: StartSession,
    ) -> Result<Arc<Session>, CloudError> {
        let target = Target::of(&request.document, &request.parameters)?;
        let connection = cloud.agent_connection(region, &request.target).ok_or_else(|| {
            CloudError::new("TargetNotConnected", format!("{} is not connected.", request.target))
        })?;
        let (links, arriving) = mpsc::channel(1);
        let session = Arc::new(Session {
            id: format!("sandbox-0{:016x}", rand::random::<u64>()),
            region: region.to_owned(),
            request,
            started: Timestamp::now(),
            links,
            end: CancellationToken::new(),
            state: Mutex::default(),
        });
        let agent = Agent::new(session.clone(), cloud.clone(), target, connection);
        let (end, closing) = (session.end.clone(), self.closing.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = agent.run(arriving, end) => {}
                () = closing.cancelled() => {}
            }
        });
        self.all().insert(session.id.clone(), session.clone());
        Ok(session)
    }

    /// Ends one, if it is there.
    pub(in crate::sandbox::endpoint) fn terminate(&self, id: &str) {
        if let Some(session) = self.get(id) {
            session.set_ended();
            session.end.cancel();
        }
    }
}
