//! Functions on moments. Those that give the moment of the run mark it as volatile.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use super::declaration::{Call, Failure, Function, Of, Outcome, number, string};
use crate::template::go_template::{Moment, go_layout_format, month_name, strftime, weekday_name};
use crate::value::{Marks, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "formatdate",
        &[string("format"), string("time")],
        Of::String,
        "a moment in a format such as `DD MMM YYYY hh:mm ZZZ`",
        formatdate,
    ),
    Function::new(
        "legacy_isotime",
        &[],
        Of::String,
        "the moment of the run, in a format of Go if one is given",
        |call| {
            let moment = Moment::from(call.context().now);
            let text = match call.arguments {
                [] => rfc3339(call.context().now, Offset::UTC),
                [_] => go_layout_format(call.text(0), moment),
                _ => return Err(Failure::of(1, "only one format can be given")),
            };
            Ok(Value::string(text).marked(Marks::VOLATILE))
        },
    )
    .variadic(string("format")),
    Function::new(
        "legacy_strftime",
        &[],
        Of::String,
        "the moment of the run, in a format of C if one is given",
        |call| {
            let moment = Moment::from(call.context().now);
            let text = match call.arguments {
                [] => rfc3339(call.context().now, Offset::UTC),
                [_] => strftime(call.text(0), moment),
                _ => return Err(Failure::of(1, "only one format can be given")),
            };
            Ok(Value::string(text).marked(Marks::VOLATILE))
        },
    )
    .variadic(string("format")),
    Function::new(
        "rfc3339_parse",
        &[string("time")],
        Of::Any,
        "the parts of a moment: year, month, day, hour, weekday, unix and so on",
        |call| {
            let (time, offset) = moment(call, 0, true)?;
            let mut parts = parts(time);
            let unix = offset.to_timestamp(time).map(Timestamp::as_second);
            let unix = unix.map_err(|_| Failure::of(0, "this moment is out of range"))?;
            parts.insert("unix".into(), Value::number(unix));
            Ok(Value::object(parts))
        },
    ),
    Function::new(
        "timeadd",
        &[string("time"), string("duration")],
        Of::String,
        "a moment later, or earlier, by a duration such as `1h30m` or `-10s`",
        timeadd,
    ),
    Function::new(
        "timecmp",
        &[string("time"), string("other")],
        Of::Number,
        "-1, 0 or 1 for a moment before, at or after another",
        |call| {
            let at = |at| -> Result<Timestamp, Failure> {
                let (time, offset) = moment(call, at, false)?;
                offset
                    .to_timestamp(time)
                    .map_err(|_| Failure::of(at, "this moment is out of range"))
            };
            Ok(Value::number(match at(0)?.cmp(&at(1)?) {
                std::cmp::Ordering::Less => -1,
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => 1,
            }))
        },
    ),
    Function::new("plantimestamp", &[], Of::String, "another name of `timestamp`", timestamp),
    Function::new("timestamp", &[], Of::String, "the moment of the run in UTC", timestamp),
    Function::new(
        "unix_timestamp_parse",
        &[number("seconds")],
        Of::Any,
        "the parts of a moment in UTC, given as seconds since 1970",
        |call| {
            let moment = Timestamp::from_second(call.integer(0)?)
                .map_err(|_| Failure::of(0, "this moment is out of range"))?;
            let mut parts = parts(Offset::UTC.to_datetime(moment));
            parts.insert("rfc3339".into(), Value::string(rfc3339(moment, Offset::UTC)));
            Ok(Value::object(parts))
        },
    ),
];

fn timestamp(call: &Call<'_>) -> Outcome {
    Ok(Value::string(rfc3339(call.context().now, Offset::UTC)).marked(Marks::VOLATILE))
}

/// To the second, as Go's RFC 3339 layout prints it.
fn rfc3339(moment: Timestamp, offset: Offset) -> String {
    rfc3339_text(offset.to_datetime(moment), offset)
}

/// The same for a time and the offset it stands at.
pub(super) fn rfc3339_text(time: DateTime, offset: Offset) -> String {
    format!("{}{}", time.strftime("%Y-%m-%dT%H:%M:%S"), zone(offset, true))
}

