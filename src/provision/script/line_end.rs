//! Line ends of scripts.

/// What ends a line in Unix.
pub(in crate::provision) const UNIX: &[u8] = b"\n";
/// What ends a line in Windows.
pub(in crate::provision) const WINDOWS: &[u8] = b"\r\n";

/// The text with `end` after each line, the last one too.
pub(in crate::provision) fn with_line_ends(bytes: &[u8], end: &[u8]) -> Vec<u8> {
    let mut converted = Vec::with_capacity(bytes.len() + bytes.len() / 16 + end.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        converted.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        converted.extend_from_slice(end);
    }
    converted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_those_of_the_system() {
        assert_eq!(with_line_ends(b"a\r\nb", UNIX), b"a\nb\n");
        assert_eq!(with_line_ends(b"a\r\nb", WINDOWS), b"a\r\nb\r\n");
        assert_eq!(with_line_ends(b"a\rb\n", UNIX), b"a\rb\n");
        assert_eq!(with_line_ends(b"", UNIX), b"");
        let long = vec![b'x'; 200_000];
        assert_eq!(with_line_ends(&long, UNIX).len(), 200_001);
    }
}
