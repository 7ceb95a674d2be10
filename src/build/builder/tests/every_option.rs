//! Every option of every builder, written strictly in HCL and weakly in legacy JSON.

use serde_json::Value as Json;

use super::support::{check_in, hcl, legacy};
use crate::build::builder::amazon_chroot::AmazonChrootOptions;
use crate::build::builder::amazon_ebs::options::AmazonEbsOptions;
use crate::build::builder::amazon_ebssurrogate::AmazonEbsSurrogateOptions;
use crate::build::builder::amazon_ebsvolume::AmazonEbsVolumeOptions;
use crate::build::builder::amazon_instance::AmazonInstanceOptions;
use crate::build::builder::file::FileOptions;
use crate::build::builder::null::NullOptions;
use crate::plan::identity::{recipe, template_hash};
use crate::plan::{ComponentKind, Plan};
use crate::template::schema::{OptionSpec, Schema, Shape};
use crate::value::Type;

/// Builders that read their options and check nothing: all options at once never make sense.
macro_rules! only_read {
    ($($name:literal: $options:ty),* $(,)?) => {
        &[$(ComponentKind {
            name: $name,
            schema: <$options>::schema,
            plan: |planner| {
                planner.decode(&<$options>::schema(), <$options>::decode_options);
            },
        }),*]
    };
}

const READ: &[ComponentKind] = only_read! {
    "amazon-chroot": AmazonChrootOptions,
    "amazon-ebs": AmazonEbsOptions,
    "amazon-ebssurrogate": AmazonEbsSurrogateOptions,
    "amazon-ebsvolume": AmazonEbsVolumeOptions,
    "amazon-instance": AmazonInstanceOptions,
    "file": FileOptions,
    "null": NullOptions,
};

fn planned(name: &str, text: &str) -> Plan {
    let directory = tempfile::tempdir().expect("temporary directory");
    let checked = check_in(directory.path(), name, text, READ);
    checked.plan.unwrap_or_else(|| panic!("{}\n{text}", checked.found))
}

/// Each option with a value that is not its default. `1s` is as good a text as any, and a duration.
fn strict(schema: &Schema) -> String {
    let write = |option: &OptionSpec| match &option.shape {
        Shape::Attribute(of) => format!("{} = {}\n", option.name, strict_value(of)),
        Shape::Block { schema, repeated } => {
            let block = format!("{} {{\n{}}}\n", option.name, strict(schema()));
            block.repeat(if *repeated { 2 } else { 1 })
        }
    };
    schema.options.iter().map(write).collect()
}

fn strict_value(of: &Type) -> String {
    match of {
        Type::String => "\"1s\"".to_owned(),
        Type::Bool => "true".to_owned(),
        Type::Number => "1".to_owned(),
        Type::List(of) => format!("[{}]", strict_value(of)),
        Type::Map(of) => format!("{{ Key = {} }}", strict_value(of)),
        other => panic!("no value for {other}"),
    }
}

/// The same as old templates have it: names in any case, text for numbers and truth values, one
/// value for a list of one, objects in a list for a map.
fn weak(schema: &Schema) -> String {
    let write = |option: &OptionSpec| {
        let name = option.name.to_uppercase();
        match &option.shape {
            Shape::Attribute(of) => format!("\"{name}\": {}", weak_value(of)),
            Shape::Block { schema, repeated } => {
                let block = format!("{{ {} }}", weak(schema()));
                let block = if *repeated { format!("[{block}, {block}]") } else { block };
                format!("\"{name}\": {block}")
            }
        }
    };
    schema.options.iter().map(write).collect::<Vec<_>>().join(", ")
}

fn weak_value(of: &Type) -> String {
    match of {
        Type::String => "\"1s\"".to_owned(),
        Type::Bool => "\"true\"".to_owned(),
        Type::Number => "\"1\"".to_owned(),
        Type::List(of) => weak_value(of),
        Type::Map(of) => format!("[{{ \"Key\": {} }}]", weak_value(of)),
        other => panic!("no value for {other}"),
    }
}

/// Whether all options of a schema are in the evaluated form of a component, at any depth.
fn all_there(schema: &Schema, form: &Json) {
    for option in &schema.options {
        let form = form.get(option.name).unwrap_or_else(|| panic!("no `{}`: {form}", option.name));
        if let Shape::Block { schema, .. } = &option.shape {
            let form = form.get(0).unwrap_or(form);
            all_there(schema(), form);
        }
    }
}

#[test]
fn the_builders_are_those_of_the_registry() {
    let names = |kinds: &[ComponentKind]| kinds.iter().map(|one| one.name).collect::<Vec<_>>();
    assert_eq!(names(READ), names(crate::build::KINDS));
}

