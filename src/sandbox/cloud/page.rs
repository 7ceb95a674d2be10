//! `MaxResults` and `NextToken`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::CloudError;

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most this many; all when not given.
    pub max_results: Option<i64>,
    /// What the page before gave.
    pub next_token: Option<String>,
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paged<T> {
    /// The part.
    pub items: Vec<T>,
    /// Gives the next part, when there is one.
    pub next_token: Option<String>,
}

impl Page {
    /// Sorts by key and cuts. The token holds the last key, so that what comes and goes between
    /// two calls moves nothing.
    pub(crate) fn cut<T>(
        &self,
        mut items: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> Result<Paged<T>, CloudError> {
        items.sort_by_cached_key(&key);
        if let Some(token) = &self.next_token {
            let last = decode(token).ok_or_else(|| {
                CloudError::invalid(format!("The token '{token}' is invalid for NextToken"))
            })?;
            items.retain(|item| key(item) > last);
        }
        let Some(max) = self.max_results else {
            return Ok(Paged { items, next_token: None });
        };
        if max < 5 {
            return Err(CloudError::invalid(format!(
                "Value ( {max} ) for parameter maxResults is invalid. Expecting a value greater than 5."
            )));
        }
        let max = usize::try_from(max.min(1000)).unwrap_or(1000);
        let more = items.len() > max;
        items.truncate(max);
        let next_token = items
            .last()
            .filter(|_| more)
            .map(|last| URL_SAFE_NO_PAD.encode(format!("after {}", key(last))));
        Ok(Paged { items, next_token })
    }
}

fn decode(token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("after ").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_give_each_item_once() {
        let all: Vec<u32> = (0..23).rev().collect();
        let key = |n: &u32| format!("{n:03}");
        let mut page = Page { max_results: Some(10), next_token: None };
        let mut seen = Vec::new();
        loop {
            let part = page.cut(all.clone(), key).unwrap_or_else(|error| panic!("{error}"));
            seen.extend(part.items);
            match part.next_token {
                Some(token) => page.next_token = Some(token),
                None => break,
            }
        }
        assert_eq!(seen, (0..23).collect::<Vec<u32>>());
    }

    #[test]
    fn bad_tokens_and_small_pages_are_refused() {
        let key = |n: &u32| n.to_string();
        let token = Page { max_results: None, next_token: Some("nonsense".into()) };
        assert!(token.cut(vec![1], key).is_err());
        let small = Page { max_results: Some(4), next_token: None };
        assert!(small.cut(vec![1], key).is_err());
    }
}
