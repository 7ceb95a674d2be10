//! Readings of a text: what it says once escapes are undone.

use std::ops::Range;

/// Stands between what was decoded from different runs; no secret has it, for it is not UTF-8.
pub(super) const BORDER: u8 = 0xff;

/// A decoded text, of which every byte knows where it comes from.
#[derive(Debug, Default)]
pub(super) struct View {
    /// What is read.
    pub(super) bytes: Vec<u8>,
    /// Where each byte begins and ends in what was decoded.
    places: Vec<(usize, usize)>,
    /// Stretches that were decoded from one run of base64 or hexadecimal digits.
    pub(super) segments: Vec<Range<usize>>,
}

/// Undoes one kind of escapes. `None` when there are none.
pub(super) type Reader = fn(&[u8]) -> Option<View>;

/// The readings that undo escapes of single characters.
pub(super) const READERS: &[Reader] =
    &[backslashes, dollars, shell_quotes, percents, form, packer_rows, entities];

impl View {
    /// Adds bytes that stand for all of `place`.
    pub(super) fn push(&mut self, bytes: &[u8], place: Range<usize>) {
        self.bytes.extend_from_slice(bytes);
        self.places.extend(bytes.iter().map(|_| (place.start, place.end)));
    }

    fn push_character(&mut self, c: char, place: Range<usize>) {
        self.push(c.encode_utf8(&mut [0; 4]).as_bytes(), place);
    }

    /// Where a part of the decoded text comes from.
    pub(super) fn place(&self, part: Range<usize>) -> Range<usize> {
        let places = self.places.get(part).unwrap_or_default();
        let start = places.iter().map(|(start, _)| *start).min().unwrap_or_default();
        let end = places.iter().map(|(_, end)| *end).max().unwrap_or_default();
        start..end
    }

    /// Only what seems to be text: as base64, anything that is no base64 reads like noise.
    pub(super) fn text_only(&self) -> Self {
        let mut texts = Self::default();
        for segment in &self.segments {
            let bytes = self.bytes.get(segment.clone()).unwrap_or_default();
            let noise: usize = bytes
                .utf8_chunks()
                .map(|chunk| {
                    let controls = chunk.valid().chars().filter(|c| c.is_control());
                    controls.count() + chunk.invalid().len()
                })
                .sum();
            if noise * 4 <= bytes.len() {
                texts.bytes.extend_from_slice(bytes);
                texts
                    .places
                    .extend_from_slice(self.places.get(segment.clone()).unwrap_or_default());
                texts.push(&[BORDER], 0..0);
            }
        }
        texts
    }

    /// The same, with places in what `outer` was decoded from.
    pub(super) fn within(mut self, outer: &View) -> Self {
        for place in &mut self.places {
            let range = outer.place(place.0..place.1);
            *place = (range.start, range.end);
        }
        self
    }
}

/// Reads `text`, asking `escape` at every byte for what an escape that begins there stands for.
/// It answers with the length of the escape. `None` when there was none.
fn read(text: &[u8], escape: impl Fn(&[u8], &mut View, usize) -> Option<usize>) -> Option<View> {
    let mut view = View::default();
    let mut at = 0;
    let mut any = false;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        match escape(rest, &mut view, at) {
            Some(length) => {
                any = true;
                at += length;
            }
            None => {
                view.push(&rest[..1], at..at + 1);
                at += 1;
            }
        }
    }
    any.then_some(view)
}

/// Backslash escapes of JSON, HCL, Go, Rust, C and the shell, which agree but for what the others
/// do not have.
fn backslashes(text: &[u8]) -> Option<View> {
    if !text.contains(&b'\\') {
        return None;
    }
    read(text, |rest, view, at| {
        let [b'\\', kind, tail @ ..] = rest else { return None };
        let simple = match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'b' => 8,
            b'f' => 12,
            b'v' => 11,
            b'a' => 7,
            b'e' => 27,
            b'u' | b'U' => {
                let (c, length) = unicode(rest)?;
                view.push_character(c, at..at + length);
                return Some(length);
            }
            b'x' => {
                let byte = u8::try_from(hexadecimal(tail.get(..2)?)?).ok()?;
                view.push(&[byte], at..at + 4);
                return Some(4);
            }
            b'0'..=b'7' if tail.get(..2).is_some_and(is_octal) => {
                let digits = std::str::from_utf8(rest.get(1..4)?).ok()?;
                view.push(&[u8::from_str_radix(digits, 8).ok()?], at..at + 4);
                return Some(4);
            }
            // Whatever else a shell or a pattern has escaped.
            other => *other,
        };
        view.push(&[simple], at..at + 2);
        Some(2)
    })
}