#[test]
fn every_option_is_read_from_both_languages_alike() {
    for kind in READ {
        let schema = (kind.schema)();
        let written = planned("a.pkr.hcl", &hcl(kind.name, &strict(schema)));
        all_there(schema, &Json::Object(written.builder.evaluated.clone()));
        let old = planned("a.json", &legacy(kind.name, &weak(schema)));
        assert_eq!(old.builder.evaluated, written.builder.evaluated, "{}", kind.name);
        assert_eq!(recipe(&old, &[]), recipe(&written, &[]), "{}", kind.name);
        assert_eq!(template_hash(&old).hex(), template_hash(&written).hex(), "{}", kind.name);
    }
}

/// One block need not stand in a list.
#[test]
fn an_object_stands_for_a_list_of_one_block() {
    let device =
        r#"{ "Device_Name": "/dev/sdf", "Delete_On_Termination": "true", "volume_size": "8" }"#;
    let one = format!("\"Launch_Block_Device_Mappings\": {device}");
    let many = format!("\"launch_block_device_mappings\": [{device}]");
    let body = "launch_block_device_mappings {\n device_name = \"/dev/sdf\"\n delete_on_termination = true\n volume_size = 8\n}";
    let hash = |name, text: &str| template_hash(&planned(name, text)).hex();
    let expected = hash("a.pkr.hcl", &hcl("amazon-ebs", body));
    assert_eq!(hash("a.json", &legacy("amazon-ebs", &one)), expected);
    assert_eq!(hash("a.json", &legacy("amazon-ebs", &many)), expected);
}

/// What a default is written out to is as good as nothing.
#[test]
fn defaults_written_out_do_not_move_a_hash() {
    let hash =
        |builder: &str, body: &str| template_hash(&planned("a.pkr.hcl", &hcl(builder, body))).hex();
    for (builder, body) in [
        (
            "amazon-chroot",
            "mount_partition = \"1\"\nfrom_scratch = false\nami_architecture = \"x86_64\"",
        ),
        (
            "amazon-chroot",
            "chroot_mounts = [[\"proc\", \"proc\", \"/proc\"], [\"sysfs\", \"sysfs\", \"/sys\"], [\"bind\", \"/dev\", \"/dev\"], [\"devpts\", \"devpts\", \"/dev/pts\"], [\"binfmt_misc\", \"binfmt_misc\", \"/proc/sys/fs/binfmt_misc\"]]",
        ),
        ("amazon-ebs", "sriov_support = false\nno_ephemeral = false\nssh_pty = false"),
        ("amazon-ebssurrogate", "use_create_image = false"),
        ("amazon-ebsvolume", "sriov_support = false"),
        ("null", "ssh_clear_authorized_keys = false\ncommunicator = \"ssh\""),
    ] {
        assert_eq!(hash(builder, body), hash(builder, ""), "{builder}: {body}");
    }
}

/// Where, when and by whom an image is built is not what it is.
#[test]
fn what_is_not_about_the_image_does_not_move_a_hash() {
    let hash =
        |builder: &str, body: &str| template_hash(&planned("a.pkr.hcl", &hcl(builder, body))).hex();
    for (builder, out, inside) in [
        (
            "amazon-chroot",
            "device_path = \"/dev/sdf\"\ncommand_wrapper = \"sudo {{.Command}}\"\ncopy_files = []\nroot_volume_tags = { A = \"b\" }",
            "root_volume_size = 8",
        ),
        (
            "amazon-ebs",
            "region = \"eu-west-1\"\nspot_price = \"auto\"\nfast_launch {}\nssh_timeout = \"1h\"\nami_users = [\"1\"]",
            "ssh_pty = true",
        ),
        (
            "amazon-ebssurrogate",
            "snapshot_description = \"x\"\nskip_ami_run_tags = true",
            "boot_mode = \"uefi\"",
        ),
        (
            "amazon-ebsvolume",
            "run_volume_tags = { A = \"b\" }",
            "ebs_volumes {\n device_name = \"/dev/sdf\"\n}",
        ),
        (
            "amazon-instance",
            "account_id = \"1\"\ns3_bucket = \"b\"\nx509_cert_path = \"c\"\nbundle_prefix = \"p\"",
            "tpm_support = \"v2.0\"",
        ),
        ("file", "target = \"out\"", "content = \"x\""),
        (
            "null",
            "ssh_host = \"db\"\nssh_password = \"x\"\npause_before_connecting = \"1s\"",
            "ssh_username = \"x\"",
        ),
    ] {
        assert_eq!(hash(builder, out), hash(builder, ""), "{builder}");
        assert_ne!(hash(builder, inside), hash(builder, ""), "{builder}");
    }
}
