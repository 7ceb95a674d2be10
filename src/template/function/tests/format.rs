//! `format` and `formatlist`.

use crate::template::evaluate::tests::check;

pub(super) const TABLE: &str = r#"
format("Hello, %s!", "Ann")  => "Hello, Ann!"
format("%d", 12)  => "12"
format("%d", "12")  => "12"
format("%d", 1e20)  => "100000000000000000000"
format("%d", 1.5)  => error: `format`: `%d` takes a whole number
format("%d", true)  => error: `format`: `%d` does not fit: a number is required, but this is a bool
format("%x %X %b %o", 255, 255, 5, 8)  => "ff FF 101 10"
format("%#x %#o %#b", 255, 8, 5)  => "0xff 010 0b101"
format("%x", -255)  => "-ff"
format("%v", 1000000)  => "1e+06"
format("%v", 123456)  => "123456"
format("%g %g", 0.1, 123456789)  => "0.1 1.23456789e+08"
format("%v %v", 0.00001, 1.5)  => "1e-05 1.5"
format("%v", 12345678901234567890)  => "1.234567890123456789e+19"
format("%.3g", 1234.5)  => "1.23e+03"
format("%G", 1e10)  => "1E+10"
format("%e", 12345.678)  => "1.234568e+04"
format("%.2e|%10.3e|%E", 12345.678, 1234.5, 1)  => "1.23e+04| 1.234e+03|1.000000E+00"
format("%f %.3f %.0f %.0f %.1f", 1.5, 1 / 3, 0.5, 1.5, 0.25)  => "1.500000 0.333 0 2 0.2"
format("%8.2f|%-8.2f|%08.2f|%+d|% d", 1.5, 1.5, 1.5, 3, 3)  => "    1.50|1.50    |00001.50|+3| 3"
format("%5s|%-5s|%.2s|%05d|%5d|%-5d|%-05d|", "ab", "ab", "abc", 42, 42, 42, 3)  => "   ab|ab   |ab|00042|   42|42   |3    |"
format("%05s", "ab")  => "000ab"
format("%q %q %3q", "a\"b", "é", "a")  => "\"a\\\"b\" \"é\" \"a\""
format("%v %v %v", [1, "a"], { a = 1 }, null)  => "[1,\"a\"] {\"a\":1} null"
format("%#v %#v", "a", 1)  => "\"a\" 1"
format("%t %t %-6t|", true, "true", false)  => "true true false|"
format("%5v|", true)  => " true|"
format("%s %s", 1e30, true)  => "1000000000000000000000000000000 true"
format("%[2]s %[1]s", "a", "b")  => "b a"
format("%[1]s %s", "a", "b")  => "a b"
format("%6.2f%%", 99.5)  => " 99.50%"
format("%.2e %g %f", 0, 0, 0)  => "0.00e+00 0 0.000000"
format("%s", [1])  => error: `format`: `%s` does not fit: a string is required, but this is a tuple
format("%s", null)  => error: `format`: `%s` does not take null
format("%s %s", "a")  => error: `format`: `%s` needs argument 2, but there are only 1
format("%s", "a", "b")  => error: `format`: there are more values than the 1 that the format uses
format("%z", "a")  => error: `format`: unknown verb `%z`
format("100%")  => error: `format`: a verb is missing after `%` at the end
format("%1000000000d", 1)  => error: `format`: a width or precision of at most 10000 is required
format("%.99999999999f", 1)  => error: `format`: a width or precision of at most 10000 is required
format("%[0]s", "a")  => error: `format`: `[` is followed by the number of an argument, from 1, and `]`
format("%s-%s", var.secret, 1)  => "hunter2-1" !sensitive
format("%d", var.secret)  => error: `format`: `%d` does not fit: a number is required
formatlist("%s-%s", ["a", "b"], "x")  => ["a-x", "b-x"]
formatlist("%d:%s", [1, 2], ["a", "b"])  => ["1:a", "2:b"]
formatlist("%s", [])  => []
formatlist("x")  => ["x"]
formatlist("%s-%s", ["a", "b"], ["c"])  => error: `formatlist`: this list has 1 elements, but value 1 has 2
formatlist("%s", [1, null])  => error: `formatlist`: `%s` does not take null
format("%.1f %.1f %.1f %.1f", 0.05, 0.15, 0.25, 0.35)  => "0.1 0.2 0.2 0.3"
format("%.2f %.0f %.0f", 1.005, 0.5, 2.5)  => "1.00 0 2"
format("%.1e %.3g %.1f", 1.25, 0.0012345, -0.05)  => "1.2e+00 0.00123 -0.1"
format("%.20f", 0.1)  => "0.10000000000000000000"
format("%.3v %5v", 1.23456, 1.5)  => "1.23456   1.5"
format("%s", var.later)  => (unknown)
format()  => error: `format` takes at least 1 argument, not 0
format(null)  => error: `format` of `format` must not be null
format("%v", [for n in range(1200) : format("%010000d", 0)])  => error: `format`: the result is too long: more than 64 MiB
formatlist("%s", "a")  => ["a"]
formatlist("%s", toset(["b", "a"]))  => ["a", "b"]
formatlist(null)  => error: `format` of `formatlist` must not be null
formatlist("%10000s", range(7000))  => error: `formatlist`: the result is too long: more than 64 MiB
"#;

#[test]
fn as_documented() {
    check(TABLE);
}