fn is_octal(digits: &[u8]) -> bool {
    digits.iter().all(|digit| (b'0'..=b'7').contains(digit))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// `\u00e9`, `\ud83d\ude00`, `\u{e9}`, `\U0001f600`, with its length.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    if let Some(rest) = text.strip_prefix(b"\\u{") {
        let digits = rest.iter().position(|byte| *byte == b'}').filter(|length| *length <= 6)?;
        return Some((char::from_u32(hexadecimal(rest.get(..digits)?)?)?, digits + 4));
    }
    if text.starts_with(b"\\U") {
        return Some((char::from_u32(hexadecimal(text.get(2..10)?)?)?, 10));
    }
    let first = hexadecimal(text.get(2..6)?)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let second = text.get(6..)?.strip_prefix(b"\\u")?;
    let second = hexadecimal(second.get(..4)?)?;
    let pair = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
    let c = char::decode_utf16(pair).next()?.ok()?;
    Some((c, 12))
}

/// HCL's `$${` and `%%{`.
fn dollars(text: &[u8]) -> Option<View> {
    if !text.contains(&b'{') {
        return None;
    }
    literals(text, &[(b"$${", b"${"), (b"%%{", b"%{")])
}

/// A `'` within single quotes, as bake and others write it for shells.
fn shell_quotes(text: &[u8]) -> Option<View> {
    if !text.contains(&b'\'') {
        return None;
    }
    literals(text, &[(br#"'"'"'"#, b"'"), (br"'\''", b"'")])
}

/// The escapes of Packer's machine-readable rows.
fn packer_rows(text: &[u8]) -> Option<View> {
    if !text.contains(&b'!') && !text.contains(&b'\\') {
        return None;
    }
    literals(text, &[(b"%!(PACKER_COMMA)", b","), (b"\\n", b"\n"), (b"\\r", b"\r")])
}

fn literals(text: &[u8], all: &[(&[u8], &[u8])]) -> Option<View> {
    let is_in = |escape: &[u8]| text.windows(escape.len()).any(|part| part == escape);
    if !all.iter().any(|(escape, _)| is_in(escape)) {
        return None;
    }
    read(text, |rest, view, at| {
        let (escape, meaning) = all.iter().find(|(escape, _)| rest.starts_with(escape))?;
        view.push(meaning, at..at + escape.len());
        Some(escape.len())
    })
}

/// `%3D`, of any part of a URL.
fn percents(text: &[u8]) -> Option<View> {
    if !text.contains(&b'%') {
        return None;
    }
    read(text, percent)
}

/// The same in a form, where `+` is a blank.
fn form(text: &[u8]) -> Option<View> {
    if !text.contains(&b'+') {
        return None;
    }
    read(text, |rest, view, at| {
        if rest.first() == Some(&b'+') {
            view.push(b" ", at..at + 1);
            return Some(1);
        }
        percent(rest, view, at)
    })
}

fn percent(rest: &[u8], view: &mut View, at: usize) -> Option<usize> {
    let [b'%', high, low, ..] = rest else { return None };
    let byte = u8::try_from(hexadecimal(&[*high, *low])?).ok()?;
    view.push(&[byte], at..at + 3);
    Some(3)
}

/// The longest reference to a character, such as `&#1114111;`.
const LONGEST_REFERENCE: usize = 10;

/// Character references of XML and HTML.
fn entities(text: &[u8]) -> Option<View> {
    if !text.contains(&b'&') {
        return None;
    }
    read(text, |rest, view, at| {
        let name = rest.strip_prefix(b"&")?;
        let length = name.iter().take(LONGEST_REFERENCE).position(|byte| *byte == b';')?;
        let c = match name.get(..length)? {
            b"amp" => '&',
            b"lt" => '<',
            b"gt" => '>',
            b"quot" => '"',
            b"apos" => '\'',
            b"nbsp" => '\u{a0}',
            [b'#', b'x' | b'X', digits @ ..] => char::from_u32(hexadecimal(digits)?)?,
            [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
            _ => return None,
        };
        view.push_character(c, at..at + length + 2);
        Some(length + 2)
    })
}
