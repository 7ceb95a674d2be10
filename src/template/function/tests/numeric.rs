//! Functions on numbers.

use crate::template::evaluate::tests::check;

pub(super) const TABLE: &str = r#"
abs(-1.5)  => 1.5
ceil(1.2)  => 2
floor(-1.2)  => -2
floor(1e20)  => 100000000000000000000
log(8, 2)  => 3
log(10, 10)  => 1
log(0, 10)  => error: `log`: the result is not a finite number
max(1, "3", 2)  => 3
max([1, 2]...)  => 2
min(3, 1, 2)  => 1
min()  => error: `min`: at least one number is required
min(1, "x")  => error: `numbers` of `min` does not fit: "x" is not a number
parseint("ff", 16)  => 255
parseint("FF", 16)  => 255
parseint("-z", 36)  => -35
parseint("Zz", 62)  => 3817
parseint("+12", 10)  => 12
parseint("12", 2)  => error: `parseint`: "12" is not a whole number in base 2
parseint("1", 1)  => error: `parseint`: a base from 2 to 62 is required
parseint("", 10)  => error: `parseint`: "" is not a whole number in base 10
parseint("12.5", 10)  => error: `parseint`: "12.5" is not a whole number in base 10
pow(2, 10)  => 1024
pow(2, 0.5)  => 1.4142135623730951
pow(2, -1)  => 0.5
pow(10, 1e12)  => error: `pow`: the result is out of range
signum(-2)  => -1
signum(0.5)  => error: `signum`: a whole number is required
sum([1, 2.5])  => 3.5
sum(["1", 2])  => 3
sum([])  => error: `sum`: an empty list has no sum
sum(["x"])  => error: `sum`: element 0 is not a number
abs(0)  => 0
abs("x")  => error: `number` of `abs` does not fit: "x" is not a number
abs(null)  => error: `number` of `abs` must not be null
ceil(-1.2)  => -1
ceil([])  => error: `number` of `ceil` does not fit: a number is required, but this is a tuple
log(2, 0)  => 0
log(-1, 10)  => error: `log`: the result is not a finite number
max()  => error: `max`: at least one number is required
max(1, null)  => error: `numbers` of `max` must not be null
max(1, var.later)  => (unknown)
min(2, "1")  => 1
parseint(10, 10)  => 10
parseint("0012", 10)  => 12
parseint("1_0", 10)  => error: `parseint`: "1_0" is not a whole number in base 10
parseint("1", 63)  => error: `parseint`: a base from 2 to 62 is required
parseint("1", 1.5)  => error: `parseint`: a whole number is required
pow(0, 0)  => 1
pow(-8, 0.5)  => error: `pow`: the result is not a finite number
pow(0, -1)  => error: `pow`: the result is out of range
signum(-2.0)  => -1
sum(toset([1, 2, 2]))  => 3
sum([1, null])  => error: `sum`: element 1 is not a number
sum(1)  => error: `sum`: a list is required, but this is a number
sum([1, var.later])  => (unknown)
"#;

#[test]
fn as_documented() {
    check(TABLE);
}
