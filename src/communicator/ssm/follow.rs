//! Reading what a job sends while it is followed.

use crate::event::Stream;

/// The longest line that is not output.
const LINE: usize = 200;

/// What a job said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It has been started.
    Started,
    /// A part of its output.
    Output(Stream, Vec<u8>),
    /// It has ended with this code.
    Ended(u32),
    /// It will never say how it ended.
    Vanished(&'static str),
    /// Something that is no word of ours.
    Nonsense(String),
}

/// Cuts bytes into what a job said.
#[derive(Debug, Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
    piece: Option<(Stream, usize)>,
}

impl Reader {
    /// Takes bytes in.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next thing that was said. Output comes as far as it has arrived.
    pub(super) fn next(&mut self) -> Option<Said> {
        loop {
            if let Some((stream, left)) = self.piece {
                let count = left.min(self.buffer.len());
                if count == 0 {
                    return None;
                }
                self.piece = (count < left).then_some((stream, left - count));
                return Some(Said::Output(stream, self.buffer.drain(..count).collect()));
            }
            let Some(end) = self.buffer.iter().take(LINE).position(|byte| *byte == b'\n') else {
                if self.buffer.len() < LINE {
                    return None;
                }
                return Some(Said::Nonsense(self.text(LINE)));
            };
            let line = self.text(end);
            self.buffer.drain(..=end);
            let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
            let number = rest.trim().parse::<u32>();
            return Some(match (word, number) {
                ("s", _) => Said::Started,
                ("h", _) => continue,
                ("o" | "e", Ok(count)) => {
                    let stream = if word == "o" { Stream::Stdout } else { Stream::Stderr };
                    self.piece = (count > 0).then_some((stream, count as usize));
                    continue;
                }
                ("x", Ok(code)) => Said::Ended(code),
                ("x", _) => Said::Vanished(match rest {
                    "restarted" => "the machine was restarted while the command ran",
                    "killed" => "the shell that ran the command was killed",
                    _ => "nothing is left of the command on the instance",
                }),
                _ => Said::Nonsense(line),
            });
        }
    }

    fn text(&self, length: usize) -> String {
        String::from_utf8_lossy(self.buffer.get(..length).unwrap_or_default()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_the_same() {
        let bytes = b"s\no 5\nhe\nloh\nh\ne 3\nx 1x 194\n";
        for cut in 1..bytes.len() {
            let mut reader = Reader::default();
            let (mut out, mut err, mut rest) = (Vec::new(), Vec::new(), Vec::new());
            for piece in bytes.chunks(cut) {
                reader.push(piece);
                while let Some(said) = reader.next() {
                    match said {
                        Said::Output(Stream::Stdout, bytes) => out.extend(bytes),
                        Said::Output(Stream::Stderr, bytes) => err.extend(bytes),
                        other => rest.push(other),
                    }
                }
            }
            assert_eq!((out.as_slice(), err.as_slice()), (&b"he\nlo"[..], &b"x 1"[..]));
            assert_eq!(rest, [Said::Started, Said::Ended(194)]);
        }
    }

    #[test]
    fn what_is_no_word_of_ours_is_told() {
        let mut reader = Reader::default();
        reader.push(b"sh: not found\n");
        assert_eq!(reader.next(), Some(Said::Nonsense("sh: not found".to_owned())));
        reader.push(&[b'?'; 300]);
        assert!(matches!(reader.next(), Some(Said::Nonsense(_))));
        let mut reader = Reader::default();
        reader.push(b"x restarted\n");
        assert!(matches!(reader.next(), Some(Said::Vanished(why)) if why.contains("restarted")));
    }
}
