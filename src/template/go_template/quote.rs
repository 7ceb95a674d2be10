//! Go's quoting of strings and characters.

/// Whether Go prints the character as it is: letters, marks, numbers, punctuation, symbols, blank.
pub(super) fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    // The standard library escapes what is not printable. A letter in front keeps it from
    // escaping combining marks, which it does only at the start of a text.
    let text = ['a', c].iter().collect::<String>();
    text.escape_debug().nth(2).is_none()
}

/// The text in double quotes with escapes; `ascii` escapes all but ASCII.
pub(crate) fn quote(text: &str, ascii: bool) -> String {
    quote_with(text.chars(), '"', ascii)
}

/// The character in single quotes.
pub(super) fn quote_character(c: char, ascii: bool) -> String {
    quote_with(std::iter::once(c), '\'', ascii)
}

fn quote_with(text: impl Iterator<Item = char>, mark: char, ascii: bool) -> String {
    let mut quoted = String::from(mark);
    for c in text {
        match c {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            c if c == mark => quoted.extend(['\\', mark]),
            c if is_printable(c) && (c.is_ascii() || !ascii) => quoted.push(c),
            c => {
                let code = u32::from(c);
                quoted += &match code {
                    0..=0x7f => format!("\\x{code:02x}"),
                    0x80..=0xffff => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                };
            }
        }
    }
    quoted.push(mark);
    quoted
}

/// Whether the text can stand in back quotes.
pub(super) fn fits_back_quotes(text: &str) -> bool {
    text.chars().all(|c| c == '\t' || (c != '`' && c != '\u{feff}' && !c.is_ascii_control()))
}
