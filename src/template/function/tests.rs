//! Tables of calls. Values without a remark are those of Terraform 1.11.4, which has most of
//! these functions from the same library as Packer.

use std::sync::Arc;

use super::*;
use crate::diagnostic::Source;
use crate::template::evaluate::tests::{check, context, printed, scope};
use crate::template::evaluate::{Scope, evaluate};
use crate::template::syntax::parse_expression;
use crate::value::Value;

#[test]
fn strings() {
    check(
        r#"
chomp("a\r\n\n")  => "a"
endswith("abc", "c")  => true
startswith("abc", "b")  => false
strcontains("abc", "b")  => true
indent(2, "a\nb\n")  => "a\n  b\n  "
indent(-1, "a")  => error: `indent`: a number of at least zero is required
indent(1e9, "a\nb")  => error: `indent`: the result is too long
join("-", ["a"], ["b", "c"])  => "a-b-c"
join("-", [1, true])  => "1-true"
join("-", [null])  => error: `join`: an element of the list is null
join("-", "a")  => error: `lists` of `join` does not fit: a list of string is required, but this is a string
join("-", [[1]])  => error: `lists` of `join` does not fit: [0]: a string is required, but this is a tuple
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
"#,
    );
}

#[test]
fn formats() {
    check(
        r#"
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
"#,
    );
}

#[test]
fn numbers() {
    check(
        r#"
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
"#,
    );
}

#[test]
fn collections() {
    check(
        r#"
alltrue([])  => true
alltrue([true, "false"])  => false
alltrue(["x"])  => error: `list` of `alltrue` does not fit: [0]: "x" is neither `true` nor `false`
anytrue([null, true])  => true
chunklist([1, 2, 3], 2)  => [[1, 2], [3]]
chunklist([1, 2, 3], 0)  => [[1, 2, 3]]
chunklist([], 2)  => []
coalesce("", null, "a")  => "a"
coalesce(1, "a")  => "1"
coalesce("", "")  => error: `coalesce`: no argument is neither null nor an empty string
coalesce(null, 0)  => 0
coalescelist([], [1])  => [1]
coalescelist()  => error: `coalescelist`: all arguments are empty
compact(["a", "", null])  => ["a"]
concat([1], ["a"])  => [1, "a"]
concat(["a"], tolist(["b"]))  => ["a", "b"]
concat(tolist(["a"]), tolist([1]))  => ["a", "1"]
concat([], [])  => []
concat("a")  => error: `concat`: a list is required, but this is a string
contains(["1"], 1)  => false
contains(toset(["a"]), "a")  => true
contains("abc", "b")  => error: `contains`: a list is required, but this is a string
distinct([1, "1", 1])  => ["1"]
distinct(["b", "a", "b"])  => ["b", "a"]
element(["a", "b"], 5)  => "b"
element(["a", "b"], -1)  => "b"
element([], 0)  => error: `element`: an empty list has no elements
flatten([[1, [2]], 3])  => [1, 2, 3]
flatten("a")  => error: `flatten`: a list is required, but this is a string
flatten([var.later])  => (unknown)
index(["a", "b"], "b")  => 1
index(["a"], "b")  => error: `index`: "b" is not in the list
keys({ b = 1, a = 2 })  => ["a", "b"]
keys([])  => error: `keys`: a map is required, but this is a tuple
length("héllo")  => 5
length([1, 2])  => 2
length({ a = 1 })  => 1
length([var.later, 1])  => 2
length(var.later)  => (unknown)
length(1)  => error: `length`: a list, a map or a string is required, but this is a number
lookup({ a = 1 }, "a", 2)  => 1
lookup({ a = 1 }, "b", 2)  => 2
lookup({ a = null }, "a", 1)  => null
lookup({ a = 1 }, "b")  => error: `lookup`: the map has no key "b"
lookup(tomap({ a = 1 }), "b", "x")  => error: `lookup`: the default does not fit the map: "x" is not a number
matchkeys(["a", "b"], ["1", "2"], ["2"])  => ["b"]
merge({ a = 1 }, { b = "x" }, null)  => { a = 1, b = "x" }
merge({ a = { b = 1 } }, { a = { c = 2 } })  => { a = { c = 2 } }
merge()  => {}
merge([])  => error: `merge`: a map is required, but this is a tuple
one([1])  => 1
one([])  => null
one([1, 2])  => error: `one`: a list of at most one element is required, but this has 2
range(3)  => [0, 1, 2]
range(1, 4)  => [1, 2, 3]
range(4, 1)  => [4, 3, 2]
range(0, 1, 0.5)  => [0, 0.5]
range(5, 5)  => []
range(1, 5, -1)  => error: `range`: the step leads away from the limit
range(0, 1e9)  => error: `range`: the result would have more than 1000000 elements
range()  => error: `range`: one, two or three numbers are required, not 0
reverse([1, 2])  => [2, 1]
reverse("a")  => error: `reverse`: a list is required, but this is a string
setintersection(["a", "b"], ["b"])  => ["b"]
setintersection(["a"], [])  => []
setproduct(["a", "b"], [1, 2])  => [["a", 1], ["a", 2], ["b", 1], ["b", 2]]
setproduct([], ["a"])  => []
setproduct(range(2000), range(2000))  => error: `setproduct`: the result would have more than 1000000 elements
setsubtract(["a", "b"], ["b"])  => ["a"]
setunion(["a"], ["b"], [1])  => ["1", "a", "b"]
setunion([], ["a"])  => ["a"]
slice([1, 2, 3], 1, 2)  => [2]
slice([1], 1, 1)  => []
slice([1, 2, 3], 1, 9)  => error: `slice`: the end 9 lies beyond the 3 elements of the list
slice([1, 2], 2, 1)  => error: `slice`: the start 2 lies after the end 1
sort(["b", "a", 1])  => ["1", "a", "b"]
sort([null])  => error: `sort`: an element of the list is null
transpose({ a = ["1", "2"], b = ["1"] })  => { "1" = ["a", "b"], "2" = ["a"] }
values({ b = 1, a = 2 })  => [2, 1]
zipmap(["a", "b"], [1, "x"])  => { a = 1, b = "x" }
zipmap(["a"], [1, 2])  => error: `zipmap`: there are 1 key, but 2 values
merge({ a = var.secret }, { b = 1 }).b  => 1
element([var.secret, "x"], 1)  => "x"
keys({ a = var.secret })  => ["a"]
length(var.secret)  => 7 !sensitive
contains([var.secret], "x")  => false !sensitive
flatten([[var.secret], ["x"]])[0]  => "hunter2" !sensitive
"#,
    );
}

