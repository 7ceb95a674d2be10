//! The parser's entry points and its errors.

use std::ops::Range;
use std::sync::Arc;

use hcl_edit::parser::Error;

use super::place::Place;
use super::scan::{Form, Scan, scan};
use super::tree::Tree;
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::template::syntax::{Body, Dialect, Expression};

/// How often a text is parsed again without the spot that failed.
const ATTEMPTS: usize = 200;
/// The longest text that is parsed.
const LENGTH: usize = 16 << 20;

/// Parses a file of HCL native syntax.
///
/// All errors are found, not only the first: an attribute or block of the outermost body that
/// cannot be parsed is left out of the body that is returned, and the rest is there.
pub fn parse_hcl(source: &Arc<Source>) -> (Body, Diagnostics) {
    let place = Place::part(source, 0);
    let empty = || Body {
        attributes: Vec::new(),
        blocks: Vec::new(),
        dialect: Dialect::Hcl,
        span: place.span(0..source.text().len()),
    };
    let text = source.text();
    if let Some(report) = too_long(text, &place) {
        return (empty(), report.into());
    }
    let mut scanned = scan(text, &place, Form::Body);
    let broken: Vec<usize> = scanned.errors.iter().map(|(at, _)| *at).collect();
    for at in broken {
        if let Some(item) = scanned.item_at(at) {
            scanned.blank(&item);
        }
    }
    let mut names = Names::default();
    let mut blanked = 0;
    for _ in 0..ATTEMPTS {
        let Ok(masked) = std::str::from_utf8(&scanned.masked) else { break };
        match hcl_edit::parser::parse_body(masked) {
            Ok(body) => {
                let mut tree = Tree::new(text, &place);
                let body = tree.body(&body);
                let Scan { mut errors, .. } = scanned;
                errors.extend(tree.into_errors());
                errors.sort_by_key(|(at, _)| *at);
                return (body, errors.into_iter().map(|(_, report)| report).collect());
            }
            Err(error) => {
                let at = error.location().offset();
                if names.resolve(&error, &mut scanned, text) {
                    continue;
                }
                let follows = text
                    .get(blanked..at)
                    .is_some_and(|between| between.trim().is_empty() && blanked > 0);
                // A brace on the line after an error most likely belongs to it.
                if !(follows
                    && text.get(at..).is_some_and(|rest| rest.trim_start().starts_with('{')))
                {
                    scanned.errors.push((at, explain(&error, text, &place)));
                }
                match scanned.item_at(at) {
                    Some(item)
                        if scanned.masked.get(item.clone()).is_some_and(|bytes| {
                            bytes.iter().any(|b| !b.is_ascii_whitespace())
                        }) =>
                    {
                        scanned.blank(&item);
                        blanked = item.end;
                    }
                    _ => break,
                }
            }
        }
    }
    (empty(), given_up(scanned, &place))
}

/// What was found before the parser gave up; never nothing.
fn given_up(scanned: Scan, place: &Place) -> Diagnostics {
    let mut found = scanned.into_diagnostics();
    if found.is_empty() {
        let report = Diagnostic::error("syntax", "the same names are repeated too often")
            .at(&place.span(0..0), "in this text")
            .note(format!("at most {ATTEMPTS} repeated keys of objects are accepted"));
        found.push(report);
    }
    found
}

/// Parses one expression: all of `source`, or the part `range` of it. Line ends count nowhere.
pub fn parse_expression(
    source: &Arc<Source>,
    range: Option<Range<usize>>,
) -> Result<Expression, Diagnostics> {
    let range = range.unwrap_or(0..source.text().len());
    let text = source.text().get(range.clone()).unwrap_or_default();
    let place = Place::part(source, range.start);
    if let Some(report) = too_long(text, &place) {
        return Err(report.into());
    }
    let mut scanned = scan(text, &place, Form::Expression);
    if !scanned.errors.is_empty() {
        return Err(scanned.into_diagnostics());
    }
    // The parser takes no blanks around an expression.
    let begin = scanned.masked.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    scanned.masked.drain(..begin);
    let blank = scanned.masked.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    scanned.masked.truncate(scanned.masked.len() - blank);
    let text = text.get(begin..).unwrap_or_default();
    let place = Place::part(source, range.start + begin);
    if scanned.masked.is_empty() {
        let report = Diagnostic::error("missing-expression", "there is no expression here")
            .at(&place.span(0..0), "empty");
        return Err(report.into());
    }
    let mut names = Names::default();
    for _ in 0..ATTEMPTS {
        let Ok(masked) = std::str::from_utf8(&scanned.masked) else { break };
        match hcl_edit::parser::parse_expr(masked) {
            Ok(expression) => {
                let mut tree = Tree::new(text, &place);
                let expression = tree.expression(&expression, &(0..masked.len()));
                return tree.into_diagnostics().into_result(expression);
            }
            Err(error) => {
                if !names.resolve(&error, &mut scanned, text) {
                    return Err(explain(&error, text, &place).into());
                }
            }
        }
    }
    Err(given_up(scanned, &place))
}

