//! Decimal arithmetic with bounds: results stay exact for ordinary numbers and can never grow
//! without limit.

use std::num::NonZeroU64;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, One, RoundingMode, Signed, ToPrimitive, Zero};

use super::Number;

/// Significant digits that are kept: what 512 bits hold, the precision of HCL's numbers.
const DIGITS: u64 = 155;
/// Digits that are kept beyond those of a quotient that does not come out even, so that
/// `1 / 3 * 3` is `1` again.
const GUARD: u64 = 15;
/// The largest power of ten, in either direction.
const EXPONENT: i64 = 4096;
/// The longest text that is read as a number.
const TEXT: usize = 5000;

/// Reads a decimal number: digits, an optional fraction, an optional exponent.
///
/// `None` for any other text and for numbers beyond 10^±4096.
pub fn parse_number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.len() > TEXT || !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (unsigned.get(..at)?, unsigned.get(at + 1..)?),
        None => (unsigned, "0"),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
    let integer = BigInt::parse_bytes(digits.as_bytes(), 10)?;
    let integer = if text.starts_with('-') { -integer } else { integer };
    if integer.is_zero() {
        return Some(Number::zero());
    }
    let scale = i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    if !(-2 * EXPONENT..=2 * EXPONENT).contains(&scale) {
        return None;
    }
    bounded(BigDecimal::new(integer, scale))
}

/// The number as HCL prints it: no exponent, no trailing zeros.
pub fn format_number(number: &Number) -> String {
    let number = number.normalized();
    rounded(&number, DIGITS).unwrap_or(number).to_plain_string()
}

/// Rounded to `digits` when it has more.
fn rounded(number: &Number, digits: u64) -> Option<Number> {
    let keep = NonZeroU64::new(digits)?;
    (number.digits() > digits)
        .then(|| number.with_precision_round(keep, RoundingMode::HalfEven).normalized())
}

/// Rounds to the precision that is kept; `None` beyond 10^±4096.
pub(crate) fn bounded(number: Number) -> Option<Number> {
    let number = number.normalized();
    let (digits, scale) = (number.digits(), number.fractional_digit_count());
    let magnitude = i64::try_from(digits).ok()?.checked_sub(scale)?;
    if !number.is_zero() && magnitude.abs() > EXPONENT {
        return None;
    }
    if let Some(short) = rounded(&number, DIGITS)
        && short.digits() + GUARD < DIGITS
    {
        // What the guard digits are for.
        return Some(short);
    }
    Some(rounded(&number, DIGITS + GUARD).unwrap_or(number))
}

/// `a / b`, rounded to the precision that is kept. `None` when `b` is zero or the result is out
/// of range.
pub fn divide(a: &Number, b: &Number) -> Option<Number> {
    if b.is_zero() {
        return None;
    }
    // Enough digits for the quotient whatever the operands' scales are.
    let (a, b) = (a.normalized(), b.normalized());
    let (numerator, numerator_scale) = a.as_bigint_and_exponent();
    let (denominator, denominator_scale) = b.as_bigint_and_exponent();
    let shift = i64::try_from(DIGITS + GUARD + 2 + b.digits())
        .ok()?
        .saturating_sub(i64::try_from(a.digits()).ok()?)
        .max(0);
    let shifted = numerator * BigInt::from(10).pow(u32::try_from(shift).ok()?);
    let quotient = &shifted / &denominator;
    // A sticky digit keeps the rounding right when the division does not come out even.
    let sticky = if (&shifted % &denominator).is_zero() {
        BigInt::zero()
    } else {
        shifted.signum() * denominator.signum()
    };
    let quotient = quotient * BigInt::from(10) + sticky;
    bounded(BigDecimal::new(quotient, numerator_scale - denominator_scale + shift + 1))
}

/// What is left of `a` after taking out `b` a whole number of times, with the sign of `a`.
/// `None` when `b` is zero.
pub fn remainder(a: &Number, b: &Number) -> Option<Number> {
    if b.is_zero() { None } else { bounded(a % b) }
}

