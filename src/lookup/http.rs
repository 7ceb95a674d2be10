//! The data source `http`: what a URL answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fetch;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::template::data_source::{DataReader, DataSourceKind, Output, Reading};
use crate::template::lookup::{Answer, Refusal};
use crate::value::Value;

const METHODS: [&str; 7] = ["HEAD", "GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

pub(super) const KIND: DataSourceKind = DataSourceKind {
    name: "http",
    schema: HttpOptions::schema,
    outputs: &[
        Output::text("url"),
        Output::text("body"),
        // Packer's name for the headers of the answer, and what they are.
        Output::texts("request_headers"),
        Output::texts("response_headers"),
    ],
    sensitive: false,
    read,
};

crate::options! {
    /// What a URL answers.
    struct HttpOptions {
        /// The URL, of `http` or `https`.
        hashed url: String,
        /// HEAD, GET, POST, PUT, DELETE, OPTIONS or PATCH.
        hashed method: String = "GET".to_owned(),
        /// Headers to send.
        hashed request_headers: BTreeMap<String, String>,
        /// What to send.
        hashed request_body: Option<String>,
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    url: String,
    method: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
}

fn read(reader: &mut DataReader<'_>) -> Option<Reading> {
    let options = reader.decode(HttpOptions::schema(), HttpOptions::decode_options)?;
    let wrong =
        |summary: String, help: String| Diagnostic::error("wrong-value", summary).help(help);
    let method = options.method.to_ascii_uppercase();
    if !METHODS.contains(&method.as_str()) {
        let hint = did_you_mean(&method, METHODS);
        let help = hint.unwrap_or_else(|| format!("methods are {}", METHODS.join(", ")));
        reader.error("method", wrong(format!("`{}` is no method", options.method), help));
    }
    match reqwest::Url::parse(&options.url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {}
        Ok(url) => {
            let summary = format!("`{}` is no scheme that bake knows", url.scheme());
            reader.error("url", wrong(summary, "write `https://…` or `http://…`".to_owned()));
        }
        Err(error) => {
            let summary = format!("this is no URL: {error}");
            reader.error("url", wrong(summary, "write `https://HOST/PATH`".to_owned()));
        }
    }
    for (name, value) in &options.request_headers {
        if reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
            let help = "letters, digits and `-` only".to_owned();
            let finding = wrong(format!("`{name}` cannot name a header"), help);
            reader.error("request_headers", finding);
        } else if reqwest::header::HeaderValue::from_str(value).is_err() {
            let help = "a header is one line without control characters".to_owned();
            let finding = wrong(format!("the header `{name}` cannot have this value"), help);
            reader.error("request_headers", finding);
        }
    }
    let request = Request {
        url: options.url,
        method,
        headers: options.request_headers,
        body: options.request_body,
    };
    serde_json::to_value(request).ok().map(Reading::Ask)
}

/// Asks the URL.
pub(super) async fn answer(client: &reqwest::Client, request: Request) -> Result<Answer, Refusal> {
    let Request { url, method, headers, body } = request;
    let method = method.parse().map_err(|_| Refusal::new(format!("`{method}` is no method")))?;
    let mut sent = client.request(method, &url);
    for (name, value) in &headers {
        sent = sent.header(name, value);
    }
    if let Some(body) = body {
        sent = sent.body(body);
    }
    let shown = shown(&url);
    let fetched = fetch::fetch(sent).await.map_err(|refusal| Refusal {
        message: format!("{shown} cannot be read: {}", refusal.message),
        ..refusal
    })?;
    if !fetched.status.is_success() {
        let status = fetch::status(fetched.status);
        return Err(Refusal::new(format!("{shown} answers {status}")));
    }
    let text = String::from_utf8(fetched.body).map_err(|_| {
        Refusal::new("the answer is not UTF-8").hint("only text can be a value in a template")
    })?;
    let mut headers: BTreeMap<String, Value> = BTreeMap::new();
    for name in fetched.headers.keys() {
        let values = fetched.headers.get_all(name).iter();
        let values: Vec<_> =
            values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        headers.insert(canonical_name(name.as_str()), Value::string(values.join(", ")));
    }
    let headers = Value::object(headers);
    Ok(Answer::found(Value::object(BTreeMap::from([
        ("url".to_owned(), Value::string(url)),
        ("body".to_owned(), Value::string(text)),
        ("request_headers".to_owned(), headers.clone()),
        ("response_headers".to_owned(), headers),
    ]))))
}

/// A URL without its password, and without its query, which often is one.
fn shown(url: &str) -> String {
    let Ok(mut url) = reqwest::Url::parse(url) else { return url.to_owned() };
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for URLs that cannot have one.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.to_string()
}

/// The spelling that templates written for Packer expect: `Content-Type`.
fn canonical_name(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}
