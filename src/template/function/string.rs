//! Functions on strings.

use unicode_segmentation::UnicodeSegmentation;

use super::declaration::{Call, Failure, Function, Of, Outcome, number, string, strings};
use crate::value::{Kind, Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("chomp", &[string("text")], Of::String, "removes line ends at the end", chomp),
    Function::new(
        "endswith",
        &[string("text"), string("suffix")],
        Of::Bool,
        "whether a text ends with another",
        |call| Ok(Value::bool(call.text(0).ends_with(call.text(1)))),
    ),
    Function::new(
        "indent",
        &[number("spaces"), string("text")],
        Of::String,
        "puts spaces before all lines but the first",
        indent,
    ),
    Function::new(
        "join",
        &[string("separator")],
        Of::String,
        "puts the elements of lists of strings together",
        join,
    )
    .variadic(strings("lists")),
    Function::new("lower", &[string("text")], Of::String, "makes all letters lower case", |call| {
        Ok(Value::string(call.text(0).chars().filter_map(lower).collect::<String>()))
    }),
    Function::new("upper", &[string("text")], Of::String, "makes all letters upper case", |call| {
        Ok(Value::string(call.text(0).chars().flat_map(upper).collect::<String>()))
    }),
    Function::new(
        "title",
        &[string("text")],
        Of::String,
        "makes the first letter of each word upper case",
        title,
    ),
    Function::new(
        "regex",
        &[string("pattern"), string("text")],
        Of::Any,
        "the first match of a regular expression: text, or a list or object of its groups",
        regex_first,
    ),
    Function::new(
        "regexall",
        &[string("pattern"), string("text")],
        Of::Any,
        "all matches of a regular expression",
        regex_all,
    ),
    Function::new(
        "regex_replace",
        &[string("text"), string("pattern"), string("replacement")],
        Of::String,
        "replaces what matches a regular expression; `$1` and `${name}` are its groups",
        regex_replace,
    ),
    Function::new(
        "replace",
        &[string("text"), string("part"), string("replacement")],
        Of::String,
        "replaces a part wherever it is",
        replace,
    ),
    Function::new(
        "split",
        &[string("separator"), string("text")],
        Of::List(&Of::String),
        "cuts a text at each separator",
        split,
    ),
    Function::new(
        "startswith",
        &[string("text"), string("prefix")],
        Of::Bool,
        "whether a text begins with another",
        |call| Ok(Value::bool(call.text(0).starts_with(call.text(1)))),
    ),
    Function::new(
        "strcontains",
        &[string("text"), string("part")],
        Of::Bool,
        "whether a text holds another",
        |call| Ok(Value::bool(call.text(0).contains(call.text(1)))),
    ),
    Function::new("strrev", &[string("text")], Of::String, "turns a text around", |call| {
        Ok(Value::string(call.text(0).graphemes(true).rev().collect::<String>()))
    }),
    Function::new(
        "substr",
        &[string("text"), number("offset"), number("length")],
        Of::String,
        "a part of a text; a negative offset counts from the end, length -1 means the rest",
        substr,
    ),
    Function::new(
        "trim",
        &[string("text"), string("characters")],
        Of::String,
        "removes characters from both ends",
        |call| {
            let set = call.text(1);
            Ok(Value::string(call.text(0).trim_matches(|c| set.contains(c))))
        },
    ),
    Function::new(
        "trimprefix",
        &[string("text"), string("prefix")],
        Of::String,
        "removes a prefix if it is there",
        |call| {
            let text = call.text(0);
            Ok(Value::string(text.strip_prefix(call.text(1)).unwrap_or(text)))
        },
    ),
    Function::new(
        "trimsuffix",
        &[string("text"), string("suffix")],
        Of::String,
        "removes a suffix if it is there",
        |call| {
            let text = call.text(0);
            Ok(Value::string(text.strip_suffix(call.text(1)).unwrap_or(text)))
        },
    ),
    Function::new(
        "trimspace",
        &[string("text")],
        Of::String,
        "removes blanks from both ends",
        |call| Ok(Value::string(call.text(0).trim())),
    ),
];

fn chomp(call: &Call<'_>) -> Outcome {
    Ok(Value::string(call.text(0).trim_end_matches(['\n', '\r'])))
}

