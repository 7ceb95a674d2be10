//! Environment variables of a script.

use std::collections::BTreeMap;

/// Splits `NAME=VALUE`.
pub(in crate::provision) fn split(text: &str) -> Result<(&str, &str), String> {
    match text.split_once('=') {
        Some(("", _)) => Err(format!("`{text}` has no name before the `=`")),
        Some(both) => Ok(both),
        None => Err(format!("`{text}` is not of the form `NAME=VALUE`")),
    }
}

/// Writes variables by a format with two `%s`, sorted by name. A `'` in a value is written so
/// that it stands in a word in single quotes.
///
/// # Errors
///
/// When the format is not one.
pub(in crate::provision) fn write(
    format: &str,
    variables: &BTreeMap<String, String>,
) -> Result<String, String> {
    write_escaped(format, variables, |value| value.replace('\'', r#"'"'"'"#))
}

/// Writes variables with values as another shell than that of POSIX reads them.
///
/// # Errors
///
/// When the format is not one.
pub(in crate::provision) fn write_escaped(
    format: &str,
    variables: &BTreeMap<String, String>,
    escape: impl Fn(&str) -> String,
) -> Result<String, String> {
    check(format)?;
    Ok(variables.iter().map(|(name, value)| fill(format, name, &escape(value))).collect())
}

/// Whether a format can be used.
pub(in crate::provision) fn check(format: &str) -> Result<(), String> {
    let filled = fill(format, "\0", "\u{1}");
    if filled.contains('\0') && filled.contains('\u{1}') && !filled.contains("%!") {
        Ok(())
    } else {
        Err("it must have one `%s` for the name and one for the value".into())
    }
}

/// Go's `Sprintf` with two strings, as far as it makes sense here: `%s`, `%[1]s`, `%[2]s`, `%%`.
/// Anything else leaves a `%!`, as in Go.
fn fill(format: &str, name: &str, value: &str) -> String {
    let mut text = String::new();
    let mut rest = format;
    let mut next = [name, value].into_iter();
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        rest = if let Some(after) = after.strip_prefix('s') {
            text.push_str(next.next().unwrap_or("%!s(MISSING)"));
            after
        } else if let Some(after) = after.strip_prefix("[1]s") {
            text.push_str(name);
            after
        } else if let Some(after) = after.strip_prefix("[2]s") {
            text.push_str(value);
            after
        } else if let Some(after) = after.strip_prefix('%') {
            text.push('%');
            after
        } else {
            text.push_str("%!");
            after
        };
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> BTreeMap<String, String> {
        [("B", "it's"), ("A", "1 2")].map(|(name, value)| (name.into(), value.into())).into()
    }

    #[test]
    fn variables_are_sorted_and_quoted() {
        assert_eq!(write("%s='%s' ", &variables()).unwrap(), r#"A='1 2' B='it'"'"'s' "#);
        assert_eq!(
            write("export %s='%s'\n", &variables()).unwrap(),
            "export A='1 2'\nexport B='it'\"'\"'s'\n"
        );
        assert_eq!(
            write("%[2]s<%[1]s %%\n", &variables()).unwrap().lines().next(),
            Some("1 2<A %")
        );
    }

    #[test]
    fn a_format_that_loses_something_is_refused() {
        for format in ["", "%s", "%s %d", "x", "%s %s %s", "%[1]s"] {
            assert!(check(format).is_err(), "{format}");
        }
    }

    #[test]
    fn a_variable_needs_a_name() {
        assert_eq!(split("A=b=c"), Ok(("A", "b=c")));
        assert_eq!(split("A="), Ok(("A", "")));
        assert!(split("A").is_err());
        assert!(split("=b").is_err());
    }
}
