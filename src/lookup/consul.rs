//! The function `consul_key`: a value of Consul's key-value store.

use serde::Deserialize;

use super::fetch;
use super::resolver::{Surroundings, base_url};
use crate::template::lookup::{Answer, Refusal};
use crate::value::Value;

/// Where Consul's agent listens unless CONSUL_HTTP_ADDR says otherwise.
const ADDRESS: &str = "127.0.0.1:8500";

/// What is asked.
#[derive(Deserialize)]
pub(super) struct Call {
    key: String,
}

/// Asks Consul.
pub(super) async fn answer(surroundings: &Surroundings, call: Call) -> Result<Answer, Refusal> {
    let address = surroundings.variable("CONSUL_HTTP_ADDR").unwrap_or(ADDRESS);
    let scheme = if surroundings.is_true("CONSUL_HTTP_SSL") { "https" } else { "http" };
    let whole = match address.contains("://") {
        true => address.to_owned(),
        false => format!("{scheme}://{address}"),
    };
    let mut builder = fetch::with_token();
    if let Some(file) = surroundings.variable("CONSUL_CACERT") {
        builder = fetch::trusting(builder, "CONSUL_CACERT", file)?;
    }
    if surroundings.is_false("CONSUL_HTTP_SSL_VERIFY") {
        builder = builder.danger_accept_invalid_certs(true);
    }
    let client = fetch::build(builder)?;
    let mut url = base_url("CONSUL_HTTP_ADDR", &whole)?;
    let key = call.key.trim_start_matches('/');
    url.path_segments_mut()
        .map_err(|()| Refusal::new("CONSUL_HTTP_ADDR is no address of a server"))?
        .pop_if_empty()
        .extend(["v1", "kv"].into_iter().chain(key.split('/')));
    url.query_pairs_mut().append_key_only("raw");
    if let Some(namespace) = surroundings.variable("CONSUL_NAMESPACE") {
        url.query_pairs_mut().append_pair("ns", namespace);
    }
    let mut request = client.get(url);
    if let Some(token) = token(surroundings)? {
        request = request.header("X-Consul-Token", token);
    }
    if let Some(login) = surroundings.variable("CONSUL_HTTP_AUTH") {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        request = request.basic_auth(user, Some(password));
    }
    let fetched = fetch::fetch(request).await.map_err(|refusal| {
        let message = format!("cannot read `{key}` from Consul at {address}: {}", refusal.message);
        Refusal { message, ..refusal }.hint("the address comes from CONSUL_HTTP_ADDR")
    })?;
    match fetched.status.as_u16() {
        200..=299 => {}
        404 => return Err(Refusal::new(format!("Consul at {address} has no key `{key}`"))),
        403 => {
            return Err(Refusal::new(format!("Consul at {address} refuses to read `{key}`"))
                .hint("does the token in CONSUL_HTTP_TOKEN have `key_prefix` read on it?"));
        }
        _ => {
            let status = fetch::status(fetched.status);
            return Err(Refusal::new(format!("Consul at {address} answers {status} for `{key}`")));
        }
    }
    let text = String::from_utf8(fetched.body)
        .map_err(|_| Refusal::new(format!("the value of `{key}` is not UTF-8")))?;
    if text.is_empty() {
        return Err(Refusal::new(format!("the value of `{key}` is empty")));
    }
    Ok(Answer::found(Value::string(text)))
}

fn token(surroundings: &Surroundings) -> Result<Option<String>, Refusal> {
    if let Some(token) = surroundings.variable("CONSUL_HTTP_TOKEN") {
        return Ok(Some(token.to_owned()));
    }
    let Some(file) = surroundings.variable("CONSUL_HTTP_TOKEN_FILE") else { return Ok(None) };
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) => Err(Refusal::new(format!("cannot read `{file}`: {error}"))
            .hint("CONSUL_HTTP_TOKEN_FILE names a file with the token")),
    }
}