/// `Z` for UTC or `+01:00`; without colon, `+0100` and no `Z`.
fn zone(offset: Offset, colon: bool) -> String {
    let seconds = offset.seconds();
    if seconds == 0 && colon {
        return "Z".into();
    }
    let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
    format!("{sign}{:02}{}{:02}", minutes / 60, if colon { ":" } else { "" }, minutes % 60)
}

/// Argument `at`, a moment by RFC 3339.
fn moment(call: &Call<'_>, at: usize, blank: bool) -> Result<(DateTime, Offset), Failure> {
    parse_moment(call.text(at), blank).ok_or_else(|| {
        Failure::of(at, format!("{} is not a moment by RFC 3339", call.shown(at)))
            .help("a moment is written `2026-11-21T07:08:09Z` or `2026-11-21T07:08:09+01:00`")
    })
}

fn parse_moment(text: &str, blank: bool) -> Option<(DateTime, Offset)> {
    let bytes = text.as_bytes();
    let number = |from: usize, length: usize| -> Option<i16> {
        let digits = text.get(from..from + length)?;
        if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
    };
    let small = |from: usize| i8::try_from(number(from, 2)?).ok();
    let is = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
    if !(is(4, b'-') && is(7, b'-') && is(13, b':') && is(16, b':')) {
        return None;
    }
    if !(is(10, b'T') || blank && is(10, b' ')) {
        return None;
    }
    let date = Date::new(number(0, 4)?, small(5)?, small(8)?).ok()?;
    let mut rest = text.get(19..)?;
    let mut nanoseconds = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let digits = fraction.get(..length.min(9))?;
        nanoseconds = format!("{digits:0<9}").parse().ok().filter(|_| length > 0)?;
        rest = fraction.get(length..)?;
    }
    let time = Time::new(small(11)?, small(14)?, small(17)?, nanoseconds).ok()?;
    let offset = if rest == "Z" {
        Offset::UTC
    } else {
        let start = text.len() - rest.len();
        let sign = match bytes.get(start)? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        if rest.len() != 6 || !is(start + 3, b':') {
            return None;
        }
        let (hours, minutes) = (i32::from(small(start + 1)?), i32::from(small(start + 4)?));
        if hours > 23 || minutes > 59 {
            return None;
        }
        Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()?
    };
    Some((DateTime::from_parts(date, time), offset))
}

fn parts(time: DateTime) -> BTreeMap<String, Value> {
    let week = time.date().iso_week_date();
    BTreeMap::from([
        ("year".to_owned(), Value::number(i64::from(time.year()))),
        ("year_day".to_owned(), Value::number(i64::from(time.date().day_of_year()))),
        ("day".to_owned(), Value::number(i64::from(time.day()))),
        ("month".to_owned(), Value::number(i64::from(time.month()))),
        ("month_name".to_owned(), Value::string(month_name(time))),
        ("weekday".to_owned(), Value::number(i64::from(time.weekday().to_sunday_zero_offset()))),
        ("weekday_name".to_owned(), Value::string(weekday_name(time))),
        ("hour".to_owned(), Value::number(i64::from(time.hour()))),
        ("minute".to_owned(), Value::number(i64::from(time.minute()))),
        ("second".to_owned(), Value::number(i64::from(time.second()))),
        ("iso_year".to_owned(), Value::number(i64::from(week.year()))),
        ("iso_week".to_owned(), Value::number(i64::from(week.week()))),
    ])
}

fn timeadd(call: &Call<'_>) -> Outcome {
    let (time, offset) = moment(call, 0, false)?;
    let duration = parse_duration(call.text(1)).ok_or_else(|| {
        Failure::of(1, format!("{} is not a duration", call.shown(1)))
            .help("a duration has the units `h`, `m`, `s`, `ms`, `us` and `ns`, as in `1h30m`")
    })?;
    offset
        .to_timestamp(time)
        .and_then(|moment| moment.checked_add(duration))
        .map(|moment| Value::string(rfc3339(moment, offset)))
        .map_err(|_| Failure::new("the result is out of range"))
}

