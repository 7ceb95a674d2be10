//! Filters of Describe calls: all must match, each by any of its values.

use super::{CloudError, Tags};

/// At most this many values in one filter, as on EC2.
const MAX_VALUES: usize = 200;

/// One filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// `name`, `tag:Owner`, `tag-key`, …
    pub name: String,
    /// Patterns with `*` and `?`; a backslash takes a character as it is.
    pub values: Vec<String>,
}

/// What a filter compares: its name, and the values that a resource has for it.
pub(crate) type Field<T> = (&'static str, fn(&T) -> Vec<String>);

/// A resource that filters select.
pub(crate) trait Filterable: Sized + 'static {
    /// All filters that EC2 takes for it, but the ones about tags.
    const FIELDS: &'static [Field<Self>];

    /// Its tags; `None` when it cannot have any.
    fn tags(&self) -> Option<&Tags>;
}

/// Keeps what all filters match, or names the filter that does not exist.
pub(crate) fn select<T: Filterable>(
    resources: impl IntoIterator<Item = T>,
    filters: &[Filter],
) -> Result<Vec<T>, CloudError> {
    for filter in filters {
        let about_tags = filter.name == "tag-key" || filter.name.starts_with("tag:");
        if !about_tags && !T::FIELDS.iter().any(|(name, _)| *name == filter.name) {
            return Err(CloudError::invalid(format!("The filter '{}' is invalid", filter.name)));
        }
        if filter.values.is_empty() {
            return Err(CloudError::invalid(format!("The filter '{}' has no values", filter.name)));
        }
        if filter.values.len() > MAX_VALUES {
            return Err(CloudError::new(
                "FilterLimitExceeded",
                format!(
                    "The maximum number of filter values specified on a single call is {MAX_VALUES}"
                ),
            ));
        }
    }
    let matching = |resource: &T| filters.iter().all(|filter| matches(resource, filter));
    Ok(resources.into_iter().filter(matching).collect())
}

fn matches<T: Filterable>(resource: &T, filter: &Filter) -> bool {
    let any = |value: &str| filter.values.iter().any(|pattern| wildcard(pattern, value));
    if let Some(key) = filter.name.strip_prefix("tag:") {
        return resource.tags().and_then(|tags| tags.get(key)).is_some_and(|value| any(value));
    }
    if filter.name == "tag-key" {
        return resource.tags().is_some_and(|tags| tags.keys().any(|key| any(key)));
    }
    T::FIELDS
        .iter()
        .filter(|(name, _)| *name == filter.name)
        .any(|(_, values)| values(resource).iter().any(|value| any(value)))
}

/// Whether a pattern with `*`, `?` and `\` matches a whole text. Takes time in the product of
/// the lengths, whatever the pattern.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    enum Part {
        Many,
        One,
        Char(char),
    }
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Many,
            '?' => Part::One,
            '\\' => Part::Char(chars.next().unwrap_or('\\')),
            c => Part::Char(c),
        });
    }
    // `reached[n]`: the parts so far match the first n characters.
    let text: Vec<char> = text.chars().collect();
    let mut reached: Vec<bool> = (0..=text.len()).map(|n| n == 0).collect();
    for part in &parts {
        let before = reached;
        let mut open = false;
        reached = Vec::with_capacity(before.len());
        for (n, was) in before.iter().enumerate() {
            let step_from = n.checked_sub(1).and_then(|m| Some((*before.get(m)?, *text.get(m)?)));
            reached.push(match part {
                Part::Many => {
                    open |= was;
                    open
                }
                Part::One => step_from.is_some_and(|(was, _)| was),
                Part::Char(c) => step_from.is_some_and(|(was, found)| was && found == *c),
            });
        }
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_whole_texts() {
        for (pattern, text, expected) in [
            ("al2023-ami-*-x86_64", "al2023-ami-2023.6.1-kernel-6.1-x86_64", true),
            ("al2023-ami-*-x86_64", "al2023-ami-2023.6.1-kernel-6.1-arm64", false),
            ("*", "", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a\\*c", "a*c", true),
            ("a\\*c", "abc", false),
            ("a\\", "a\\", true),
            ("[ab]", "a", false),
            ("[ab]", "[ab]", true),
            ("*a*b*", "xxaxxbxx", true),
            ("é*", "été", true),
            ("abc", "abcd", false),
            ("", "", true),
        ] {
            assert_eq!(wildcard(pattern, text), expected, "{pattern} against {text}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = "*a".repeat(200);
        assert!(!wildcard(&pattern, &"a".repeat(199)));
        assert!(wildcard(&pattern, &"a".repeat(200)));
    }
}
