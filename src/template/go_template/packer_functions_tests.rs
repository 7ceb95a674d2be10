use super::{
    Available, BUILD_OUTSIDE_STEPS, Data, ENV_IN_OPTION, Functions, GoTemplate, Moment,
    PackerFunctions, Request, SECRET_IN_OPTION, clean_resource_name,
};

fn render(template: &str, functions: &PackerFunctions<'_>) -> Result<String, String> {
    let parsed = GoTemplate::parse(template).map_err(|error| error.message)?;
    let rendered = parsed.render(&Data::Nil, functions).map_err(|error| error.message)?;
    Ok(rendered.text)
}

fn entropy() -> [u8; 12] {
    [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb]
}

fn functions() -> PackerFunctions<'static> {
    PackerFunctions::new(Moment::new(1_700_000_000, 0), &entropy, "1.16.0")
}

#[test]
fn what_the_caller_supplies_comes_out() {
    let functions = PackerFunctions {
        build_name: Some("web"),
        build_type: Some("amazon-ebs"),
        working_directory: Some("/work"),
        template_directory: Some("/work/t"),
        has_clean_resource_name: true,
        ..functions()
    };
    let cases = [
        ("{{timestamp}}", "1700000000"),
        ("{{isotime}}", "2023-11-14T22:13:20Z"),
        ("{{isotime `2006-01-02 030405`}}", "2023-11-14 101320"),
        ("{{strftime `%Y-%m-%d`}}", "2023-11-14"),
        ("{{uuid}}", "6553f100-0011-2233-4455-66778899aabb"),
        ("{{build_name}} {{build_type}}", "web amazon-ebs"),
        ("{{pwd}} {{template_dir}} {{packer_version}}", "/work /work/t 1.16.0"),
        ("{{isotime | clean_resource_name}}", "2023-11-14T22-13-20Z"),
        ("{{upper (build_name)}}-{{build_name | upper}}", "WEB-WEB"),
    ];
    for (template, expected) in cases {
        assert_eq!(render(template, &functions).as_deref(), Ok(expected), "{template}");
    }
}

/// What Packer 1.6.6 gave, and what it refused.
const ARGUMENTS: [(&str, Result<&str, &str>); 24] = [
    ("{{upper `aé`}}", Ok("AÉ")),
    ("{{lower `AÉ`}}", Ok("aé")),
    ("{{`a` | upper}}", Ok("A")),
    ("{{replace `a` `b` 1 `aaa`}}", Ok("baa")),
    ("{{replace `a` `b` -1 `aaa`}}", Ok("bbb")),
    ("{{replace `a` `b` 0 `aaa`}}", Ok("aaa")),
    ("{{`aaa` | replace `a` `b` 2}}", Ok("bba")),
    ("{{replace_all `a` `b` `aaa`}}", Ok("bbb")),
    ("{{`a-a` | replace_all `-` ``}}", Ok("aa")),
    ("{{split `a-b-c` `-` 1}}", Ok("b")),
    ("{{split `abc` `-` 0}}", Ok("abc")),
    ("{{isotime `2006` | len}}", Ok("4")),
    ("{{strftime `%Y` | len}}", Ok("4")),
    ("{{uuid | len}}", Ok("36")),
    ("{{split `a-b-c` `-` 5}}", Err("there is no part 5: `-` splits the text into 3 parts")),
    ("{{split `a-b-c` `-` -1}}", Err("there is no part -1: `-` splits the text into 3 parts")),
    ("{{split `a` `-`}}", Err("`split` takes TEXT SEPARATOR INDEX, and INDEX is an integer")),
    (
        "{{replace `a` `b` `aaa`}}",
        Err("`replace` takes OLD NEW COUNT TEXT, and COUNT is an integer"),
    ),
    ("{{replace_all `a` `b`}}", Err("`replace_all` takes OLD NEW TEXT: 3 arguments, not 2")),
    ("{{upper}}", Err("`upper` takes one text, not 0")),
    ("{{lower 1}}", Err("`lower` takes strings, not an integer")),
    ("{{timestamp `x`}}", Err("`timestamp` takes no arguments")),
    ("{{isotime `a` `b`}}", Err("`isotime` takes one layout, not 2")),
    ("{{strftime}}", Err("`strftime` takes one layout, not 0")),
];

