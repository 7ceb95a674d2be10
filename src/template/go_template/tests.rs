//! What differs from Go on purpose, faults, limits, and whatever people may throw at it.

use proptest::prelude::*;

use super::*;

fn fields() -> Data {
    let mut fields = std::collections::BTreeMap::new();
    fields.insert("Name".to_owned(), "web".into());
    fields.insert("SourceAMI".to_owned(), "ami-1".into());
    fields.insert("Tags".to_owned(), Data::texts([("os", "al2023")]));
    fields.insert("List".to_owned(), Data::List(vec!["a".into(), "b".into()]));
    fields.insert("Nil".to_owned(), Data::Nil);
    fields.insert("Count".to_owned(), Data::Integer(3));
    Data::Map(fields)
}

fn render(template: &str) -> Result<Rendered, String> {
    let parsed = GoTemplate::parse(template)
        .map_err(|error| explain(template, &error.message, error.range, error.help))?;
    let entropy = || *b"twelve bytes";
    let functions = PackerFunctions::new(Moment::new(1, 0), &entropy, "1.16.0");
    parsed
        .render(&fields(), &functions)
        .map_err(|error| explain(template, &error.message, error.range, error.help))
}

/// A fault and the text that it is about, on one line.
fn explain(
    template: &str,
    message: &str,
    range: std::ops::Range<usize>,
    help: Option<String>,
) -> String {
    let place = template.get(range).expect("a range within the text");
    let help = help.map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{message}: «{place}»{help}")
}

fn kept(template: &str) -> (String, Vec<String>) {
    let rendered = render(template).expect("renders");
    let kept = rendered
        .kept
        .iter()
        .map(|kept| {
            let action = template.get(kept.range.clone()).expect("a range within the text");
            let field = template.get(kept.field.clone()).expect("a range within the text");
            assert!(rendered.text.contains(action), "{action} in {}", rendered.text);
            assert!(kept.name == field || kept.name == ".", "{field} in {action}");
            let similar = kept.similar.as_ref().map(|name| format!(" ~{name}"));
            format!("{}{}", kept.name, similar.unwrap_or_default())
        })
        .collect();
    (rendered.text, kept)
}

#[test]
fn actions_with_unknown_fields_stay_and_are_reported() {
    let unchanged = [
        ("docker ps --format '{{.Names}}'", ".Names ~Name"),
        ("docker ps --format '{{ .Names }}\t{{.Names}}'", ".Names ~Name .Names ~Name"),
        (
            "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' x",
            ".NetworkSettings",
        ),
        ("{{range $i, $e := .HostConfig}}{{$i}}{{else}}{{.Name}}{{end}}", ".HostConfig"),
        ("{{if .State.Running}}up{{else}}down{{end}}", ".State"),
        ("{{if not .State}}down{{end}}", ".State"),
        ("{{with .Config}}{{.Image}}{{else with .Name}}x{{end}}", ".Config"),
        ("{{index .Config.Labels \"a.b\"}}", ".Config"),
        (
            "{{printf \"%s\" .Missing}} {{len .Missing}} {{.Missing | upper}}",
            ".Missing .Missing .Missing",
        ),
        ("{{$x := .Missing}}{{$x}}{{$x.Field}}", ".Missing .Missing .Missing"),
        ("{{.SourceAmi}}", ".SourceAmi ~SourceAMI"),
        ("{{.Tags.OS}}", ".Tags.OS ~os"),
        ("{{.Name.Field}}", ".Name.Field"),
        ("{{(index .Tags \"os\").Field}}", "(index .Tags \"os\").Field"),
        ("{{.Nil}}{{.Nil.Field}}", ".Nil .Nil.Field"),
        ("{{$.Missing}}", "$.Missing"),
        ("{{or .Missing .Other}}", ".Other"),
        ("{{and .Name .Missing}}", ".Missing"),
        ("{{block \"b\" .Missing}}x{{end}}", ".Missing"),
    ];
    for (template, names) in unchanged {
        let (text, found) = kept(template);
        assert_eq!(text, template);
        assert_eq!(found.join(" "), names, "{template}");
    }
}

