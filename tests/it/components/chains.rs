//! `-only` and `-except` for builds and chains of post-processors, in each language
//! (`packer-core.md` section 1.4).

use super::selected_text;

const HCL: &str = r#"
source "amazon-ebs" "web" {
  instance_type = "t3.micro"
  source_ami    = "ami-12345678"
  ssh_username  = "admin"
  ami_name      = "web"
}
source "amazon-ebs" "db" {
  instance_type = "t3.micro"
  source_ami    = "ami-12345678"
  ssh_username  = "admin"
  ami_name      = "database"
}
build {
  sources = ["amazon-ebs.web", "amazon-ebs.db"]
  post-processors {
    post-processor "compress" {}
    post-processor "checksum" { name = "sums-all" }
    post-processor "manifest" {}
  }
  post-processor "manifest" { only = ["amazon-ebs.web"] }
}
"#;

const JSON: &str = r#"{
  "builders": [
    { "type": "amazon-ebs", "name": "web", "instance_type": "t3.micro", "source_ami": "ami-12345678", "ssh_username": "admin", "ami_name": "web" },
    { "type": "amazon-ebs", "name": "db", "instance_type": "t3.micro", "source_ami": "ami-12345678", "ssh_username": "admin", "ami_name": "database" }
  ],
  "post-processors": [
    ["compress", { "type": "checksum", "name": "sums-all" }, "manifest"],
    { "type": "manifest", "only": ["web"] }
  ]
}"#;

/// Builds with their chains, and the summaries of warnings.
fn chosen(text: &str, only: &[&str], except: &[&str]) -> Vec<String> {
    let name = if text.starts_with('{') { "a.json" } else { "a.pkr.hcl" };
    let (plans, warnings) = selected_text(name, text, only, except);
    let plans = plans.unwrap_or_else(|found| panic!("{found}"));
    let builds = plans.iter().map(|plan| {
        let chains = plan.post_processors.iter().map(|chain| {
            let kinds: Vec<_> =
                chain.iter().map(|one| one.planned.component.kind.as_str()).collect();
            format!("[{}]", kinds.join(" "))
        });
        let chains: Vec<_> = chains.collect();
        format!("{} {}", plan.name, chains.join(" "))
    });
    let warned = warnings.lines().filter(|line| line.starts_with("warning")).map(str::to_owned);
    builds.chain(warned).collect()
}

#[test]
fn what_is_excepted_drops_the_rest_of_its_chain() {
    let all = "[compress checksum manifest]";
    let everything =
        [format!("amazon-ebs.web {all} [manifest]"), format!("amazon-ebs.db {all} []")];
    assert_eq!(chosen(HCL, &[], &[]), everything);
    // Builds of JSON templates are in the order of their names, and called by these alone.
    let by_name = |builds: Vec<String>| -> Vec<String> {
        builds.iter().rev().map(|build| format!("amazon-ebs.{build}")).collect()
    };
    assert_eq!(by_name(chosen(JSON, &[], &[])), everything);
    let without_sums = ["amazon-ebs.web [compress] [manifest]", "amazon-ebs.db [compress] []"];
    assert_eq!(chosen(HCL, &[], &["sums-*"]), without_sums);
    assert_eq!(by_name(chosen(JSON, &[], &["sums-all"])), without_sums);
    let without_manifest =
        ["amazon-ebs.web [compress checksum] []", "amazon-ebs.db [compress checksum] []"];
    assert_eq!(chosen(HCL, &[], &["manifest"]), without_manifest);
    assert_eq!(by_name(chosen(JSON, &[], &["manifest"])), without_manifest);
    // The type of one that has a name is not its name.
    assert_eq!(by_name(chosen(JSON, &[], &["checksum"])), everything);
    let not_a_name = chosen(HCL, &[], &["checksum"]);
    assert_eq!(not_a_name[..2], everything);
    assert_eq!(not_a_name[2..], ["warning[unmatched-pattern]: `checksum` matches no build"]);
    // What stands behind a dropped one was matched all the same.
    assert_eq!(
        chosen(HCL, &[], &["compress", "sums-all"]),
        ["amazon-ebs.web [] [manifest]", "amazon-ebs.db [] []"]
    );
}

#[test]
fn legacy_builds_are_chosen_by_their_exact_names() {
    let web = ["web [compress checksum manifest] [manifest]"];
    assert_eq!(chosen(JSON, &["web"], &[]), web);
    assert_eq!(chosen(JSON, &["web", "amazon-ebs.*"], &[]), web, "no pattern, and no warning");
    assert_eq!(chosen(JSON, &[], &["db", "w*", "["]), web);
    assert_eq!(chosen(HCL, &["*.web"], &[]), web.map(|build| format!("amazon-ebs.{build}")));
    let (plans, _) = selected_text("a.json", JSON, &["amazon-ebs.web"], &[]);
    insta::assert_snapshot!(plans.expect_err("nothing is left"), @"
    error[nothing-selected]: no builds to run
     |
     = note: builds of this template: db, web
    ");
}
