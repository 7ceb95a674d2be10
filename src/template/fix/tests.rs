//! Each fixer before and after.

use super::super::json::{Duplicates, ParseOptions, parse};
use super::*;
use crate::diagnostic::Source;

/// The template fixed, and the fixers that had something to do. Blanks do not count.
fn fixed(text: &str) -> (String, Vec<&'static str>) {
    let mut json = read(text);
    let fixers = fix(&mut json);
    (json.spell(), fixers)
}

fn read(text: &str) -> Json {
    let source = Source::new("t.json", text);
    Json::from(&parse(&source, ParseOptions { duplicates: Duplicates::Refuse }).expect("JSON"))
}

/// Checks what one fixer makes of a builder (or of a whole template, when there is a list in it).
#[track_caller]
fn check(fixer: &str, before: &str, after: &str) {
    let whole = |text: &str| {
        if text.contains("\"builders\"")
            || text.contains("-processors\"")
            || text.contains("provisioners\"")
        {
            text.to_owned()
        } else {
            format!("{{ \"builders\": [{text}] }}")
        }
    };
    let (found, fixers) = fixed(&whole(before));
    assert_eq!(found, read(&whole(after)).spell());
    assert_eq!(fixers, [fixer]);
    // Nothing is fixed twice.
    assert_eq!(fixed(&found), (found, vec![]));
}

#[test]
fn create_time() {
    check(
        "createtime",
        r#"{ "type": "x", "ami_name": "a {{.CreateTime}} {{ .CreateTime }} .CreateTime", "n": 1.50 }"#,
        r#"{ "type": "x", "ami_name": "a {{timestamp}} {{ timestamp }} .CreateTime", "n": 1.50 }"#,
    );
}

#[test]
fn key_path() {
    check(
        "sshkeypath",
        r#"{ "type": "x", "ssh_key_path": "k", "z": null }"#,
        r#"{ "type": "x", "ssh_private_key_file": "k", "z": null }"#,
    );
    check(
        "sshkeypath",
        r#"{ "type": "x", "ssh_key_path": "old", "ssh_private_key_file": "new" }"#,
        r#"{ "type": "x", "ssh_private_key_file": "new" }"#,
    );
}

#[test]
fn disable_agent() {
    check(
        "sshdisableagent",
        r#"{ "type": "x", "ssh_disable_agent": true }"#,
        r#"{ "type": "x", "ssh_disable_agent_forwarding": true }"#,
    );
}

#[test]
fn wait_timeout() {
    check(
        "ssh-wait-timeout",
        r#"{ "type": "x", "ssh_wait_timeout": "5m" }"#,
        r#"{ "type": "x", "ssh_timeout": "5m" }"#,
    );
}

#[test]
fn manifest_file_name() {
    check(
        "manifest-filename",
        r#"{ "post-processors": ["manifest", { "type": "manifest", "filename": "a" },
            [{ "type": "manifest", "filename": "b" }, { "type": "other", "filename": "c" }]] }"#,
        r#"{ "post-processors": ["manifest", { "type": "manifest", "output": "a" },
            [{ "type": "manifest", "output": "b" }, { "type": "other", "filename": "c" }]] }"#,
    );
}

#[test]
fn shutdown_behavior() {
    check(
        "amazon-shutdown_behavior",
        r#"{ "type": "amazon-ebs", "shutdown_behaviour": "stop" }"#,
        r#"{ "type": "amazon-ebs", "shutdown_behavior": "stop" }"#,
    );
}

#[test]
fn enhanced_networking() {
    check(
        "amazon-enhanced-networking",
        r#"{ "type": "amazon-instance", "enhanced_networking": true }"#,
        r#"{ "type": "amazon-instance", "ena_support": true }"#,
    );
}

