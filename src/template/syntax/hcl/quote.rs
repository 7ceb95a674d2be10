//! Strings, heredocs and templates without quotes.

use std::ops::Range;

use super::bracket::unclosed_sequence;
use super::lexer::{Lexer, is_name, name_length};
use super::token::{Bracket, Kind};
use crate::diagnostic::Diagnostic;

/// Where the first template sequence of `text` begins: `$${` and `%%{` are none.
fn sequence(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..)?.iter().position(|byte| matches!(byte, b'$' | b'%')) {
        at += found;
        let (byte, next) = (bytes.get(at), bytes.get(at + 1));
        if next == Some(&b'{') {
            return Some(at);
        }
        at += if next == byte && bytes.get(at + 2) == Some(&b'{') { 3 } else { 1 };
    }
    None
}

impl Lexer<'_> {
    fn open_sequence(&mut self) {
        let trims = self.rest().get(2..).is_some_and(|rest| rest.starts_with('~'));
        self.open(Bracket::Sequence, if trims { 3 } else { 2 });
    }

    /// The inside of a string, up to its end or to a sequence.
    pub(super) fn quoted(&mut self) {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let mut length = 0;
        loop {
            let special = bytes
                .get(length..)
                .unwrap_or_default()
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | b'\n' | b'$' | b'%'));
            length += special.unwrap_or(bytes.len() - length.min(bytes.len()));
            let (byte, next) = (bytes.get(length), bytes.get(length + 1));
            match byte {
                Some(b'\\') => length += self.escape(length),
                Some(b'$' | b'%') if next == Some(&b'{') => break,
                Some(b'$' | b'%') if next == byte && bytes.get(length + 2) == Some(&b'{') => {
                    length += 3;
                }
                Some(b'$' | b'%') => length += 1,
                _ => break,
            }
        }
        if length > 0 {
            self.push(Kind::Text, length);
        }
        match self.rest().as_bytes().first() {
            Some(b'"') => self.pop(1),
            Some(b'$' | b'%') => self.open_sequence(),
            _ => self.unterminated_string(),
        }
    }

    /// Checks the escape `offset` bytes from here; gives its length.
    fn escape(&mut self, offset: usize) -> usize {
        let start = self.at + offset;
        let rest = self.slice(start + 1..self.text.len());
        let c = rest.chars().next().unwrap_or('\n');
        let digits = match c {
            'n' | 'r' | 't' | '"' | '\\' => return 2,
            '\n' | '\r' => return 1,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        let hex = rest.bytes().skip(1).take(digits).take_while(u8::is_ascii_hexdigit).count();
        let length = 1 + c.len_utf8() + hex;
        let valid = digits > 0
            && hex == digits
            && rest
                .get(1..=digits)
                .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                .and_then(char::from_u32)
                .is_some();
        if !valid {
            let escape = self.slice(start..start + length);
            let mut report = Diagnostic::error(
                "invalid-escape",
                format!("`{escape}` is not an escape sequence"),
            )
            .at(&self.place.span(start..start + length), "not an escape sequence");
            report = if digits > 0 {
                report.help(format!(
                    "`\\{c}` is followed by the {digits} hexadecimal digits of a character"
                ))
            } else {
                report
                    .note("the escapes are `\\n`, `\\r`, `\\t`, `\\\"`, `\\\\`, `\\uNNNN` and `\\UNNNNNNNN`")
                    .help(format!("write `\\\\{c}` for a backslash and `{c}`"))
            };
            self.error(start, report);
        }
        length
    }

    /// The string on top of the stack is not closed on its line.
    pub(super) fn unterminated_string(&mut self) {
        // In `"${ x"` what looks like the beginning of a string is the end of one.
        let around = self.stack.iter().enumerate().find_map(|(index, open)| {
            let inside = self.stack.get(index + 1)?;
            (open.bracket == Bracket::Quote
                && open.line == self.line
                && inside.bracket == Bracket::Sequence)
                .then(|| (index, open.token, open.at.start, inside.at.clone()))
        });
        if let Some((index, token, start, sequence)) = around {
            let report = unclosed_sequence().at(&self.place.span(sequence.clone()), "opened here");
            self.error(sequence.start, report);
            self.stack.truncate(index);
            self.tokens.truncate(token);
            let line = self.slice(sequence.end..self.at);
            // A line gets one chance to go on, so that no line is read again and again.
            let again = self.failed_line.replace(self.line) == Some(self.line);
            let quote = line.find('"').filter(|_| !again);
            let end = quote.map_or(self.at, |quote| sequence.end + quote + 1);
            self.at = start;
            self.push(Kind::Mistake, end - start);
            if quote.is_none() {
                self.close_line();
            }
            return;
        }
        let Some(open) = self.stack.last() else { return };
        let (start, token) = (open.at.start, open.token);
        let inside = self.slice(start + 1..self.at);
        let at_end = self.at == self.text.len();
        // `source "a" "b {`: the brace is that of the block.
        let header = inside.trim_end().strip_suffix('{').filter(|_| {
            let begins = self.slice(self.line..start).trim_start();
            name_length(begins) > 0 && !begins.contains(['=', '(', '['])
        });
        let end = header.map_or(self.at, |label| start + 1 + label.trim_end().len());
        let shown = self.slice(start..end).trim_end().len();
        let report =
            Diagnostic::error("unterminated-string", "this string is not closed on its line")
                .at(&self.place.span(start..start + shown), "no closing `\"`");
        let report = if header.is_some() || at_end {
            report.help("close it with `\"`")
        } else {
            report.help(
                "close it with `\"`; for text of several lines use `\\n` or a heredoc `<<EOT`",
            )
        };
        self.error(start, report);
        self.stack.pop();
        self.tokens.truncate(token);
        self.at = start;
        self.push(Kind::Mistake, end - start);
        if header.is_none() {
            self.close_line();
        }
    }

    /// `<<` is here.
    pub(super) fn open_heredoc(&mut self) {
        let (start, rest) = (self.at, self.rest());
        let introduction = if rest.starts_with("<<-") { 3 } else { 2 };
        let after = rest.get(introduction..).unwrap_or_default();
        let length = name_length(after);
        let line_end = after.get(length..).unwrap_or_default();
        let line_end =
            if line_end.starts_with("\r\n") { 2 } else { usize::from(line_end.starts_with('\n')) };
        let marker = start + introduction..start + introduction + length;
        if length == 0 || line_end == 0 {
            return self.invalid_heredoc(introduction, length);
        }
        let name = self.slice(marker.clone());
        if self.recovers && self.last_marker(name).is_none_or(|last| last < marker.end) {
            return self.endless_heredoc(start..marker.end, name);
        }
        self.open(Bracket::Heredoc, introduction + length + line_end);
        if let Some(open) = self.stack.last_mut() {
            open.at = start..marker.end;
            open.marker = marker;
        }
        self.begin_line(self.at);
        self.end_heredoc();
    }

    /// Skips what was meant as a heredoc, up to its marker if there is one.
    fn invalid_heredoc(&mut self, introduction: usize, name: usize) {
        let (start, rest) = (self.at, self.rest());
        let after = rest.get(introduction..).unwrap_or_default();
        let problem = if name == 0 {
            "a heredoc needs a marker, such as `<<EOT`"
        } else {
            "the text of a heredoc begins on the next line"
        };
        let at = self.place.span(start..start + introduction + name);
        let mut report = Diagnostic::error("invalid-heredoc", problem).at(&at, "begins here");
        if name > 0 {
            report = report.help("put nothing after the marker, not even a blank");
        } else if after.starts_with(['"', '\'']) {
            report = report.help("write the marker without quotes");
        }
        self.error(start, report);
        let quoted = || after.strip_prefix(['"', '\''])?.split(['"', '\'', '\n']).next();
        let marker = match name {
            0 => quoted().unwrap_or_default(),
            name => after.get(..name).unwrap_or_default(),
        };
        let first = rest.find('\n').unwrap_or(rest.len());
        let mut length = first;
        if self.last_marker(marker).is_some_and(|last| last > start) {
            for line in rest.get(first..).unwrap_or_default().split_inclusive('\n') {
                length += line.len();
                if line.trim() == marker {
                    break;
                }
            }
        }
        self.push(Kind::Mistake, rest.get(..length).unwrap_or_default().trim_end().len());
        if let Some(line) = self.slice(start..self.at).rfind('\n') {
            self.begin_line(start + line + 1);
        }
    }

    /// Where the last line begins that could end a heredoc of this marker.
    fn last_marker(&mut self, marker: &str) -> Option<usize> {
        let text = self.text;
        let markers = self.markers.get_or_insert_with(|| {
            let mut at = 0;
            let lines = text.split_inclusive('\n').filter_map(|line| {
                let start = at;
                at += line.len();
                let name = line.trim();
                (!name.is_empty() && name_length(name) == name.len()).then_some((name, start))
            });
            lines.collect()
        });
        markers.get(marker).copied()
    }

    /// At the beginning of a line of a heredoc: whether it ends here, and its last token if so.
    fn end_heredoc(&mut self) -> bool {
        let Some(open) = self.stack.last() else { return false };
        let marker = self.slice(open.marker.clone());
        let line = self.rest().split('\n').next().unwrap_or_default();
        let ends = line.trim() == marker;
        if ends {
            self.pop(line.trim_end().len());
        }
        ends
    }

    /// The inside of a heredoc, up to its end or to a sequence.
    pub(super) fn heredoc_text(&mut self) {
        let bytes = self.rest().as_bytes();
        let start = self.at;
        let mut length = 0;
        while let Some(found) = bytes
            .get(length..)
            .and_then(|rest| rest.iter().position(|byte| matches!(byte, b'\n' | b'$' | b'%')))
        {
            length += found;
            let (byte, next) = (bytes.get(length), bytes.get(length + 1));
            if byte == Some(&b'\n') {
                self.push(Kind::Text, length + 1);
                self.begin_line(self.at);
                self.end_heredoc();
                return;
            }
            if next == Some(&b'{') {
                if length > 0 {
                    self.push(Kind::Text, length);
                }
                return self.open_sequence();
            }
            length += if next == byte && bytes.get(length + 2) == Some(&b'{') { 3 } else { 1 };
        }
        self.push(Kind::Text, self.text.len() - start);
    }

    /// The heredoc on top of the stack never ends.
    pub(super) fn unterminated_heredoc(&mut self) {
        self.unbalanced = true;
        let Some(open) = self.stack.last() else { return };
        let at = open.at.clone();
        let marker = self.slice(open.marker.clone());
        self.error(at.start, self.heredoc_without_end(&at, marker));
        self.abandon();
    }

    fn heredoc_without_end(&self, at: &Range<usize>, marker: &str) -> Diagnostic {
        Diagnostic::error("unterminated-heredoc", "this heredoc never ends")
            .at(&self.place.span(at.clone()), "begins here")
            .help(format!("put `{marker}` on a line of its own after the text"))
    }

    /// No line ends the heredoc that begins at `at`. Goes on where it was meant to end: behind
    /// `EOT,` and the like.
    fn endless_heredoc(&mut self, at: Range<usize>, marker: &str) {
        let mut start = at.end;
        let mut meant = None;
        for line in self.slice(at.end..self.text.len()).split_inclusive('\n') {
            let trimmed = line.trim_start();
            if start > at.end
                && let Some(after) = trimmed.strip_prefix(marker)
                && !after.starts_with(is_name)
            {
                let begins = start + line.len() - trimmed.len();
                meant = Some((start, begins + marker.len(), after.trim_end().len()));
                break;
            }
            start += line.len();
        }
        let report = self.heredoc_without_end(&at, marker);
        let Some((line, end, rest)) = meant else {
            self.error(at.start, report);
            self.at = self.text.len();
            return self.abandon();
        };
        let rest = self.place.span(end..end + rest);
        self.error(at.start, report.also(&rest, format!("nothing may follow `{marker}`")));
        self.push(Kind::Mistake, end - at.start);
        self.begin_line(line);
    }

    /// The outermost text of a template without quotes.
    pub(super) fn bare_text(&mut self) {
        let rest = self.rest();
        let length = sequence(rest);
        match length.unwrap_or(rest.len()) {
            0 => {}
            length => self.push(Kind::Text, length),
        }
        if length.is_some() {
            self.open_sequence();
        }
    }
}