/// Parses all of `source` as a string template: a file that `templatefile` reads. Backslashes
/// mean nothing; only `$${` and `%%{` are escapes.
pub fn parse_template(source: &Arc<Source>) -> Result<Expression, Diagnostics> {
    template(source.text(), &Place::part(source, 0))
}

/// Parses `text`, which was decoded from a string in `source`, as a string template. `offsets`
/// has the place in `source` of each byte of `text`, and of its end.
pub fn parse_decoded_template(
    text: &str,
    source: &Arc<Source>,
    offsets: Vec<usize>,
) -> Result<Expression, Diagnostics> {
    template(text, &Place::decoded(source, offsets))
}

fn template(text: &str, place: &Place) -> Result<Expression, Diagnostics> {
    if let Some(report) = too_long(text, place) {
        return Err(report.into());
    }
    let mut scanned = scan(text, place, Form::Template);
    if !scanned.errors.is_empty() {
        return Err(scanned.into_diagnostics());
    }
    let mut names = Names::default();
    for _ in 0..ATTEMPTS {
        let Ok(masked) = std::str::from_utf8(&scanned.masked) else { break };
        match hcl_edit::parser::parse_template(masked) {
            Ok(parsed) => {
                let mut tree = Tree::new(text, place);
                let expression = tree.bare_template(&parsed);
                return tree.into_diagnostics().into_result(expression);
            }
            Err(error) => {
                if !names.resolve(&error, &mut scanned, text) {
                    return Err(explain(&error, text, place).into());
                }
            }
        }
    }
    Err(given_up(scanned, place))
}

fn too_long(text: &str, place: &Place) -> Option<Diagnostic> {
    (text.len() > LENGTH).then(|| {
        Diagnostic::error("too-long", "this text is longer than 16 MiB")
            .at(&place.span(0..0), "begins here")
    })
}

/// Names that the parser refuses because they are there twice, and what it gets instead.
#[derive(Default)]
struct Names {
    given: usize,
}

impl Names {
    /// Gives the parser another name of the same length for one that is there twice. For a key
    /// of an object the last one counts; for an attribute the tree reports an error.
    fn resolve(&mut self, error: &Error, scanned: &mut Scan, text: &str) -> bool {
        let at = error.location().offset();
        let message = error.message();
        if !message.contains("found redefined object key")
            && !message.contains("found redefined attribute")
        {
            return false;
        }
        let rest = text.get(at..).unwrap_or_default();
        // A quoted key is replaced inside its quotes.
        let quoted = usize::from(rest.starts_with('"'));
        let length: usize = rest
            .chars()
            .skip(quoted)
            .take_while(|c| {
                if quoted == 1 { *c != '"' } else { c.is_alphanumeric() || "_-".contains(*c) }
            })
            .map(char::len_utf8)
            .sum();
        let range = at + quoted..at + quoted + length;
        if length == 0 || text.get(range.clone()).is_none_or(|name| name.contains(['{', '\\'])) {
            return false;
        }
        self.given += 1;
        let mut name = spelled(self.given, length);
        name.truncate(length);
        let Some(masked) = scanned.masked.get_mut(range.clone()) else { return false };
        if masked == name.as_slice() {
            return false;
        }
        masked.copy_from_slice(&name);
        true
    }
}

/// The `number`th name of `length` bytes.
fn spelled(mut number: usize, length: usize) -> Vec<u8> {
    const LETTERS: &[u8] = b"QXZJKVWYGHBPFUMCLDRTNSIOAEqxzjkvwyghbpfumcldrtnsioae";
    (0..length)
        .map(|_| {
            let letter = LETTERS.get(number % LETTERS.len()).copied().unwrap_or(b'Q');
            number /= LETTERS.len();
            letter
        })
        .collect()
}

