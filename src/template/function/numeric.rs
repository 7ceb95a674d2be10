//! Functions on numbers.

use super::declaration::{Call, Failure, Function, Of, Outcome, any, number, string};
use crate::value::{
    Kind, Number, Type, Value, absolute, bounded, ceiling, convert, floor, from_float, from_radix,
    power, to_integer,
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("abs", &[number("number")], Of::Number, "a number without its sign", |call| {
        Ok(Value::number(absolute(&call.number(0))))
    }),
    Function::new("ceil", &[number("number")], Of::Number, "the next whole number above", |call| {
        Ok(Value::number(ceiling(&call.number(0))))
    }),
    Function::new(
        "floor",
        &[number("number")],
        Of::Number,
        "the next whole number below",
        |call| Ok(Value::number(floor(&call.number(0)))),
    ),
    Function::new(
        "log",
        &[number("number"), number("base")],
        Of::Number,
        "the logarithm of a number to a base",
        log,
    ),
    Function::new("max", &[], Of::Number, "the largest of numbers", |call| {
        extreme(call, |one, best| one > best)
    })
    .variadic(number("numbers")),
    Function::new("min", &[], Of::Number, "the smallest of numbers", |call| {
        extreme(call, |one, best| one < best)
    })
    .variadic(number("numbers")),
    Function::new(
        "parseint",
        &[string("text"), number("base")],
        Of::Number,
        "the whole number that a text spells in a base from 2 to 62",
        parseint,
    ),
    Function::new(
        "pow",
        &[number("number"), number("exponent")],
        Of::Number,
        "a number to the power of another",
        pow,
    ),
    Function::new(
        "signum",
        &[number("number")],
        Of::Number,
        "-1, 0 or 1 for a negative number, zero or a positive number",
        |call| Ok(Value::number(call.integer(0)?.signum())),
    ),
    Function::new("sum", &[any("list")], Of::Number, "the sum of a list of numbers", sum),
];

fn float(call: &Call<'_>, at: usize) -> f64 {
    use bigdecimal::ToPrimitive;
    call.number(at).to_f64().unwrap_or(f64::NAN)
}

fn finite(value: f64) -> Outcome {
    from_float(value)
        .map(Value::number)
        .ok_or_else(|| Failure::new("the result is not a finite number"))
}

fn log(call: &Call<'_>) -> Outcome {
    finite(float(call, 0).ln() / float(call, 1).ln())
}

fn pow(call: &Call<'_>) -> Outcome {
    match to_integer(&call.number(1)) {
        // Whole powers are exact.
        Some(exponent) => power(&call.number(0), exponent)
            .map(Value::number)
            .ok_or_else(|| Failure::new("the result is out of range")),
        None => finite(float(call, 0).powf(float(call, 1))),
    }
}

fn extreme(call: &Call<'_>, better: impl Fn(&Number, &Number) -> bool) -> Outcome {
    let mut best: Option<Number> = None;
    for at in 0..call.arguments.len() {
        let one = call.number(at);
        if best.as_ref().is_none_or(|best| better(&one, best)) {
            best = Some(one);
        }
    }
    best.map(Value::number).ok_or_else(|| Failure::new("at least one number is required"))
}

fn parseint(call: &Call<'_>) -> Outcome {
    let base = call.integer(1)?;
    let wrong =
        || Failure::of(0, format!("{} is not a whole number in base {base}", call.shown(0)));
    let number = match u32::try_from(base) {
        Ok(small @ 2..=36) => from_radix(call.text(0), small),
        Ok(large @ 37..=62) => from_large_base(call.text(0), large),
        _ => return Err(Failure::of(1, "a base from 2 to 62 is required")),
    };
    number.map(Value::number).ok_or_else(wrong)
}

/// The most digits of a number in a base above 36; far beyond what numbers hold.
const LONGEST: usize = 5000;

/// Above base 36 lower case letters come before upper case ones, which then are other digits.
fn from_large_base(text: &str, base: u32) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || digits.len() > LONGEST {
        return None;
    }
    let mut number = Number::from(0);
    for c in digits.chars() {
        let digit = match c {
            '0'..='9' => u32::from(c) - u32::from('0'),
            'a'..='z' => u32::from(c) - u32::from('a') + 10,
            'A'..='Z' => u32::from(c) - u32::from('A') + 36,
            _ => return None,
        };
        if digit >= base {
            return None;
        }
        number = bounded(number * Number::from(base) + Number::from(digit))?;
    }
    Some(if text.starts_with('-') { -number } else { number })
}

fn sum(call: &Call<'_>) -> Outcome {
    let elements = call.elements(0)?;
    if elements.is_empty() {
        return Err(Failure::of(0, "an empty list has no sum"));
    }
    let mut sum = Number::from(0);
    for (at, element) in elements.iter().enumerate() {
        let number = convert(element, &Type::Number).map(|value| value.kind);
        let Ok(Kind::Number(number)) = number else {
            return Err(Failure::of(0, format!("element {at} is not a number")));
        };
        sum = bounded(sum + number).ok_or_else(|| Failure::new("the result is out of range"))?;
    }
    Ok(Value::number(sum))
}