#[test]
fn encodings() {
    check(
        r#"
base64decode("aGk=")  => "hi"
base64decode("aGk=\n")  => "hi"
base64decode("aGk")  => error: `base64decode`: "aGk" is not base64
base64decode("//8=")  => error: `base64decode`: what is encoded is not UTF-8 text
base64encode("hi")  => "aGk="
jsonencode({ b = 1.5, a = [1, null, "<x>"] })  => "{\"a\":[1,null,\"\\u003cx\\u003e\"],\"b\":1.5}"
jsonencode(1e30)  => "1000000000000000000000000000000"
jsonencode("é\u2028")  => "\"é\\u2028\""
jsonencode(var.later)  => (unknown)
jsonencode({ a = var.secret })  => "{\"a\":\"hunter2\"}" !sensitive
jsondecode("{\"a\": [1, 12345678901234567890.5, null]}")  => { a = [1, 12345678901234567890.5, null] }
jsondecode("{\"a\":1,\"a\":2}")  => { a = 2 }
jsondecode("[1,]")  => error: `jsondecode`: this is not JSON: there is a comma in front of `]` at line 1, column 3
jsondecode(var.secret)  => error: `jsondecode`: this is not JSON
textencodebase64("hé", "UTF-16LE")  => "aADpAA=="
textdecodebase64("aADpAA==", "UTF-16LE")  => "hé"
textdecodebase64(textencodebase64("hé", "UTF-16"), "UTF-16")  => "hé"
textencodebase64("hé", "ISO-8859-1")  => "aOk="
textdecodebase64("aOk=", "ISO-8859-1")  => "hé"
textencodebase64("hé", "US-ASCII")  => error: `textencodebase64`: a character of this text is not in "US-ASCII"
textencodebase64("hé", "EBCDIC")  => error: `textencodebase64`: the encoding "EBCDIC" is not supported yet
urlencode("a b&c/d é~*'()!")  => "a+b%26c%2Fd+%C3%A9~%2A%27%28%29%21"
yamldecode("a: 1")  => error: `yamldecode` is not supported yet
"#,
    );
    let packed = printed("base64gzip(\"hi\")");
    assert!(packed.starts_with("\"H4sIAAAAAAAA/"), "{packed}");
}

