//! Functions on moments.

use crate::template::evaluate::tests::check;

pub(super) const TABLE: &str = r#"
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
plantimestamp()  => "2026-11-21T07:08:09Z" !volatile
timestamp(1)  => error: `timestamp` takes no arguments, not 1
legacy_isotime("a", "b")  => error: `legacy_isotime`: only one format can be given
legacy_strftime()  => "2026-11-21T07:08:09Z" !volatile
legacy_strftime("a", "b")  => error: `legacy_strftime`: only one format can be given
formatdate("", "2018-01-02T23:12:01Z")  => ""
formatdate("DD", null)  => error: `time` of `formatdate` must not be null
formatdate("DD", "2018-02-30T23:12:01Z")  => error: `formatdate`: "2018-02-30T23:12:01Z" is not a moment by RFC 3339
rfc3339_parse("2018-01-02T23:12:01+01:00")  => { day = 2, hour = 23, iso_week = 1, iso_year = 2018, minute = 12, month = 1, month_name = "January", second = 1, unix = 1514931121, weekday = 2, weekday_name = "Tuesday", year = 2018, year_day = 2 }
rfc3339_parse("2018-01-02")  => error: `rfc3339_parse`: "2018-01-02" is not a moment by RFC 3339
rfc3339_parse(1)  => error: `rfc3339_parse`: "1" is not a moment by RFC 3339
unix_timestamp_parse(1514934721)  => { day = 2, hour = 23, iso_week = 1, iso_year = 2018, minute = 12, month = 1, month_name = "January", rfc3339 = "2018-01-02T23:12:01Z", second = 1, weekday = 2, weekday_name = "Tuesday", year = 2018, year_day = 2 }
unix_timestamp_parse(1.5)  => error: `unix_timestamp_parse`: a whole number is required
unix_timestamp_parse(1e18)  => error: `unix_timestamp_parse`: this moment is out of range
timeadd("2017-11-22T00:00:00Z", "1e9h")  => error: `timeadd`: "1e9h" is not a duration
timeadd("9999-12-31T00:00:00Z", "48h")  => error: `timeadd`: the result is out of range
timeadd(null, "1h")  => error: `time` of `timeadd` must not be null
timecmp("2017-11-22T00:00:00Z", "2017-11-22T00:00:00Z")  => 0
timecmp("2017-11-22T00:00:00Z", "2017-11-22T00:00:01Z")  => -1
timecmp("x", "2017-11-22T00:00:01Z")  => error: `timecmp`: "x" is not a moment by RFC 3339
"#;

#[test]
fn as_documented() {
    check(TABLE);
}