/// A parse error with its place, what was expected, and what helps.
fn explain(error: &Error, text: &str, place: &Place) -> Diagnostic {
    let offset = text.floor_char_boundary(error.location().offset().min(text.len()));
    let message = error.message();
    if message.contains("nesting depth")
        || message.contains("nested levels")
        || message.contains("operator") && message.contains("at most")
    {
        return Diagnostic::error("too-deep", "this is nested too deeply")
            .at(&place.span(offset..offset + 1), "here")
            .note("expressions, templates and blocks nest at most 64 levels, and operators at most 128")
            .help("move a part into a `local`");
    }
    // Blanks before the unexpected are of no interest.
    let rest = text.get(offset..).unwrap_or_default();
    let skipped = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let at = offset + skipped;
    let rest = text.get(at..).unwrap_or_default();
    let token = token(rest);
    let before = text.get(..at).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default().trim_end();
    let previous = before.trim_end().chars().next_back();
    let found = match token {
        "" => "the end of the text".to_owned(),
        "\n" | "\r\n" => "the end of the line".to_owned(),
        token => format!("`{token}`"),
    };
    let expected = message
        .rsplit_once("expected ")
        .map(|(_, expected)| expected.trim())
        .filter(|expected| *expected != "token");
    let wants = |what: &str| expected.is_some_and(|expected| expected.contains(what));
    let label = |text: &str| message.starts_with(&format!("invalid {text};"));

    let (summary, help): (String, Option<String>) = if label("expression")
        || label("structure") && line.ends_with('=')
    {
        match token {
            "\n" | "\r\n" | "" if line.ends_with('=') => (
                "a value is missing after `=`".into(),
                Some("put the value on the same line as the `=`".into()),
            ),
            "$" | "%" if rest[token.len()..].starts_with('{') => (
                format!("expected an expression, found {found}"),
                Some("`${ … }` belongs inside a string; write the expression by itself".into()),
            ),
            "=" if previous == Some('=') => {
                (format!("expected an expression, found {found}"), None)
            }
            _ => (format!("expected an expression, found {found}"), None),
        }
    } else if label("structure") {
        let help = match token {
            ":" => Some("set a value with `=`".to_owned()),
            "." => {
                Some("names in a body have no dots; a map is set with `name = { … }`".to_owned())
            }
            "\n" | "\r\n" | "" => Some(
                "a name is followed by `= value`, or by the `{` of a block on the same line"
                    .to_owned(),
            ),
            "[" => Some("write `= [ … ]`".to_owned()),
            _ => None,
        };
        (format!("expected `=` or a block, found {found}"), help)
    } else if label("object item") {
        (
            format!("expected `,`, a new line or `}}` after the item, found {found}"),
            Some("items of an object are separated by commas or line ends".into()),
        )
    } else if token == "." && wants("newline") {
        ("a name is missing after `.`".into(), None)
    } else if wants("newline") || label("block body") {
        let help = if token == "," && label("block body") {
            Some("put each argument of a block on a line of its own, without commas")
        } else if token == "," {
            Some("arguments are not separated by commas: put each on a line of its own")
        } else if label("block body") && line.contains('{') {
            Some("put each argument of a block on a line of its own")
        } else if rest.starts_with("= ") || token == "=" {
            Some("a name holds letters, digits, `_` and `-`")
        } else if token == "\"" || is_word(token) && line.contains('=') {
            Some("put each argument on a line of its own")
        } else {
            None
        };
        let after =
            if line.contains('=') { "the end of the line" } else { "an argument or a block" };
        (format!("expected {after}, found {found}"), help.map(str::to_owned))
    } else if wants("`{`") && matches!(token, "\n" | "\r\n" | "") && previous == Some('"') {
        let name = line.split_whitespace().next().unwrap_or_default();
        let help = format!(
            "to set `{name}`, write `{name} = …`; the `{{` of a block stands on the same line"
        );
        (format!("expected `{{`, found {found}"), Some(help))
    } else if wants("`{`") && token == "=" {
        (format!("expected `{{`, found {found}"), Some("a block has no `=`: remove it".into()))
    } else if label("object value assignment") {
        (format!("expected `=` or `:` after the key, found {found}"), None)
    } else if wants("`]`") {
        let help = (token != "=" && token != "]")
            .then(|| "elements of a list are separated by commas".to_owned());
        (format!("expected `,` or `]`, found {found}"), help)
    } else if wants("`)`") {
        (format!("expected `,` or `)`, found {found}"), None)
    } else if wants("`:`") {
        let opening = before.rfind(['[', '{']).and_then(|at| before.get(at + 1..));
        let help = if opening.is_some_and(|inside| inside.trim_start().starts_with("for ")) {
            "a `for` expression is written `[for x in list : value]` or `{for k, v in map : key => value}`"
        } else {
            "a conditional is written `condition ? value : other`"
        };
        (format!("expected `:`, found {found}"), Some(help.to_owned()))
    } else if wants("`}`") && rest.starts_with('%') {
        (format!("expected `}}`, found {found}"), None)
    } else if let Some(expected) = expected {
        (format!("expected {}, found {found}", expected.replace("eof", "the end")), None)
    } else {
        let help = match token {
            ";" => Some("statements end with their line: remove the `;`".to_owned()),
            "`" => Some("strings stand in double quotes".to_owned()),
            "\"" => Some("names of arguments are written without quotes".to_owned()),
            _ => None,
        };
        let begins_item = line.is_empty();
        if begins_item {
            (format!("expected the name of an argument or a block, found {found}"), help)
        } else {
            (format!("did not expect {found} here"), help)
        }
    };
    let end = at + if token == "\n" || token == "\r\n" { 0 } else { token.len() };
    Diagnostic::error("syntax", summary)
        .at(&place.span(at..end), "not expected here")
        .maybe_help(help)
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The first token of `rest`, as people see it.
fn token(rest: &str) -> &str {
    let Some(first) = rest.chars().next() else { return "" };
    let length = if first.is_alphanumeric() || first == '_' {
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || "_-".contains(*c))
            .map(char::len_utf8)
            .sum()
    } else if rest.starts_with("\r\n")
        || ["=>", "==", "&&", "||", "<<", "::"].iter().any(|two| rest.starts_with(two))
    {
        2
    } else {
        first.len_utf8()
    };
    rest.get(..length).unwrap_or_default()
}