#[test]
fn private_ip() {
    check(
        "amazon-private-ip",
        r#"{ "type": "amazon-ebs", "ssh_private_ip": "true", "a": 1 }"#,
        r#"{ "type": "amazon-ebs", "ssh_interface": "private_ip", "a": 1 }"#,
    );
    check(
        "amazon-private-ip",
        r#"{ "type": "amazon-ebs", "ssh_private_ip": false }"#,
        r#"{ "type": "amazon-ebs" }"#,
    );
}

#[test]
fn source_cidrs() {
    check(
        "amazon-temp-sec-cidrs",
        r#"{ "type": "amazon-ebs", "temporary_security_group_source_cidr": "10.0.0.0/8" }"#,
        r#"{ "type": "amazon-ebs", "temporary_security_group_source_cidrs": ["10.0.0.0/8"] }"#,
    );
}

#[test]
fn powershell_escapes() {
    check(
        "powershell-escapes",
        r#"{ "provisioners": [{ "type": "powershell", "inline": ["`$x"],
            "environment_vars": ["A=`$a``b`\"c`'d `e", "B={{user `x`}}"], "elevated_password": "p`$" }] }"#,
        r#"{ "provisioners": [{ "type": "powershell", "inline": ["`$x"],
            "environment_vars": ["A=$a`b\"c'd `e", "B={{user `x`}}"], "elevated_password": "p$" }] }"#,
    );
}

#[test]
fn clean_image_name() {
    check(
        "clean-image-name",
        r#"{ "type": "x", "ami_name": "{{user `a` | clean_ami_name}}-{{clean_image_name `b`}} clean_ami_name {{my_clean_ami_name}}" }"#,
        r#"{ "type": "x", "ami_name": "{{user `a` | clean_resource_name}}-{{clean_resource_name `b`}} clean_ami_name {{my_clean_ami_name}}" }"#,
    );
}

#[test]
fn spot_price_product() {
    check(
        "spot-price-auto-product",
        r#"{ "type": "amazon-ebs", "spot_price_auto_product": "Linux/UNIX", "spot_price": "auto" }"#,
        r#"{ "type": "amazon-ebs", "spot_price": "auto" }"#,
    );
}

#[test]
fn galaxy_command() {
    check(
        "galaxy-command",
        r#"{ "provisioners": [{ "type": "ansible-local", "galaxycommand": "g" }, { "type": "ansible", "galaxycommand": "g" }] }"#,
        r#"{ "provisioners": [{ "type": "ansible-local", "galaxy_command": "g" }, { "type": "ansible", "galaxycommand": "g" }] }"#,
    );
}

#[test]
fn other_builders_keep_what_is_theirs() {
    let text = r#"{ "builders": [{ "type": "qemu", "enhanced_networking": true, "ssh_private_ip": true }, "x", null] }"#;
    assert_eq!(fixed(text), (read(text).spell(), vec![]));
}

#[test]
fn json_is_written_with_two_blanks_and_as_few_escapes_as_can_be() {
    let json = read(r#"{"b":[],"a":{},"c":[1.0,{"d":"<&>\"\\\u0007é\u2028"}]}"#);
    insta::assert_snapshot!(json.spell(), @r#"
    {
      "b": [],
      "a": {},
      "c": [
        1.0,
        {
          "d": "<&>\"\\\u0007é\u2028"
        }
      ]
    }
    "#);
}

#[test]
fn every_old_name_has_a_fixer() {
    for renamed in RENAMED {
        let kind = if renamed.of.ends_with('-') {
            format!("{}ebs", renamed.of)
        } else {
            renamed.of.to_owned()
        };
        let one = format!("{{ \"type\": \"{kind}\", \"{}\": true }}", renamed.old);
        let text = format!(
            "{{ \"builders\": [{one}], \"provisioners\": [{one}], \"post-processors\": [{one}] }}"
        );
        let (found, fixers) = fixed(&text);
        assert!(found.contains(renamed.new) && !fixers.is_empty(), "{}", renamed.old);
    }
}
