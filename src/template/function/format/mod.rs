//! `format` and `formatlist`, with the verbs of HCL's own implementation.

mod digits;

use bigdecimal::Signed;

use digits::{fixed, general, scientific};

use super::declaration::{Call, Failure, Function, Of, Outcome, any, string};
use super::string::{TEXT_LIMIT, check_writable, too_long};
use crate::value::{Kind, Number, Type, Value, convert, json_text, to_radix};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "format",
        &[string("format")],
        Of::String,
        "a text with values put in at verbs such as `%s`, `%d`, `%05.2f`, `%q`, `%v`",
        |call| {
            text(call, call.text(0), call.arguments.get(1..).unwrap_or_default()).map(Value::string)
        },
    )
    .variadic(any("values").nullable()),
    Function::new(
        "formatlist",
        &[string("format")],
        Of::List(&Of::String),
        "a list of texts: `format` for each element of lists that are gone through together",
        formatlist,
    )
    .variadic(any("values").nullable()),
];

/// What stands between `%` and the verb.
#[derive(Default)]
struct Verb {
    plus: bool,
    minus: bool,
    space: bool,
    zero: bool,
    sharp: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// From zero.
    argument: usize,
}

/// The widest field and the most digits: more is a mistake or an attack.
const WIDEST: usize = 10_000;

fn text(call: &Call<'_>, format: &str, values: &[Value]) -> Result<String, Failure> {
    let mut text = String::new();
    let mut rest = format;
    let mut next = 0;
    let mut used = 0;
    while let Some(at) = rest.find('%') {
        text.push_str(rest.get(..at).unwrap_or_default());
        let begin = rest.get(at..).unwrap_or_default();
        let after = begin.get(1..).unwrap_or_default();
        if let Some(after) = after.strip_prefix('%') {
            text.push('%');
            rest = after;
            continue;
        }
        let (mut verb, letter, after) = parse(after, next)?;
        let spec = begin.get(..begin.len() - after.len()).unwrap_or_default();
        let Some(value) = values.get(verb.argument) else {
            return Err(Failure::of(
                0,
                format!(
                    "`{spec}` needs argument {}, but there are only {}",
                    verb.argument + 1,
                    values.len()
                ),
            ));
        };
        next = verb.argument + 1;
        used = used.max(next);
        // Between sign and digits, zeros would look odd after them.
        verb.zero &= !verb.minus;
        let piece = formatted(call, &verb, letter, spec, value)?;
        text.push_str(&piece);
        if text.len() > TEXT_LIMIT {
            return Err(too_long());
        }
        rest = after;
    }
    text.push_str(rest);
    if used < values.len() {
        return Err(Failure::of(
            used + 1,
            format!("there are more values than the {used} that the format uses"),
        ));
    }
    Ok(text)
}

/// Flags, width, precision, index of the argument, and the letter.
fn parse(text: &str, next: usize) -> Result<(Verb, char, &str), Failure> {
    let mut verb = Verb { argument: next, ..Verb::default() };
    let mut rest = text;
    loop {
        let flag = match rest.chars().next() {
            Some('+') => &mut verb.plus,
            Some('-') => &mut verb.minus,
            Some(' ') => &mut verb.space,
            Some('0') => &mut verb.zero,
            Some('#') => &mut verb.sharp,
            _ => break,
        };
        *flag = true;
        rest = rest.get(1..).unwrap_or_default();
    }
    (verb.width, rest) = digits(rest)?;
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = digits(after)?;
        verb.precision = Some(precision.unwrap_or(0));
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('[') {
        let (index, after) = digits(after)?;
        let index = index.and_then(|index| index.checked_sub(1));
        match (index, after.strip_prefix(']')) {
            (Some(index), Some(after)) => {
                verb.argument = index;
                rest = after;
            }
            _ => {
                return Err(Failure::of(
                    0,
                    "`[` is followed by the number of an argument, from 1, and `]`",
                ));
            }
        }
    }
    match rest.chars().next() {
        Some(letter) => Ok((verb, letter, rest.get(letter.len_utf8()..).unwrap_or_default())),
        None => Err(Failure::of(0, "a verb is missing after `%` at the end")
            .help("write `%%` for a plain `%`")),
    }
}

fn digits(text: &str) -> Result<(Option<usize>, &str), Failure> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    if digits.is_empty() {
        return Ok((None, rest));
    }
    match digits.parse() {
        Ok(number) if number <= WIDEST => Ok((Some(number), rest)),
        _ => Err(Failure::of(0, format!("a width or precision of at most {WIDEST} is required"))),
    }
}

