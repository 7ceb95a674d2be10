//! Durations as Go writes them (<https://pkg.go.dev/time#ParseDuration>).

use std::time::Duration;

/// Nanoseconds of each unit.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads `1h2m3.5s`, `300ms`, `0`. Negative durations are refused: no option means one.
pub fn parse_go_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as `90s`, `5m` or `1h30m`");
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err(format!("`{text}` has no unit; write `{text}s` for seconds"));
        }
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(wrong());
        }
        let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
        nanoseconds = whole
            .checked_mul(*scale)
            .and_then(|part| part.checked_add(fraction_of(fraction, *scale)))
            .and_then(|part| nanoseconds.checked_add(part))
            .ok_or_else(wrong)?;
        rest = after;
    }
    u64::try_from(nanoseconds).map(Duration::from_nanos).map_err(|_| wrong())
}

/// The decimal fraction `0.digits` of `scale`, cut to whole nanoseconds.
fn fraction_of(digits: &str, scale: u128) -> u128 {
    let mut sum = 0;
    let mut unit = scale;
    for digit in digits.bytes() {
        unit /= 10;
        sum += u128::from(digit - b'0') * unit;
    }
    sum
}

/// Writes a duration with the fewest units that say it exactly.
pub fn format_go_duration(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    if nanoseconds == 0 {
        return "0s".to_owned();
    }
    if nanoseconds < 1_000_000_000 {
        let (unit, scale) = match nanoseconds {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{}{unit}", decimal(nanoseconds, scale));
    }
    let seconds = nanoseconds / 1_000_000_000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let mut text = String::new();
    if hours > 0 {
        text += &format!("{hours}h");
    }
    if hours > 0 || minutes > 0 {
        text += &format!("{minutes}m");
    }
    text + &decimal(nanoseconds % 60_000_000_000, 1_000_000_000) + "s"
}

/// `value / scale` without trailing zeros.
fn decimal(value: u128, scale: u128) -> String {
    let fraction = value % scale;
    if fraction == 0 {
        return (value / scale).to_string();
    }
    let width = scale.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    format!("{}.{}", value / scale, digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read_and_written() {
        for (text, milliseconds, written) in [
            ("1h2m3s", 3_723_000, "1h2m3s"),
            ("300ms", 300, "300ms"),
            ("1.5h", 5_400_000, "1h30m0s"),
            ("90s", 90_000, "1m30s"),
            ("0", 0, "0s"),
            ("1.25s", 1_250, "1.25s"),
        ] {
            let duration = parse_go_duration(text).expect(text);
            assert_eq!(duration, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(format_go_duration(duration), written, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in ["", "10", "s", "1x", "-1s", "1.2.3s", "1h 2m", ".s", "999999999999999h"] {
            assert!(parse_go_duration(text).is_err(), "{text}");
        }
        assert_eq!(
            parse_go_duration("10"),
            Err("`10` has no unit; write `10s` for seconds".to_owned())
        );
    }
}
