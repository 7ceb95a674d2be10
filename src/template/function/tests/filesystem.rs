//! Functions on paths and files.

use std::sync::Arc;

use crate::diagnostic::{Source, Style, render};
use crate::template::evaluate::tests::context;
use crate::template::evaluate::{FunctionContext, Scope, evaluate};
use crate::template::syntax::parse_expression;

/// Calls in the scope of [`files`].
pub(super) const TABLE: &str = r#"
abspath("x/../y/.")  => "ROOT/sub/y"
abspath("/a//b")  => "/a/b"
abspath("../x")  => "ROOT/x"
basename("a/b/")  => "b"
basename("")  => "."
basename("///")  => "/"
dirname("a/b")  => "a"
dirname("a/b/")  => "a/b"
dirname("a")  => "."
dirname("/")  => "/"
dirname("")  => "."
pathexpand("~/x")  => "/home/ann/x"
pathexpand("~")  => "/home/ann"
pathexpand("a/~")  => "a/~"
pathexpand("~bob/x")  => error: `pathexpand`: the home directory of another user is not known
env("REGION")  => "eu-west-1"
env("NOTHING")  => ""
file("a.txt")  => "hi\n"
file("ROOT/a.txt")  => "hi\n"
file("none")  => error: `file`: no such file: `ROOT/none`
file("sub")  => error: `file`: `ROOT/sub` is a directory
file("bytes")  => error: `file`: the file "bytes" is not UTF-8 text
file("~/none")  => error: `file`: no such file: `/home/ann/none`
file("/dev/zero")  => error: `file`: `/dev/zero` is not a regular file
filebase64("c.txt")  => "aGkK"
filebase64("../bytes")  => "//4="
filebase64("a.txt")  => error: `filebase64`: no such file: `ROOT/sub/a.txt`
filebase64("~/a.txt")  => error: `filebase64`: no such file: `ROOT/sub/~/a.txt`
fileexists("a.txt")  => true
fileexists("none")  => false
fileexists("a.txt/b")  => false
fileexists("sub")  => error: `fileexists`: "sub" is not a regular file
filemd5("a.txt")  => "764efa883dda1e11db47671c4a3bbd9e"
filesha1("a.txt")  => "55ca6286e3e4f4fba5d0448333fa99fc5a404a73"
filesha256("a.txt")  => "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"
filesha512("a.txt") == sha512("hi\n")  => true
filebase64sha256("a.txt") == base64sha256("hi\n")  => true
filebase64sha512("a.txt") == base64sha512("hi\n")  => true
filesha256("none")  => error: `filesha256`: no such file: `ROOT/none`
fileset(".", "*.txt")  => [".hidden.txt", "a.txt", "b.txt"]
fileset(".", "**/*.txt")  => [".hidden.txt", "a.txt", "b.txt", "link/d.txt", "sub/c.txt", "sub/deep/d.txt"]
fileset(".", "{a,b}.txt")  => ["a.txt", "b.txt"]
fileset(".", "[!a].t?t")  => ["b.txt"]
fileset("sub", "*")  => ["c.txt"]
fileset("link", "*")  => ["d.txt"]
fileset("none", "*")  => []
fileset(".", "[")  => error: `fileset`: invalid pattern: unclosed character class; missing ']'
length(fileset(".", "**"))  => 10
templatefile("t.tpl", { name = "x" })  => "hello x\n  - 1\n  - 2\n"
templatefile("list.tpl", { xs = ["a"] })  => ["A"]
templatefile("none", {})  => error: `templatefile`: no such file: `ROOT/none`
templatefile("t.tpl", {})  => error: unknown name `name`
templatefile("again.tpl", {})  => error: a template file cannot call `templatefile`
templatefile("t.tpl", { "a b" = 1 })  => error: `templatefile`: "a b" cannot be the name of a variable
templatefile("t.tpl", 1)  => error: `templatefile`: a map or an object of variables is required, but this is a number
templatestring("hello $${name}", { name = "x" })  => "hello x"
templatestring("$${xs}", { xs = [1] })  => [1]
templatestring("%%{ if a }yes%%{ endif }", tomap({ a = true }))  => "yes"
templatestring("$${nam}", { name = 1 })  => error: unknown name `nam`
templatestring("$${templatestring(\"a\", {})}", {})  => error: a template file cannot call `templatestring`
templatestring("$${env(\"REGION\")}", {})  => error: `env` can only be called in the default of a variable
templatestring("a", [])  => error: `templatestring`: a map or an object of variables is required, but this is a tuple
"#;

