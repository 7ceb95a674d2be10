//! Files that are not there, or not what is wanted.

use super::refusal::{Mistake, refused, with_options, with_steps};

#[test]
fn a_template_that_does_not_exist() {
    insta::assert_snapshot!(Mistake::build(&["web.pkr.hcl"]).refused(), @"
    error[unreadable]: cannot read `web.pkr.hcl`: No such file or directory (os error 2)
     |
     = help: check the path
    ");
}

#[test]
fn a_directory_without_templates() {
    let mistake = Mistake::build(&["images"]).file("images/notes.txt", "");
    insta::assert_snapshot!(mistake.refused(), @"
    error[missing-template]: `images` has no `*.pkr.hcl` or `*.pkr.json` file
     |
     = help: name the template file itself, or add `.pkr` to its name
    ");
}

#[test]
fn a_file_of_another_kind() {
    let mistake = Mistake::build(&["notes.txt"]).file("notes.txt", "hello");
    insta::assert_snapshot!(mistake.refused(), @"
    error[unknown-format]: `notes.txt` is neither HCL nor JSON by its name
     |
     = help: name it `*.pkr.hcl` or `*.hcl` (HCL2), `*.pkr.json` (HCL2 in JSON) or `*.json` (legacy)
    ");
}

#[test]
fn a_script_that_does_not_exist() {
    let template =
        with_steps("\n  provisioner \"shell\" {\n    script = \"scripts/install.sh\"\n  }");
    insta::assert_snapshot!(refused(&template), @r#"
    error[missing-script]: cannot read `HERE/scripts/install.sh`: No such file or directory (os error 2)
      --> web.pkr.hcl:12:14
       |
    12 |     script = "scripts/install.sh"
       |              ^^^^^^^^^^^^^^^^^^^^
       |
       = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "#);
}

#[test]
fn scripts_of_which_one_does_not_exist() {
    let template =
        with_steps("\n  provisioner \"shell\" {\n    scripts = [\"a.sh\", \"b.sh\"]\n  }");
    let mistake =
        Mistake::build(&["web.pkr.hcl"]).file("web.pkr.hcl", template).file("a.sh", "true");
    insta::assert_snapshot!(mistake.refused(), @r#"
    error[missing-script]: cannot read `HERE/b.sh`: No such file or directory (os error 2)
      --> web.pkr.hcl:12:24
       |
    12 |     scripts = ["a.sh", "b.sh"]
       |                        ^^^^^^
       |
       = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "#);
}

#[test]
fn an_upload_that_does_not_exist() {
    let template = with_steps(
        "\n  provisioner \"file\" {\n    source      = \"dist/\"\n    destination = \"/tmp/app\"\n  }",
    );
    insta::assert_snapshot!(refused(&template), @r#"
    error[missing-source]: cannot read `HERE/dist/`: No such file or directory (os error 2)
      --> web.pkr.hcl:12:19
       |
    12 |     source      = "dist/"
       |                   ^^^^^^^
       |
       = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's
       = help: if a step of this build makes it, set `generated = true`
    "#);
}

#[test]
fn a_mistake_in_a_step_is_told_once_for_all_sources() {
    let template = with_options("")
        .replace("build {", "source \"amazon-ebs\" \"db\" {\n  source_ami    = \"ami-12345678\"\n  instance_type = \"t3.micro\"\n  ssh_username  = \"admin\"\n}\n\nbuild {")
        .replace(r#"web"]"#, "web\", \"source.amazon-ebs.db\"]\n\n  provisioner \"shell\" {\n    script = \"install.sh\"\n  }");
    insta::assert_snapshot!(refused(&template), @r#"
    error[missing-script]: cannot read `HERE/install.sh`: No such file or directory (os error 2)
      --> web.pkr.hcl:18:14
       |
    18 |     script = "install.sh"
       |              ^^^^^^^^^^^^
       |
       = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "#);
}

#[test]
fn a_key_file_that_does_not_exist() {
    insta::assert_snapshot!(refused(&with_options("  ssh_private_key_file = \"~/.ssh/nowhere\"")), @r#"
    error[wrong-option]: `~/.ssh/nowhere` cannot be read: No such file or directory (os error 2)
     --> web.pkr.hcl:5:26
      |
    5 |   ssh_private_key_file = "~/.ssh/nowhere"
      |                          ^^^^^^^^^^^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "#);
}

#[test]
fn user_data_that_does_not_exist() {
    insta::assert_snapshot!(refused(&with_options("  user_data_file = \"boot.sh\"")), @r#"
    error[wrong-option]: `boot.sh` cannot be read: No such file or directory (os error 2)
     --> web.pkr.hcl:5:20
      |
    5 |   user_data_file = "boot.sh"
      |                    ^^^^^^^^^
      |
      = help: paths are relative to the directory in which bake runs; `${path.root}` is the template's
    "#);
}