/// Upper case letter by letter, so that `ß` stays as it is in Go.
fn upper(c: char) -> impl Iterator<Item = char> {
    let mut mapped = c.to_uppercase();
    let single = if mapped.len() == 1 { mapped.next() } else { None };
    std::iter::once(single.unwrap_or(c))
}

/// Lower case letter by letter, as in Go: no `ς` at the end of a word, no dot left over from `İ`.
fn lower(c: char) -> Option<char> {
    c.to_lowercase().next()
}

fn title(call: &Call<'_>) -> Outcome {
    let mut result = String::new();
    let mut begins = true;
    for c in call.text(0).chars() {
        if begins {
            result.extend(upper(c));
        } else {
            result.push(c);
        }
        // As in Go: ASCII but letters, digits and underscores separates words, else only blanks do.
        begins =
            if c.is_ascii() { !(c.is_ascii_alphanumeric() || c == '_') } else { c.is_whitespace() };
    }
    Ok(Value::string(result))
}

fn indent(call: &Call<'_>) -> Outcome {
    let spaces = call.size(0)?;
    let lines = call.text(1).matches('\n').count();
    if spaces.saturating_mul(lines) > TEXT_LIMIT {
        return Err(Failure::of(0, "the result is too long"));
    }
    let padding = format!("\n{}", " ".repeat(spaces));
    Ok(Value::string(call.text(1).replace('\n', &padding)))
}

/// The most parts that one call cuts a text into.
const PARTS: usize = 1_000_000;

fn too_many_parts() -> Failure {
    Failure::of(1, format!("the text has more than {PARTS} parts"))
}

/// The longest text that one call makes.
pub(super) const TEXT_LIMIT: usize = 64 << 20;

/// The text would be longer than [`TEXT_LIMIT`].
pub(super) fn too_long() -> Failure {
    Failure::new("the result is too long: more than 64 MiB")
}

/// Fails when a value written as JSON or YAML would be longer than [`TEXT_LIMIT`]: texts in it may
/// be one and the same, so that the value itself is small.
pub(super) fn check_writable(value: &Value) -> Result<(), Failure> {
    left_after(value, TEXT_LIMIT).map(|_| ()).ok_or_else(too_long)
}

/// What is left of `limit` bytes once a value is written.
fn left_after(value: &Value, limit: usize) -> Option<usize> {
    // A byte becomes at most six.
    let text = |text: &str, limit: usize| limit.checked_sub(text.len().saturating_mul(6));
    match &value.kind {
        Kind::String(string) => text(string, limit),
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => {
            all.iter().try_fold(limit, |rest, one| left_after(one, rest))
        }
        Kind::Map(_, all) | Kind::Object(all) => {
            all.iter().try_fold(limit, |rest, (key, one)| left_after(one, text(key, rest)?))
        }
        _ => Some(limit),
    }
}

fn join(call: &Call<'_>) -> Outcome {
    let separator = call.text(0);
    if call.arguments.len() < 2 {
        return Err(Failure::new("at least one list is required"));
    }
    let mut parts = Vec::new();
    for at in 1..call.arguments.len() {
        for element in call.elements(at)? {
            match element.as_str() {
                Some(text) => parts.push(text),
                None => return Err(Failure::of(at, "an element of the list is null")),
            }
        }
    }
    let length = parts.iter().map(|part| part.len() + separator.len()).sum::<usize>();
    if length > TEXT_LIMIT {
        return Err(too_long());
    }
    Ok(Value::string(parts.join(separator)))
}

fn replace(call: &Call<'_>) -> Outcome {
    let (text, part, with) = (call.text(0), call.text(1), call.text(2));
    let found = text.matches(part).count();
    if found.saturating_mul(with.len()).saturating_add(text.len()) > TEXT_LIMIT {
        return Err(too_long());
    }
    Ok(Value::string(text.replace(part, with)))
}

fn split(call: &Call<'_>) -> Outcome {
    let (separator, text) = (call.text(0), call.text(1));
    if text.len() > PARTS && text.matches(separator).count() > PARTS {
        return Err(too_many_parts());
    }
    let parts: Vec<Value> = if separator.is_empty() {
        text.chars().map(|c| Value::string(c.to_string())).collect()
    } else {
        text.split(separator).map(Value::string).collect()
    };
    Ok(Value::new(Kind::List(Type::String, parts)))
}