#[test]
fn digests_and_identifiers() {
    check(
        r#"
md5("hi")  => "49f68a5c8493ec2c0bf489821c21fc3b"
sha1("hi")  => "c22b5f9178342609428d6f51b2c5af4c0bde6a42"
sha256("hi")  => "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4"
sha512("hi")  => "150a14ed5bea6cc731cf86c41566ac427a8db48ef1b9fd626664b3bfbb99071fa4c922f33dde38719b8c8354e2b7ab9d77e0e67fc12843920a712e73d558e197"
base64sha256("hi")  => "j0NDRmSPa5bfid2pAcUXaxCm2Dlh3TwayItZstwyeqQ="
sha256(var.secret) == "x"  => false !sensitive
uuidv5("dns", "example.com")  => "cfbff0d1-9375-5685-968c-48ce8b15ae17"
uuidv5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "example.com")  => "cfbff0d1-9375-5685-968c-48ce8b15ae17"
uuidv5("bad", "x")  => error: `uuidv5`: "bad" is not a namespace
uuidv4()  => "01010101-0101-4101-8101-010101010101" !volatile
uuidv4() == uuidv4()  => false !volatile
"#,
    );
}

#[test]
fn moments() {
    check(
        r#"
timestamp()  => "2026-11-21T07:08:09Z" !volatile
"img-${formatdate("YYYYMMDD", timestamp())}"  => "img-20261121" !volatile
legacy_isotime()  => "2026-11-21T07:08:09Z" !volatile
legacy_isotime("2006-01-02")  => "2026-11-21" !volatile
legacy_strftime("%Y%m%d")  => "20261121" !volatile
formatdate("YYYY YY MMMM MMM MM M DD D EEEE EEE hh h HH H AA aa mm m ss s Z ZZZZ ZZZZZ 'lit' ''", "2018-01-02T23:12:01Z")  => "2018 18 January Jan 01 1 02 2 Tuesday Tue 23 23 11 11 PM pm 12 12 01 1 Z +0000 +00:00 lit '"
formatdate("hh:mm ZZZ ZZZZ ZZZZZ Z", "2018-01-02T23:12:01-07:00")  => "23:12 -0700 -0700 -07:00 -07:00"
formatdate("EEE, DD MMM YYYY hh:mm:ss ZZZ", "2018-01-02T23:12:01Z")  => "Tue, 02 Jan 2018 23:12:01 UTC"
formatdate("HH AA", "2018-01-02T00:12:01Z")  => "12 AM"
formatdate("YYYY-MM-DD'T'hh:mm:ssZ", "2018-01-02T23:12:01.5+01:30")  => "2018-01-02T23:12:01+01:30"
formatdate("YYY", "2018-01-02T23:12:01Z")  => error: `formatdate`: `YYY` is no part of a date
formatdate("xx", "2018-01-02T23:12:01Z")  => error: `formatdate`: `xx` is no part of a date
formatdate("'abc", "2018-01-02T23:12:01Z")  => error: `formatdate`: a text in quotes never ends
formatdate("DD", "2018-01-02 00:12:01Z")  => error: `formatdate`: "2018-01-02 00:12:01Z" is not a moment by RFC 3339
timeadd("2017-11-22T00:00:00Z", "10m")  => "2017-11-22T00:10:00Z"
timeadd("2017-11-22T00:00:00+02:00", "1h30m0.5s")  => "2017-11-22T01:30:00+02:00"
timeadd("2017-11-22T00:00:00.25Z", "-1.5h")  => "2017-11-21T22:30:00Z"
timeadd("2017-11-22T00:00:00Z", "0")  => "2017-11-22T00:00:00Z"
timeadd("2017-11-22T00:00:00Z", "10")  => error: `timeadd`: "10" is not a duration
timeadd("2017-11-22T00:00:00Z", "1d")  => error: `timeadd`: "1d" is not a duration
timeadd("2017-11-22", "1h")  => error: `timeadd`: "2017-11-22" is not a moment by RFC 3339
timecmp("2017-11-22T00:00:00Z", "2017-11-22T00:00:00+01:00")  => 1
rfc3339_parse("2018-01-02 23:12:01Z").weekday_name  => "Tuesday"
rfc3339_parse("2018-01-02T23:12:01Z").unix  => 1514934721
rfc3339_parse("2021-01-03T00:00:00Z").iso_week  => 53
unix_timestamp_parse(0).rfc3339  => "1970-01-01T00:00:00Z"
unix_timestamp_parse(86400).year_day  => 2
"#,
    );
}

