//! The digits of a number of at least zero: fixed, scientific, or whichever is shorter.

use std::cmp::Ordering;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode, Zero};

use crate::value::Number;

/// Bits of the binary numbers that Packer computes with.
const BITS: u64 = 512;

/// A number of at least zero with so many decimals, rounded as Packer does it.
///
/// Where a decimal number lies halfway, Packer's does not: it has the nearest binary number
/// instead, which lies above (0.05) or below (0.35).
fn round(magnitude: &Number, scale: i64) -> Number {
    let down = magnitude.with_scale_round(scale, RoundingMode::HalfDown);
    let up = magnitude.with_scale_round(scale, RoundingMode::HalfUp);
    if down == up {
        return down;
    }
    match nearest_binary(magnitude) {
        Ordering::Less => down,
        Ordering::Greater => up,
        Ordering::Equal => magnitude.with_scale_round(scale, RoundingMode::HalfEven),
    }
}

/// Where the nearest binary number of [`BITS`] bits lies, seen from a number of at least zero.
fn nearest_binary(magnitude: &Number) -> Ordering {
    let (digits, scale) = magnitude.normalized().into_bigint_and_exponent();
    let Some(power) = u32::try_from(scale).ok().filter(|scale| *scale <= 20_000) else {
        // A whole number; only those beyond 512 bits are not exact, and none lies halfway.
        return Ordering::Equal;
    };
    // digits / 10^power = quotient / 2^shift, with as many bits in the quotient as are kept.
    let divisor = BigInt::from(10).pow(power);
    let shift = (BITS + divisor.bits()).saturating_sub(digits.bits());
    let mut dividend = digits << shift;
    let mut divisor = divisor;
    if (&dividend / &divisor).bits() > BITS {
        divisor <<= 1;
    }
    let quotient = &dividend / &divisor;
    dividend -= &quotient * &divisor;
    if dividend.is_zero() {
        return Ordering::Equal;
    }
    match (dividend << 1u32).cmp(&divisor) {
        Ordering::Equal if quotient.bit(0) => Ordering::Greater,
        Ordering::Greater => Ordering::Greater,
        _ => Ordering::Less,
    }
}

pub(super) fn fixed(magnitude: &Number, precision: usize) -> String {
    let scale = i64::try_from(precision).unwrap_or(0);
    round(magnitude, scale).to_plain_string()
}

/// Digits without leading zeros, and the power of ten of the first one.
fn decimal(magnitude: &Number) -> (String, i64) {
    if magnitude.is_zero() {
        return ("0".into(), 0);
    }
    let (integer, scale) = magnitude.normalized().into_bigint_and_exponent();
    let digits = integer.to_string();
    let exponent = i64::try_from(digits.len()).unwrap_or(0) - 1 - scale;
    (digits, exponent)
}

pub(super) fn scientific(magnitude: &Number, precision: usize, letter: char) -> String {
    let (_, exponent) = decimal(magnitude);
    let places = i64::try_from(precision).unwrap_or(0);
    let rounded = round(magnitude, places - exponent);
    // Rounding may have carried into one digit more.
    let (digits, exponent) = decimal(&rounded);
    let mut digits = digits;
    while digits.len() <= precision {
        digits.push('0');
    }
    digits.truncate(precision + 1);
    mantissa(&digits, exponent, letter)
}

fn mantissa(digits: &str, exponent: i64, letter: char) -> String {
    let (first, fraction) = digits.split_at(1.min(digits.len()));
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{fraction}{letter}{sign}{:02}", exponent.unsigned_abs())
}

/// `%g`: plain for middling numbers, scientific for others, no trailing zeros.
pub(super) fn general(precision: Option<usize>, number: &Number, letter: char) -> String {
    let mut magnitude: BigDecimal = number.abs();
    if let Some(precision) = precision {
        let (_, exponent) = decimal(&magnitude);
        let places = i64::try_from(precision.max(1)).unwrap_or(1) - 1;
        magnitude = round(&magnitude, places - exponent);
    }
    let (digits, exponent) = decimal(&magnitude);
    let limit = match precision {
        Some(precision) => {
            let precision = i64::try_from(precision.max(1)).unwrap_or(1);
            let length = i64::try_from(digits.len()).unwrap_or(0);
            if precision > length && length > exponent { length } else { precision }
        }
        None => 6,
    };
    if exponent < -4 || exponent >= limit {
        mantissa(&digits, exponent, letter)
    } else {
        magnitude.normalized().to_plain_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scientific_notation_carries() {
        let number = Number::from(99_999);
        assert_eq!(scientific(&number, 2, 'e'), "1.00e+05");
    }
}