fn substr(call: &Call<'_>) -> Outcome {
    let graphemes = || call.text(0).graphemes(true);
    let (offset, length) = (call.integer(1)?, call.integer(2)?);
    let offset = match usize::try_from(offset) {
        Ok(offset) => offset,
        Err(_) => {
            let back = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            graphemes().count().saturating_sub(back)
        }
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(Value::string(graphemes().skip(offset).take(length).collect::<String>()))
}

fn compiled(call: &Call<'_>, at: usize) -> Result<regex::Regex, Failure> {
    regex::RegexBuilder::new(call.text(at)).size_limit(1 << 20).build().map_err(|error| {
        let text = error.to_string();
        // The last line says what is wrong; those before draw the pattern.
        let detail =
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Failure::of(at, format!("invalid regular expression{}", call.detail(at, detail)))
    })
}

/// A match: its text when there are no groups, an object of named groups, or a list of groups.
/// `size` is how much text matches took so far.
fn captured(
    pattern: &regex::Regex,
    captures: &regex::Captures<'_>,
    size: &mut usize,
) -> Result<Value, Failure> {
    // Groups within groups take the same text again.
    *size += captures.iter().flatten().map(|group| group.len()).sum::<usize>();
    if *size > TEXT_LIMIT {
        return Err(too_long());
    }
    let text = |group: Option<regex::Match<'_>>| match group {
        Some(group) => Value::string(group.as_str()),
        None => Value::new(Kind::Null(Type::String)),
    };
    let names: Vec<Option<&str>> = pattern.capture_names().skip(1).collect();
    if names.is_empty() {
        return Ok(text(captures.get(0)));
    }
    if names.iter().all(Option::is_none) {
        return Ok(Value::tuple(captures.iter().skip(1).map(text).collect()));
    }
    if names.iter().any(Option::is_none) {
        return Err(Failure::of(0, "groups have to be all named or all without name"));
    }
    Ok(Value::object(
        names
            .iter()
            .flatten()
            .map(|name| ((*name).to_owned(), text(captures.name(name))))
            .collect(),
    ))
}

fn regex_first(call: &Call<'_>) -> Outcome {
    let pattern = compiled(call, 0)?;
    match pattern.captures(call.text(1)) {
        Some(captures) => captured(&pattern, &captures, &mut 0),
        None => Err(Failure::of(1, format!("{} does not match the pattern", call.shown(1)))
            .help("use `regexall`, or `try(regex(…), null)`, when it need not match")),
    }
}

fn regex_all(call: &Call<'_>) -> Outcome {
    let pattern = compiled(call, 0)?;
    let mut matches = Vec::new();
    let mut size = 0;
    for captures in pattern.captures_iter(call.text(1)) {
        if matches.len() == PARTS {
            return Err(too_many_parts());
        }
        matches.push(captured(&pattern, &captures, &mut size)?);
    }
    let of = matches.first().map_or(Type::String, Value::type_of);
    Ok(Value::new(Kind::List(of, matches)))
}

fn regex_replace(call: &Call<'_>) -> Outcome {
    let pattern = compiled(call, 1)?;
    let (text, replacement) = (call.text(0), call.text(2));
    let mut replaced = String::new();
    let mut from = 0;
    for captures in pattern.captures_iter(text) {
        let Some(all) = captures.get(0) else { continue };
        replaced.push_str(text.get(from..all.start()).unwrap_or_default());
        // What a replacement says may be put in as often as it has a `$`.
        let groups = replacement.matches('$').count();
        let longest = captures.iter().flatten().map(|group| group.len()).max().unwrap_or(0);
        let most = groups.saturating_mul(longest).saturating_add(replacement.len());
        if replaced.len().saturating_add(most) > TEXT_LIMIT {
            return Err(too_long());
        }
        captures.expand(replacement, &mut replaced);
        from = all.end();
    }
    replaced.push_str(text.get(from..).unwrap_or_default());
    Ok(Value::string(replaced))
}
