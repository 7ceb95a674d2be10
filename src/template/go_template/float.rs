//! Go's spellings of floating-point numbers.

/// More digits than any 64-bit float has behind the point.
const EXACT: usize = 1100;

/// The number for a verb of `e f g x b` (upper case too), always with a sign in front.
/// Without `precision` it has as few digits as identify it.
pub(crate) fn spell(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "+NaN".to_owned();
    }
    let sign = if value.is_sign_negative() { '-' } else { '+' };
    let size = value.abs();
    let digits = if value.is_infinite() {
        "Inf".to_owned()
    } else {
        match verb {
            'e' | 'E' => exponential(size, precision),
            'f' | 'F' => fixed(size, precision),
            'g' | 'G' => general(size, precision),
            'x' | 'X' => hexadecimal(size, precision),
            _ => binary(size),
        }
    };
    let digits = if verb.is_ascii_uppercase() && value.is_finite() {
        digits.to_ascii_uppercase()
    } else {
        digits
    };
    format!("{sign}{digits}")
}

fn zeros(count: usize) -> String {
    "0".repeat(count)
}

fn fixed(size: f64, precision: Option<usize>) -> String {
    match precision {
        None => format!("{size}"),
        Some(precision) => {
            let exact = precision.min(EXACT);
            format!("{size:.exact$}") + &zeros(precision - exact)
        }
    }
}

/// The significant digits without a point, and the exponent of the first one.
fn scientific(size: f64, precision: Option<usize>) -> (String, i32) {
    let text = match precision {
        None => format!("{size:e}"),
        Some(precision) => format!("{size:.0$e}", precision.min(EXACT)),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mut digits = mantissa.replace('.', "");
    if let Some(precision) = precision {
        digits += &zeros(precision.saturating_sub(EXACT));
    }
    (digits, exponent.parse().unwrap_or(0))
}

fn with_exponent(digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}e{sign}{:02}", exponent.unsigned_abs())
}

fn exponential(size: f64, precision: Option<usize>) -> String {
    let (digits, exponent) = scientific(size, precision);
    with_exponent(&digits, exponent)
}

fn general(size: f64, precision: Option<usize>) -> String {
    let (digits, exponent) = match precision {
        None => scientific(size, None),
        Some(precision) => scientific(size, Some(precision.max(1) - 1)),
    };
    let digits = match digits.trim_end_matches('0') {
        "" => "0",
        digits => digits,
    };
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    // From this exponent on Go writes an exponent.
    let limit = match precision.map(|precision| i32::try_from(precision.max(1))) {
        None => 6,
        Some(Ok(precision)) if precision > count && count > exponent => count,
        Some(precision) => precision.unwrap_or(i32::MAX),
    };
    if exponent < -4 || exponent >= limit {
        return with_exponent(digits, exponent);
    }
    plain(digits, exponent)
}

/// Digits with the point where the exponent says.
fn plain(digits: &str, exponent: i32) -> String {
    match usize::try_from(exponent) {
        Err(_) => {
            let leading = usize::try_from(-1 - exponent).unwrap_or(0);
            format!("0.{}{digits}", zeros(leading))
        }
        Ok(exponent) => match digits.split_at_checked(exponent + 1) {
            Some((whole, "")) => whole.to_owned(),
            Some((whole, fraction)) => format!("{whole}.{fraction}"),
            None => format!("{digits}{}", zeros(exponent + 1 - digits.len())),
        },
    }
}

/// A 64-bit float as a whole number times a power of two.
fn parts(size: f64) -> (u64, i32) {
    let bits = size.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let exponent = i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
    match exponent {
        0 => (fraction, -1074),
        _ => (fraction | (1 << 52), exponent - 1075),
    }
}

fn binary(size: f64) -> String {
    let (mantissa, exponent) = parts(size);
    format!("{mantissa}p{exponent:+}")
}

fn hexadecimal(size: f64, precision: Option<usize>) -> String {
    let (mut mantissa, mut exponent) = parts(size);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // The leading one goes to bit 60, in front of fifteen hexadecimal digits.
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        exponent += 60 - i32::try_from(shift).unwrap_or(0);
    }
    if let Some(digits) = precision.filter(|digits| *digits < 15) {
        let dropped = 60 - 4 * digits;
        let half = 1 << (dropped - 1);
        let rest = mantissa & ((1 << dropped) - 1);
        mantissa >>= dropped;
        if rest > half || (rest == half && mantissa & 1 == 1) {
            mantissa += 1;
        }
        mantissa <<= dropped;
        if mantissa & (1 << 61) != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(precision) => {
            let shown = fraction.get(..precision.min(15)).unwrap_or_default();
            format!("{shown}{}", zeros(precision.saturating_sub(15)))
        }
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("0x{}{point}{fraction}p{sign}{:02}", mantissa >> 60, exponent.unsigned_abs())
}