/// A directory with some files, and a scope whose functions start from it; the working directory
/// is `sub` in it.
pub(super) fn files() -> (tempfile::TempDir, Scope<'static>) {
    let directory = tempfile::tempdir().expect("a directory");
    // Where temporary files are may itself be a link.
    let root = directory.path().canonicalize().expect("a directory");
    std::fs::create_dir_all(root.join("sub/deep")).expect("a directory");
    for name in ["a.txt", "b.txt", ".hidden.txt", "sub/c.txt", "sub/deep/d.txt"] {
        std::fs::write(root.join(name), "hi\n").expect("a file");
    }
    std::fs::write(root.join("bytes"), [0xff, 0xfe]).expect("a file");
    // A link to a directory, and links in a circle.
    std::os::unix::fs::symlink("sub/deep", root.join("link")).expect("a link");
    std::os::unix::fs::symlink("../..", root.join("sub/deep/up")).expect("a link");
    std::os::unix::fs::symlink("nowhere", root.join("broken")).expect("a link");
    let template = "hello ${name}\n%{ for x in [1,2] ~}\n  - ${x}\n%{ endfor ~}\n";
    std::fs::write(root.join("t.tpl"), template).expect("a file");
    std::fs::write(root.join("list.tpl"), "${[for x in xs : upper(x)]}").expect("a file");
    std::fs::write(root.join("again.tpl"), "${templatefile(\"t.tpl\", {})}").expect("a file");
    let other = context("/work");
    let mut count = 0u8;
    let random = move |_: &crate::diagnostic::Span| {
        count += 1;
        [count; 16]
    };
    let now = other.now;
    let environment = move |name: &str| other.environment(name);
    let context = FunctionContext::new(&root, root.join("sub"), now, random, environment);
    (directory, Scope::new(Arc::new(context)))
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
fn as_documented() {
    let (_directory, scope) = files();
    let scope = scope.allow_env();
    let root = scope.context().root_dir.to_str().expect("a path").to_owned();
    let mut wrong = String::new();
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let (text, expected) = line.rsplit_once("  => ").expect("an arrow");
        let found = in_scope(&text.replace("ROOT", &root), &scope);
        let expected = expected.replace("ROOT", &root);
        if found != expected {
            wrong.push_str(&format!("{text}\n  expected {expected}\n  got      {found}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
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
fn a_sensitive_template_is_not_shown_in_its_errors() {
    let (_directory, scope) = files();
    let scope = scope.with("secret", crate::value::Value::string("hunter2"));
    for call in [
        "templatestring(sensitive(\"${secret} $${x}\"), {})",
        "templatestring(\"$${upper(x)}\", { x = sensitive([secret]) })",
        "templatestring(\"$${upper(x)}\", { x = [sensitive(secret)] })",
        "templatestring(\"$${y}\", { \"${secret} \" = sensitive(1) })",
        "templatestring(\"a\", sensitive({ \"${secret} \" = 1 }))",
        "templatefile(sensitive(\"t.tpl\"), {})",
    ] {
        let source = Source::new("test.hcl", call);
        let found = parse_expression(&source, None).and_then(|one| evaluate(&one, &scope));
        let text = render(&found.expect_err("an error"), Style::default());
        // What the scope itself shows of `secret`, which is not sensitive, does not count.
        let text = text.replace("`secret` is \"hunter2\"", "");
        assert!(!text.contains("hunter2") && !text.contains("for x in"), "{call}: {text}");
    }
}

#[test]
fn a_mistake_in_a_template_is_told_at_its_place() {
    let (_directory, scope) = files();
    let all = [
        "templatefile(\"t.tpl\", {})",
        "templatestring(\"$${a} $${b}\", {})",
        "templatefile(sensitive(\"t.tpl\"), {})",
    ]
    .map(|call| {
        let source = Source::new("test.hcl", call);
        let found = parse_expression(&source, None).and_then(|one| evaluate(&one, &scope));
        render(&found.expect_err("an error"), Style::default())
    });
    insta::assert_snapshot!(all.join("\n"), @r#"
    error[unknown-name]: unknown name `name`
     --> t.tpl:1:9
      |
    1 | hello ${name}
      |         ^^^^ not known here
      |
     ::: test.hcl:1:14
      |
    1 | templatefile("t.tpl", {})
      |              ------- `templatefile` renders it here
      |
      = help: a variable is `var.name`, a local is `local.name`, text is `"name"`


    error[unknown-name]: unknown name `a`
     --> templatestring:1:3
      |
    1 | ${a} ${b}
      |   ^ not known here
      |
     ::: test.hcl:1:16
      |
    1 | templatestring("$${a} $${b}", {})
      |                ------------- `templatestring` renders it here
      |
      = help: a variable is `var.a`, a local is `local.a`, text is `"a"`

    error[unknown-name]: unknown name `b`
     --> templatestring:1:8
      |
    1 | ${a} ${b}
      |        ^ not known here
      |
     ::: test.hcl:1:16
      |
    1 | templatestring("$${a} $${b}", {})
      |                ------------- `templatestring` renders it here
      |
      = help: a variable is `var.b`, a local is `local.b`, text is `"b"`


    error[function-failed]: `templatefile`: the template (sensitive value) has errors
     --> test.hcl:1:14
      |
    1 | templatefile(sensitive("t.tpl"), {})
      |              ^^^^^^^^^^^^^^^^^^
    "#);
}
