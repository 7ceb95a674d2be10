//! User data as RunInstances wants it.

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

/// Base64 of the data, or the data itself when it is user data in base64 already. Packer sends
/// anything that happens to decode as it is, and `true` arrives as three odd bytes.
pub(super) fn encode(data: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(data) {
        let compact: String = text.split_ascii_whitespace().collect();
        if let Ok(decoded) = BASE64_STANDARD.decode(&compact)
            && BEGINNINGS.iter().any(|beginning| decoded.starts_with(beginning))
        {
            return compact;
        }
    }
    BASE64_STANDARD.encode(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_and_encoded_user_data_is_kept() {
        let script = b"#!/bin/sh\necho hi\n";
        let encoded = BASE64_STANDARD.encode(script);
        assert_eq!(encode(script), encoded);
        assert_eq!(encode(encoded.as_bytes()), encoded);
        let wrapped = format!("{}\n{}\n", &encoded[..10], &encoded[10..]);
        assert_eq!(encode(wrapped.as_bytes()), encoded);
    }

    #[test]
    fn text_that_merely_looks_like_base64_is_encoded() {
        assert_eq!(encode(b"true"), BASE64_STANDARD.encode("true"));
    }
}
