//! What is found wrong with post-processors, by component, and how chains are planned.

use std::fs;

use super::KINDS;
use crate::plan::Plan;
use crate::provision::test_support::{findings, plan_text};

/// All findings about a post-processor of this type and body.
fn of(kind: &str, body: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text.sh"), "echo text\n").unwrap();
    findings(folder.path(), &format!("  post-processor \"{kind}\" {{\n{body}\n  }}"), KINDS)
}

#[test]
fn manifest_options_are_checked() {
    insta::assert_snapshot!(of("manifest", "output = \".\"\nstrip = true"), @r#"
    error[unknown-option]: unknown option `strip`
     --> template.pkr.hcl:6:1
      |
    6 | strip = true
      | ^^^^^ not known here

    error[wrong-file]: `.` is a directory
     --> template.pkr.hcl:5:10
      |
    5 | output = "."
      |          ^^^
      |
      = help: name a file in it
    "#);
    insta::assert_snapshot!(of("manifest", "output = \".\""), @r#"
    error[wrong-file]: `.` is a directory
     --> template.pkr.hcl:5:10
      |
    5 | output = "."
      |          ^^^
      |
      = help: name a file in it
    "#);
    insta::assert_snapshot!(of("manifest", "custom_data = { a = [1] }"), @"
    error[wrong-type]: wrong type for `custom_data`: at `.a`: a string is required, but this is a tuple
     --> template.pkr.hcl:5:21
      |
    5 | custom_data = { a = [1] }
      |                     ^^^ string is expected
    ");
}

#[test]
fn checksum_options_are_checked() {
    insta::assert_snapshot!(of("checksum", "checksum_types = [\"sha526\"]"), @r#"
    error[wrong-option]: `checksum_types` cannot be `sha526`
     --> template.pkr.hcl:5:18
      |
    5 | checksum_types = ["sha526"]
      |                  ^^^^^^^^^^
      |
      = help: did you mean `sha256`?
    "#);
}

#[test]
fn compress_options_are_checked() {
    insta::assert_snapshot!(of("compress", "format = \"tar.gzip\"\ncompression_level = 12"), @r#"
    warning[wrong-value]: there is no compression level 12
     --> template.pkr.hcl:6:21
      |
    6 | compression_level = 12
      |                     ^^
      |
      = note: the highest, 9, is taken

    warning[wrong-value]: `format` cannot be `tar.gzip`
     --> template.pkr.hcl:5:10
      |
    5 | format = "tar.gzip"
      |          ^^^^^^^^^^
      |
      = note: the archive will be a `tar.gz`
    "#);
    assert_eq!(of("compress", "format = \"tar.gz\""), "");
}

#[test]
fn artifice_needs_files() {
    insta::assert_snapshot!(of("artifice", ""), @r#"
    error[missing-option]: an `artifice` post-processor needs `files`
     --> template.pkr.hcl:4:3
      |
    4 |   post-processor "artifice" {
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: name what a step of the build has made: `files = ["out/*.ova"]`
    "#);
}

#[test]
fn shell_local_is_checked_as_the_provisioner_is() {
    insta::assert_snapshot!(of("shell-local", "only_on = [\"linus\"]"), @r#"
    error[what-to-run]: a `shell-local` post-processor needs one of `inline`, `script`, `scripts` and `command`
     --> template.pkr.hcl:4:3
      |
    4 |   post-processor "shell-local" {
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error[wrong-option]: `only_on` cannot be `linus`
     --> template.pkr.hcl:5:11
      |
    5 | only_on = ["linus"]
      |           ^^^^^^^^^
      |
      = help: did you mean `linux`?
    "#);
    insta::assert_snapshot!(of("shell-local", "script = \"text.sh\""), @r#"
    warning[not-executable]: `text.sh` is not executable
     --> template.pkr.hcl:5:10
      |
    5 | script = "text.sh"
      |          ^^^^^^^^^
      |
      = help: `chmod +x text.sh`, or name an interpreter in `execute_command`
    "#);
}

#[test]
fn provenance_options_are_checked() {
    insta::assert_snapshot!(of("provenance", "sbom_format = \"cyclone\"\nsigning_mode = \"kms\"\nrekor_url = \"x\""), @r#"
    error[wrong-option]: `sbom_format` cannot be `cyclone`
     --> template.pkr.hcl:5:15
      |
    5 | sbom_format = "cyclone"
      |               ^^^^^^^^^
      |
      = help: did you mean `cyclonedx`?

    error[wrong-signer]: `signing_mode` `kms` needs `signer`
     --> template.pkr.hcl:6:16
      |
    6 | signing_mode = "kms"
      |                ^^^^^

    warning[no-effect]: `rekor_url` does nothing unless `signing_mode` is `keyless`
     --> template.pkr.hcl:7:13
      |
    7 | rekor_url = "x"
      |             ^^^
    "#);
    insta::assert_snapshot!(of("provenance", "signing_mode = \"key\"\nsigner = \"awskms://alias/x\""), @r#"
    error[wrong-signer]: `awskms://alias/x` is no file
     --> template.pkr.hcl:6:10
      |
    6 | signer = "awskms://alias/x"
      |          ^^^^^^^^^^^^^^^^^^
      |
      = help: set `signing_mode` to `kms`
    "#);
    insta::assert_snapshot!(of("provenance", "signing_mode = \"kms\"\nsigner = \"key.pem\""), @r#"
    error[wrong-signer]: `key.pem` is no key of a key service
     --> template.pkr.hcl:6:10
      |
    6 | signer = "key.pem"
      |          ^^^^^^^^^
      |
      = note: it begins with one of awskms://, azurekms://, gcpkms://, hashivault://
    "#);
}

#[test]
fn amazon_import_options_are_checked() {
    insta::assert_snapshot!(of("amazon-import", "format = \"qcow2\""), @r#"
    error[missing-option]: `s3_bucket_name` is required
     --> template.pkr.hcl:4:3
      |
    4 |   post-processor "amazon-import" {
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `s3_bucket_name` is not given

    error[wrong-option]: `format` cannot be `qcow2`
     --> template.pkr.hcl:5:10
      |
    5 | format = "qcow2"
      |          ^^^^^^^
      |
      = help: one of ova, raw, vhd, vhdx, vmdk
    "#);
    insta::assert_snapshot!(of("amazon-import", r#"
    s3_bucket_name    = "disks"
    s3_encryption     = "AES265"
    s3_encryption_key = "alias/x"
    format            = "vdmk"
    architecture      = "arm64"
    boot_mode         = "legacy-bios"
    imds_support      = "v3"
"#), @r#"
    error[wrong-option]: `format` cannot be `vdmk`
     --> template.pkr.hcl:9:25
      |
    9 |     format            = "vdmk"
      |                         ^^^^^^
      |
      = help: did you mean `vmdk`?

    error[wrong-option]: `s3_encryption` cannot be `AES265`
     --> template.pkr.hcl:7:25
      |
    7 |     s3_encryption     = "AES265"
      |                         ^^^^^^^^
      |
      = help: did you mean `AES256`?

    error[wrong-option]: `imds_support` cannot be `v3`
      --> template.pkr.hcl:12:25
       |
    12 |     imds_support      = "v3"
       |                         ^^^^
       |
       = help: one of v2.0

    error[wrong-option]: `s3_encryption_key` needs `s3_encryption = "aws:kms"`
     --> template.pkr.hcl:8:25
      |
    8 |     s3_encryption_key = "alias/x"
      |                         ^^^^^^^^^

    error[wrong-option]: arm64 has no `legacy-bios`
      --> template.pkr.hcl:11:25
       |
    11 |     boot_mode         = "legacy-bios"
       |                         ^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(of("amazon-import", "s3_bucket_name = \"disks\"\narchitecture = \"arm64\""), @r#"
    error[wrong-option]: `uefi` needs `platform`
     --> template.pkr.hcl:6:16
      |
    6 | architecture = "arm64"
      |                ^^^^^^^
      |
      = help: `platform = "linux"` or `"windows"`
    "#);
}

/// None runs yet; `validate` warns of that, `build` refuses.
#[test]
fn each_says_that_it_is_not_supported_yet() {
    let folder = tempfile::tempdir().unwrap();
    for kind in KINDS {
        let body = match kind.name {
            "artifice" => "files = [\"x\"]",
            "amazon-import" => "s3_bucket_name = \"x\"",
            "shell-local" => "inline = [\"x\"]",
            _ => "",
        };
        let text = format!(
            "source \"vm\" \"app\" {{}}\nbuild {{\n sources = [\"vm.app\"]\n post-processor \"{}\" {{\n{body}\n }}\n}}\n",
            kind.name
        );
        let (plan, found) = plan_text(folder.path(), "a.pkr.hcl", &text, KINDS);
        let plan = plan.unwrap_or_else(|| panic!("{found}"));
        let unsupported = plan.unsupported();
        let said: Vec<_> = unsupported.iter().map(|one| one.summary.as_str()).collect();
        assert_eq!(said, [format!("the post-processor `{}` is not supported yet", kind.name)]);
    }
}

/// The chains of a legacy template, by type, name and whether the input is kept.
fn chains(post_processors: &str) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let json = format!(
        "{{\n  \"builders\": [{{ \"type\": \"vm\", \"name\": \"app\" }}],\n  \"post-processors\": {post_processors}\n}}"
    );
    let (plan, found) = plan_text(folder.path(), "a.json", &json, KINDS);
    let shown = |plan: Plan| {
        let chains = plan.post_processors.iter().map(|chain| {
            let chain: Vec<_> = chain
                .iter()
                .map(|one| {
                    let name = one.name.as_ref().map(|name| format!(" {name}"));
                    let keep = one.keep_input_artifact.map(|keep| format!(" keep={keep}"));
                    let kind = &one.planned.component.kind;
                    format!("{kind}{}{}", name.unwrap_or_default(), keep.unwrap_or_default())
                })
                .collect();
            chain.join(" → ")
        });
        chains.collect()
    };
    plan.map(shown).ok_or(found)
}

#[test]
fn legacy_post_processors_are_texts_objects_and_lists() {
    let all = r#"[
    "manifest",
    { "type": "checksum", "name": "sums", "keep_input_artifact": false },
    ["compress", { "type": "manifest", "keep_input_artifact": true, "only": ["app"] }],
    [{ "type": "manifest", "except": ["app"] }, "compress"]
  ]"#;
    assert_eq!(
        chains(all).unwrap(),
        ["manifest", "checksum sums keep=false", "compress → manifest keep=true", "compress"]
    );
    insta::assert_snapshot!(chains(r#"[["compress", ["manifest"]]]"#).unwrap_err(), @r#"
    error[wrong-type]: a chain of post-processors holds no other chain
     --> a.json:3:36
      |
    3 |   "post-processors": [["compress", ["manifest"]]]
      |                                    ^^^^^^^^^^^^ a name or an object is expected
    "#);
    insta::assert_snapshot!(chains(r#"[{ "type": "manifest", "keep_input_artifact": "true" }]"#).unwrap_err(), @r#"
    error[wrong-type]: `keep_input_artifact` must be `true` or `false`
     --> a.json:3:68
      |
    3 |   "post-processors": [{ "type": "manifest", "keep_input_artifact": "true" }]
      |                                                                    ^^^^^^ a boolean without quotes is expected
    "#);
    insta::assert_snapshot!(chains(r#"[{ "type": "manifest", "only": ["ap"] }, { "name": "x" }]"#).unwrap_err(), @r#"
    error[missing-type]: a post-processor needs a `type`
     --> a.json:3:63
      |
    3 |   "post-processors": [{ "type": "manifest", "only": ["ap"] }, { "name": "x" }]
      |                                                               ^ `type` is not given
    "#);
}
