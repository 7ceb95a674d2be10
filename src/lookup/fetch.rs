//! HTTP requests of look-ups: bounded in time and size.

use std::error::Error;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, StatusCode};

use crate::template::lookup::Refusal;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long all of a request may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of the largest answer that is taken.
const LARGEST: usize = 16 << 20;

/// An answer that arrived as a whole.
pub(super) struct Fetched {
    pub(super) status: StatusCode,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: Vec<u8>,
}

/// A client that goes through the proxies of the environment.
pub(super) fn builder() -> ClientBuilder {
    Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .user_agent(concat!("bake/", env!("CARGO_PKG_VERSION")))
}

/// A client that carries a token: it follows a server to another of its cluster, and nowhere
/// where the token could be read on the way.
pub(super) fn with_token() -> ClientBuilder {
    builder().redirect(Policy::custom(|attempt| {
        let secure = attempt.previous().iter().any(|url| url.scheme() == "https");
        if attempt.previous().len() > 2 || (secure && attempt.url().scheme() != "https") {
            return attempt.stop();
        }
        attempt.follow()
    }))
}

/// A client that also trusts the certificates in a PEM file.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub(super) fn trusting(
    builder: ClientBuilder,
    variable: &str,
    file: &str,
) -> Result<ClientBuilder, Refusal> {
    let refused = |error: &dyn std::fmt::Display| {
        Refusal::new(format!("cannot use the certificates in `{file}`: {error}"))
            .hint(format!("{variable} names a file with certificates in PEM form"))
    };
    let pem = std::fs::read(file).map_err(|error| refused(&error))?;
    let all = Certificate::from_pem_bundle(&pem).map_err(|error| refused(&chain(&error)))?;
    if all.is_empty() {
        return Err(refused(&"there is none"));
    }
    Ok(all.into_iter().fold(builder, ClientBuilder::add_root_certificate))
}

/// Makes the client.
pub(super) fn build(builder: ClientBuilder) -> Result<Client, Refusal> {
    builder.build().map_err(|error| Refusal::new(chain(&error)))
}

/// Sends a request and reads the whole answer, whatever its status.
pub(super) async fn fetch(request: RequestBuilder) -> Result<Fetched, Refusal> {
    let failed = |error: reqwest::Error| {
        let hint = if error.is_connect() || error.is_timeout() {
            Some("can this machine reach it (proxy, VPN, DNS)?")
        } else {
            None
        };
        // The URL may have a password in it.
        let refusal = Refusal::new(chain(&error.without_url()));
        hint.into_iter().fold(refusal, Refusal::hint)
    };
    let mut response: Response = request.send().await.map_err(failed)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > LARGEST {
            let most = LARGEST >> 20;
            return Err(Refusal::new(format!("the answer is larger than {most} MiB")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched { status: response.status(), headers: response.headers().clone(), body })
}

/// A status for people: `404 Not Found`.
pub(super) fn status(status: StatusCode) -> String {
    status.to_string()
}

/// The causes from the outermost to the root, without repeating one.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text += ": ";
            text += &cause;
        }
        next = error.source();
    }
    text
}
