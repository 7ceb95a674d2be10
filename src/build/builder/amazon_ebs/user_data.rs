//! User data as RunInstances wants it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// How user data begins, by which text in base64 is told from text that merely looks like it.
const BEGINNINGS: &[&[u8]] = &[
    b"#!",
    b"#cloud-config",
    b"#cloud-boothook",
    b"#include",
    b"#part-handler",
    b"## template",
    b"Content-Type:",
    b"MIME-Version:",
    b"From ",
    b"<script",
    b"<powershell",
    b"\x1f\x8b",
];

/// Base64 of what an instance is launched with: the template's user data, with the dead-man switch
/// where that is possible. Data that is in base64 already is decoded first. Packer sends anything
/// that happens to decode as it is, and `true` arrives as three odd bytes.
pub(super) fn encode(
    data: Option<&[u8]>,
    switched: impl FnOnce(Option<&[u8]>) -> Option<Vec<u8>>,
) -> Option<String> {
    let data = data.map(decoded);
    let data = switched(data.as_deref()).or_else(|| data.map(Cow::into_owned));
    data.map(|data| BASE64_STANDARD.encode(data))
}

fn decoded(data: &[u8]) -> Cow<'_, [u8]> {
    if let Ok(text) = std::str::from_utf8(data) {
        let compact: String = text.split_ascii_whitespace().collect();
        if let Ok(decoded) = BASE64_STANDARD.decode(&compact)
            && BEGINNINGS.iter().any(|beginning| decoded.starts_with(beginning))
        {
            return Cow::Owned(decoded);
        }
    }
    Cow::Borrowed(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(data: &[u8]) -> String {
        encode(Some(data), |_| None).expect("there is some")
    }

    #[test]
    fn text_is_encoded_and_encoded_user_data_is_kept() {
        let script = b"#!/bin/sh\necho hi\n";
        let encoded = BASE64_STANDARD.encode(script);
        assert_eq!(plain(script), encoded);
        assert_eq!(plain(encoded.as_bytes()), encoded);
        let wrapped = format!("{}\n{}\n", &encoded[..10], &encoded[10..]);
        assert_eq!(plain(wrapped.as_bytes()), encoded);
    }

    #[test]
    fn text_that_merely_looks_like_base64_is_encoded() {
        assert_eq!(plain(b"true"), BASE64_STANDARD.encode("true"));
    }

    #[test]
    fn what_is_added_is_added_to_what_is_decoded() {
        let encoded = BASE64_STANDARD.encode(b"#!/bin/sh\n");
        let added = |data: Option<&[u8]>| Some([data.unwrap_or_default(), b"more"].concat());
        let expected = |data: &str| Some(BASE64_STANDARD.encode(data));
        assert_eq!(encode(Some(encoded.as_bytes()), added), expected("#!/bin/sh\nmore"));
        assert_eq!(encode(None, added), expected("more"));
        assert_eq!(encode(None, |_| None), None);
    }
}