/// A duration as Go writes it: `1h30m`, `-1.5h`, `300ms`, `0`.
fn parse_duration(text: &str) -> Option<SignedDuration> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Some(SignedDuration::ZERO);
    }
    if unsigned.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    let mut rest = unsigned;
    while !rest.is_empty() {
        let length = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (digits, after) = rest.split_at(length);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let unit_length =
            after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_length);
        let nanoseconds: i128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(whole.checked_mul(nanoseconds)?)?;
        let fraction = fraction.get(..fraction.len().min(15))?;
        if !fraction.is_empty() {
            let scale = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
            total = total.checked_add(fraction.parse::<i128>().ok()? * nanoseconds / scale)?;
        }
        rest = after;
    }
    let total = i64::try_from(if text.starts_with('-') { -total } else { total }).ok()?;
    Some(SignedDuration::from_nanos(total))
}

fn formatdate(call: &Call<'_>) -> Outcome {
    let (time, offset) = moment(call, 1, false)?;
    let format = call.text(0);
    let mut text = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let (literal, after) = quoted(rest).ok_or_else(|| {
                Failure::of(0, "a text in quotes never ends").help("close it with `'`")
            })?;
            text.push_str(&literal);
            rest = after;
            continue;
        }
        let length = rest.len() - rest.trim_start_matches(first).len();
        let (verb, after) = rest.split_at(length);
        rest = after;
        if first.is_ascii_alphabetic() {
            match field(verb, time, offset) {
                Some(field) => text.push_str(&field),
                None => {
                    return Err(Failure::of(0, format!("`{verb}` is no part of a date"))
                        .help("parts are `YYYY YY MMMM MMM MM M DD D EEEE EEE hh h HH H AA aa mm m ss s ZZZZZ ZZZZ ZZZ Z`; other letters stand in `'…'`"));
                }
            }
        } else {
            text.push_str(verb);
        }
    }
    Ok(Value::string(text))
}

/// A literal in quotes, in which a doubled quote is one; a doubled quote by itself too.
fn quoted(text: &str) -> Option<(String, &str)> {
    if let Some(rest) = text.strip_prefix("''") {
        return Some(("'".into(), rest));
    }
    let mut literal = String::new();
    let mut rest = text.strip_prefix('\'')?;
    loop {
        let end = rest.find('\'')?;
        literal.push_str(rest.get(..end)?);
        rest = rest.get(end + 1..)?;
        match rest.strip_prefix('\'') {
            Some(after) => {
                literal.push('\'');
                rest = after;
            }
            None => return Some((literal, rest)),
        }
    }
}

fn field(verb: &str, time: DateTime, offset: Offset) -> Option<String> {
    let twelve = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let short = |name: &str| name.get(..3).unwrap_or(name).to_owned();
    Some(match verb {
        "YYYY" => format!("{:04}", time.year()),
        "YY" => format!("{:02}", time.year().rem_euclid(100)),
        "MMMM" => month_name(time).to_owned(),
        "MMM" => short(month_name(time)),
        "MM" => format!("{:02}", time.month()),
        "M" => time.month().to_string(),
        "DD" => format!("{:02}", time.day()),
        "D" => time.day().to_string(),
        "EEEE" => weekday_name(time).to_owned(),
        "EEE" => short(weekday_name(time)),
        "hh" => format!("{:02}", time.hour()),
        "h" => time.hour().to_string(),
        "HH" => format!("{twelve:02}"),
        "H" => twelve.to_string(),
        "AA" => if time.hour() < 12 { "AM" } else { "PM" }.to_owned(),
        "aa" => if time.hour() < 12 { "am" } else { "pm" }.to_owned(),
        "mm" => format!("{:02}", time.minute()),
        "m" => time.minute().to_string(),
        "ss" => format!("{:02}", time.second()),
        "s" => time.second().to_string(),
        "ZZZZZ" => {
            let zone = zone(offset, true);
            if zone == "Z" { "+00:00".into() } else { zone }
        }
        "ZZZZ" => zone(offset, false),
        "ZZZ" if offset == Offset::UTC => "UTC".into(),
        "ZZZ" => zone(offset, false),
        "Z" => zone(offset, true),
        _ => return None,
    })
}
