use super::{Moment, RFC3339_LAYOUT, go_layout_format, strftime};

/// 2009-02-05 05:00:57.0123456 UTC, a Thursday.
fn morning() -> Moment {
    Moment::new(1_233_810_057, 12_345_600)
}

/// 2023-11-14 15:13:20.999999999 UTC, a Tuesday.
fn afternoon() -> Moment {
    Moment::new(1_699_974_800, 999_999_999)
}

#[test]
#[rustfmt::skip]
fn layouts_show_what_go_shows() {
    // Go 1.19 printed each of these.
    let cases: &[(&str, &str, &str)] = &[
        ("Mon Jan _2 15:04:05 2006", "Thu Feb  5 05:00:57 2009", "Tue Nov 14 15:13:20 2023"),
        ("Mon Jan _2 15:04:05 MST 2006", "Thu Feb  5 05:00:57 UTC 2009", "Tue Nov 14 15:13:20 UTC 2023"),
        ("Mon Jan 02 15:04:05 -0700 2006", "Thu Feb 05 05:00:57 +0000 2009", "Tue Nov 14 15:13:20 +0000 2023"),
        ("02 Jan 06 15:04 MST", "05 Feb 09 05:00 UTC", "14 Nov 23 15:13 UTC"),
        ("02 Jan 06 15:04 -0700", "05 Feb 09 05:00 +0000", "14 Nov 23 15:13 +0000"),
        ("Monday, 02-Jan-06 15:04:05 MST", "Thursday, 05-Feb-09 05:00:57 UTC", "Tuesday, 14-Nov-23 15:13:20 UTC"),
        ("Mon, 02 Jan 2006 15:04:05 MST", "Thu, 05 Feb 2009 05:00:57 UTC", "Tue, 14 Nov 2023 15:13:20 UTC"),
        ("Mon, 02 Jan 2006 15:04:05 -0700", "Thu, 05 Feb 2009 05:00:57 +0000", "Tue, 14 Nov 2023 15:13:20 +0000"),
        ("2006-01-02T15:04:05Z07:00", "2009-02-05T05:00:57Z", "2023-11-14T15:13:20Z"),
        ("2006-01-02T15:04:05.999999999Z07:00", "2009-02-05T05:00:57.0123456Z", "2023-11-14T15:13:20.999999999Z"),
        ("3:04PM", "5:00AM", "3:13PM"),
        ("Jan _2 15:04:05", "Feb  5 05:00:57", "Nov 14 15:13:20"),
        ("Jan _2 15:04:05.000", "Feb  5 05:00:57.012", "Nov 14 15:13:20.999"),
        ("Jan _2 15:04:05.000000", "Feb  5 05:00:57.012345", "Nov 14 15:13:20.999999"),
        ("Jan _2 15:04:05.000000000", "Feb  5 05:00:57.012345600", "Nov 14 15:13:20.999999999"),
        ("2006-01-02", "2009-02-05", "2023-11-14"),
        ("20060102150405", "20090205050057", "20231114151320"),
        ("20060102-150405", "20090205-050057", "20231114-151320"),
        ("2006 06 1 01 2 02 _2 002 __2 15 3 03 4 04 5 05", "2009 09 2 02 5 05  5 036  36 05 5 05 0 00 57 57", "2023 23 11 11 14 14 14 318 318 15 3 03 13 13 20 20"),
        ("PM pm Pm", "AM am Pm", "PM pm Pm"),
        ("Z07:00 Z0700 Z07 -07:00 -0700 -07 Z070000 Z07:00:00 -070000 -07:00:00 MST", "Z Z Z +00:00 +0000 +00 Z Z +000000 +00:00:00 UTC", "Z Z Z +00:00 +0000 +00 Z Z +000000 +00:00:00 UTC"),
        ("5.0 5.000000000 5.9 5.999999 5,000 5,999 5.0000000000", "57.0 57.012345600 57 57.012345 57,012 57,012 57.012345600", "20.9 20.999999999 20.9 20.999999 20,999 20,999 20.999999999"),
        ("05.00x .000 .0001 .99a", "57.01x .012 .0002 .01a", "20.99x .999 .0011 .99a"),
        ("_2006 _2 __2 _x __", "_2009  5  36 _x __", "_2023 14 318 _x __"),
        ("January Januaryx Jan Janx Janet JanX Monday Mondays Mon Monx Month MONTH", "February Februaryx Feb Janx Janet FebX Thursday Thursdays Thu Monx Month MONTH", "November Novemberx Nov Janx Janet NovX Tuesday Tuesdays Tue Monx Month MONTH"),
        ("no digits here", "no digits here", "no digits here"),
        ("é2006ü", "é2009ü", "é2023ü"),
        ("", "", ""),
        ("1/2/06", "2/5/09", "11/14/23"),
        ("0 00 000 0x 09", "0 00 000 0x 09", "0 00 000 0x 09"),
        ("-0 -x -7 Z Zebra Z0", "-0 -x -7 Z Zebra Z0", "-0 -x -7 Z Zebra Z0"),
        ("3:04PM", "5:00AM", "3:13PM"),
        ("02 Jan 2006 at 15h04", "05 Feb 2009 at 05h00", "14 Nov 2023 at 15h13"),
    ];
    for (layout, first, second) in cases {
        assert_eq!(go_layout_format(layout, morning()), *first, "{layout}");
        assert_eq!(go_layout_format(layout, afternoon()), *second, "{layout}");
    }
}

#[test]
fn years_far_away_have_their_sign_and_digits() {
    let years = |seconds| go_layout_format("2006 06", Moment::new(seconds, 0));
    assert_eq!(years(-62_135_596_800), "0001 01");
    assert_eq!(years(-62_198_755_200), "-0001 99");
    assert_eq!(years(i64::MAX), "9999 99");
    assert_eq!(years(i64::MIN), "-9999 01");
    assert_eq!(Moment::new(-1, 500_000_000).seconds(), -1);
    assert_eq!(
        go_layout_format(RFC3339_LAYOUT, Moment::new(-1, 500_000_000)),
        "1969-12-31T23:59:59Z"
    );
}

#[test]
fn strftime_shows_what_date_shows() {
    // GNU date in the C locale printed both lines.
    let format = "%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%k|%l|%m|%M|%p|%r|%R|%s|%S|%T|\
                  %u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|%Z";
    assert_eq!(
        strftime(format, morning()),
        "Thu|Thursday|Feb|February|Thu Feb  5 05:00:57 2009|20|05|02/05/09| 5|2009-02-05|09|2009|\
         Feb|05|05|036| 5| 5|02|00|AM|05:00:57 AM|05:00|1233810057|57|05:00:57|\
         4|05|06|4|05|02/05/09|05:00:57|09|2009|+0000|UTC"
    );
    assert_eq!(
        strftime(format, afternoon()),
        "Tue|Tuesday|Nov|November|Tue Nov 14 15:13:20 2023|20|14|11/14/23|14|2023-11-14|23|2023|\
         Nov|15|03|318|15| 3|11|13|PM|03:13:20 PM|15:13|1699974800|20|15:13:20|\
         2|46|46|2|46|11/14/23|15:13:20|23|2023|+0000|UTC"
    );
}

#[test]
fn strftime_copies_what_is_no_conversion() {
    assert_eq!(strftime("100%% %E %q %é é%", morning()), "100% %E %q %é é%");
    assert_eq!(strftime("%S%L %v", morning()), "57.012  5-Feb-2009");
}
