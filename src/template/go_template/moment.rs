//! A moment, and how Go and C spell it.

use jiff::Timestamp;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::{Offset, TimeZone};

/// A moment, shown in UTC. A build has one: its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    timestamp: Timestamp,
}

impl Moment {
    /// Seconds and nanoseconds since 1970-01-01T00:00:00Z. Moments outside of the years -9999
    /// to 9999 become the nearest one inside.
    pub fn new(seconds: i64, nanoseconds: u32) -> Self {
        let nanoseconds = i32::try_from(nanoseconds.min(999_999_999)).unwrap_or(0);
        let nearest = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
        Self { timestamp: Timestamp::new(seconds, nanoseconds).unwrap_or(nearest) }
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub fn seconds(self) -> i64 {
        // Rounded down; jiff rounds towards zero.
        self.timestamp.as_second() - i64::from(self.timestamp.subsec_nanosecond() < 0)
    }

    fn civil(self) -> DateTime {
        Offset::UTC.to_datetime(self.timestamp)
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        Self { timestamp }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The English name of the month.
pub(crate) fn month_name(time: DateTime) -> &'static str {
    let index = usize::try_from(time.month() - 1).unwrap_or(0);
    MONTHS.get(index).copied().unwrap_or_default()
}

/// The English name of the day of the week.
pub(crate) fn weekday_name(time: DateTime) -> &'static str {
    match time.weekday() {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

fn short(name: &str) -> &str {
    name.get(..3).unwrap_or(name)
}

fn half_day_hour(time: DateTime) -> i8 {
    match time.hour() % 12 {
        0 => 12,
        hour => hour,
    }
}

/// The layout of RFC 3339 in Go's notation, which `isotime` uses when it is given none.
pub const RFC3339_LAYOUT: &str = "2006-01-02T15:04:05Z07:00";

/// The moment as a Go layout shows it: the layout is what 2006-01-02 15:04:05 UTC would look
/// like. Everything that is no part of that time is copied.
pub fn go_layout_format(layout: &str, moment: Moment) -> String {
    let time = moment.civil();
    let mut text = String::new();
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        let (part, length) =
            layout_part(rest, time).unwrap_or_else(|| (c.to_string(), c.len_utf8()));
        text.push_str(&part);
        rest = rest.get(length..).unwrap_or_default();
    }
    text
}

/// What the start of the layout stands for, and its length; `None` when it stands for itself.
fn layout_part(rest: &str, time: DateTime) -> Option<(String, usize)> {
    let starts = |token: &str| rest.starts_with(token);
    let followed_by_lower =
        |length: usize| rest.as_bytes().get(length).is_some_and(u8::is_ascii_lowercase);
    let found = |text: String, token: &str| Some((text, token.len()));
    let first = rest.chars().next()?;
    match first {
        'J' if starts("January") => found(month_name(time).to_owned(), "January"),
        'J' if starts("Jan") && !followed_by_lower(3) => {
            found(short(month_name(time)).into(), "Jan")
        }
        'M' if starts("Monday") => found(weekday_name(time).to_owned(), "Monday"),
        'M' if starts("Mon") && !followed_by_lower(3) => {
            found(short(weekday_name(time)).into(), "Mon")
        }
        'M' if starts("MST") => found("UTC".to_owned(), "MST"),
        '0' => match rest.as_bytes().get(1)? {
            b'1' => found(format!("{:02}", time.month()), "01"),
            b'2' => found(format!("{:02}", time.day()), "02"),
            b'3' => found(format!("{:02}", half_day_hour(time)), "03"),
            b'4' => found(format!("{:02}", time.minute()), "04"),
            b'5' => found(format!("{:02}", time.second()), "05"),
            b'6' => found(format!("{:02}", time.year().rem_euclid(100)), "06"),
            b'0' if starts("002") => found(format!("{:03}", time.day_of_year()), "002"),
            _ => None,
        },
        '1' if starts("15") => found(format!("{:02}", time.hour()), "15"),
        '1' => found(time.month().to_string(), "1"),
        '2' if starts("2006") => found(go_year(time), "2006"),
        '2' => found(time.day().to_string(), "2"),
        '3' => found(half_day_hour(time).to_string(), "3"),
        '4' => found(time.minute().to_string(), "4"),
        '5' => found(time.second().to_string(), "5"),
        '_' if starts("_2006") => found(format!("_{}", go_year(time)), "_2006"),
        '_' if starts("_2") => found(format!("{:2}", time.day()), "_2"),
        '_' if starts("__2") => found(format!("{:3}", time.day_of_year()), "__2"),
        'P' if starts("PM") => found(if time.hour() < 12 { "AM" } else { "PM" }.into(), "PM"),
        'p' if starts("pm") => found(if time.hour() < 12 { "am" } else { "pm" }.into(), "pm"),
        'Z' => ["Z070000", "Z07:00:00", "Z0700", "Z07:00", "Z07"]
            .iter()
            .find(|token| starts(token))
            .and_then(|token| found("Z".to_owned(), token)),
        '-' => ["-070000", "-07:00:00", "-0700", "-07:00", "-07"]
            .iter()
            .find(|token| starts(token))
            .and_then(|token| found(token.replace('-', "+").replace('7', "0"), token)),
        '.' | ',' => fraction(rest, first, time),
        _ => None,
    }
}

/// Go pads years to four digits, the sign not counted.
fn go_year(time: DateTime) -> String {
    let sign = if time.year() < 0 { "-" } else { "" };
    format!("{sign}{:04}", time.year().unsigned_abs())
}

/// `.000` shows as many digits, `.999` at most as many; both must end there.
fn fraction(rest: &str, separator: char, time: DateTime) -> Option<(String, usize)> {
    let digit = *rest.as_bytes().get(1).filter(|byte| matches!(byte, b'0' | b'9'))?;
    let count = rest.bytes().skip(1).take_while(|byte| *byte == digit).count();
    if rest.as_bytes().get(1 + count).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let mut digits = format!("{:09}", time.subsec_nanosecond());
    digits.truncate(count);
    if digit == b'9' {
        digits.truncate(digits.trim_end_matches('0').len());
        if digits.is_empty() {
            return Some((String::new(), 1 + count));
        }
    }
    Some((format!("{separator}{digits}"), 1 + count))
}

/// The moment as C's `strftime` shows it, in the C locale. `%L` is Packer's: milliseconds with
/// a point in front. What is no conversion is copied.
pub fn strftime(format: &str, moment: Moment) -> String {
    let mut text = String::new();
    let mut characters = format.chars();
    while let Some(c) = characters.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        match characters.next() {
            None => text.push('%'),
            Some(conversion) => match convert(conversion, moment) {
                Some(part) => text.push_str(&part),
                None => text.extend(['%', conversion]),
            },
        }
    }
    text
}

fn convert(conversion: char, moment: Moment) -> Option<String> {
    // Spelt out where jiff has another idea of the C locale, or none.
    let spelt = match conversion {
        '%' => return Some("%".to_owned()),
        'L' => return Some(format!(".{:03}", moment.civil().millisecond())),
        'C' => return Some(format!("{:02}", moment.civil().year().div_euclid(100))),
        'y' => return Some(format!("{:02}", moment.civil().year().rem_euclid(100))),
        'g' => {
            let year = moment.civil().date().iso_week_date().year();
            return Some(format!("{:02}", year.rem_euclid(100)));
        }
        'c' => "%a %b %e %H:%M:%S %Y",
        'D' | 'x' => "%m/%d/%y",
        'r' => "%I:%M:%S %p",
        'v' => "%e-%b-%Y",
        'X' | 'T' => "%H:%M:%S",
        'a' | 'A' | 'b' | 'B' | 'd' | 'e' | 'F' | 'G' | 'h' | 'H' | 'I' | 'j' | 'k' | 'l' | 'm'
        | 'M' | 'n' | 'p' | 'R' | 's' | 'S' | 't' | 'u' | 'U' | 'V' | 'w' | 'W' | 'Y' | 'z'
        | 'Z' => {
            let zoned = moment.timestamp.to_zoned(TimeZone::UTC);
            return jiff::fmt::strtime::format(format!("%{conversion}"), &zoned).ok();
        }
        _ => return None,
    };
    Some(strftime(spelt, moment))
}
