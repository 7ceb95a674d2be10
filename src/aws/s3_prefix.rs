//! A place in S3.

use std::fmt;
use std::str::FromStr;

/// `s3://BUCKET/PREFIX`: a bucket, and where in it things are. As text it fits into a tag's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Prefix {
    bucket: String,
    prefix: String,
}

/// The longest value of a tag.
const LONGEST: usize = 256;

impl S3Prefix {
    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What keys begin with, without slashes at its ends; may be empty.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl fmt::Display for S3Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix.as_str() {
            "" => write!(f, "s3://{}", self.bucket),
            prefix => write!(f, "s3://{}/{prefix}", self.bucket),
        }
    }
}

impl FromStr for S3Prefix {
    type Err = String;

    /// Reads `s3://BUCKET`, or `s3://BUCKET/PREFIX` with or without a slash at its end.
    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return Err("it does not begin with `s3://`".to_owned());
        };
        if text.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes, which is what a tag can hold"));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        // Rules for names of buckets: Amazon S3 User Guide, "General purpose bucket naming rules".
        let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_bucket = (3..=63).contains(&bucket.len())
            && bucket.chars().all(|c| is_end(c) || c == '.' || c == '-')
            && bucket.starts_with(is_end)
            && bucket.ends_with(is_end);
        if !is_bucket {
            return Err(format!("`{bucket}` is no name of a bucket"));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        // In a URL `.` and `..` would lead elsewhere.
        let is_part = |part: &str| !matches!(part, "" | "." | "..");
        if !prefix.is_empty() && !prefix.split('/').all(is_part) {
            return Err(format!("`{prefix}` has a part that is empty, `.` or `..`"));
        }
        // What both keys and values of tags may hold.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.+=:@".contains(c);
        if let Some(other) = prefix.chars().find(|c| !is_plain(*c)) {
            let text = format!(
                "there is {other:?} in it; letters, digits and `-`, `_`, `.`, `+`, `=`, `:`, `@` will do"
            );
            return Err(text);
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_written() {
        let read = |text: &str| text.parse::<S3Prefix>().map(|place| place.to_string());
        for (text, written) in [
            ("s3://one", "s3://one"),
            ("s3://one/", "s3://one"),
            ("s3://a.b-c/of/builds", "s3://a.b-c/of/builds"),
            ("s3://one/of/builds/", "s3://one/of/builds"),
            ("s3://one/a_b.c+d=e:f@g", "s3://one/a_b.c+d=e:f@g"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(written), "{text}");
        }
        let place: S3Prefix = "s3://one/of/builds/".parse().unwrap();
        assert_eq!((place.bucket(), place.prefix()), ("one", "of/builds"));
        let long = format!("s3://one/{}", "x".repeat(250));
        for text in [
            "",
            "one",
            "S3://one",
            "s3://",
            "s3://ab",
            "s3://-one",
            "s3://one.",
            "s3://One",
            "s3://o_e",
            "s3://one//x",
            "s3://one/x//",
            "s3://one/../two",
            "s3://one/./x",
            "s3://one/a b",
            "s3://one/a?b",
            "s3://one/a%2f",
            "s3://one/é",
            &long,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
