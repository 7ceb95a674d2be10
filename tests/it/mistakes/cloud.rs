//! What only the cloud can find, found before anything is launched.

use super::refusal::{BUILD, Mistake, with_options};
use crate::support::{Endpoint, Running, Workspace, root};

/// A template with a filter, and a name for its image.
fn filtering(name: &str, lines: &str) -> Mistake {
    let template = format!(
        "source \"amazon-ebs\" \"web\" {{\n  instance_type = \"t3.micro\"\n  \
         ssh_username  = \"admin\"\n\n  source_ami_filter {{\n    filters = {{\n      \
         name = \"{name}\"\n    }}\n    owners = [\"self\"]\n{lines}  }}\n}}\n\n{BUILD}"
    );
    Mistake::build(&["web.pkr.hcl"]).file("web.pkr.hcl", template)
}

#[test]
fn a_filter_without_match() {
    if !root("the sandbox as a cloud") {
        return;
    }
    let workspace = Workspace::new();
    let cloud = Endpoint::start(&workspace, &[]);
    insta::assert_snapshot!(filtering("nothing-like-it-*", "").refused_by(&cloud), @"
    --> amazon-ebs.web: no image in us-east-1 matches name = nothing-like-it-*, owners = self
     --> web.pkr.hcl:5:3
      |
    5 |   source_ami_filter {
      |   ^^^^^^^^^^^^^^^^^
        hint: check the name pattern, the owners and the region
        hint: deprecated images are left out without `include_deprecated = true`

    ==> Builds finished but no artifacts were created.
    ");
}

#[test]
fn a_malformed_image_id() {
    if !root("the sandbox as a cloud") {
        return;
    }
    let workspace = Workspace::new();
    let cloud = Endpoint::start(&workspace, &[]);
    let template = with_options("").replace("ami-12345678", "amy-12345678");
    let mistake = Mistake::build(&["web.pkr.hcl"]).file("web.pkr.hcl", template);
    insta::assert_snapshot!(mistake.refused_by(&cloud), @r#"
    --> amazon-ebs.web: Invalid id: "amy-12345678" (expecting "ami-...")
     --> web.pkr.hcl:2:19
      |
    2 |   source_ami    = "amy-12345678"
      |                   ^^^^^^^^^^^^^^

    ==> Builds finished but no artifacts were created.
    "#);
}

#[test]
fn two_matches_a_name_that_is_taken_and_a_field_that_does_not_exist() {
    if !root("builds in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let cloud = Endpoint::start(&workspace, &[]);
    // Two images to choose from, of instances that do nothing.
    for name in ["base-1", "base-2"] {
        let lines = format!(
            "  ami_name      = \"{name}\"\n  communicator  = \"none\"\n  user_data = \"#{name}\""
        );
        let template = with_options(&lines);
        let good = Mistake::build(&["base.pkr.hcl"]).file("base.pkr.hcl", template);
        Running::start(good.command(cloud.url())).finish().expect(0);
    }
    let launched = cloud.instances();
    let refused = |mistake: Mistake| {
        let said = mistake.refused_before(&cloud, &launched);
        let id = regex::Regex::new("ami-[0-9a-f]{17}").expect("a pattern");
        let time = regex::Regex::new(r"20\d\d-\d\d-\d\dT[0-9:.]+Z").expect("a pattern");
        time.replace_all(&id.replace_all(&said, "ami-ID"), "TIME").into_owned()
    };

    insta::assert_snapshot!(refused(filtering("base-*", "")), @"
    --> amazon-ebs.web: 2 images match: ami-ID (base-2, TIME), ami-ID (base-1, TIME)
     --> web.pkr.hcl:5:3
      |
    5 |   source_ami_filter {
      |   ^^^^^^^^^^^^^^^^^
        hint: `most_recent = true` takes the newest; a narrower filter is the safer choice

    ==> Builds finished but no artifacts were created.
    ");

    let taken = with_options(r#"  ami_name      = "base-1""#);
    let taken = Mistake::build(&["web.pkr.hcl"]).file("web.pkr.hcl", taken);
    insta::assert_snapshot!(refused(taken), @r#"
    --> amazon-ebs.web: the name `base-1` is taken by ami-ID
     --> web.pkr.hcl:5:19
      |
    5 |   ami_name      = "base-1"
      |                   ^^^^^^^^
        hint: choose another `ami_name`, one with `{{timestamp}}` or `{{ .ImageHash }}` in it, or use -force to replace that image

    ==> Builds finished but no artifacts were created.
    "#);

    let field = with_options("  ami_name      = \"web-{{ .SourceAMIId }}\"");
    let field = Mistake::build(&["web.pkr.hcl"]).file("web.pkr.hcl", field);
    insta::assert_snapshot!(refused(field), @r#"
    --> amazon-ebs.web: `ami_name` cannot be rendered: `.SourceAMIId` is not known here; did you mean `.SourceAMI`?
     --> web.pkr.hcl:5:19
      |
    5 |   ami_name      = "web-{{ .SourceAMIId }}"
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^

    ==> Builds finished but no artifacts were created.
    "#);
    assert_eq!(cloud.images().len(), 2);
}

#[test]
fn an_instance_type_that_does_not_exist_leaves_nothing() {
    if !root("the sandbox as a cloud") {
        return;
    }
    let workspace = Workspace::new();
    let cloud = Endpoint::start(&workspace, &[]);
    let template = with_options("").replace("t3.micro", "t3.mikro");
    let mistake = Mistake::build(&["web.pkr.hcl"]).file("web.pkr.hcl", template);
    let outcome = Running::start(mistake.command(cloud.url())).finish().expect(1);
    assert_eq!(cloud.instances(), [], "an instance was launched");
    cloud.assert_only_images();
    insta::assert_snapshot!(mistake.error_in(&outcome, cloud.url()), @r#"
    --> amazon-ebs.web: `t3.mikro` is not offered in us-east-1
     --> web.pkr.hcl:3:19
      |
    3 |   instance_type = "t3.mikro"
      |                   ^^^^^^^^^^
        hint: is it spelled right? `aws ec2 describe-instance-type-offerings` lists all

    ==> Builds finished but no artifacts were created.
    "#);
}
