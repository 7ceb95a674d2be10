//! One call: its JSON, and where it is for.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sandbox::cloud::{Cloud, CloudError, Page};
use crate::sandbox::endpoint::sessions::Sessions;

/// A decoded request.
pub(super) struct Request<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) sessions: &'a Sessions,
    pub(super) region: &'a str,
    pub(super) authority: &'a str,
    pub(super) empty_token: bool,
    pub(super) body: &'a Value,
}

impl Request<'_> {
    /// A text that may be absent; empty counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, CloudError> {
        self.text(name).ok_or_else(|| invalid(name, "Member must not be null"))
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.list(name).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// A list.
    pub(super) fn list(&self, name: &str) -> &[Value] {
        self.body.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// `MaxResults` within limits, and `NextToken`.
    pub(super) fn page(&self, least: i64, most: i64) -> Result<Page, CloudError> {
        let max_results = self.body.get("MaxResults").and_then(Value::as_i64);
        if max_results.is_some_and(|max| !(least..=most).contains(&max)) {
            let rule = format!("Member must have value between {least} and {most}");
            return Err(invalid("maxResults", &rule));
        }
        // Pages of fewer than five are EC2's to refuse, not ours.
        let max_results = Some(max_results.unwrap_or(most).max(5));
        Ok(Page { max_results, next_token: self.text("NextToken").map(str::to_owned) })
    }

    /// Name and values of each member of a list of filters, whose keys are spelled so.
    pub(super) fn filters(
        &self,
        list: &str,
        key: &str,
        values: &str,
    ) -> Vec<(String, Vec<String>)> {
        let texts = |value: Option<&Value>| match value {
            Some(Value::Array(values)) => {
                values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Some(Value::String(value)) => vec![value.clone()],
            _ => Vec::new(),
        };
        self.list(list)
            .iter()
            .map(|filter| {
                let key = filter.get(key).and_then(Value::as_str).unwrap_or_default();
                (key.to_owned(), texts(filter.get(values)))
            })
            .collect()
    }
}

/// The service's error for a parameter.
pub(super) fn invalid(parameter: &str, rule: &str) -> CloudError {
    CloudError::new(
        "ValidationException",
        format!(
            "1 validation error detected: Value at '{parameter}' failed to satisfy constraint: {rule}"
        ),
    )
}

/// A time as the protocol has it: seconds, with a fraction.
pub(super) fn time(time: Timestamp) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of our time fit")]
    let seconds = time.as_millisecond() as f64 / 1000.0;
    json!(seconds)
}
