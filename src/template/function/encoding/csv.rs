//! Comma-separated values as Packer reads them: strictly, by RFC 4180.
//!
//! Empty lines do not count; a quote inside a field that does not begin with one is an error, as
//! is text after a closing quote; `\r\n` is `\n`, inside of quotes too.

/// What is wrong with a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Error {
    pub(super) message: &'static str,
    /// From 1.
    pub(super) line: usize,
}

/// A row and the line it begins at.
pub(super) type Row = (usize, Vec<String>);

/// The rows of a text: at most `limit` fields.
pub(super) fn rows(text: &str, limit: usize) -> Result<Vec<Row>, Error> {
    let text = text.replace("\r\n", "\n");
    let mut rest = text.as_str();
    let mut line = 1;
    let mut rows = Vec::new();
    let mut fields = 0;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('\n') {
            rest = after;
            line += 1;
            continue;
        }
        let begin = line;
        let mut row = Vec::new();
        loop {
            let (field, after) = field(rest, &mut line)?;
            row.push(field);
            fields += 1;
            if fields > limit {
                return Err(Error { message: "there are too many fields", line });
            }
            match after.strip_prefix(',') {
                Some(after) => rest = after,
                None => {
                    rest = after;
                    break;
                }
            }
        }
        if let Some(after) = rest.strip_prefix('\n') {
            rest = after;
            line += 1;
        }
        rows.push((begin, row));
    }
    Ok(rows)
}

/// The field that `text` begins with, and what follows it: a comma, a line end or nothing.
fn field<'t>(text: &'t str, line: &mut usize) -> Result<(String, &'t str), Error> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let (field, rest) = text.split_at(end);
        if field.contains('"') {
            let message = "a quote stands in a field that does not begin with one";
            return Err(Error { message, line: *line });
        }
        return Ok((field.to_owned(), rest));
    };
    let begin = *line;
    let mut field = String::new();
    loop {
        let Some((part, after)) = rest.split_once('"') else {
            return Err(Error { message: "a quoted field never ends", line: begin });
        };
        field.push_str(part);
        *line += part.matches('\n').count();
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None if after.is_empty() || after.starts_with([',', '\n']) => {
                return Ok((field, after));
            }
            None => {
                let message = "text follows the closing quote of a field";
                return Err(Error { message, line: *line });
            }
        }
    }
}
