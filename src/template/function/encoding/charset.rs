//! Character encodings by their IANA names.
//!
//! The multi-byte ones and most code pages are those of the Encoding Standard, which Go's library
//! follows too. Where that standard reads a name more widely than IANA means it (`ISO-8859-1` as
//! `windows-1252`), it is done here to the letter.

use encoding_rs::Encoding;

/// A character encoding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Charset {
    Utf8,
    /// Units of 2 or 4 bytes.
    Wide {
        bytes: usize,
        order: Order,
    },
    Ascii,
    /// ISO-8859-1.
    Latin1,
    /// ISO-8859-9: Latin-1 with six Turkish letters.
    Latin5,
    /// ISO-8859-11 and TIS-620.
    Thai,
    /// As the Encoding Standard has it.
    Standard(&'static Encoding),
}

/// In which order the bytes of a unit come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    Big,
    Little,
    /// A mark in front says it; big when there is none.
    Marked,
}

/// What is supported, for messages.
pub(super) const SUPPORTED: &str = "supported are UTF-8, UTF-16, UTF-16LE, UTF-16BE, UTF-32, \
    UTF-32LE, UTF-32BE, US-ASCII, ISO-8859-1 to 16, windows-1250 to 1258, windows-874, IBM866, \
    KOI8-R, KOI8-U, macintosh, Big5, EUC-JP, EUC-KR, GBK, GB18030, ISO-2022-JP and Shift_JIS";

/// The encoding called `name`, in any case.
pub(super) fn find(name: &str) -> Option<Charset> {
    let name = name.to_ascii_lowercase();
    let wide = |bytes, order| Some(Charset::Wide { bytes, order });
    match name.as_str() {
        "utf-8" | "utf8" | "csutf8" => Some(Charset::Utf8),
        "utf-16" | "csutf16" => wide(2, Order::Marked),
        "utf-16be" | "csutf16be" => wide(2, Order::Big),
        "utf-16le" | "csutf16le" => wide(2, Order::Little),
        "utf-32" | "csutf32" => wide(4, Order::Marked),
        "utf-32be" | "csutf32be" => wide(4, Order::Big),
        "utf-32le" | "csutf32le" => wide(4, Order::Little),
        "us-ascii" | "ascii" | "csascii" | "us" | "iso646-us" | "iso-ir-6" | "ansi_x3.4-1968"
        | "ansi_x3.4-1986" | "iso_646.irv:1991" | "ibm367" | "cp367" => Some(Charset::Ascii),
        "iso-8859-1" | "iso_8859-1" | "iso_8859-1:1987" | "iso-ir-100" | "latin1" | "l1"
        | "ibm819" | "cp819" | "csisolatin1" => Some(Charset::Latin1),
        "iso-8859-9" | "iso_8859-9" | "iso_8859-9:1989" | "iso-ir-148" | "latin5" | "l5"
        | "csisolatin5" => Some(Charset::Latin5),
        "iso-8859-11" | "csiso885911" | "tis-620" | "cstis620" => Some(Charset::Thai),
        _ => {
            // IANA's short names, where the Encoding Standard has only the long ones.
            let label = match name.as_str() {
                "cp936" | "ms936" | "windows-936" | "csgbk" => "gbk",
                "csgb18030" => "gb18030",
                "cskoi8u" => "koi8-u",
                "ms_kanji" => "shift_jis",
                "extended_unix_code_packed_format_for_japanese" => "euc-jp",
                "iso_8859-14:1998" => "iso-8859-14",
                "csiso885913" => "iso-8859-13",
                "csiso885914" => "iso-8859-14",
                "csiso885915" | "latin-9" => "iso-8859-15",
                "csiso885916" | "iso_8859-16:2001" | "latin10" | "l10" => "iso-8859-16",
                "ibm866" | "866" => "ibm866",
                other => match other.strip_prefix("cswindows") {
                    Some(number) => &format!("windows-{number}"),
                    None => other,
                },
            };
            Encoding::for_label_no_replacement(label.as_bytes()).map(Charset::Standard)
        }
    }
}