#[test]
fn networks() {
    check(
        r#"
cidrhost("10.12.112.0/20", 16)  => "10.12.112.16"
cidrhost("10.12.112.5/20", 1)  => "10.12.112.1"
cidrhost("10.12.112.0/20", -1)  => "10.12.127.255"
cidrhost("10.0.0.0/30", 5)  => error: `cidrhost`: a prefix of length 30 has no host 5
cidrhost("fd00:fd12:3456:7890:00a2::/72", 34)  => "fd00:fd12:3456:7890::22"
cidrhost("0.0.0.0/0", 1)  => "0.0.0.1"
cidrhost("::/0", -1)  => "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
cidrhost("x", 1)  => error: `cidrhost`: "x" is not a network prefix
cidrnetmask("172.16.0.0/12")  => "255.240.0.0"
cidrnetmask("fd00::/8")  => error: `cidrnetmask`: an IPv6 prefix has no netmask
cidrsubnet("172.16.0.0/12", 4, 2)  => "172.18.0.0/16"
cidrsubnet("172.16.0.0/12", 4, 16)  => error: `cidrsubnet`: 4 bits do not hold a subnet numbered 16
cidrsubnet("172.16.0.0/30", 4, 1)  => error: `cidrsubnet`: a prefix of length 30 cannot be longer by 4 bits
cidrsubnet("fd00:fd12:3456:7890::/56", 16, 162)  => "fd00:fd12:3456:7800:a200::/72"
cidrsubnet("::/0", 128, 1)  => "::1/128"
cidrsubnets("10.1.0.0/16", 4, 4, 8, 4)  => ["10.1.0.0/20", "10.1.16.0/20", "10.1.32.0/24", "10.1.48.0/20"]
cidrsubnets("10.1.0.0/16")  => []
cidrsubnets("10.0.0.0/30", 1, 1, 1)  => error: `cidrsubnets`: there is no room for this prefix after the ones before
cidrcontains("10.0.0.0/8", "10.1.2.3")  => true
cidrcontains("10.0.0.0/8", "11.0.0.0/16")  => false
"#,
    );
}

#[test]
fn types_and_marks() {
    check(
        r#"
tostring(1)  => "1"
tostring([])  => error: `tostring`: a string is required, but this is a tuple
tonumber("1e2")  => 100
tonumber("0x10")  => error: `tonumber`: "0x10" is not a number
tonumber(null)  => null
tobool("1")  => true
tobool("True")  => error: `tobool`: "True" is neither `true` nor `false`
tolist([1, "a"])  => ["1", "a"]
tolist([1, true])  => error: `tolist`: all elements must be of one type, but here are a bool and a number
tolist(1)  => error: `tolist`: a list is required, but this is a number
toset([1, "a", 1])  => ["1", "a"]
tomap({ a = 1, b = "x" })  => { a = "1", b = "x" }
type([1])  => "tuple([number])"
type(tolist([1]))  => "list(number)"
sensitive("a")  => "a" !sensitive
nonsensitive(var.secret)  => "hunter2"
nonsensitive([var.secret])  => ["hunter2"]
tonumber(var.secret)  => error: `tonumber`: this sensitive value is not a number
env("REGION")  => "eu-west-1"
env("NOTHING")  => ""
abspath("x/../y")  => "/work/y"
basename("a/b/")  => "b"
basename("")  => "."
dirname("a/b")  => "a"
dirname("a/b/")  => "a/b"
dirname("a")  => "."
dirname("/")  => "/"
pathexpand("~/x")  => "/home/ann/x"
pathexpand("~bob/x")  => error: `pathexpand`: the home directory of another user is not known
"#,
    );
}

/// A directory with some files, and a scope whose functions start from it.
fn files() -> (tempfile::TempDir, Scope<'static>) {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    std::fs::create_dir_all(root.join("sub/deep")).expect("a directory");
    for name in ["a.txt", "b.txt", ".hidden.txt", "sub/c.txt", "sub/deep/d.txt"] {
        std::fs::write(root.join(name), "hi\n").expect("a file");
    }
    std::fs::write(root.join("bytes"), [0xff, 0xfe]).expect("a file");
    let template = "hello ${name}\n%{ for x in [1,2] ~}\n  - ${x}\n%{ endfor ~}\n";
    std::fs::write(root.join("t.tpl"), template).expect("a file");
    std::fs::write(root.join("list.tpl"), "${[for x in xs : upper(x)]}").expect("a file");
    std::fs::write(root.join("again.tpl"), "${templatefile(\"t.tpl\", {})}").expect("a file");
    let root = root.to_str().expect("a path").to_owned();
    (directory, Scope::new(context(&root)))
}