#[test]
fn arguments_come_in_the_order_of_packer() {
    for (template, expected) in ARGUMENTS {
        let found = render(template, &functions());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{template}");
    }
}

#[test]
fn every_function_of_packer_is_there() {
    // Section 3.2 of the inventory.
    let mut names = "timestamp isotime strftime uuid user env consul_key vault aws_secretsmanager \
        aws_secretsmanager_raw build build_name build_type pwd template_dir packer_version upper \
        lower replace replace_all split sed clean_resource_name"
        .split_whitespace()
        .collect::<Vec<_>>();
    let functions = functions();
    let mut there = functions.names();
    names.sort_unstable();
    there.sort_unstable();
    assert_eq!(there, names);
}

#[test]
fn look_ups_reach_the_caller() {
    let ask = |request: &Request<'_>| match request.key {
        "bad" => Err("there is no `bad`".to_owned()),
        key => Ok(format!("{}:{key}:{}", request.function, request.part.unwrap_or("-"))),
    };
    let functions = PackerFunctions {
        user: Available::Yes(&ask),
        env: Available::Yes(&ask),
        build: Available::Yes(&ask),
        secret: Available::Yes(&ask),
        ..functions()
    };
    let cases = [
        ("{{user `a`}}", Ok("user:a:-")),
        ("{{env \"A\"}}", Ok("env:A:-")),
        ("{{build `ID`}}", Ok("build:ID:-")),
        ("{{consul_key `k`}}", Ok("consul_key:k:-")),
        ("{{vault `p` `k`}}", Ok("vault:p:k")),
        ("{{aws_secretsmanager `s`}}", Ok("aws_secretsmanager:s:-")),
        ("{{aws_secretsmanager `s` `k`}}", Ok("aws_secretsmanager:s:k")),
        ("{{aws_secretsmanager_raw `s`}}", Ok("aws_secretsmanager_raw:s:-")),
        ("{{user `bad`}}", Err("there is no `bad`")),
        ("{{user}}", Err("`user` takes one name, in quotes")),
        ("{{user `a` `b`}}", Err("`user` takes one name, in quotes")),
        ("{{user 1}}", Err("`user` takes a name, not an integer")),
    ];
    for (template, expected) in cases {
        let found = render(template, &functions);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{template}");
    }
}

#[test]
fn what_is_not_available_says_where_it_is() {
    let functions = PackerFunctions {
        env: Available::No(ENV_IN_OPTION),
        build: Available::No(BUILD_OUTSIDE_STEPS),
        secret: Available::No(SECRET_IN_OPTION),
        ..functions()
    };
    let templates = [
        "{{user `region`}}",
        "{{env `HOME`}}",
        "{{build `ID`}}",
        "{{vault `a` `b`}}",
        "{{build_name}}",
        "{{build_type}}",
        "{{pwd}}",
        "{{template_dir}}",
        "{{clean_resource_name `x`}}",
        "{{sed `s/a/b/` `a`}}",
    ];
    let all: Vec<String> = templates
        .iter()
        .map(|template| render(template, &functions).expect_err("is not available"))
        .collect();
    insta::assert_snapshot!(all.join("\n"), @"
    `user` works in JSON templates only; use `var.region` instead
    `env` works only in the values of `variables`; set a variable there and use `user`
    `build` works only in provisioners and post-processors, once the machine is there
    `vault` works only in the values of `variables`; set a variable there and use `user`
    `build_name` is known only inside of a build
    `build_type` is known only inside of a build
    `pwd` is known only where there is a working directory
    `template_dir` works in JSON templates only; use `path.root` instead
    `clean_resource_name` works only in the options of Amazon's builders
    `sed` was removed from Packer; use `replace` or `replace_all`
    ");
}

#[test]
fn every_name_that_is_listed_can_be_called() {
    let functions = functions();
    for name in functions.names() {
        assert!(functions.call(name, &[]).is_some(), "{name}");
    }
    assert!(functions.call("nope", &[]).is_none());
}

#[test]
fn resource_names_keep_what_amazon_allows() {
    let kept = "azAZ09()[] ./-'@_";
    assert_eq!(clean_resource_name(kept), kept);
    // Two bytes in UTF-8, two dashes.
    assert_eq!(clean_resource_name("a:b{é}\n"), "a-b----".to_owned() + "-");
}