/// The whole number, when it is one that fits.
pub fn to_integer(number: &Number) -> Option<i64> {
    if number.is_integer() { number.to_i64() } else { None }
}

/// The nearest decimal to a binary floating point number, as short as it prints; `None` for what
/// is not finite.
pub fn from_float(value: f64) -> Option<Number> {
    if value.is_finite() { parse_number(&format!("{value:e}")) } else { None }
}

/// Rounds towards negative infinity.
pub fn floor(number: &Number) -> Number {
    number.with_scale_round(0, RoundingMode::Floor)
}

/// Rounds towards positive infinity.
pub fn ceiling(number: &Number) -> Number {
    number.with_scale_round(0, RoundingMode::Ceiling)
}

/// `base` to a whole power. `None` out of range.
pub(crate) fn power(base: &Number, exponent: i64) -> Option<Number> {
    if exponent < 0 {
        return divide(&Number::from(1), &power(base, exponent.checked_neg()?)?);
    }
    let (mut result, mut square, mut left) = (Number::from(1), base.clone(), exponent);
    loop {
        if left & 1 == 1 {
            result = bounded(&result * &square)?;
        }
        left >>= 1;
        if left == 0 {
            return Some(result);
        }
        if square.is_zero() || square.is_one() {
            continue;
        }
        square = bounded(&square * &square)?;
    }
}

/// The absolute value.
pub(crate) fn absolute(number: &Number) -> Number {
    number.abs()
}

/// The whole number in `base`, lower case.
pub(crate) fn to_radix(number: &Number, base: u32) -> Option<String> {
    if !number.is_integer() {
        return None;
    }
    let (integer, _) = number.with_scale(0).into_bigint_and_exponent();
    Some(integer.to_str_radix(base))
}

/// The whole number that `text` writes in `base`.
pub(crate) fn from_radix(text: &str, base: u32) -> Option<Number> {
    if text.len() > TEXT || text.contains('_') {
        return None;
    }
    bounded(BigDecimal::new(BigInt::parse_bytes(text.as_bytes(), base)?, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        parse_number(text).expect("a number")
    }

    #[test]
    fn numbers_print_without_exponent_and_trailing_zeros() {
        for (text, printed) in [
            ("1", "1"),
            ("1.50", "1.5"),
            ("1e3", "1000"),
            ("1e30", "1000000000000000000000000000000"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("1e-5", "0.00001"),
            ("-0.10", "-0.1"),
            ("0e99", "0"),
            ("100", "100"),
        ] {
            assert_eq!(format_number(&number(text)), printed, "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_numbers_and_bombs_are_refused() {
        for text in [
            "",
            "-",
            "0x10",
            "1_000",
            " 1",
            "1.",
            "1e",
            "abc",
            "1e999999999",
            "1e-99999",
            "inf",
            "NaN",
            "1e9223372036854775808",
        ] {
            assert_eq!(parse_number(text), None, "{text}");
        }
        assert_eq!(parse_number(&"9".repeat(10_000)), None);
    }

    #[test]
    fn division_is_exact_where_it_comes_out_even() {
        assert_eq!(format_number(&divide(&number("1"), &number("8")).expect("even")), "0.125");
        assert_eq!(format_number(&divide(&number("10"), &number("2")).expect("even")), "5");
        let third = format_number(&divide(&number("1"), &number("3")).expect("rounded"));
        assert_eq!(third, format!("0.{}", "3".repeat(155)));
        let thirds = format_number(&divide(&number("-2"), &number("3")).expect("rounded"));
        assert_eq!(thirds, format!("-0.{}7", "6".repeat(154)));
        assert_eq!(divide(&number("1"), &number("0")), None);
    }

    #[test]
    fn powers_stay_in_range() {
        assert_eq!(format_number(&power(&number("2"), 10).expect("small")), "1024");
        assert_eq!(format_number(&power(&number("2"), -2).expect("small")), "0.25");
        assert_eq!(power(&number("10"), 1_000_000_000), None);
        assert_eq!(format_number(&power(&number("1"), i64::MAX).expect("one")), "1");
    }
}