fn formatted(
    call: &Call<'_>,
    verb: &Verb,
    letter: char,
    spec: &str,
    value: &Value,
) -> Result<String, Failure> {
    let at = verb.argument + 1;
    if value.is_null() && letter != 'v' {
        return Err(Failure::of(at, format!("`{spec}` does not take null")));
    }
    let to = |of: &Type| {
        convert(value, of).map(|value| value.kind).map_err(|error| {
            let detail = if call.is_sensitive(at) {
                format!("{} is required", of.a_noun())
            } else {
                error.to_string()
            };
            Failure::of(at, format!("`{spec}` does not fit: {detail}"))
        })
    };
    match letter {
        'v' => match &value.kind {
            Kind::String(text) if !verb.sharp => Ok(padded(verb, text)),
            Kind::Number(number) if !verb.sharp => {
                // `%v` takes no precision.
                Ok(signed(verb, &general(None, number, 'e'), number))
            }
            Kind::Bool(value) if !verb.sharp => Ok(padded(verb, &value.to_string())),
            _ => {
                check_writable(value)?;
                let json =
                    json_text(value).ok_or_else(|| Failure::of(at, "this is not known yet"))?;
                Ok(padded(verb, &json))
            }
        },
        't' => match to(&Type::Bool)? {
            Kind::Bool(value) => Ok(value.to_string()),
            _ => Ok(String::new()),
        },
        's' | 'q' => match to(&Type::String)? {
            Kind::String(text) if letter == 'q' => {
                check_writable(value)?;
                let quoted = json_text(&Value::string(text)).unwrap_or_default();
                Ok(padded(verb, &quoted))
            }
            Kind::String(text) => {
                use unicode_segmentation::UnicodeSegmentation;
                let cut: String = match verb.precision {
                    Some(precision) => text.graphemes(true).take(precision).collect(),
                    None => text.to_string(),
                };
                Ok(padded(verb, &cut))
            }
            _ => Ok(String::new()),
        },
        'b' | 'd' | 'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'g' | 'G' => match to(&Type::Number)? {
            Kind::Number(number) => numeric(verb, letter, spec, at, &number),
            _ => Ok(String::new()),
        },
        _ => Err(Failure::of(0, format!("unknown verb `{spec}`"))
            .help("the verbs are `%v %#v %t %b %d %o %x %X %e %E %f %g %G %s %q %%`")),
    }
}

fn numeric(
    verb: &Verb,
    letter: char,
    spec: &str,
    at: usize,
    number: &Number,
) -> Result<String, Failure> {
    let magnitude = number.abs();
    let digits = match letter {
        'f' => fixed(&magnitude, verb.precision.unwrap_or(6)),
        'e' | 'E' => scientific(&magnitude, verb.precision.unwrap_or(6), letter),
        'g' => general(verb.precision, &magnitude, 'e'),
        'G' => general(verb.precision, &magnitude, 'E'),
        _ => {
            let (base, prefix) = match letter {
                'b' => (2, "0b"),
                'o' => (8, "0"),
                'd' => (10, ""),
                'x' => (16, "0x"),
                _ => (16, "0X"),
            };
            let digits = to_radix(&magnitude, base)
                .ok_or_else(|| Failure::of(at, format!("`{spec}` takes a whole number")))?;
            let digits = if letter == 'X' { digits.to_uppercase() } else { digits };
            if verb.sharp { format!("{prefix}{digits}") } else { digits }
        }
    };
    Ok(signed(verb, &digits, number))
}

/// Sign and padding around the digits of a number.
fn signed(verb: &Verb, digits: &str, number: &Number) -> String {
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    let sign = if number.is_negative() {
        "-"
    } else if verb.plus {
        "+"
    } else if verb.space {
        " "
    } else {
        ""
    };
    let width = verb.width.unwrap_or(0);
    let length = sign.len() + digits.len();
    if verb.zero && length < width {
        return format!("{sign}{}{digits}", "0".repeat(width - length));
    }
    padded(verb, &format!("{sign}{digits}"))
}

fn padded(verb: &Verb, text: &str) -> String {
    use unicode_segmentation::UnicodeSegmentation;
    let missing = verb.width.unwrap_or(0).saturating_sub(text.graphemes(true).count());
    if verb.minus {
        format!("{text}{}", " ".repeat(missing))
    } else {
        format!("{}{text}", if verb.zero { "0" } else { " " }.repeat(missing))
    }
}

fn formatlist(call: &Call<'_>) -> Outcome {
    let values = call.arguments.get(1..).unwrap_or_default();
    let mut length = None;
    for (at, value) in values.iter().enumerate() {
        if let Some(elements) = listed(value) {
            match length {
                None => length = Some((at, elements.len())),
                Some((_, other)) if other == elements.len() => {}
                Some((first, other)) => {
                    return Err(Failure::of(
                        at + 1,
                        format!(
                            "this list has {} elements, but value {} has {other}",
                            elements.len(),
                            first + 1
                        ),
                    ));
                }
            }
        }
    }
    let mut texts = Vec::new();
    let mut size = 0;
    for row in 0..length.map_or(1, |(_, length)| length) {
        let row: Vec<Value> = values
            .iter()
            .map(|value| match listed(value) {
                Some(elements) => elements.get(row).cloned().unwrap_or_else(Value::null),
                None => value.clone(),
            })
            .collect();
        let text = text(call, call.text(0), &row)?;
        size += text.len();
        if size > TEXT_LIMIT {
            return Err(too_long());
        }
        texts.push(Value::string(text));
    }
    Ok(Value::new(Kind::List(Type::String, texts)))
}

fn listed(value: &Value) -> Option<&[Value]> {
    match &value.kind {
        Kind::List(_, all) | Kind::Set(_, all) | Kind::Tuple(all) => Some(all),
        _ => None,
    }
}
