//! Readings of a text as base64 and as hexadecimal digits.

use super::view::{BORDER, View};

/// What a run of digits says.
struct Digits {
    /// Bits of a digit.
    bits: usize,
    /// Digits of which the first may be the first of a byte's.
    phases: usize,
    /// The value of a digit.
    value: fn(u8) -> Option<u8>,
}

/// All that runs of base64 digits say, of both alphabets. An encoded secret may begin at any of
/// four digits, as what was encoded with it may be of any length.
pub(super) fn base64(text: &[u8], shortest: usize) -> Option<View> {
    Digits { bits: 6, phases: 4, value: base64_digit }.view(text, (shortest * 4).div_ceil(3))
}

/// All that runs of hexadecimal digits say.
pub(super) fn hexadecimal(text: &[u8], shortest: usize) -> Option<View> {
    Digits { bits: 4, phases: 2, value: hexadecimal_digit }.view(text, shortest * 2)
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

fn hexadecimal_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

impl Digits {
    fn view(&self, text: &[u8], shortest: usize) -> Option<View> {
        let mut view = View::default();
        let mut run: Vec<(u8, usize)> = Vec::new();
        for (at, byte) in text.iter().enumerate() {
            match (self.value)(*byte) {
                Some(value) => run.push((value, at)),
                // A long one may be wrapped.
                None if matches!(byte, b'\n' | b'\r') => {}
                None => {
                    self.decode(&run, text, shortest, &mut view);
                    run.clear();
                }
            }
        }
        self.decode(&run, text, shortest, &mut view);
        (!view.bytes.is_empty()).then_some(view)
    }

    fn decode(&self, run: &[(u8, usize)], text: &[u8], shortest: usize, view: &mut View) {
        if run.len() < shortest {
            return;
        }
        for phase in 0..self.phases {
            let start = view.bytes.len();
            let run = run.get(phase..).unwrap_or_default();
            let (mut bits, mut held) = (0_u16, 0);
            let mut first = 0;
            for (index, (value, at)) in run.iter().enumerate() {
                bits = (bits << self.bits) | u16::from(*value);
                held += self.bits;
                if held < 8 {
                    continue;
                }
                held -= 8;
                let [_, byte] = (bits >> held).to_be_bytes();
                let begin = run.get(first).map_or(*at, |(_, at)| *at);
                let end = if index + 1 == run.len() { padded(text, at + 1) } else { at + 1 };
                view.push(&[byte], begin..end);
                // A digit that says something about two bytes belongs to both.
                first = if held == 0 { index + 1 } else { index };
                bits &= (1 << held) - 1;
            }
            view.segments.push(start..view.bytes.len());
            view.push(&[BORDER], 0..0);
        }
    }
}

/// Where the padding ends that may stand at `at`.
fn padded(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take(2).take_while(|byte| **byte == b'=').count()
}
