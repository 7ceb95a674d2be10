//! Two hundred secrets go in, by every way there is, and none comes out.

use std::fmt::Write as _;
use std::io::{Seek as _, Write as _};

use crate::support::canary::{Watch, canaries};
use crate::support::{Outcome, Running, Workspace, quoted, root, shell_with, template};

#[test]
fn what_a_build_makes_of_its_own_secrets_is_masked() {
    if !root("builds in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let options = "env = {
      KEY    = build.SSHPrivateKey
      DIGEST = sha256(build.SSHPrivateKey)
    }
    environment_vars = [\"UPPER=${upper(build.SSHPrivateKey)}\"]";
    let script = "echo \"$KEY\"; echo \"digest: $DIGEST\"; echo \"upper: $UPPER\"";
    workspace.write("t.pkr.hcl", template(&shell_with(options, script)));
    let outcome = workspace.build(workspace.path().join("t.pkr.hcl")).expect(0);
    let said = outcome.lines_of("amazon-ebs.t");
    assert!(said.contains(&"digest: <sensitive>"), "{}", outcome.stdout);
    assert!(said.contains(&"upper: <sensitive>"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("BEGIN"), "{}", outcome.stdout);
}

/// The declarations of a sensitive variable for each secret, `s0` and on.
fn variables(secrets: &[String], of: &str) -> String {
    let declare =
        |number| format!("variable \"s{number}\" {{\n  type = {of}\n  sensitive = true\n}}\n");
    (0..secrets.len()).map(declare).collect()
}

/// A variable file with the secrets.
fn values(secrets: &[String]) -> String {
    let set = |(number, secret): (usize, &String)| format!("s{number} = {}\n", quoted(secret));
    secrets.iter().enumerate().map(set).collect()
}

/// The same in JSON, which HCL takes for templates and legacy templates do not.
fn json_values(secrets: &[String], escape: impl Fn(&str) -> String) -> String {
    let all = secrets.iter().enumerate();
    let object: serde_json::Map<_, _> =
        all.map(|(number, secret)| (format!("s{number}"), escape(secret).into())).collect();
    serde_json::to_string_pretty(&object).expect("JSON")
}

fn bake(workspace: &Workspace, arguments: &[&str], input: &str) -> Outcome {
    let mut stdin = tempfile::tempfile().expect("temporary file");
    stdin.write_all(input.as_bytes()).expect("write input");
    stdin.rewind().expect("rewind input");
    let mut command = workspace.command(arguments);
    command.current_dir(workspace.path()).stdin(stdin);
    Running::start(command).finish()
}

/// What bake printed, after a look that there is no secret in it.
#[track_caller]
fn hidden(outcome: Outcome, watch: &Watch) -> String {
    let output = outcome.stdout + &outcome.stderr;
    watch.assert_hidden(&output);
    output
}

#[test]
fn values_are_not_shown() {
    let secrets = canaries(200);
    let watch = Watch::over(&secrets);
    let workspace = Workspace::new();
    let mut text = variables(&secrets, "string") + "locals {\n";
    for number in 0..secrets.len() {
        writeln!(text, "  up{number} = upper(\"x${{var.s{number}}}\")").expect("a text");
        writeln!(text, "  open{number} = nonsensitive(jsonencode(var.s{number}))").expect("a text");
    }
    workspace.write("t.pkr.hcl", text + "}\n" + &template(""));
    workspace.write("v.pkrvars.hcl", values(&secrets));
    let run = |arguments: &[&str], input: &str| {
        let arguments = [arguments, &["-var-file=v.pkrvars.hcl", "t.pkr.hcl"]].concat();
        hidden(bake(&workspace, &arguments, input).expect(0), &watch)
    };
    assert_eq!(run(&["inspect"], "").matches("<sensitive>").count(), 600);
    assert_eq!(run(&["inspect", "-machine-readable"], "").matches("<sensitive>").count(), 600);
    let all: Vec<_> = (0..secrets.len()).map(|number| format!("var.s{number}")).collect();
    let line = format!(
        "[for s in [{}] : [s, \"x${{s}}\", upper(s), [for s in [nonsensitive(s)] : [\
         s, \"x${{s}}y\", base64encode(s), base64encode(\"k:${{s}}\"), urlencode(s), jsonencode(s), \
         base64encode(jsonencode({{ k = s }}))]]]]\n",
        all.join(", ")
    );
    assert_eq!(run(&["console"], &line).matches("<sensitive>").count(), 200 * 10);
    run(&["console", "-machine-readable"], "variables\n");
    run(&["validate"], "");
    run(&["hash"], "");
}

#[test]
fn values_that_are_wrong_are_not_shown() {
    // As many mistakes as are shown at once.
    for secrets in canaries(200).chunks(100) {
        wrong_values_are_not_shown(secrets);
    }
}

fn wrong_values_are_not_shown(secrets: &[String]) {
    let watch = Watch::over(secrets);
    let workspace = Workspace::new();
    workspace.write("t.pkr.hcl", variables(secrets, "map(number)") + &template(""));
    workspace.write("v.pkrvars.hcl", values(secrets));
    workspace.write(
        "v.pkrvars.json",
        json_values(secrets, |secret| secret.replace("${", "$${").replace("%{", "%%{")),
    );
    let broken = values(secrets).replace("\"\n", "\n");
    workspace.write("broken.pkrvars.hcl", &broken);
    let all = values(secrets).replace("\ns", "\nt_s");
    workspace.write("typos.pkrvars.hcl", format!("s = 1\n{}", all.replace("t_s1", "s_1")));
    let run = |arguments: &[&str]| {
        let outcome = bake(&workspace, &[arguments, &["t.pkr.hcl"]].concat(), "").expect(1);
        hidden(outcome, &watch)
    };
    for command in ["validate", "hash", "build"] {
        let text = run(&[command, "-var-file=v.pkrvars.hcl"]);
        assert_eq!(text.matches("error[").count(), secrets.len(), "{text}");
        assert!(text.matches("<sensitive>").count() >= secrets.len(), "{text}");
    }
    assert!(run(&["validate", "-machine-readable", "-var-file=v.pkrvars.hcl"]).contains("error,"));
    run(&["validate", "-var-file=v.pkrvars.json"]);
    run(&["validate", "-var-file=broken.pkrvars.hcl"]);
    run(&["validate", "-var-file=typos.pkrvars.hcl"]);
    let given: Vec<_> =
        secrets.iter().enumerate().map(|(n, one)| format!("-var=s{n}={one}")).collect();
    let given: Vec<_> = given.iter().map(String::as_str).collect();
    assert!(
        run(&[&["validate"], given.as_slice()].concat()).matches("error[").count() >= secrets.len()
    );
    let mut command = workspace.command(["inspect", "t.pkr.hcl"]);
    command.current_dir(workspace.path());
    for (number, secret) in secrets.iter().enumerate() {
        command.env(format!("PKR_VAR_s{number}"), secret);
    }
    hidden(Running::start(command).finish().expect(0), &watch);
}

#[test]
fn values_of_legacy_templates_are_not_shown() {
    // Values of legacy variables are templates themselves.
    let mut secrets = canaries(220);
    secrets.retain(|secret| !secret.contains("{{"));
    secrets.truncate(200);
    let watch = Watch::over(&secrets);
    let workspace = Workspace::new();
    let names: Vec<_> = (0..secrets.len()).map(|number| format!("s{number}")).collect();
    let variables: serde_json::Map<_, _> = names
        .iter()
        .zip(&secrets)
        .map(|(name, secret)| (name.clone(), (&**secret).into()))
        .collect();
    let uses: Vec<_> = names.iter().map(|name| format!("echo {{{{user `{name}`}}}}")).collect();
    let source = serde_json::json!({
        "type": "amazon-ebs", "instance_type": "t3.micro", "ssh_username": "admin",
        "source_ami": "ami-12345678", "ssh_password": &secrets[7],
    });
    let whole = serde_json::json!({
        "variables": variables, "sensitive-variables": names, "builders": [source],
        "provisioners": [{ "type": "shell", "inline": uses }],
    });
    workspace.write("t.json", whole.to_string());
    let run = |arguments: &[&str], input: &str, code| {
        let outcome = bake(&workspace, &[arguments, &["t.json"]].concat(), input).expect(code);
        hidden(outcome, &watch)
    };
    run(&["inspect"], "", 0);
    let rows = run(&["inspect", "-machine-readable"], "", 0);
    assert_eq!(rows.matches(",<sensitive>,0\n").count(), 200);
    run(&["validate"], "", 0);
    // As many mistakes as are shown at once.
    for secrets in secrets.chunks(100) {
        let wrong = json_values(secrets, str::to_owned)
            .replace("\": \"", "\": [\"")
            .replace("\",\n", "\"],\n");
        workspace.write("wrong.json", wrong.replace("\"\n}", "\"]\n}"));
        let text = run(&["validate", "-var-file=wrong.json"], "", 1);
        assert_eq!(text.matches("must be a string").count(), secrets.len());
    }
    assert_eq!(run(&["console"], "{{user `s3`}}-{{user `s4` | upper}}\n", 0), "<sensitive>\n");
    let template = format!("-var=s5={{{{{}", secrets[6]);
    run(&["validate", &template], "", 1);
}

#[test]
fn what_scripts_print_is_masked() {
    if !root("builds in the sandbox") {
        return;
    }
    let secrets = canaries(40);
    let watch = Watch::over(&secrets);
    let workspace = Workspace::new();
    let names: Vec<_> =
        (0..secrets.len()).map(|number| format!("S{number}=${{var.s{number}}}")).collect();
    let options = format!(
        "environment_vars = [{}]",
        names.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ")
    );
    let script = "set -x\nfor n in $(seq 0 39); do\n  eval \"s=\\$S$n\"\n  echo \"$s\"\n  \
        echo \"$s\" | base64\n  printf %s \"key: $s\" | base64 -w0; echo\n  \
        printf %s \"$s\" | od -An -v -tx1 | tr -d ' \\n'; echo\n  \
        bash -c 'printf \"%q\\n\" \"$1\"' - \"$s\"\n  echo \"$s\" >&2\ndone\nexit 3\n";
    let text = variables(&secrets, "string") + &template(&shell_with(&options, script));
    workspace.write("t.pkr.hcl", text);
    workspace.write("v.pkrvars.hcl", values(&secrets));
    let file = format!("-var-file={}", workspace.path().join("v.pkrvars.hcl").display());
    for mode in ["-machine-readable", "-vv"] {
        let outcome =
            workspace.build_with(&[mode, &file], workspace.path().join("t.pkr.hcl")).expect(1);
        let output = hidden(outcome, &watch);
        assert!(output.matches("<sensitive>").count() > 400, "{output}");
        assert!(output.contains("non-zero exit status: 3"), "{output}");
    }
    workspace.assert_nothing_runs();
}
