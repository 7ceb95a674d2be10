//! What templates render to with data. Go 1.19's text/template gave each of these results.

use std::collections::BTreeMap;

use super::{Data, GoTemplate, Moment, PackerFunctions};

fn map<const N: usize>(fields: [(&str, Data); N]) -> Data {
    Data::Map(fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
}

fn data() -> Data {
    let item = |name: &str, value| map([("N", name.into()), ("V", Data::Integer(value))]);
    map([
        ("Name", "web".into()),
        ("Count", Data::Integer(3)),
        ("Zero", Data::Integer(0)),
        ("Empty", "".into()),
        ("On", Data::Bool(true)),
        ("Off", Data::Bool(false)),
        ("Ratio", Data::Float(0.5)),
        ("Path", "/tmp/script.sh".into()),
        ("Vars", "A='1' B='2'".into()),
        ("Tags", Data::texts([("Name", "base"), ("os", "al2023"), ("z key", "v")])),
        ("List", Data::List(vec!["a".into(), "b".into(), "c".into()])),
        ("Numbers", Data::List([3, 1, 2].map(Data::Integer).to_vec())),
        ("None", Data::List(Vec::new())),
        ("Nothing", Data::Map(BTreeMap::new())),
        (
            "Nest",
            map([(
                "In",
                map([
                    ("Deep", "d".into()),
                    ("Items", Data::List(vec![item("x", 1), item("y", 2)])),
                ]),
            )]),
        ),
        (
            "Mixed",
            Data::List(vec![
                "s".into(),
                Data::Integer(1),
                Data::Float(2.5),
                Data::Bool(true),
                Data::Nil,
            ]),
        ),
    ])
}

#[rustfmt::skip]
const CASES: &[(&str, &str)] = &[
    ("chmod +x {{ .Path }}; {{ .Vars }} {{ .Path }}", "chmod +x /tmp/script.sh; A='1' B='2' /tmp/script.sh"),
    ("{{.Vars}} sudo -E bash '{{.Path}}'", "A='1' B='2' sudo -E bash '/tmp/script.sh'"),
    ("{{ if .Vars }}{{ .Vars }} {{ end }}{{ .Path }}", "A='1' B='2' /tmp/script.sh"),
    ("{{ .Name }}-{{ .Count }}-{{ .On }}-{{ .Ratio }}", "web-3-true-0.5"),
    ("{{ .Nest.In.Deep }}", "d"),
    ("{{ $.Nest.In.Deep }}", "d"),
    (r#"{{ .Tags.Name }} {{ index .Tags "z key" }}"#, "base v"),
    ("{{ .Tags }}", "map[Name:base os:al2023 z key:v]"),
    ("{{ .List }} {{ .Numbers }} {{ .Mixed }} {{ .None }} {{ .Nothing }}", "[a b c] [3 1 2] [s 1 2.5 true <nil>] [] map[]"),
    ("{{ len .List }} {{ len .Tags }} {{ len .Name }} {{ len .None }}", "3 3 3 0"),
    ("{{ index .List 0 }}{{ index .List 2 }} {{ index .Mixed 1 }}", "ac 1"),
    (r#"{{ index .Nest "In" "Items" 1 "N" }}"#, "y"),
    ("{{ slice .List 1 }} {{ slice .List 0 2 }} {{ slice .List 1 2 3 }}", "[b c] [a b] [b]"),
    ("{{ range .List }}<{{ . }}>{{ end }}", "<a><b><c>"),
    ("{{ range $i, $e := .List }}{{ $i }}={{ $e }};{{ end }}", "0=a;1=b;2=c;"),
    ("{{ range $e := .List }}{{ $e }}{{ . }}{{ end }}", "aabbcc"),
    ("{{ range .Tags }}{{ . }},{{ end }}", "base,al2023,v,"),
    ("{{ range $k, $v := .Tags }}{{ $k }}={{ $v }},{{ end }}", "Name=base,os=al2023,z key=v,"),
    ("{{ range .None }}x{{ else }}none{{ end }}", "none"),
    ("{{ range .Nothing }}x{{ else }}nothing{{ end }}", "nothing"),
    (r#"{{ range .List }}{{ if eq . "b" }}{{ continue }}{{ end }}{{ . }}{{ end }}"#, "ac"),
    (r#"{{ range .List }}{{ if eq . "b" }}{{ break }}{{ end }}{{ . }}{{ end }}"#, "a"),
    ("{{ range .Nest.In.Items }}{{ .N }}{{ .V }}{{ $.Name }};{{ end }}", "x1web;y2web;"),
    ("{{ range $item := .Nest.In.Items }}{{ $item.N }}{{ with $item }}{{ .V }}{{ end }}{{ end }}", "x1y2"),
    ("{{ with .Nest.In }}{{ .Deep }}{{ $.Count }}{{ end }}", "d3"),
    ("{{ with .Empty }}x{{ else }}empty{{ end }}", "empty"),
    ("{{ with $t := .Tags }}{{ $t.os }}{{ .os }}{{ end }}", "al2023al2023"),
    ("{{ if .On }}on{{ end }}{{ if .Off }}off{{ else }}not off{{ end }}", "onnot off"),
    ("{{ if .Zero }}z{{ else if .Empty }}e{{ else if .None }}n{{ else if .Nothing }}o{{ else }}all false{{ end }}", "all false"),
    ("{{ if and .On .Name }}{{ .Name }}{{ end }}", "web"),
    ("{{ if or .Off .Empty }}x{{ else }}y{{ end }}", "y"),
    ("{{ if not .Off }}yes{{ end }}", "yes"),
    (r#"{{ if eq .Name "db" "web" }}known{{ end }}"#, "known"),
    (r#"{{ if gt .Count 2 }}many{{ end }} {{ lt .Ratio 0.75 }} {{ eq .Count 3 }} {{ ne .Name "db" }}"#, "many true true true"),
    ("{{ and .Name .Count }} {{ or .Empty .Name }} {{ and .Empty .Name }}|", "3 web |"),
    ("{{ $x := .Name }}{{ range .List }}{{ $x }}{{ . }} {{ end }}", "weba webb webc "),
    (r#"{{ $last := "" }}{{ range .List }}{{ $last = . }}{{ end }}{{ $last }}"#, "c"),
    ("{{ $n := 0 }}{{ range $i, $_ := .List }}{{ $n = $i }}{{ end }}{{ $n }}", "2"),
    (r#"{{ .Name | upper }} {{ .Name | upper | printf "%s!" }} {{ printf "%s/%s" .Name "x" }}"#, "WEB WEB! web/x"),
    (r#"{{ printf "%v %v %v" .List .Tags .On }}"#, "[a b c] map[Name:base os:al2023 z key:v] true"),
    (r#"{{ printf "%q %d" .List .Numbers }}"#, r#"["a" "b" "c"] [3 1 2]"#),
    (r#"{{ printf "%x %s" .List .Mixed }}"#, "[61 62 63] [s %!s(int=1) %!s(float64=2.5) %!s(bool=true) <nil>]"),
    (r#"{{ printf "%#v" .Mixed }}"#, r#"[]interface {}{"s", 1, 2.5, true, interface {}(nil)}"#),
    (r#"{{ printf "%#v" .Tags }}"#, r#"map[string]interface {}{"Name":"base", "os":"al2023", "z key":"v"}"#),
    (r#"{{ printf "%T %T %T %T %T %T" .Name .Count .Ratio .On .List .Tags }}"#, "string int float64 bool []interface {} map[string]interface {}"),
    (r#"{{ printf "%03d|%-6s|%6.2f|%t" .Count .Name .Ratio .On }}"#, "003|web   |  0.50|true"),
    ("{{ print .Name .Count }} {{ print .Count .Ratio }} {{ print .List .Name }}", "web3 3 0.5 [a b c]web"),
    ("{{ println .Name .Count }}|", "web 3\n|"),
    (r#"{{ html .Path "&" }} {{ js .Vars }} {{ urlquery .Vars }}"#, r#"/tmp/script.sh&amp; A\u003D\'1\' B\u003D\'2\' A%3D%271%27+B%3D%272%27"#),
    ("{{ (index .Nest.In.Items 0).N }} {{ (.Nest).In.Deep }}", "x d"),
    (r#"{{ define "row" }}[{{ .N }}={{ .V }}]{{ end }}{{ range .Nest.In.Items }}{{ template "row" . }}{{ end }}"#, "[x=1][y=2]"),
    (r#"{{ block "head" .Nest.In }}{{ .Deep }}{{ end }} {{ template "head" .Nest.In }}"#, "d d"),
    ("{{- range .List }}\n  - {{ . }}\n{{- end }}", "\n  - a\n  - b\n  - c"),
    ("{{ range $i, $e := .List }}{{ if $i }}, {{ end }}{{ $e }}{{ end }}", "a, b, c"),
    ("{{ range .List -}}   {{ . }}   {{- end }}", "abc"),
    ("{{/* a comment */}}{{ .Name }}{{- /* another */ -}}   {{ .Count }}", "web3"),
    (r#"{{ .Name }}{{"\n"}}{{ .Count }}"#, "web\n3"),
    ("{{ with .Name }}{{ with $.Count }}{{ . }}{{ end }}{{ . }}{{ end }}", "3web"),
    ("{{ if .Nest.In.Items }}{{ len .Nest.In.Items }}{{ end }}", "2"),
    ("{{ range $k, $v := .Nest }}{{ $k }}:{{ range $kk, $vv := $v }}{{ $kk }} {{ end }}{{ end }}", "In:Deep Items "),
    ("{{ with $x := .Name }}{{ range $x := $.List }}{{ $x }}{{ end }}{{ $x }}{{ end }}", "abcweb"),
    ("{{ range $i, $e := .Numbers }}{{ if lt $e 3 }}{{ $i }}{{ end }}{{ else }}no{{ end }}", "12"),
    ("{{ not .None }} {{ not .List }} {{ and .List true }}", "true false true"),
    (r#"{{ .Ratio | printf "%.3f" }} {{ 1 | index .List }} {{ "os" | index .Tags }}"#, "0.500 b al2023"),
    ("{{ len (slice .Name 1) }} {{ slice .Name 1 2 }} {{ index .Name 0 }}", "2 e 119"),
    ("{{ $m := .Tags }}{{ $m.Name }} {{ $n := .Nest.In }}{{ $n.Deep }}", "base d"),
];

#[test]
fn templates_with_data_render_as_go_renders_them() {
    let entropy = || [0; 12];
    let functions = PackerFunctions::new(Moment::new(0, 0), &entropy, "1.16.0");
    let data = data();
    let mut wrong = Vec::new();
    for (template, expected) in CASES {
        let found = GoTemplate::parse(template)
            .map_err(|error| error.message)
            .and_then(|parsed| parsed.render(&data, &functions).map_err(|error| error.message));
        match found {
            Ok(rendered) if rendered.text == *expected && rendered.kept.is_empty() => {}
            other => wrong.push(format!("{template}\n  expected {expected:?}\n  got {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
