//! The function `vault`: a key of a secret of HashiCorp Vault.

use serde::Deserialize;
use serde_json::Value as Json;

use super::fetch;
use super::resolver::{Surroundings, base_url};
use crate::template::lookup::{Answer, Refusal};
use crate::value::Value;

/// Where Vault listens unless VAULT_ADDR says otherwise.
const ADDRESS: &str = "https://127.0.0.1:8200";

/// What is asked.
#[derive(Deserialize)]
pub(super) struct Call {
    path: String,
    key: String,
    /// A version of a secret of the key-value engine's second version.
    version: Option<u64>,
}

/// Asks Vault: a secret of the key-value engine's second version, else of the first.
pub(super) async fn answer(surroundings: &Surroundings, call: Call) -> Result<Answer, Refusal> {
    let token = surroundings.variable("VAULT_TOKEN").ok_or_else(|| {
        Refusal::new("VAULT_TOKEN is not set")
            .hint("run `vault login`, then `export VAULT_TOKEN=…`")
    })?;
    let address = surroundings.variable("VAULT_ADDR").unwrap_or(ADDRESS);
    let mut builder = fetch::with_token();
    if let Some(file) = surroundings.variable("VAULT_CACERT") {
        builder = fetch::trusting(builder, "VAULT_CACERT", file)?;
    }
    if surroundings.is_true("VAULT_SKIP_VERIFY") {
        builder = builder.danger_accept_invalid_certs(true);
    }
    let client = fetch::build(builder)?;
    let mut url = base_url("VAULT_ADDR", address)?;
    let path = call.path.trim_matches('/');
    extend(&mut url, std::iter::once("v1").chain(path.split('/')))?;
    if let Some(version) = call.version {
        url.query_pairs_mut().append_pair("version", &version.to_string());
    }
    let mut request =
        client.get(url).header("X-Vault-Token", token).header("X-Vault-Request", "true");
    if let Some(namespace) = surroundings.variable("VAULT_NAMESPACE") {
        request = request.header("X-Vault-Namespace", namespace);
    }
    let fetched = fetch::fetch(request).await.map_err(|refusal| {
        let message = format!("cannot read `{path}` from Vault at {address}: {}", refusal.message);
        Refusal { message, ..refusal }.hint("the address comes from VAULT_ADDR")
    })?;
    let body: Json = serde_json::from_slice(&fetched.body).unwrap_or_default();
    if !fetched.status.is_success() {
        return Err(refused(&fetched.status, &body, path));
    }
    value_of(&body, path, &call.key)
}

fn extend<'p>(url: &mut reqwest::Url, parts: impl Iterator<Item = &'p str>) -> Result<(), Refusal> {
    url.path_segments_mut()
        .map_err(|()| Refusal::new("VAULT_ADDR is no address of a server"))?
        .pop_if_empty()
        .extend(parts);
    Ok(())
}

fn refused(status: &reqwest::StatusCode, body: &Json, path: &str) -> Refusal {
    let errors = body.get("errors").and_then(Json::as_array);
    let errors: Vec<_> = errors.into_iter().flatten().filter_map(Json::as_str).collect();
    let said = if errors.is_empty() { String::new() } else { format!(": {}", errors.join("; ")) };
    let refusal = Refusal::new(format!("Vault answers {status} for `{path}`{said}"));
    match status.as_u16() {
        403 => refusal.hint("does the token have `read` on this path, and is it still valid?"),
        404 => refusal.hint(
            "the second version of the key-value engine has `data/` after the mount: `secret/data/NAME`",
        ),
        _ => refusal,
    }
}

fn value_of(body: &Json, path: &str, key: &str) -> Result<Answer, Refusal> {
    let data = body.get("data").unwrap_or(&Json::Null);
    let (secret, version) = match data.get("data") {
        Some(inner @ Json::Object(_)) => (inner, data.pointer("/metadata/version")),
        _ => (data, None),
    };
    let Json::Object(all) = secret else {
        return Err(Refusal::new(format!("there is no secret at `{path}`")));
    };
    let value = match all.get(key) {
        Some(Json::String(text)) => text.clone(),
        Some(Json::Number(number)) => number.to_string(),
        Some(Json::Bool(truth)) => truth.to_string(),
        Some(_) => {
            let message = format!("`{key}` in the secret `{path}` is neither text nor a number");
            return Err(Refusal::new(message));
        }
        None => {
            let names = all.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(Refusal::new(format!("the secret `{path}` has no key `{key}`"))
                .hint(format!("it has {names}")));
        }
    };
    let identity = version.map(|version| format!("vault:{path}#{version}"));
    Ok(Answer::Found { value: Value::string(value), identity })
}
