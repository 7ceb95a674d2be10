//! Secrets that are easy to recognise, and what they are written like.
//!
//! The encoders are written for this purpose alone, so that a mistake in the decoders that look for
//! secrets is not made twice. Unit tests of renderers use this file as well.

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use base64::prelude::*;

/// What is hard to quote, and what is not.
const CHARACTERS: &[char] = &[
    '"', '\'', '\\', '\n', '\n', '$', '%', '{', '}', ',', '<', '>', '&', ' ', '\t', '`', '+', '/',
    '=', '!', '*', ';', 'ä', 'é', '→', '日', '本', '😀', '\u{2028}', 'a', 'b', 'e', 'k', 'n', 'r',
    't', 'u', 'x', 'A', 'F', 'Q', 'Z', '0', '1', '7', '9',
];

/// Characters without a meaning: half of each secret.
const PLAIN: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// As many secrets as wanted of 6 to 200 characters, always the same.
pub(crate) fn canaries(count: usize) -> Vec<String> {
    // SplitMix64.
    let mut state = 0x5eed_u64;
    let mut next = move |below: usize| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from(z >> 33).expect("31 bits") % below
    };
    (0..count)
        .map(|number| {
            let length = if number % 4 == 0 { 6 + next(195) } else { 6 + next(40) };
            // No secret is in another, or in what else is printed.
            let mut secret = format!("{}{number:03}", char::from(PLAIN[next(PLAIN.len())]));
            while secret.chars().count() < length {
                match next(2) {
                    0 => secret.push(CHARACTERS[next(CHARACTERS.len())]),
                    _ => secret.push(char::from(PLAIN[next(PLAIN.len())])),
                }
            }
            secret
        })
        .collect()
}

/// What a text is written like, by name; base64 with something before and after it as well.
pub(crate) fn forms(text: &str) -> Vec<(&'static str, String)> {
    let json = inner(&serde_json::to_string(text).expect("JSON"));
    let html = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let ascii: String = json
        .encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04X}"),
        })
        .collect();
    let hcl = inner(&serde_json::to_string(text).expect("JSON"))
        .replace("${", "$${")
        .replace("%{", "%%{");
    let each = |escape: &dyn Fn(char) -> String| text.chars().map(escape).collect::<String>();
    let percent = |upper: bool| {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                _ if upper => format!("%{byte:02X}"),
                _ => format!("%{byte:02x}"),
            })
            .collect::<String>()
    };
    let mut forms = vec![
        ("itself", text.to_owned()),
        ("JSON", json),
        ("Go's JSON", html),
        ("ASCII JSON", ascii),
        ("HCL", hcl),
        ("Rust", inner(&format!("{text:?}"))),
        ("shell", text.replace('\'', r#"'"'"'"#)),
        ("other shell", text.replace('\'', r"'\''")),
        (
            "backslashes",
            each(&|c| match c {
                '\n' => "\n".to_owned(),
                _ if c.is_ascii() && !c.is_ascii_alphanumeric() => format!("\\{c}"),
                _ => c.to_string(),
            }),
        ),
        ("path", percent(true)),
        ("lower path", percent(false)),
        ("form", percent(true).replace("%20", "+")),
        ("hexadecimal", text.bytes().map(|byte| format!("{byte:02x}")).collect()),
        ("upper hexadecimal", text.bytes().map(|byte| format!("{byte:02X}")).collect()),
        (
            "XML",
            each(&|c| match c {
                '&' => "&amp;".to_owned(),
                '<' => "&lt;".to_owned(),
                '>' => "&gt;".to_owned(),
                '"' => "&quot;".to_owned(),
                '\'' => "&#39;".to_owned(),
                '\n' => "&#xA;".to_owned(),
                c if c.is_ascii() => c.to_string(),
                c => format!("&#{};", u32::from(c)),
            }),
        ),
        ("row", text.replace(',', "%!(PACKER_COMMA)").replace('\n', "\\n")),
    ];
    for (before, after) in [("", ""), ("", "\n"), ("k", "}"), ("k:", "\"}")] {
        let text = format!("{before}{text}{after}");
        forms.push(("base64", BASE64_STANDARD.encode(&text)));
        forms.push(("base64 for URLs", BASE64_URL_SAFE_NO_PAD.encode(&text)));
    }
    forms
}

fn inner(quoted: &str) -> String {
    quoted[1..quoted.len() - 1].to_owned()
}

/// The digits of base64 that say nothing but the text, wherever it begins.
fn stable_base64(text: &str) -> Vec<String> {
    let mut middles = Vec::new();
    for offset in 0..3 {
        let bytes = [&vec![0; offset], text.as_bytes()].concat();
        let start = (offset * 8).div_ceil(6);
        let end = bytes.len() * 8 / 6;
        middles.push(BASE64_STANDARD_NO_PAD.encode(&bytes)[start..end].to_owned());
        middles.push(BASE64_URL_SAFE_NO_PAD.encode(&bytes)[start..end].to_owned());
    }
    middles
}

/// Looks for secrets and for their lines, in whatever form.
pub(crate) struct Watch {
    automaton: AhoCorasick,
    /// What each pattern is.
    meanings: Vec<String>,
}

impl Watch {
    pub(crate) fn over(secrets: &[String]) -> Self {
        let (mut patterns, mut meanings) = (Vec::new(), Vec::new());
        let mut add = |pattern: String, part: &str, name: &str| {
            patterns.push(pattern);
            meanings.push(format!("{part:?} as {name}"));
        };
        for secret in secrets {
            // White space around a line is no secret, and less than four characters may be
            // anywhere.
            let lines = secret
                .lines()
                .map(str::trim)
                .filter(|line| line.chars().count() >= 4 && line.contains(char::is_alphanumeric));
            for part in std::iter::once(secret.trim()).chain(lines) {
                for (name, form) in forms(part) {
                    if !name.contains("base64") {
                        add(form, part, name);
                    }
                }
                // Five digits are an ordinary word.
                for middle in stable_base64(part) {
                    if middle.len() > 6 {
                        add(middle, part, "base64");
                    }
                }
            }
        }
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::NoncontiguousNFA))
            .build(patterns)
            .expect("patterns that fit into memory");
        Self { automaton, meanings }
    }

    /// Fails the test if one of them is in the output.
    #[track_caller]
    pub(crate) fn assert_hidden(&self, output: &str) {
        if let Some(found) = self.automaton.find(output) {
            panic!("{} in:\n{output}", self.meanings[found.pattern().as_usize()]);
        }
    }
}
