//! Every way to write a template and its variables.

use crate::support::{Running, Workspace, root, template};

/// A template that prints its variable `word`.
fn speaking() -> String {
    let declared = "variable \"word\" {\n  type = string\n  default = \"default\"\n}\n";
    declared.to_owned()
        + &template("provisioner \"shell\" {\n    inline = [\"echo word=${var.word}\"]\n  }")
}

#[test]
fn a_template_in_json_builds() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let path = workspace.write(
        "t.pkr.json",
        r#"{
  "variable": { "word": { "type": "string", "default": "spoken" } },
  "source": { "amazon-ebs": { "t": {
    "instance_type": "t3.micro", "ssh_username": "admin", "source_ami": "ami-12345678"
  } } },
  "build": {
    "sources": ["source.amazon-ebs.t"],
    "provisioner": { "shell": { "inline": ["echo word=${var.word}"] } }
  }
}"#,
    );
    let outcome = workspace.build(path).expect(0);
    assert!(outcome.lines_of("amazon-ebs.t").contains(&"word=spoken"), "{}", outcome.stdout);
}

#[test]
fn a_directory_is_one_template_with_its_variable_files() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let whole = speaking();
    let (variables, rest) = whole.split_at(whole.find("source").expect("a source"));
    workspace.write("d/variables.pkr.hcl", variables);
    workspace.write("d/t.pkr.hcl", rest);
    workspace.write("d/not-a-template.txt", "}");
    workspace.write("d/one.auto.pkrvars.hcl", "word = \"from-auto\"\n");
    let outcome = workspace.build(workspace.path().join("d")).expect(0);
    assert!(outcome.lines_of("amazon-ebs.t").contains(&"word=from-auto"), "{}", outcome.stdout);
}

#[test]
fn variables_come_from_the_environment_a_file_and_the_command_line() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let path = workspace.write("t.pkr.hcl", speaking());
    let file = workspace.write("values.pkrvars.hcl", "word = \"from-file\"\n");
    let file = format!("-var-file={}", file.display());
    let said = |options: &[&str]| {
        let mut command = workspace.building(options, &path);
        command.env("PKR_VAR_word", "from-environment");
        let outcome = Running::start(command).finish().expect(0);
        let lines = outcome.lines_of("amazon-ebs.t");
        lines.iter().find_map(|line| line.strip_prefix("word=")).expect("a word").to_owned()
    };
    assert_eq!(said(&[]), "from-environment");
    assert_eq!(said(&[&file]), "from-file");
    assert_eq!(said(&[&file, "-var", "word=from-command-line"]), "from-command-line");
}

#[test]
fn files_of_functions_lie_beside_the_template() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    workspace.write("d/words.txt", "one two");
    let steps = "provisioner \"shell\" {\n    inline = [\"echo ${upper(local.words)} in ${path.root} of ${basename(path.cwd)}\"]\n  }\n";
    let locals = "locals {\n  words = file(\"words.txt\")\n}\n";
    workspace.write("d/t.pkr.hcl", locals.to_owned() + &template(steps));
    let mut command = workspace.building(&[], "d/t.pkr.hcl");
    command.current_dir(workspace.path());
    let outcome = Running::start(command).finish().expect(0);
    let here = workspace.path().file_name().and_then(|name| name.to_str()).expect("a name");
    let line = format!("ONE TWO in d of {here}");
    assert!(outcome.lines_of("amazon-ebs.t").contains(&line.as_str()), "{}", outcome.stdout);
}