impl Charset {
    /// The bytes of a text; the first character that has none when there is one.
    pub(super) fn encode(self, text: &str) -> Result<Vec<u8>, char> {
        let single = |of: fn(char) -> Option<u8>| text.chars().map(|c| of(c).ok_or(c)).collect();
        match self {
            Charset::Utf8 => Ok(text.as_bytes().to_vec()),
            Charset::Wide { bytes: 2, order } => {
                let mark = (order == Order::Marked).then_some(0xfeff);
                let units = mark.into_iter().chain(text.encode_utf16());
                Ok(units
                    .flat_map(|unit| match order {
                        Order::Little => unit.to_le_bytes(),
                        Order::Big | Order::Marked => unit.to_be_bytes(),
                    })
                    .collect())
            }
            Charset::Wide { order, .. } => {
                let mark = (order == Order::Marked).then_some('\u{feff}');
                Ok(mark
                    .into_iter()
                    .chain(text.chars())
                    .flat_map(|c| match order {
                        Order::Little => u32::from(c).to_le_bytes(),
                        Order::Big | Order::Marked => u32::from(c).to_be_bytes(),
                    })
                    .collect())
            }
            Charset::Ascii => single(|c| u8::try_from(c).ok().filter(u8::is_ascii)),
            Charset::Latin1 => single(|c| u8::try_from(c).ok()),
            Charset::Latin5 => single(|c| {
                (0..=0xff)
                    .find(|byte| u32::from(c) > 0x7f && latin5(*byte) == c)
                    .or_else(|| u8::try_from(c).ok().filter(u8::is_ascii))
            }),
            Charset::Thai => single(|c| {
                let byte = match c {
                    '\u{e01}'..='\u{e3a}' | '\u{e3f}'..='\u{e5b}' => u32::from(c) - 0xe00 + 0xa0,
                    '\0'..='\u{a0}' => u32::from(c),
                    _ => return None,
                };
                u8::try_from(byte).ok()
            }),
            Charset::Standard(encoding) => {
                let (bytes, _, lossy) = encoding.encode(text);
                if lossy {
                    let alone = |c: &char| encoding.encode(c.encode_utf8(&mut [0; 4])).2;
                    return Err(text.chars().find(alone).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Ok(bytes.into_owned())
            }
        }
    }

    /// The text of bytes. `None` when they are not text in this encoding.
    pub(super) fn decode(self, bytes: Vec<u8>) -> Option<String> {
        match self {
            Charset::Utf8 => String::from_utf8(bytes).ok(),
            Charset::Wide { bytes: 2, order } => {
                let (pairs, []) = bytes.as_chunks::<2>() else { return None };
                let units = |little: bool, from: usize| -> Vec<u16> {
                    let read = if little { u16::from_le_bytes } else { u16::from_be_bytes };
                    pairs.iter().skip(from).map(|pair| read(*pair)).collect()
                };
                let units = match (order, pairs.first()) {
                    (Order::Little, _) => units(true, 0),
                    (Order::Marked, Some([0xff, 0xfe])) => units(true, 1),
                    (Order::Marked, Some([0xfe, 0xff])) => units(false, 1),
                    _ => units(false, 0),
                };
                String::from_utf16(&units).ok()
            }
            Charset::Wide { order, .. } => {
                let (fours, []) = bytes.as_chunks::<4>() else { return None };
                let text = |little: bool, from: usize| -> Option<String> {
                    let read = if little { u32::from_le_bytes } else { u32::from_be_bytes };
                    fours.iter().skip(from).map(|four| char::from_u32(read(*four))).collect()
                };
                match (order, fours.first()) {
                    (Order::Little, _) => text(true, 0),
                    (Order::Marked, Some([0xff, 0xfe, 0, 0])) => text(true, 1),
                    (Order::Marked, Some([0, 0, 0xfe, 0xff])) => text(false, 1),
                    _ => text(false, 0),
                }
            }
            Charset::Ascii => String::from_utf8(bytes).ok().filter(|text| text.is_ascii()),
            Charset::Latin1 => Some(bytes.into_iter().map(char::from).collect()),
            Charset::Latin5 => Some(bytes.into_iter().map(latin5).collect()),
            Charset::Thai => bytes
                .into_iter()
                .map(|byte| match byte {
                    0..=0xa0 => Some(char::from(byte)),
                    0xa1..=0xda | 0xdf..=0xfb => char::from_u32(u32::from(byte) - 0xa0 + 0xe00),
                    _ => None,
                })
                .collect(),
            Charset::Standard(encoding) => encoding
                .decode_without_bom_handling_and_without_replacement(&bytes)
                .map(|text| text.into_owned()),
        }
    }
}

fn latin5(byte: u8) -> char {
    match byte {
        0xd0 => 'Ğ',
        0xdd => 'İ',
        0xde => 'Ş',
        0xf0 => 'ğ',
        0xfd => 'ı',
        0xfe => 'ş',
        other => char::from(other),
    }
}