fn in_scope(text: &str, scope: &Scope<'_>) -> String {
    let source = Source::new("test.hcl", text);
    match parse_expression(&source, None).and_then(|one| evaluate(&one, scope)) {
        Ok(value) => value.to_string(),
        Err(found) => {
            let all: Vec<&str> = found.iter().map(|one| one.summary.as_str()).collect();
            format!("error: {}", all.join("; "))
        }
    }
}

#[test]
fn files_are_read_from_the_directory_of_the_template() {
    let (directory, scope) = files();
    for (text, expected) in [
        ("file(\"a.txt\")", "\"hi\\n\""),
        ("filebase64(\"bytes\")", "\"//4=\""),
        ("fileexists(\"a.txt\")", "true"),
        ("fileexists(\"none\")", "false"),
        ("fileexists(\"sub\")", "error: `fileexists`: \"sub\" is not a regular file"),
        ("file(\"bytes\")", "error: `file`: the file \"bytes\" is not UTF-8 text"),
        ("filemd5(\"a.txt\")", "\"764efa883dda1e11db47671c4a3bbd9e\""),
        ("fileset(\".\", \"*.txt\")", "[\".hidden.txt\", \"a.txt\", \"b.txt\"]"),
        (
            "fileset(\".\", \"**/*.txt\")",
            "[\".hidden.txt\", \"a.txt\", \"b.txt\", \"sub/c.txt\", \"sub/deep/d.txt\"]",
        ),
        ("fileset(\".\", \"{a,b}.txt\")", "[\"a.txt\", \"b.txt\"]"),
        ("fileset(\"sub\", \"*\")", "[\"c.txt\"]"),
        ("length(fileset(\".\", \"**\"))", "9"),
        ("fileset(\"none\", \"*\")", "[]"),
        ("templatefile(\"t.tpl\", { name = \"x\" })", "\"hello x\\n  - 1\\n  - 2\\n\""),
        ("templatefile(\"list.tpl\", { xs = [\"a\"] })", "[\"A\"]"),
        (
            "templatefile(\"t.tpl\", {})",
            "error: `templatefile`: the template \"t.tpl\" has errors; unknown name `name`",
        ),
        (
            "templatefile(\"again.tpl\", {})",
            "error: `templatefile`: the template \"again.tpl\" has errors; a template file cannot call `templatefile`",
        ),
        (
            "templatefile(\"t.tpl\", { \"a b\" = 1 })",
            "error: `templatefile`: \"a b\" cannot be the name of a variable",
        ),
        (
            "templatefile(\"t.tpl\", 1)",
            "error: `templatefile`: a map or an object of variables is required",
        ),
    ] {
        assert_eq!(in_scope(text, &scope), expected, "{text}");
    }
    let missing = in_scope("file(\"none\")", &scope);
    let expected = format!("error: `file`: no such file: `{}/none`", directory.path().display());
    assert_eq!(missing, expected);
}

#[test]
fn a_directory_is_no_file() {
    let (directory, scope) = files();
    let expected = format!("error: `file`: `{}/sub` is a directory", directory.path().display());
    assert_eq!(in_scope("file(\"sub\")", &scope), expected);
}

#[test]
fn env_is_only_for_defaults_of_variables() {
    let scope = Scope::new(context("/work"));
    assert_eq!(
        in_scope("env(\"REGION\")", &scope),
        "error: `env` can only be called in the default of a variable"
    );
}

