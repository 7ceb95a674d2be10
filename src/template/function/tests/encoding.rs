//! Functions that encode and decode, but for YAML.

use crate::template::evaluate::tests::{check, printed};

pub(super) const TABLE: &str = r#"
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
urlencode("a b&c/d é~*'()!")  => "a+b%26c%2Fd+%C3%A9~%2A%27%28%29%21"
base64decode("")  => ""
base64decode(var.secret)  => error: `base64decode`: (sensitive value) is not base64
base64gzip("hi") == base64gzip("hi")  => true
base64gunzip(base64gzip("héllo\n"))  => "héllo\n"
base64gunzip(base64gzip(""))  => ""
base64gunzip("aGk=")  => error: `base64gunzip`: what is encoded is not compressed with gzip
base64gunzip("x")  => error: `base64gunzip`: "x" is not base64
csvdecode("a,b\n1,2\n3,4\n")  => [{ a = "1", b = "2" }, { a = "3", b = "4" }]
csvdecode("a,b\n\"x\ny\",\"q\"\"q\"\n\n5, 6\r\n")  => [{ a = "x\ny", b = "q\"q" }, { a = "5", b = " 6" }]
csvdecode("a\r\n\"x\r\ny\"\r\n")  => [{ a = "x\ny" }]
csvdecode("\n\na\nb\n\n")  => [{ a = "b" }]
csvdecode(",b\n1,2\n")  => [{ "" = "1", b = "2" }]
csvdecode("a b,c-d\n1,")  => [{ "a b" = "1", c-d = "" }]
csvdecode("a\n\"\"\n")  => [{ a = "" }]
csvdecode("a,b\n")  => []
type(csvdecode("a,b\n"))  => "list(object({a = string, b = string}))"
csvdecode("")  => error: `csvdecode`: the line with the names of the columns is missing
csvdecode("a,a\n1,2\n")  => error: `csvdecode`: this is not CSV with a header: two columns have the same name: "a" at line 1
csvdecode("a,b\n\n1\n")  => error: `csvdecode`: this is not CSV with a header: there are 2 columns, but a row of 1 field at line 3
csvdecode("a,b\n1,2,3\n")  => error: `csvdecode`: this is not CSV with a header: there are 2 columns, but a row of 3 fields at line 2
csvdecode("a,b\nx\"y,2\n")  => error: `csvdecode`: this is not CSV with a header: a quote stands in a field that does not begin with one at line 2
csvdecode("a,b\n\"x\"y,2\n")  => error: `csvdecode`: this is not CSV with a header: text follows the closing quote of a field at line 2
csvdecode("a,b\n\"x,2\n")  => error: `csvdecode`: this is not CSV with a header: a quoted field never ends at line 2
csvdecode(join("\n", [for n in range(250001) : "a"]))  => error: `csvdecode`: this is not CSV with a header: there are too many fields at line 250001
csvdecode("a\n${var.secret}")  => [{ a = "hunter2" }] !sensitive
jsonencode(null)  => "null"
jsonencode([for n in range(1200) : format("%010000d", 0)])  => error: `jsonencode`: the result is too long: more than 64 MiB
jsondecode("null")  => null
jsondecode("\"é\"")  => "é"
jsondecode("1e5000")  => error: `jsondecode`: a number in it is out of range
jsondecode("")  => error: `jsondecode`: this is not JSON: there is no JSON value here at line 1, column 1
jsondecode(null)  => error: `text` of `jsondecode` must not be null
textencodebase64("hé", "utf-8")  => "aMOp"
textencodebase64("hé", "UTF-16")  => "/v8AaADp"
textencodebase64("h", "UTF-32LE")  => "aAAAAA=="
textencodebase64("h", "UTF-32")  => "AAD+/wAAAGg="
textdecodebase64("AAD+/wAAAGg=", "UTF-32")  => "h"
textdecodebase64("//5oAA==", "UTF-16")  => "h"
textdecodebase64("AGg=", "UTF-16BE")  => "h"
textdecodebase64("aA==", "UTF-16BE")  => error: `textdecodebase64`: what is encoded is not text in "UTF-16BE"
textencodebase64("€", "windows-1252")  => "gA=="
textencodebase64("€", "ISO-8859-1")  => error: `textencodebase64`: the character `€` is not in "ISO-8859-1"
textencodebase64("€", "ISO-8859-15")  => "pA=="
textencodebase64("ğ", "ISO-8859-9")  => "8A=="
textencodebase64("ð", "ISO-8859-9")  => error: `textencodebase64`: the character `ð` is not in "ISO-8859-9"
textdecodebase64("8A==", "latin5")  => "ğ"
textencodebase64("ก", "TIS-620")  => "oQ=="
textdecodebase64("oQ==", "ISO-8859-11")  => "ก"
textencodebase64("日本", "Shift_JIS")  => "k/qWew=="
textdecodebase64("k/qWew==", "csShiftJIS")  => "日本"
textencodebase64("日本", "EUC-JP")  => "xvzL3A=="
textencodebase64("日本", "ISO-2022-JP")  => "GyRCRnxLXBsoQg=="
textencodebase64("中文", "GB18030")  => "1tDOxA=="
textencodebase64("中文", "Big5")  => "pKSk5Q=="
textencodebase64("한", "EUC-KR")  => "x9E="
textencodebase64("Привет", "KOI8-R")  => "8NLJ18XU"
textencodebase64("П", "cswindows1251")  => "zw=="
textdecodebase64("jw==", "IBM866")  => "П"
textdecodebase64("gg==", "Shift_JIS")  => error: `textdecodebase64`: what is encoded is not text in "Shift_JIS"
textdecodebase64("/w==", "US-ASCII")  => error: `textdecodebase64`: what is encoded is not text in "US-ASCII"
textencodebase64("x${var.secret}é", "US-ASCII")  => error: `textencodebase64`: a character of this text is not in "US-ASCII"
urldecode("a+b%26c%2Fd+%C3%A9~")  => "a b&c/d é~"
urldecode("%zz")  => error: `urldecode`: two hexadecimal digits have to follow each `%`
urldecode("%ff")  => error: `urldecode`: what is encoded is not UTF-8 text
textencodebase64("hé", "US-ASCII")  => error: `textencodebase64`: the character `é` is not in "US-ASCII"
textencodebase64("hé", "EBCDIC")  => error: `textencodebase64`: the encoding "EBCDIC" is not known here
"#;

#[test]
fn as_documented() {
    check(TABLE);
}

#[test]
fn gzip_headers_say_nothing_of_the_moment_and_the_system() {
    use base64::Engine;
    let packed = printed("base64gzip(\"hi\")");
    let packed =
        base64::engine::general_purpose::STANDARD.decode(packed.trim_matches('"')).expect("base64");
    assert_eq!(packed.get(..10), Some(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..]));
}
