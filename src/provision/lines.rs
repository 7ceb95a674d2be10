//! Output in lines.

use crate::communicator::Chunk;
use crate::event::{LONGEST_LINE as LONGEST, Stream};

/// Turns pieces of output into lines.
///
/// A line is trimmed on the right and, as a terminal would show it, cut to what follows its last
/// carriage return. What is not UTF-8 is replaced.
#[derive(Debug, Default)]
pub(super) struct Lines {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Lines {
    /// The lines that a piece completes.
    pub(super) fn push(&mut self, chunk: &Chunk) -> Vec<(Stream, String)> {
        let pending = self.pending(chunk.stream);
        let mut lines = Vec::new();
        for part in chunk.bytes.split_inclusive(|byte| *byte == b'\n') {
            pending.extend_from_slice(part);
            while let Some(end) = end_of_piece(pending) {
                let piece: Vec<u8> = pending.drain(..end).collect();
                let ended = piece.last() == Some(&b'\n');
                lines.push((chunk.stream, if ended { text(&piece) } else { incomplete(&piece) }));
            }
        }
        lines
    }

    /// What remains at the end, without a line end.
    pub(super) fn finish(mut self) -> Vec<(Stream, String)> {
        [Stream::Stdout, Stream::Stderr]
            .into_iter()
            .map(|stream| (stream, std::mem::take(self.pending(stream))))
            .filter(|(_, pending)| !pending.is_empty())
            .map(|(stream, pending)| (stream, text(&pending)))
            .collect()
    }

    fn pending(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// Where the next line or overlong piece ends.
fn end_of_piece(pending: &[u8]) -> Option<usize> {
    if pending.last() == Some(&b'\n') && pending.len() <= LONGEST {
        return Some(pending.len());
    }
    if pending.len() <= LONGEST {
        return None;
    }
    // Not in the middle of a character.
    let continues = |at: &usize| pending.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    Some((LONGEST - 3..=LONGEST).rev().find(|at| !continues(at)).unwrap_or(LONGEST))
}

fn text(line: &[u8]) -> String {
    shown(String::from_utf8_lossy(line).trim_end())
}

/// A part of a line, with the white space before the rest: a secret may be across the cut, and a
/// renderer puts the parts together to find it.
fn incomplete(line: &[u8]) -> String {
    shown(String::from_utf8_lossy(line).trim_end_matches('\r'))
}

fn shown(line: &str) -> String {
    line.rsplit('\r').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(stream: Stream, bytes: &[u8]) -> Chunk {
        Chunk { stream, bytes: bytes.to_vec() }
    }

    /// All lines of stdout, given in pieces.
    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for piece in pieces {
            all.extend(lines.push(&chunk(Stream::Stdout, piece)));
        }
        all.extend(lines.finish());
        all.into_iter().map(|(_, line)| line).collect()
    }

    #[test]
    fn lines_are_put_together_and_trimmed() {
        assert_eq!(lines(&[b"a\nb", b"c\n\nd"]), ["a", "bc", "", "d"]);
        assert_eq!(lines(&[b"a \t \r\nb\r\n"]), ["a", "b"]);
        assert_eq!(lines(&[b"10%\r", b"20%\rdone\n"]), ["done"]);
        assert_eq!(lines(&[b"  indented\n"]), ["  indented"]);
        assert_eq!(lines(&[b""]), Vec::<String>::new());
    }

    #[test]
    fn characters_survive_being_torn_and_rubbish_is_replaced() {
        let word = "grün";
        let (left, right) = word.as_bytes().split_at(3);
        assert_eq!(lines(&[left, right]), [word]);
        assert_eq!(lines(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let long = "ü".repeat(100_000);
        let (left, right) = long.as_bytes().split_at(1001);
        let pieces = lines(&[left, right]);
        assert_eq!(pieces.concat(), long);
        assert!(pieces.iter().all(|piece| piece.len() <= LONGEST));
        assert_eq!(pieces.len(), 4);
        let blanks = format!("a{}b", " ".repeat(LONGEST));
        assert_eq!(lines(&[blanks.as_bytes()]).concat(), blanks);
        // Also when its end comes with it.
        let ended = format!("{}\nnext\n", "x".repeat(70_000));
        assert_eq!(lines(&[ended.as_bytes()]).len(), 3);
    }

    #[test]
    fn streams_do_not_mix() {
        let mut both = Lines::default();
        assert!(both.push(&chunk(Stream::Stdout, b"out")).is_empty());
        let err = both.push(&chunk(Stream::Stderr, b"err\n"));
        assert_eq!(err, [(Stream::Stderr, "err".to_owned())]);
        assert_eq!(both.finish(), [(Stream::Stdout, "out".to_owned())]);
    }
}