#[test]
fn findings_point_into_the_source_of_the_template() {
    use crate::diagnostic::{Diagnostics, Source, Span, Style, render};

    let line = "inline = [\"docker ps --format {{.Name}} {{.SourceAmi}}\", \"{{uper .Name}}{{\"]";
    let source = Source::new("web.pkr.hcl", line);
    let part = |text: &str| {
        let start = line.find(text).expect("is there");
        Span::new(&source, start..start + text.len())
    };
    let entropy = || [0; 12];
    let functions = PackerFunctions::new(Moment::new(1, 0), &entropy, "1.16.0");
    let mut found = Diagnostics::new();

    let span = part("docker ps --format {{.Name}} {{.SourceAmi}}");
    let parsed = GoTemplate::parse(span.text()).expect("parses");
    let rendered = parsed.render(&fields(), &functions).expect("renders");
    found.push(rendered.kept[0].to_diagnostic(|range| span.slice(range)));

    let span = part("{{uper .Name}}");
    let parsed = GoTemplate::parse(span.text()).expect("parses");
    let error = parsed.render(&fields(), &functions).expect_err("is refused");
    found.push(error.to_diagnostic(|range| span.slice(range)));

    let span = part("{{uper .Name}}{{");
    let error = GoTemplate::parse(span.text()).expect_err("is refused");
    found.push(error.to_diagnostic(|range| span.slice(range)));

    insta::assert_snapshot!(render(&found, Style::default()), @r#"
    warning[unknown-template-field]: unknown field `.SourceAmi`
     --> web.pkr.hcl:1:43
      |
    1 | inline = ["docker ps --format {{.Name}} {{.SourceAmi}}", "{{uper .Name}}{{"]
      |                                           ^^^^^^^^^^ not known here
      |
      = note: the text stays as it is written; Packer would put `<no value>` in its place
      = help: did you mean `SourceAMI`?
      = help: if another program is to read it, write {{`{{.SourceAmi}}`}}

    error[go-template]: unknown function `uper`
     --> web.pkr.hcl:1:61
      |
    1 | inline = ["docker ps --format {{.Name}} {{.SourceAmi}}", "{{uper .Name}}{{"]
      |                                                             ^^^^ in this Go template
      |
      = help: did you mean `upper`?

    error[go-template-syntax]: this action is not closed
     --> web.pkr.hcl:1:73
      |
    1 | inline = ["docker ps --format {{.Name}} {{.SourceAmi}}", "{{uper .Name}}{{"]
      |                                                                         ^^ in this Go template
      |
      = help: end it with `}}`; for a literal `{{` write {{`{{`}}
    "#);
}

#[test]
fn only_what_depends_on_an_unknown_field_stays() {
    let cases = [
        ("{{.Name}}-{{.Missing}}-{{.Count}}", "web-{{.Missing}}-3", 1),
        ("{{range .List}}{{.}}{{.Missing}} {{end}}", "a{{.Missing}} b{{.Missing}} ", 1),
        ("{{if .Name}}{{.Missing}}{{end}}", "{{.Missing}}", 1),
        ("{{if false}}{{.Missing}}{{end}}", "", 0),
        ("a  {{- .Missing -}}  b", "a{{- .Missing -}}b", 1),
        ("{{or .Missing \"fallback\"}}", "fallback", 0),
        ("{{or .Missing .Name}}", "web", 0),
        ("{{or .Name .Missing}}", "web", 0),
        ("{{and .Count 0 .Missing}}", "0", 0),
        ("{{index .Tags \"missing\"}}|", "|", 0),
        ("{{define \"t\"}}{{.Name}}{{end}}{{template \"t\"}}", "{{.Name}}", 1),
        ("{{range 3}}{{.}}{{end}} {{range $i := 2}}{{$i}}{{end}}", "012 01", 0),
        ("{{range 0}}x{{else}}none{{end}}", "none", 0),
        (
            "{{with .Missing | or \"\"}}x{{else with .Name}}{{.}}{{end}}",
            "{{with .Missing | or \"\"}}x{{else with .Name}}{{.}}{{end}}",
            1,
        ),
        ("{{with false}}x{{else with .Name}}{{.}}{{else}}y{{end}}", "web", 0),
        ("{{with false}}x{{else with 0}}{{.}}{{else}}y{{.Count}}{{end}}", "y3", 0),
        ("{{ne .List nil}} {{eq nil .Tags}}", "true false", 0),
        ("{{\"{{\"}}.Names}}", "{{.Names}}", 0),
        ("{{`{{.Names}}`}}", "{{.Names}}", 0),
    ];
    for (template, expected, count) in cases {
        let (text, found) = kept(template);
        assert_eq!(text, expected, "{template}");
        assert_eq!(found.len(), count, "{template}");
    }
}

#[test]
fn volatile_calls_and_lookups_are_noted_by_place() {
    let template =
        "{{range .List}}{{timestamp}}{{end}}-{{user `region`}}-{{ \"x\" | user }}{{isotime | len}}";
    let entropy = || [0; 12];
    let ask = |request: &Request<'_>| Ok(format!("<{}>", request.key));
    let functions = PackerFunctions {
        user: Available::Yes(&ask),
        ..PackerFunctions::new(Moment::new(7, 0), &entropy, "1.16.0")
    };
    let parsed = GoTemplate::parse(template).expect("parses");
    let rendered = parsed.render(&fields(), &functions).expect("renders");
    assert_eq!(rendered.text, "77-<region>-<x>20");
    let places: Vec<&str> =
        rendered.volatile.iter().map(|range| &template[range.clone()]).collect();
    assert_eq!(places, ["timestamp", "isotime"]);
    assert_eq!(rendered.looked_up("user").collect::<Vec<_>>(), ["region", "x"]);
    assert_eq!(rendered.looked_up("env").count(), 0);
    assert_eq!(&template[rendered.lookups[0].range.clone()], "user `region`");
}

#[test]
fn references_are_found_without_rendering() {
    let template = "{{if false}}{{user `a`}}{{end}}{{.A.B}}{{range .L}}{{.X}}{{$.Y}}{{end}}\
                    {{\"k\" | env}}{{printf \"%s\" (timestamp) .Z}}{{define \"d\"}}{{.D}}{{$.E}}{{end}}";
    let references = GoTemplate::parse(template).expect("parses").references();
    let functions: Vec<_> = references
        .functions
        .iter()
        .map(|function| {
            assert_eq!(template[function.range.clone()], function.name);
            (function.name.as_str(), function.arguments.clone())
        })
        .collect();
    assert_eq!(
        functions,
        [
            ("user", vec![Some("a".into())]),
            ("env", vec![Some("k".into())]),
            ("printf", vec![Some("%s".into()), None, None]),
            ("timestamp", vec![]),
        ]
    );
    let fields: Vec<_> = references
        .fields
        .iter()
        .map(|field| (template[field.range.clone()].to_owned(), field.of_root))
        .collect();
    let expected = [
        (".A.B", true),
        (".L", true),
        (".X", false),
        (".Y", true),
        (".Z", true),
        (".D", false),
        (".E", false),
    ];
    assert_eq!(fields, expected.map(|(name, of_root)| (name.to_owned(), of_root)));
    assert_eq!(references.fields[0].path, ["A", "B"]);
}

#[test]
fn a_literal_has_no_actions() {
    let is_literal = |text: &str| GoTemplate::parse(text).expect("parses").is_literal();
    assert!(is_literal(""));
    assert!(is_literal("plain }} { text"));
    assert!(!is_literal("{{/* c */}}"));
    assert!(!is_literal("x{{/* c */}}"));
    assert!(!is_literal("a {{- 1}}"));
}

#[test]
fn faults_say_what_and_where() {
    let templates = [
        "{{",
        "a {{ .Name",
        "{{ \"open }}",
        "{{ `open }}",
        "{{ 'ab' }}",
        "{{ '' }}",
        "{{ \"\\q\" }}",
        "{{ \"\\ud800\" }}",
        "{{/* open",
        "{{/* x */ .Name}}",
        "{{ /* x */ }}",
        "{{ (1 }}",
        "{{ 1) }}",
        "{{}}",
        "{{ | upper }}",
        "{{ 1 | 2 }}",
        "{{ 1 | . }}",
        "{{ print 1,2 }}",
        "{{ print(1) }}",
        "{{ \"a\"\"b\" }}",
        "{{ \"a\".Field }}",
        "{{ nil }}",
        "{{ \"a\" \"b\" }}",
        "{{ .Name 1 }}",
        "{{ 1 | .Name }}",
        "{{ .foo-bar }}",
        "{{ $x=1 }}",
        "{{ $x }}",
        "{{ $name := 1 }}{{ $nmae }}",
        "{{ $x = 1 }}",
        "{{ $a, $b := 1 }}",
        "{{ 3- }}",
        "{{ 0x }}",
        "{{ 08 }}",
        "{{ 1__0 }}",
        "{{ 1i }}",
        "{{ 9223372036854775808 }}",
        "{{ @ }}",
        "{{ if }}x{{ end }}",
        "{{ if true }}x",
        "{{ if true }}{{ else }}{{ else }}{{ end }}",
        "{{ if true }}{{ else with 1 }}{{ end }}",
        "{{ end }}",
        "{{ else }}",
        "{{ end 1 }}",
        "{{ break }}",
        "{{ range .List }}{{ define \"x\" }}{{ end }}{{ end }}",
        "{{ define x }}{{ end }}",
        "{{ define \"x\" }}1{{ end }}{{ define \"x\" }}2{{ end }}",
        "{{ template }}",
        "{{ template \"nope\" }}",
        "{{ print end }}",
        "{{ block \"b\" }}{{ end }}",
        "{{ timestmp }}",
        "{{ json .Name }}",
        "{{ if false }}{{ nope }}{{ end }}",
        "{{ upper }}",
        "{{ upper 1 }}",
        "{{ len 3 }}",
        "{{ index .List 2 }}",
        "{{ index .List \"a\" }}",
        "{{ index .Tags 1 }}",
        "{{ index .Name 0 0 }}",
        "{{ slice .Name 2 1 }}",
        "{{ slice .Name 1 2 3 }}",
        "{{ eq 1 }}",
        "{{ eq 1 \"1\" }}",
        "{{ eq .List .List }}",
        "{{ lt true false }}",
        "{{ printf 3 }}",
        "{{ not }}",
        "{{ and }}",
        "{{ call .Name }}",
        "{{ range .Name }}{{ end }}",
        "{{ range $i, $e := 3 }}{{ end }}",
        "{{ split \"a-b\" \"-\" 5 }}",
        "{{ replace \"a\" \"b\" \"1\" \"c\" }}",
        "{{ sed \"s/a/b/\" \"a\" }}",
        "{{ user \"region\" }}",
        "{{ env \"HOME\" }}",
        "{{ build \"ID\" }}",
        "{{ vault \"a\" \"b\" }}",
        "{{ build_name }}",
        "{{ clean_resource_name \"a\" }}",
        "{{ isotime \"a\" \"b\" }}",
    ];
    let all: Vec<String> =
        templates.iter().map(|template| render(template).expect_err("is refused")).collect();
    insta::assert_snapshot!(all.join("\n"), @r#"
    this action is not closed: «{{» (end it with `}}`; for a literal `{{` write {{`{{`}})
    this action is not closed: «{{» (end it with `}}`; for a literal `{{` write {{`{{`}})
    this string is not closed: «"open }}»
    this raw string is not closed: «`»
    this is not one character: «'ab'» (a string is written in double quotes)
    this is not one character: «''» (a string is written in double quotes)
    unknown escape `\q`: «\q» (a string in back quotes takes every character as it is)
    unknown escape `\u`: «\u» (a string in back quotes takes every character as it is)
    this comment is not closed: «{{/*» (end it with `*/}}`)
    a comment must fill its whole action: «{{/* x */» (write `{{/* … */}}`)
    unexpected character `/`: «/»
    this parenthesis is not closed: «(»
    this parenthesis was never opened: «)»
    a value is missing in an action: «{{}}»
    a value is missing in an action: «|»
    `2` cannot take a value from a pipe: «2»
    `.` cannot take a value from a pipe: «.»
    unexpected `,`: «,» (separate arguments by blanks)
    unexpected `(`: «(» (separate arguments by blanks)
    unexpected value: «"b"» (separate arguments by blanks)
    this value has no fields: «"a".Field»
    `nil` is not a command: «nil»
    `"a"` is not a function and takes no arguments: «"a" "b"»
    `.Name` is not a function and takes no arguments: «.Name 1»
    `.Name` is not a function and takes no arguments: «.Name»
    unexpected character `-`: «-» (names have no `-` in templates: try `index . "foo…"`)
    unexpected character `=`: «=» (set a blank before `=`)
    undefined variable `$x`: «$x» (for a literal `{{` write {{`{{`}})
    undefined variable `$nmae`: «$nmae» (did you mean `$name`?)
    undefined variable `$x`: «$x» (for a literal `{{` write {{`{{`}})
    too many variables before the sign: «$a, $b :=»
    this is not a number: «3-»
    this is not a number: «0x»
    this is not a number: «08»
    this is not a number: «1__0»
    complex numbers are not supported: «1i»
    this number does not fit 64 bits: «9223372036854775808»
    unexpected character `@`: «@»
    a value is missing in `{{if}}`: «{{ if }}»
    this `{{if}}` is not closed: «{{ if true }}» (end it with `{{end}}`)
    expected `{{end}}`, found `{{else}}`: «{{ else }}»
    expected `{{else}}` or `{{else if …}}`: «{{ else with 1 }}»
    `{{end}}` closes nothing: «{{ end }}»
    `{{else}}` closes nothing: «{{ else }}»
    unexpected text in `{{end}}`: «1»
    `{{break}}` outside of `{{range}}`: «{{ break }}»
    `define` stands outside of all blocks: «{{ define "x" }}»
    `define` needs the name of a template, in quotes: «x»
    template `x` is defined twice: «{{ define "x" }}2{{ end }}»
    `template` needs the name of a template, in quotes: «{{ template }}»
    template `nope` is not defined: «{{ template "nope" }}»
    `end` must be the first word of its action: «end»
    a value is missing in `{{block}}`: «{{ block "b" }}»
    unknown function `timestmp`: «timestmp» (did you mean `timestamp`?)
    unknown function `json`: «json» (for a text with braces that another program reads, write {{`{{`}}json …}})
    unknown function `nope`: «nope» (for a text with braces that another program reads, write {{`{{`}}nope …}})
    `upper` takes one text, not 0: «upper»
    `upper` takes strings, not an integer: «upper 1»
    an integer has no length: «len 3»
    index 2 is out of range: «index .List 2»
    an index is an integer, not a string: «index .List "a"»
    a key is a string, not an integer: «index .Tags 1»
    an integer has no elements: «index .Name 0 0»
    index 2 is behind index 1: «slice .Name 2 1»
    a string is sliced by 2 indexes at most: «slice .Name 1 2 3»
    `eq` takes at least 2 arguments, not 1: «eq 1»
    an integer and a string cannot be compared: «eq 1 "1"»
    a list cannot be compared: «eq .List .List»
    a bool and a bool have no order: «lt true false»
    the first argument of `printf` is a format, not an integer: «printf 3»
    `not` takes 1 argument, not 0: «not»
    `and` takes at least 1 argument: «and»
    `call` needs a function as a value, and there are none here: «call .Name»
    `range` takes a list, a map or an integer, not a string: «.Name»
    a number gives only one variable to `range`: «$i, $e := 3»
    there is no part 5: `-` splits the text into 2 parts: «split "a-b" "-" 5»
    the count of `replace` is an integer, not a string: «replace "a" "b" "1" "c"»
    `sed` was removed from Packer; use `replace` or `replace_all`: «sed "s/a/b/" "a"»
    `user` works in JSON templates only; use `var.region` instead: «user "region"»
    `env` works only in a variable's default: `default = env("HOME")`; then use the variable: «env "HOME"»
    `build` works in JSON templates only; use `build.ID` instead: «build "ID"»
    `{{vault}}` works in JSON templates only; call `vault` in a `locals` block instead: «vault "a" "b"»
    `build_name` is known only inside of a build: «build_name»
    `clean_resource_name` works only in the options of Amazon's builders: «clean_resource_name "a"»
    `isotime` takes one layout, not 2: «isotime "a" "b"»
    "#);
}

/// Runs on a stack as small as those of worker threads.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run);
    thread.expect("starts").join().expect("does not overflow");
}

#[test]
fn hostile_templates_meet_limits() {
    on_a_small_stack(|| {
        let cases = [
            ("{{if true}}".repeat(100_000), "nested more than 64"),
            (format!("{{{{{}", "(".repeat(100_000)), "not closed"),
            (format!("{{{{{}1{}}}}}", "(".repeat(1000), ")".repeat(1000)), "nested more than 64"),
            ("{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}".to_owned(), "100 levels"),
            (
                "{{define \"a\"}}{{if true}}{{with 1}}{{range 1}}{{template \"a\"}}{{end}}{{end}}{{end}}{{end}}{{template \"a\"}}"
                    .to_owned(),
                "100 levels",
            ),
            ("{{range 100000000000}}{{end}}".to_owned(), "steps"),
            ("{{range 5000}}{{range 5000}}x{{end}}{{end}}".to_owned(), "steps"),
            ("{{range 1000000}}{{printf \"%1000d\" 1}}{{end}}".to_owned(), "bytes"),
            (format!("{{{{printf \"{}\" 1}}}}", "%1000000[1]d".repeat(100)), "bytes"),
            (
                format!("{{{{$x := `{}`}}}}{}", "x".repeat(1000), "{{$x = print $x $x}}".repeat(40)),
                "bytes",
            ),
            (
                format!(
                    "{{{{$x := printf \"%1000000d\" 1}}}}{}",
                    "{{$x = replace_all \"\" $x $x}}".repeat(3)
                ),
                "bytes",
            ),
            ("{{$a := 1}}".repeat(2000), "1000 variables"),
            (
                "{{$x := printf \"%1000000d\" 1}}{{range 10000000}}{{if $x}}{{end}}{{end}}".to_owned(),
                "steps",
            ),
            (
                "{{$x := printf \"%1000000d\" 1}}{{range 10000000}}{{if len $x}}{{end}}{{end}}".to_owned(),
                "bytes",
            ),
        ];
        for (template, expected) in cases {
            let fault = render(&template).expect_err("is refused");
            assert!(fault.contains(expected), "{}", fault.chars().take(200).collect::<String>());
        }
    });
}

#[test]
fn the_deepest_template_that_is_accepted_fits_a_small_stack() {
    on_a_small_stack(|| {
        let blocks = 64;
        let template = "{{if true}}".repeat(blocks) + "x" + &"{{end}}".repeat(blocks);
        assert_eq!(render(&template).expect("renders").text, "x");
        let template = format!("{{{{{}1{}}}}}", "(".repeat(64), ")".repeat(64));
        assert_eq!(render(&template).expect("renders").text, "1");
        // Two hundred branches are not deep.
        let template =
            format!("{{{{if 0}}}}{}y{{{{end}}}}", "{{else if 0}}x".repeat(200) + "{{else}}");
        assert_eq!(render(&template).expect("renders").text, "y");
    });
}

#[test]
fn a_text_without_actions_may_be_longer_than_any_result() {
    let text = "x".repeat(40 << 20);
    let parsed = GoTemplate::parse(&text).expect("parses");
    assert!(parsed.render(&Data::Nil, &NoFunctions).expect("renders").text == text);
}

#[test]
fn a_large_text_renders_quickly() {
    let template = "{{.Name}} and {{.Missing}} and {{user}}".replace("{{user}}", "").repeat(10_000);
    let rendered = render(&template).expect("renders");
    assert_eq!(rendered.kept.len(), 10_000);
}

/// Pieces that templates are made of, right and wrong.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{{-",
        "-}}",
        "{{- ",
        " -}}",
        "{{/*",
        "*/}}",
        "(",
        ")",
        "|",
        ",",
        ":=",
        "=",
        "$",
        "$x",
        "$x := ",
        ".",
        ".Name",
        ".List",
        ".Missing",
        ".Tags.os",
        "\"",
        "`",
        "'",
        "\\",
        "if ",
        "else ",
        "end",
        "range ",
        "with ",
        "define \"a\"",
        "block \"b\" .",
        "template \"a\"",
        "break",
        "continue",
        "nil",
        "true",
        "0x1",
        "1.5",
        "-3",
        "1e9",
        "'a'",
        "\"%d%s%v\"",
        "printf ",
        "print ",
        "index ",
        "slice ",
        "len ",
        "eq ",
        "lt ",
        "and ",
        "or ",
        "not ",
        "html ",
        "js ",
        "urlquery ",
        "upper ",
        "replace ",
        "split ",
        "timestamp",
        "uuid",
        " ",
        "\n",
        "é",
        "\u{0}",
        "x",
        "{{if .Name}}",
        "{{range .List}}",
        "{{end}}",
        "{{.}}",
        "{{else}}",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Templates that follow the grammar; they may still fail to render.
fn grammatical() -> impl Strategy<Value = String> {
    let format = "(%[-+# 0]{0,2}[0-9]{0,2}(\\.[0-9]{0,2})?[a-zA-Z%!]|[ a-z]){0,4}";
    let operand = prop_oneof![
        prop::sample::select(vec![
            ".", "$", ".Name", ".List", ".Count", ".Tags", ".Tags.os", ".Nil", ".Missing",
            "$.Name", "1", "-2", "0x1F", "1.5", "1e21", "\"\"", "`a b`", "'x'", "true", "false",
            "nil",
        ])
        .prop_map(str::to_owned),
        format.prop_map(|format| format!("\"{format}\"")),
    ];
    let pipeline = operand.prop_recursive(3, 24, 4, |inner| {
        let function = prop::sample::select(vec![
            "print",
            "printf",
            "println",
            "len",
            "index",
            "slice",
            "eq",
            "ne",
            "lt",
            "le",
            "gt",
            "ge",
            "and",
            "or",
            "not",
            "html",
            "js",
            "urlquery",
            "upper",
            "lower",
            "replace",
            "replace_all",
            "split",
            "clean_resource_name",
            "isotime",
            "strftime",
            "timestamp",
        ]);
        (function, prop::collection::vec(inner, 0..4), any::<bool>()).prop_map(
            |(function, arguments, parentheses)| {
                let call = format!("{function} {}", arguments.join(" "));
                if parentheses { format!("({call})") } else { format!("(\"a\" | {call})") }
            },
        )
    });
    let action = pipeline.clone().prop_map(|pipeline| format!("{{{{{pipeline}}}}}"));
    let text = "[ a-zé\n]{0,5}".prop_map(|text| text);
    prop_oneof![action, text].prop_recursive(4, 40, 4, move |inner| {
        let body = prop::collection::vec(inner, 0..4).prop_map(|nodes| nodes.concat());
        let keyword =
            prop::sample::select(vec!["if", "with", "range", "range $i, $e :=", "with $x :="]);
        (keyword, pipeline.clone(), body.clone(), body).prop_map(
            |(keyword, pipeline, body, otherwise)| {
                format!("{{{{{keyword} {pipeline}}}}}{body}{{{{else}}}}{otherwise}{{{{end}}}}")
            },
        )
    })
}

/// Ranges lie within the text, at character borders, whatever happened.
fn check(template: &str) {
    let parsed = match GoTemplate::parse(template) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(template.get(error.range.clone()).is_some(), "{template:?} {error:?}");
            return;
        }
    };
    for function in parsed.references().functions {
        assert_eq!(template.get(function.range), Some(function.name.as_str()));
    }
    for field in parsed.references().fields {
        assert_eq!(template.get(field.range), Some(format!(".{}", field.path.join(".")).as_str()));
    }
    let entropy = || [7; 12];
    let functions = PackerFunctions::new(Moment::new(1_700_000_000, 0), &entropy, "1.16.0");
    for data in [fields(), Data::Nil] {
        match parsed.render(&data, &functions) {
            Ok(rendered) => {
                for kept in &rendered.kept {
                    let action = template.get(kept.range.clone()).expect("within the text");
                    assert!(rendered.text.contains(action));
                    assert!(template.get(kept.field.clone()).is_some());
                }
                assert!(parsed.is_literal() <= (rendered.text == template));
                assert_eq!(parsed.render(&data, &functions), Ok(rendered));
            }
            Err(error) => {
                assert!(template.get(error.range.clone()).is_some(), "{template:?} {error:?}");
            }
        }
    }
}

/// How many templates to try; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    ProptestConfig::default().cases.max(400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn any_text_is_parsed_or_refused(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_heap_of_pieces_is_rendered_or_refused(text in pieces()) {
        check(&text);
    }

    #[test]
    fn grammatical_templates_parse(text in grammatical()) {
        prop_assert!(GoTemplate::parse(&text).is_ok(), "{text}");
        check(&text);
    }

    #[test]
    fn a_splinter_in_a_template_is_no_disaster(
        text in grammatical(),
        splinter in pieces(),
        at in any::<prop::sample::Index>(),
        removed in 0_usize..4,
    ) {
        let start = text.floor_char_boundary(at.index(text.len() + 1));
        let end = text.floor_char_boundary((start + removed).min(text.len())).max(start);
        let text = format!("{}{splinter}{}", &text[..start], &text[end..]);
        check(&text);
    }

    #[test]
    fn text_without_braces_is_a_literal(text in "[^{]*") {
        let parsed = GoTemplate::parse(&text).expect("parses");
        prop_assert!(parsed.is_literal());
        prop_assert_eq!(parsed.render(&Data::Nil, &NoFunctions).expect("renders").text, text);
    }

    #[test]
    fn quoting_and_reading_give_the_same_text(text in any::<String>()) {
        // What %q writes is a literal of the template language.
        let data = Data::texts([("Text", text.as_str())]);
        for template in ["{{printf \"%q\" .Text}}", "{{printf \"%+q\" .Text}}"] {
            let render = |template: &str| {
                let parsed = GoTemplate::parse(template).expect("parses");
                parsed.render(&data, &NoFunctions).expect("renders").text
            };
            let literal = render(template);
            prop_assert_eq!(&render(&format!("{{{{{literal}}}}}")), &text);
        }
    }
}