#[test]
fn every_function_of_packer_is_known() {
    // Section 3.1 of the inventory, `env` included.
    let names = "abs ceil floor log max min parseint pow signum sum chomp endswith format \
        formatlist indent join lower upper title regex regexall regex_replace replace split \
        startswith strcontains strrev substr trim trimprefix trimsuffix trimspace alltrue anytrue \
        chunklist coalesce coalescelist compact concat contains distinct element flatten index \
        keys length lookup merge range reverse setintersection setproduct setunion slice sort \
        values zipmap base64decode base64encode base64gzip csvdecode jsondecode jsonencode \
        textdecodebase64 textencodebase64 urlencode yamldecode yamlencode abspath basename dirname \
        pathexpand file fileexists fileset filebase64 templatefile timestamp timeadd formatdate \
        legacy_isotime legacy_strftime rfc3339_parse unix_timestamp_parse bcrypt md5 sha1 sha256 \
        sha512 rsadecrypt uuidv4 uuidv5 cidrhost cidrnetmask cidrsubnet cidrsubnets can try \
        convert consul_key vault aws_secretsmanager aws_secretsmanager_raw env";
    let names: Vec<&str> = names.split_whitespace().collect();
    assert_eq!(names.len(), 104);
    let unknown: Vec<&&str> = names.iter().filter(|name| find(name).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn signatures_name_parameters_and_types() {
    let signature = |name| find(name).expect("known").signature();
    assert_eq!(signature("substr"), "substr(text: string, offset: number, length: number)");
    assert_eq!(signature("join"), "join(separator: string, lists: list(string)...)");
}

#[test]
fn secrets_stay_out_of_errors_of_functions() {
    let scope = scope();
    let scope =
        Arc::new(scope.with("s", Value::string("hunter2").marked(crate::value::Marks::SENSITIVE)));
    for call in [
        "regex(s, \"a\")",
        "regex(\"x\", s)",
        "parseint(s, 10)",
        "base64decode(s)",
        "file(s)",
        "fileset(s, s)",
        "templatefile(s, {})",
        "uuidv5(s, s)",
        "timeadd(s, s)",
        "formatdate(s, s)",
        "cidrhost(s, 1)",
        "cidrsubnet(s, 1, 1)",
        "index([\"a\"], s)",
        "lookup({}, s)",
        "jsondecode(s)",
        "tonumber(s)",
        "s + 1",
        "[1][s]",
        "{ a = 1 }[s]",
        "var.names[s]",
        "convert(s, number)",
        "format(\"%d\", s)",
        "sum([s])",
        "[for x in s : x]",
        "s.x",
        "s ? 1 : 2",
        "{for x in [s, s] : x => 1}",
        "merge(s)",
        "range(s)",
        "format(s, 1)",
        "textencodebase64(\"a\", s)",
        "cidrcontains(s, s)",
        "tomap({ a = s, b = [1] })",
        "tolist([s, []])",
        "coalesce([s], 1)",
        "element([s], s)",
        "slice([s], s, 1)",
        "regex_replace(s, s, \"(\")",
    ] {
        let source = Source::new("test.hcl", call);
        let result = parse_expression(&source, None).and_then(|one| evaluate(&one, &scope));
        let text = match result {
            Ok(value) => value.to_string(),
            Err(found) => crate::diagnostic::render(&found, crate::diagnostic::Style::default()),
        };
        assert!(!text.contains("hunter2"), "{call}: {text}");
    }
}

/// Arguments of all kinds, also those that nobody expects.
const ARGUMENTS: [&str; 24] = [
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e300",
    "\"\"",
    "\"a\"",
    "\"10.0.0.0/8\"",
    "\"2026-11-21T07:08:09Z\"",
    "\"%d %s\"",
    "\"é\\u0000\"",
    "[]",
    "[null]",
    "[\"a\", \"b\"]",
    "[1, [2]]",
    "toset([\"b\", \"a\"])",
    "{}",
    "{ a = 1 }",
    "tomap({ a = \"x\" })",
    "var.later",
    "[var.later]",
    "var.secret",
    "[var.secret]...",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 1500, failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn no_call_panics_or_tells_a_secret(
        function in 0..150usize,
        arguments in proptest::collection::vec(0..ARGUMENTS.len(), 0..4),
    ) {
        let functions: Vec<_> = all().collect();
        let name = functions[function % functions.len()].name;
        let mut written: Vec<&str> = arguments.iter().map(|at| ARGUMENTS[*at]).collect();
        // Only the last argument can be spread.
        written.sort_by_key(|text| text.ends_with("..."));
        written.dedup_by(|a, b| a.ends_with("...") && b.ends_with("..."));
        let call = format!("{name}({})", written.join(", "));
        let source = Source::new("test.hcl", &call);
        let scope = scope();
        let text = match parse_expression(&source, None).and_then(|one| evaluate(&one, &scope)) {
            // Digests and the like do not show it; `nonsensitive` is meant to.
            Ok(value) if name == "nonsensitive" => value.type_of().to_string(),
            Ok(value) => value.to_string(),
            Err(found) => crate::diagnostic::render(&found, crate::diagnostic::Style::default()),
        };
        proptest::prop_assert!(!text.contains("hunter2"), "{call}: {text}");
    }
}
