//! Messages to a service, over as many connections as are needed at a time.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::connection::{Connection, Scheme, User};
use super::envelope::Request;
use super::failure::{Failure, Stage};
use super::link::{Link, authority};
use super::xml::Element;

/// How much longer than the service may take we wait for its answer.
const GRACE: Duration = Duration::from_secs(20);
/// Connections that are kept: commands read and write at the same time.
const KEPT: usize = 4;
/// How long one is kept: what stands between forgets silent connections without a word.
const KEEP: Duration = Duration::from_secs(60);

/// A service and a user of it.
pub(super) struct Client {
    link: Link,
    user: User,
    /// How the service calls itself.
    to: String,
    scheme: Mutex<Scheme>,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Client {
    pub(super) fn new(link: Link, user: User, ntlm: bool) -> Self {
        let scheme = if link.tls.is_some() { "https" } else { "http" };
        let to = format!("{scheme}://{}/wsman", authority(&link.host, link.port));
        let scheme = if ntlm { Scheme::Ntlm("Negotiate") } else { Scheme::Basic };
        Self { link, user, to, scheme: Mutex::new(scheme), idle: Mutex::default() }
    }

    /// Asks for something, which the service should do within `limit`.
    ///
    /// A connection that was kept and turns out to be gone is made again, unless the service may
    /// have begun something that must not be done twice.
    pub(super) async fn call(
        &self,
        request: &Request<'_>,
        limit: Duration,
    ) -> Result<Element, Failure> {
        let envelope =
            request.envelope(&self.to, limit).map_err(|text| Failure::fatal(Stage::Shell, text))?;
        let is_harmless = matches!(
            request,
            Request::Settings
                | Request::Create
                | Request::Delete { .. }
                | Request::Terminate { .. }
        );
        while let Some(mut connection) = self.kept() {
            match connection.exchange(&envelope, limit + GRACE).await {
                Err(failure)
                    if failure.fault.is_none()
                        && (failure.stage == Stage::Authentication
                            || !failure.sent
                            || is_harmless) =>
                {
                    tracing::debug!(failure.text, "a kept connection was of no use");
                }
                result => return self.done(connection, result),
            }
        }
        let mut connection = self.connect().await?;
        let result = connection.exchange(&envelope, limit + GRACE).await;
        let (Err(failure), Scheme::Basic) = (&result, self.scheme()) else {
            return self.done(connection, result);
        };
        // A fresh Windows takes NTLM only, and is no worse for it.
        let Some(other) = instead_of_basic(failure) else { return self.done(connection, result) };
        drop(connection);
        *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) = Scheme::Ntlm(other);
        let mut connection = self.connect().await?;
        let result = connection.exchange(&envelope, limit + GRACE).await;
        self.done(connection, result)
    }

    /// Where it is, for people.
    pub(super) fn address(&self) -> String {
        match &self.link.dial {
            Some(dial) => dial.name(),
            None => authority(&self.link.host, self.link.port),
        }
    }

    /// Where the last kept connection leads.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.last().and_then(|(connection, _)| connection.peer)
    }

    /// Drops the connections that are not in use.
    pub(super) fn hang_up(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn scheme(&self) -> Scheme {
        *self.scheme.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let scheme = self.scheme();
        match Connection::open(&self.link, &self.user, scheme).await {
            // An old proxy or service may know NTLM by its own name only.
            Err(failure)
                if scheme == Scheme::Ntlm("Negotiate")
                    && failure.stage == Stage::Authentication
                    && takes(&failure, "NTLM")
                    && !takes(&failure, "Negotiate") =>
            {
                let scheme = Scheme::Ntlm("NTLM");
                let connection = Connection::open(&self.link, &self.user, scheme).await?;
                *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) = scheme;
                Ok(connection)
            }
            result => result,
        }
    }

    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(connection, since)| !connection.is_closed() && since.elapsed() < KEEP);
        idle.pop().map(|(connection, _)| connection)
    }

    /// Keeps a connection that the service has answered on.
    fn done(
        &self,
        connection: Connection,
        result: Result<Element, Failure>,
    ) -> Result<Element, Failure> {
        let answered = match &result {
            Ok(_) => true,
            Err(failure) => failure.fault.is_some(),
        };
        if answered && !connection.is_closed() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < KEPT {
                idle.push((connection, Instant::now()));
            }
        }
        result
    }
}

/// How to log in where a service does not take the password itself.
fn instead_of_basic(failure: &Failure) -> Option<&'static str> {
    if failure.stage != Stage::Authentication || takes(failure, "Basic") {
        return None;
    }
    ["Negotiate", "NTLM"].into_iter().find(|scheme| takes(failure, scheme))
}

fn takes(failure: &Failure, scheme: &str) -> bool {
    failure.offered.iter().any(|offered| offered.eq_ignore_ascii_case(scheme))
}
