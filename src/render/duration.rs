//! Durations for people.

use std::time::Duration;

/// The two largest units that are not zero, spelled out as Packer does: `8 seconds 922 milliseconds`.
pub fn long(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let units = [
        (milliseconds / 86_400_000, "day"),
        (milliseconds / 3_600_000 % 24, "hour"),
        (milliseconds / 60_000 % 60, "minute"),
        (milliseconds / 1_000 % 60, "second"),
        (milliseconds % 1_000, "millisecond"),
    ];
    let words: Vec<_> = units
        .iter()
        .filter(|(count, _)| *count > 0)
        .take(2)
        .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    if words.is_empty() { "0 milliseconds".to_owned() } else { words.join(" ") }
}

/// Short, for progress lines and tables: `40ms`, `1.4s`, `12s`, `3m05s`, `1h02m`.
pub fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..10 => format!("{:.1}s", duration.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_largest_units_are_spelled_out() {
        for (milliseconds, text) in [
            (8_922, "8 seconds 922 milliseconds"),
            (61_000, "1 minute 1 second"),
            (3_600_000, "1 hour"),
            (90_061_500, "1 day 1 hour"),
            (0, "0 milliseconds"),
        ] {
            assert_eq!(long(Duration::from_millis(milliseconds)), text);
        }
    }

    #[test]
    fn short_durations_fit_a_column() {
        for (milliseconds, text) in [
            (420, "420ms"),
            (1_420, "1.4s"),
            (12_900, "12s"),
            (185_000, "3m05s"),
            (3_720_000, "1h02m"),
        ] {
            assert_eq!(short(Duration::from_millis(milliseconds)), text);
        }
    }
}
