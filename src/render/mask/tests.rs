//! Secrets and what they are written like.

use base64::Engine as _;
use base64::prelude::*;

use super::Mask;

fn masking(secrets: &[&str]) -> Mask {
    let mask = Mask::default();
    mask.add(secrets);
    mask
}

#[test]
fn secrets_and_their_lines_are_replaced() {
    let mask = masking(&["hunter2", "first line\r\n  second line  \n},\n", "x"]);
    assert_eq!(
        mask.apply("pw=hunter2 then second line, },x stays"),
        "pw=<sensitive> then <sensitive>, },x stays"
    );
    assert_eq!(mask.apply("first line\n  second line  \n},"), "<sensitive>");
}

#[test]
fn secrets_that_overlap_are_replaced_together() {
    assert_eq!(masking(&["abc", "abcdef"]).apply("abcdef abc"), "<sensitive> <sensitive>");
    assert_eq!(masking(&["abcdef", "defghi"]).apply("xabcdefghix"), "x<sensitive>x");
}

#[test]
fn the_value_of_a_variable_of_a_script_is_a_secret_by_itself() {
    let mask = masking(&["PW=hunter2", "ON=true", "a b=c d e f"]);
    assert_eq!(
        mask.apply("hunter2 PW=hunter2 true c d e f"),
        "<sensitive> <sensitive> true c d e f"
    );
}

#[test]
fn what_is_everywhere_is_no_secret() {
    let text = "true or false, 22, },";
    assert_eq!(masking(&["true", "false", "22", "", " \n", "a\n},\nb"]).apply(text), text);
}

#[test]
fn escapes_of_all_kinds_are_seen_through() {
    let secret = "p\"a$'s\\s<w>&ör,d${x}\n\tE%d{=}";
    let mask = masking(&[secret]);
    for written in [
        serde_json::to_string(secret).expect("JSON"),
        r#""p\"a$'s\\s\u003cw\u003e\u0026\u00F6r,d${x}\n\tE%d{=}""#.to_owned(),
        r#"p\"a\$\'s\\s\<w\>\&ör,d\${x}\n\tE%d{=}"#.to_owned(),
        r#""p\"a$'s\\s<w>&ör,d$${x}\n\tE%d{=}""#.to_owned(),
        r#"$'p"a$\'s\\s<w>&\303\266r,d${x}\n\tE%d{=}'"#.to_owned(),
        format!("{secret:?}"),
        secret.replace('\'', r#"'"'"'"#),
        secret.replace('\'', r"'\''"),
        "p%22a%24%27s%5Cs%3Cw%3E%26%C3%B6r%2cd%24%7Bx%7d%0A%09E%25d%7B%3D%7D".to_owned(),
        "p&quot;a$&#39;s\\s&lt;w&gt;&amp;&#xf6;r,d${x}\n\tE%d{=}".to_owned(),
        secret.replace(',', "%!(PACKER_COMMA)").replace('\n', "\\n"),
    ] {
        assert_eq!(
            mask.apply(&format!("{written} ")).matches("<sensitive>").count(),
            1,
            "{written}"
        );
        assert!(!mask.apply(&written).contains("ör"), "{written}");
    }
    assert_eq!(masking(&["a b&c"]).apply("q=a+b%26c&r"), "q=<sensitive>&r");
}

#[test]
fn escapes_within_escapes_are_seen_through() {
    let secret = "it's \"secret\"";
    let mask = masking(&[secret]);
    let json = serde_json::to_string(&serde_json::to_string(secret).expect("JSON")).expect("JSON");
    assert_eq!(mask.apply(&json), r#""\"<sensitive>\"""#);
    let quoted = crate::communicator::quote(&crate::communicator::quote(secret));
    assert!(!mask.apply(&quoted).contains("secret\""), "{}", mask.apply(&quoted));
    let json = serde_json::json!({ "key": secret }).to_string();
    assert!(mask.apply(&BASE64_STANDARD.encode(json)).contains("<sensitive>"));
}

#[test]
fn base64_is_seen_through_wherever_it_begins() {
    let mask = masking(&["hunter2!"]);
    assert_eq!(mask.apply("aHVudGVyMiE="), "<sensitive>");
    assert_eq!(mask.apply("aHVudGVyMiE"), "<sensitive>");
    for before in ["", "a", "ab", "abc"] {
        for after in ["", "\n", "xy", "xyz"] {
            let text = format!("{before}hunter2!{after}");
            for encoded in [BASE64_STANDARD.encode(&text), BASE64_URL_SAFE_NO_PAD.encode(&text)] {
                let masked = mask.apply(&format!("x {encoded} y"));
                let kept = masked.len() - "x <sensitive> y".len();
                assert!(masked.contains("<sensitive>"), "{text}: {masked}");
                assert!(kept <= (before.len() + after.len()) * 4 / 3 + 4, "{text}: {masked}");
            }
        }
    }
    let odd = "\u{fb}\u{ff}\u{fe}~~~???>>>";
    let mask = masking(&[odd]);
    assert_eq!(mask.apply(&BASE64_STANDARD.encode(odd)), "<sensitive>");
    assert_eq!(mask.apply(&BASE64_URL_SAFE.encode(odd)), "<sensitive>");
}

#[test]
fn hexadecimal_digits_are_seen_through() {
    let mask = masking(&["hunter2"]);
    assert_eq!(mask.apply("x68756e74657232x"), "x<sensitive>x");
    assert_eq!(mask.apply("0a68756E74657232"), "0a<sensitive>");
    assert_eq!(mask.apply("f68756e74657232"), "f<sensitive>");
}

#[test]
fn wrapped_encodings_are_seen_through_line_by_line() {
    let secret: String = (0..190).map(|n| char::from(b'!' + n % 89)).collect();
    let mask = masking(&[&secret]);
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    for (encoded, width) in [
        (BASE64_STANDARD.encode(&secret), 76),
        (BASE64_STANDARD.encode(format!("{secret}\n")), 76),
        (BASE64_STANDARD.encode(&secret), 64),
        (hex, 60),
    ] {
        for line in encoded.as_bytes().chunks(width) {
            let line = std::str::from_utf8(line).expect("ASCII");
            assert_eq!(mask.apply(line), "<sensitive>", "{line}");
        }
    }
    let shifted = BASE64_STANDARD.encode(format!("key: {secret}"));
    for line in shifted.as_bytes().chunks(76).take(3) {
        let masked = mask.apply(std::str::from_utf8(line).expect("ASCII"));
        assert!(masked.contains("<sensitive>") && masked.len() < 20, "{masked}");
    }
}

#[test]
fn a_secret_added_later_is_masked_from_then_on() {
    let mask = masking(&["hunter2"]);
    assert_eq!(mask.apply("hunter2 hunter3"), "<sensitive> hunter3");
    mask.add(["hunter3"]);
    assert_eq!(mask.clone().apply("hunter2 hunter3"), "<sensitive> <sensitive>");
    assert_eq!(format!("{mask:?}"), "Mask");
}

#[test]
fn many_secrets_do_not_make_it_slow() {
    let secrets: Vec<String> =
        (0..200).map(|n| format!("secret number {n} {}", "\"ab\\c'".repeat(n % 30))).collect();
    let mask = Mask::default();
    mask.add(&secrets);
    let line = r#"{"level": "info", "text": "a 'line' of 100 % output\n", "path": "/usr/lib/x"}"#;
    let text = line.repeat(800);
    let started = std::time::Instant::now();
    assert_eq!(mask.apply(&text), text);
    // It takes a fraction of a second without optimisation; a pass for every form of every
    // secret takes minutes.
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}
