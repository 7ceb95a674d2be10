//! Secrets Manager: the data source `amazon-secretsmanager`, and the functions
//! `aws_secretsmanager` and `aws_secretsmanager_raw`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::aws_access::access;
use super::resolver::{Clients, of_aws};
use crate::aws::{Access, AccessOptions, SecretQuery, SecretValue};
use crate::template::data_source::{DataReader, DataSourceKind, Output, Reading};
use crate::template::lookup::{Answer, Refusal};
use crate::value::Value;

/// The stage of the version that counts.
const CURRENT: &str = "AWSCURRENT";

pub(super) const KIND: DataSourceKind = DataSourceKind {
    name: "amazon-secretsmanager",
    schema: SecretsManagerOptions::schema,
    outputs: &[
        Output::text("value"),
        Output::text("secret_string"),
        Output::text("secret_binary"),
        Output::text("version_id"),
    ],
    sensitive: true,
    read,
};

crate::options! {
    /// A secret of Secrets Manager.
    struct SecretsManagerOptions {
        /// Account and region.
        flat access: AccessOptions,
        /// The secret's name or ARN.
        hashed name: String,
        /// A key in the secret's JSON; needed for `value` when there are several.
        hashed key: Option<String>,
        /// A version.
        hashed version_id: Option<String>,
        /// A stage.
        hashed version_stage: String = CURRENT.to_owned(),
    }
}

/// What a data source asks.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    access: Access,
    name: String,
    key: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
}

/// What a function asks.
#[derive(Deserialize)]
pub(super) struct Call {
    name: String,
    key: Option<String>,
    version_id: Option<String>,
}

fn read(reader: &mut DataReader<'_>) -> Option<Reading> {
    let options =
        reader.decode(SecretsManagerOptions::schema(), SecretsManagerOptions::decode_options)?;
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let version_id = some(options.version_id);
    // AWS takes both only where they mean the same version.
    let stage = Some(options.version_stage)
        .filter(|_| version_id.is_none() || reader.is_given("version_stage"));
    let request = Request {
        access: access(&options.access, reader),
        name: options.name,
        key: some(options.key),
        version_id,
        version_stage: some(stage),
    };
    serde_json::to_value(request).ok().map(Reading::Ask)
}

/// Asks for a data source.
pub(super) async fn answer(clients: &Clients, request: Request) -> Result<Answer, Refusal> {
    let Request { access, name, key, version_id, version_stage } = request;
    let query = SecretQuery { name, version_id, version_stage };
    let secret = fetch(clients, access, &query).await?;
    let value = match (&secret.string, key) {
        (None, Some(_)) => return Err(Refusal::new("the secret is binary and has no keys")),
        (None, None) => Value::null(),
        (Some(text), Some(key)) => Value::string(value_of(text, Some(&key))?),
        // `secret_string` may be all that is asked of a secret with several keys.
        (Some(text), None) => value_of(text, None).map_or(Value::null(), Value::string),
    };
    let text = |text: &Option<String>| Value::string(text.as_deref().unwrap_or_default());
    Ok(Answer::Found {
        identity: Some(identity(&secret)),
        value: Value::object(BTreeMap::from([
            ("value".to_owned(), value),
            ("secret_string".to_owned(), text(&secret.string)),
            ("secret_binary".to_owned(), text(&secret.binary)),
            ("version_id".to_owned(), Value::string(&secret.version_id)),
        ])),
    })
}

/// Asks for a function; `raw` gives the text as it is.
pub(super) async fn answer_call(
    clients: &Clients,
    call: Call,
    raw: bool,
) -> Result<Answer, Refusal> {
    let version_stage = call.version_id.is_none().then(|| CURRENT.to_owned());
    let query = SecretQuery { name: call.name, version_id: call.version_id, version_stage };
    let secret = fetch(clients, Access::default(), &query).await?;
    let Some(text) = &secret.string else {
        return Err(Refusal::new("the secret is binary")
            .hint("`data \"amazon-secretsmanager\"` has `secret_binary`, in base64"));
    };
    let value = if raw { text.clone() } else { value_of(text, call.key.as_deref())? };
    Ok(Answer::Found { value: Value::string(value), identity: Some(identity(&secret)) })
}

async fn fetch(
    clients: &Clients,
    access: Access,
    query: &SecretQuery,
) -> Result<SecretValue, Refusal> {
    let client = clients.client(access).await?;
    client.secret_value(query).await.map_err(|error| {
        if error.is_not_found() {
            let (name, region) = (&query.name, client.region());
            return Refusal::new(format!(
                "there is no secret `{name}` in {region}: {}",
                error.message
            ))
            .hint("secrets belong to one region and account: check both and the name");
        }
        of_aws(&error)
    })
}

fn identity(secret: &SecretValue) -> String {
    format!("{}#{}", secret.arn, secret.version_id)
}

/// The value of a key of a secret that is JSON; without a key the text, or the only value.
fn value_of(text: &str, key: Option<&str>) -> Result<String, Refusal> {
    let Ok(Json::Object(all)) = serde_json::from_str(text) else {
        return match key {
            None => Ok(text.to_owned()),
            Some(key) => {
                Err(Refusal::new(format!("the secret has no key `{key}`: it is no JSON object")))
            }
        };
    };
    let names = all.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let value = match key {
        Some(key) => all.get(key).ok_or_else(|| {
            Refusal::new(format!("the secret has no key `{key}`")).hint(format!("it has {names}"))
        })?,
        None if all.len() == 1 => match all.values().next() {
            Some(only) => only,
            None => return Err(Refusal::new("the secret has no keys")),
        },
        None => {
            return Err(Refusal::new(format!("the secret has {} keys", all.len()))
                .hint(format!("say which one: {names}")));
        }
    };
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(truth) => Ok(truth.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => {
            Err(Refusal::new("the value in the secret is neither text nor a number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_secret() {
        let refused = |text, key| value_of(text, key).expect_err("a refusal").message;
        assert_eq!(value_of("plain", None).expect("text"), "plain");
        assert_eq!(value_of("[1]", None).expect("text"), "[1]");
        assert_eq!(value_of(r#"{"a":"x"}"#, None).expect("the only one"), "x");
        assert_eq!(value_of(r#"{"a":"x","b":8080}"#, Some("b")).expect("a number"), "8080");
        assert_eq!(refused(r#"{"a":"x","b":"y"}"#, None), "the secret has 2 keys");
        assert_eq!(refused(r#"{"a":"x"}"#, Some("b")), "the secret has no key `b`");
        assert_eq!(refused("plain", Some("b")), "the secret has no key `b`: it is no JSON object");
        assert!(refused(r#"{"a":[1]}"#, None).contains("neither text nor a number"));
        assert!(!refused(r#"{"a":["hunter2"]}"#, None).contains("hunter2"));
    }
}
