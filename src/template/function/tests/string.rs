//! Functions on strings.

use crate::template::evaluate::tests::check;

pub(super) const TABLE: &str = r#"
chomp("a\r\n\n")  => "a"
endswith("abc", "c")  => true
startswith("abc", "b")  => false
strcontains("abc", "b")  => true
indent(2, "a\nb\n")  => "a\n  b\n  "
indent(-1, "a")  => error: `indent`: a number of at least zero is required, but this is -1
indent(1e9, "a\nb")  => error: `indent`: the result is too long: more than 64 MiB
join("-", ["a"], ["b", "c"])  => "a-b-c"
join("-", [1, true])  => "1-true"
join("-", [null])  => error: `join`: an element of the list is null
join("-", "a")  => error: `lists` of `join` does not fit: a list of strings is required, but this is a string
join("-", [[1]])  => error: `lists` of `join` does not fit: at `[0]`: a string is required, but this is a tuple
join("-", [])  => ""
join("-")  => error: `join`: at least one list is required
lower("ÄB")  => "äb"
lower("İΣ")  => "iσ"
upper("straße é")  => "STRAßE É"
upper(1)  => "1"
title("hello world-foo it's a_b école")  => "Hello World-Foo It'S A_b École"
regex("[a-z]+", "12ab3")  => "ab"
regex("(a)(b)?", "ac")  => ["a", null]
regex("a(?P<x>b)", "ab")  => { x = "b" }
regex("(a)(?P<x>b)", "ab")  => error: `regex`: groups have to be all named or all without name
regex("x", "ab")  => error: `regex`: "ab" does not match the pattern
regex("[", "ab")  => error: `regex`: invalid regular expression: unclosed character class
regexall("a", "bb")  => []
regexall("(a)(b)", "abab")  => [["a", "b"], ["a", "b"]]
regexall("(?P<l>[a-z])", "ab")  => [{ l = "a" }, { l = "b" }]
regex_replace("web-01", "([a-z]+)-(?P<n>\\d+)", "$${n}.$1")  => "01.web"
replace("a.b.c", ".", "-")  => "a-b-c"
replace("abc", "", "-")  => "-a-b-c-"
replace("a/b", "/", "")  => "ab"
split(",", "a,b,")  => ["a", "b", ""]
split("", "abc")  => ["a", "b", "c"]
split(",", "")  => [""]
strrev("héllo")  => "olléh"
substr("hello", 1, 2)  => "el"
substr("hello", -3, 2)  => "ll"
substr("hello", -10, 2)  => "he"
substr("hello", 1, -1)  => "ello"
substr("hello", 10, 1)  => ""
substr("hello", 0, 0)  => ""
substr("hello", 1, 100)  => "ello"
trim("??a?", "?")  => "a"
trimprefix("abc", "a")  => "bc"
trimprefix("abc", "x")  => "abc"
trimsuffix("abc", "c")  => "ab"
trimspace("\t a \n")  => "a"
upper(null)  => error: `text` of `upper` must not be null
upper()  => error: `upper` takes 1 argument, not 0
upper("a", "b")  => error: `upper` takes 1 argument, not 2
upper(["a"]...)  => "A"
upper(["a", "b"]...)  => error: `upper` takes 1 argument, not 2
upper("a"...)  => error: only a list can be spread with `...`, but this is a string
uppr("a")  => error: unknown function `uppr`
core::upper("a")  => "A"
chomp("a\nb")  => "a\nb"
chomp(null)  => error: `text` of `chomp` must not be null
endswith("abc", "")  => true
indent(0, "a\nb")  => "a\nb"
indent(1.5, "a")  => error: `indent`: a whole number is required, but this is 1.5
join(",", var.later)  => (unknown)
[for big in [join("", [for n in range(110) : format("%010000d", 0)])] : join(",", [for n in range(70) : big])]  => error: `join`: the result is too long: more than 64 MiB
lower([])  => error: `text` of `lower` does not fit: a string is required, but this is a tuple
regex("^$", "")  => ""
regex("(?i)A", "xay")  => "a"
regex("(?=a)", "a")  => error: `regex`: invalid regular expression: look-around, including look-ahead and look-behind, is not supported
regexall("", "ab")  => ["", "", ""]
regexall("[", "ab")  => error: `regexall`: invalid regular expression: unclosed character class
regexall("^(((((((((((((.*)))))))))))))$", join("", [for n in range(500) : format("%010000d", 0)]))  => error: `regexall`: the result is too long: more than 64 MiB
regex_replace("abc", "x", "y")  => "abc"
regex_replace("ab", "", "-")  => "-a-b-"
regex_replace("a1b2", "(\\d)", "<$1>")  => "a<1>b<2>"
regex_replace("ab", "(?P<first>a)", "$${first}$first$$")  => "aa$b"
regex_replace("ab", "(a)", "$1x")  => "b"
regex_replace("a", "(", "b")  => error: `regex_replace`: invalid regular expression: unclosed group
regex_replace(join("", [for n in range(110) : format("%010000d", 0)]), "(?s).*", join("", [for n in range(70) : "$0"]))  => error: `regex_replace`: the result is too long: more than 64 MiB
replace("aaa", "aa", "b")  => "ba"
replace("a/b", "/[a-z]/", "x")  => "a/b"
replace(format("%010000d", 0), "0", format("%010000d", 0))  => error: `replace`: the result is too long: more than 64 MiB
split(",", null)  => error: `text` of `split` must not be null
split("", "")  => []
split("", "né")  => ["n", "é"]
startswith("abc", "abcd")  => false
strcontains("abc", "")  => true
strrev("noël")  => "lëon"
strrev("")  => ""
substr("héllo", 1, 1)  => "é"
substr("hello", -2, -1)  => "lo"
substr("hello", 1.5, 1)  => error: `substr`: a whole number is required, but this is 1.5
substr("hello", 0, 9999999999)  => "hello"
title("")  => ""
trim("  a ", "")  => "  a "
trim("xyaxy", "yx")  => "a"
trimprefix("aab", "a")  => "ab"
trimsuffix("abc", "x")  => "abc"
trimspace("\u00a0a\u00a0")  => "a"
upper(var.secret)  => "HUNTER2" !sensitive
"#;

#[test]
fn as_documented() {
    check(TABLE);
}
