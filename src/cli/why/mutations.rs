//! One change at a time to `fixtures/identity/recipe`: what shapes the image moves the hash and is
//! named, and nothing else does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::compare::{Comparison, Verdict, compare};
use super::side::{Failure, Side};
use crate::cli::arguments::{
    RecordsArguments, SelectedBuilds, TemplateArguments, ValueArguments, WhyArguments,
};
use crate::cli::depends::Dependencies;
use crate::cli::inputs::Inputs;
use crate::diagnostic::{Style, render};
use crate::render::Mask;
use crate::template;

const TEMPLATE: &str = "app.pkr.hcl";

/// A change to the recipe.
#[derive(Clone, Copy)]
enum Edit {
    /// A text in the template, which is there once or more often: the first one.
    Replace(&'static str, &'static str),
    /// An option more for the source.
    Source(&'static str),
    /// An option more for the step that this text is in, before it.
    Step(&'static str, &'static str),
    /// A file's bytes.
    Write(&'static str, &'static str),
    Remove(&'static str),
    Rename(&'static str, &'static str),
    Mode(&'static str, u32),
    Directory(&'static str),
    /// A symbolic link in place of what is there.
    Link(&'static str, &'static str),
    /// A value for a variable.
    Variable(&'static str, &'static str),
    /// Whatever else.
    Do(fn(&Path)),
}

use Edit::{Directory, Do, Link, Mode, Remove, Rename, Replace, Source, Step, Variable, Write};

const FIRST: &str = "environment_vars = [";
const TREE: &str = "destination = \"/opt/app\"";
const MOTD: &str = "destination = \"/tmp/motd\"";
const LAST: &str = "inline = [\"echo done\"]";
const SOURCE: &str = "instance_type = ";

/// Changes that move the hash, and the input that each is.
#[rustfmt::skip]
const MOVING: &[(Edit, &str)] = &[
    // The builder.
    (Replace("t3.small", "t3.large"), "builder amazon-ebs: instance_type"),
    (Replace("\"admin\"", "\"debian\""), "builder amazon-ebs: ssh_username"),
    (Replace("echo two", "echo three"), "builder amazon-ebs: user_data"),
    (Replace("debian-12-amd64-*", "debian-13-amd64-*"), "builder amazon-ebs: source_ami_filter.filters.name"),
    (Replace(", virtualization-type = \"hvm\"", ""), "builder amazon-ebs: source_ami_filter.filters.virtualization-type"),
    (Replace("[\"136693071363\"]", "[\"self\"]"), "builder amazon-ebs: source_ami_filter.owners"),
    (Replace("most_recent = true", "most_recent = false"), "builder amazon-ebs: source_ami_filter.most_recent"),
    (Replace("volume_size           = 8", "volume_size           = 9"), "builder amazon-ebs: launch_block_device_mappings[0].volume_size"),
    (Replace("\"gp3\"", "\"gp2\""), "builder amazon-ebs: launch_block_device_mappings[0].volume_type"),
    (Replace("delete_on_termination = true", ""), "builder amazon-ebs: launch_block_device_mappings[0].delete_on_termination"),
    (Replace("delete_on_termination = true", "delete_on_termination = true\n encrypted = true"), "builder amazon-ebs: launch_block_device_mappings[0].encrypted"),
    (Replace("delete_on_termination = true", "delete_on_termination = true\n throughput = 250"), "builder amazon-ebs: launch_block_device_mappings[0].throughput"),
    (Replace("/dev/xvdb", "/dev/xvdc"), "builder amazon-ebs: launch_block_device_mappings[1].device_name"),
    (Source("launch_block_device_mappings {\n device_name = \"/dev/xvdz\"\n volume_size = 1\n }"), "builder amazon-ebs: launch_block_device_mappings"),
    (Source("ami_block_device_mappings {\n device_name = \"/dev/xvdz\"\n volume_size = 1\n }"), "builder amazon-ebs: ami_block_device_mappings"),
    (Replace("\"required\"", "\"optional\""), "builder amazon-ebs: metadata_options.http_tokens"),
    (Replace("\"required\"", "\"required\"\n http_put_response_hop_limit = 2"), "builder amazon-ebs: metadata_options.http_put_response_hop_limit"),
    (Source("ena_support = true"), "builder amazon-ebs: ena_support"),
    (Source("sriov_support = true"), "builder amazon-ebs: sriov_support"),
    (Source("imds_support = \"v2.0\""), "builder amazon-ebs: imds_support"),
    (Source("ssh_pty = true"), "builder amazon-ebs: ssh_pty"),
    (Source("ssh_clear_authorized_keys = true"), "builder amazon-ebs: ssh_clear_authorized_keys"),
    (Source("no_ephemeral = true"), "builder amazon-ebs: no_ephemeral"),
    // Steps.
    (Replace("apt-get update", "apt-get upgrade"), "step 1 (shell): inline"),
    (Replace("\"set -e\",", "\"set -e\",\n\"set -u\","), "step 1 (shell): inline"),
    (Replace("\"apt-get update\",", ""), "step 1 (shell): inline"),
    (Replace("\"set -e\",\n      \"echo ${var.release}\",", "\"echo ${var.release}\",\n\"set -e\","), "step 1 (shell): inline"),
    (Variable("release", "1.4.3"), "step 1 (shell): inline"),
    (Replace("default = \"1.4.2\"", "default = \"1.4.20\""), "step 1 (shell): inline"),
    (Replace("B=2", "B=3"), "step 1 (shell): environment_vars"),
    (Replace("[\"A=1\", \"B=2\"]", "[\"B=2\", \"A=1\"]"), "step 1 (shell): environment_vars"),
    (Step(FIRST, "inline_shebang = \"/bin/bash\""), "step 1 (shell): inline_shebang"),
    (Step(FIRST, "remote_folder = \"/var/tmp\""), "step 1 (shell): remote_folder"),
    (Step(FIRST, "valid_exit_codes = [0, 3]"), "step 1 (shell): valid_exit_codes"),
    (Step(FIRST, "binary = true"), "step 1 (shell): binary"),
    (Step(FIRST, "skip_clean = true"), "step 1 (shell): skip_clean"),
    (Step(FIRST, "expect_disconnect = true"), "step 1 (shell): expect_disconnect"),
    (Step(FIRST, "continue_on_error = true"), "step 1 (shell): continue_on_error"),
    (Step(FIRST, "use_env_var_file = true"), "step 1 (shell): use_env_var_file"),
    (Replace("/opt/app", "/srv/app"), "step 2 (file): destination"),
    (Step(MOTD, "mode = \"0600\""), "step 3 (file): mode"),
    (Step(TREE, "directory_mode = \"0700\""), "step 2 (file): directory_mode"),
    (Step(TREE, "owner = \"app\""), "step 2 (file): owner"),
    (Replace("files/\"", "files\""), "step 2 (file): files"),
    (Write("motd", "Welcome.\nBe good.\n"), "step 3 (file): content"),
    (Replace("sudo sh -c", "sudo bash -c"), "step 4 (shell): execute_command"),
    (Replace("{ TOKEN = var.token }", "{ TOKEN = \"x${var.token}\" }"), "step 4 (shell): env"),
    (Step(LAST, "only = [\"amazon-ebs.none\"]"), "step 5 (shell)"),
    (Replace("provisioner \"file\" {", "provisioner \"shell\" {\n inline = [\"new\"]\n }\n provisioner \"file\" {"), "step 2 (shell)"),
    (Do(|at| steps(at, |steps| { steps.remove(2); })), "step 3 (file)"),
    (Do(|at| steps(at, |steps| steps.swap(1, 2))), "step 3 (file)"),
    (Do(|at| steps(at, |steps| { let first = steps.remove(0); steps.push(first); })), "step 5 (shell)"),
    (Do(|at| steps(at, |steps| { let last = steps.remove(4); steps.insert(0, last); })), "step 1 (shell)"),
    (Replace("-n 100", "-n 200"), "error-cleanup step (shell): inline"),
    (Replace("error-cleanup-provisioner \"shell\" {\n    inline = [\"journalctl -n 100\"]\n  }", ""), "error-cleanup step (shell)"),
    // Files.
    (Write("scripts/install.sh", "#!/bin/sh\nset -e\necho Install\n"), "step 4 (shell): scripts/install.sh"),
    (Write("scripts/tidy.sh", "#!/bin/sh\nrm -rf /tmp/x"), "step 4 (shell): scripts/tidy.sh"),
    (Write("scripts/tidy.sh", "#!/bin/sh\r\nrm -rf /tmp/x\n"), "step 4 (shell): scripts/tidy.sh"),
    (Mode("scripts/tidy.sh", 0o755), "step 4 (shell): scripts/tidy.sh"),
    (Write("files/app.conf", "port = 81\nname = web\nlog = yes\n"), "step 2 (file): files/app.conf"),
    (Write("files/sub/new", ""), "step 2 (file): files/sub/new"),
    (Write("files/.hidden", "x"), "step 2 (file): files/.hidden"),
    (Remove("files/sub/b"), "step 2 (file): files/sub/b"),
    (Rename("files/app.conf", "files/app.cfg"), "step 2 (file): files/app.cfg"),
    (Mode("files/bin/run", 0o644), "step 2 (file): files/bin/run"),
    (Mode("files/app.conf", 0o744), "step 2 (file): files/app.conf"),
    (Link("files/link", "sub/b"), "step 2 (file): files/link"),
    (Link("files/app.conf", "sub/b"), "step 2 (file): files/app.conf"),
    (Directory("files/another"), "step 2 (file): files/another"),
    (Remove("files/empty"), "step 2 (file): files/empty"),
    (Write("files/.bakeignore", "bin/run\n"), "step 2 (file): files/bin/run"),
    (Step(TREE, "exclude = [\"app.conf\"]"), "step 2 (file): files/app.conf"),
    (Step(TREE, "symlinks = \"follow\""), "step 2 (file): files/link"),
];

/// Changes that move nothing.
#[rustfmt::skip]
const STAYING: &[Edit] = &[
    // How it is written.
    Replace("build {", "# a comment\nbuild { // another\n /* a third */"),
    Replace("inline = [\"echo done\"]", "\n\n   inline    = [\n\"echo done\",\n]"),
    Replace("region        = \"eu-west-1\"\n  ami_name      = \"app\"", "ami_name = \"app\"\n region = \"eu-west-1\""),
    Replace("{ name = \"debian-12-amd64-*\", virtualization-type = \"hvm\" }", "{ virtualization-type = \"hvm\", name = \"debian-12-amd64-*\" }"),
    Replace("\"#!/bin/sh\\necho one\\necho two\\n\"", "<<EOT\n#!/bin/sh\necho one\necho two\nEOT\n"),
    Replace("local.motd", "file(\"${path.root}/motd\")"),
    Replace("\"echo ${var.release}\"", "\"echo 1.4.2\""),
    Replace("\"echo ${var.release}\"", "join(\" \", [\"echo\", var.release])"),
    Replace("volume_size = 16", "volume_size = \"16\""),
    Replace("volume_size = 16", "volume_size = 8 + 8"),
    Replace("${path.root}/files/", "${path.root}/scripts/../files/"),
    Replace("\"${path.root}/scripts/install.sh\", \"${path.root}/scripts/tidy.sh\"", "for name in [\"install\", \"tidy\"] : \"${path.root}/scripts/${name}.sh\""),
    Replace("metadata_options {", "dynamic \"metadata_options\" {\n for_each = [1]\n content {"),
    Do(split_into_files),
    Do(|at| rewrite(at, |text| text.replace("\n\n", "\n\n\n").replace("  ", "\t"))),
    Do(|at| rewrite(at, |text| text.replace('\n', "\r\n"))),
    Do(|at| rewrite(at, |text| text.replace("\"app\"", "\"other\"").replace("ebs.app", "ebs.other"))),
    // Defaults written out.
    Step(FIRST, "valid_exit_codes = [0]"),
    Step(FIRST, "remote_folder = \"/tmp\""),
    Step(FIRST, "binary = false"),
    Step(FIRST, "continue_on_error = false"),
    Step(TREE, "direction = \"upload\""),
    Step(TREE, "symlinks = \"keep\""),
    Source("no_ephemeral = false"),
    Source("ssh_pty = false"),
    Replace("volume_size = 16", "volume_size = 16\n no_device = false"),
    // Where, when, for whom and under which name.
    Replace("eu-west-1", "us-east-2"),
    Replace("ami_name      = \"app\"", "ami_name = \"app-{{timestamp}}\""),
    Replace("Team = \"web\"", "Team = \"db\", When = timestamp()"),
    Source("ami_description = \"what it is\""),
    Source("ssh_timeout = \"9m\""),
    Source("ssh_port = 2222"),
    Source("subnet_id = \"subnet-12345678\""),
    Source("ami_users = [\"123456789012\"]"),
    Source("ami_regions = [\"eu-north-1\"]"),
    Source("iam_instance_profile = \"builder\""),
    Source("availability_zone = \"eu-west-1b\""),
    Source("ebs_optimized = true"),
    Source("spot_price = \"auto\""),
    Source("aws_polling {\n delay_seconds = 2\n }"),
    Source("max_retries = 3"),
    Source("profile = \"ci\""),
    Source("force_deregister = true"),
    Source("run_tags = { Run = uuidv4() }"),
    Step(LAST, "max_retries = 3"),
    Step(LAST, "timeout = \"5m\""),
    Step(LAST, "pause_before = \"10s\""),
    Step(LAST, "start_retry_timeout = \"1m\""),
    Step(LAST, "name = \"the last one\""),
    Step(LAST, "only = [\"amazon-ebs.app\"]"),
    Replace("error-cleanup-provisioner", "post-processor \"manifest\" {}\n error-cleanup-provisioner"),
    Replace("error-cleanup-provisioner", "provisioner \"shell\" {\n except = [\"amazon-ebs.app\"]\n inline = [\"x\"]\n }\n error-cleanup-provisioner"),
    Replace("locals {", "variable \"unused\" {\n default = 1\n }\n packer {\n required_version = \">= 1.6\"\n }\n locals {\n other = 1\n"),
    Variable("token", "hush-hush-too"),
    Variable("release", "1.4.2"),
    // The files.
    Write("beside", "not used"),
    Mode("files/sub/b", 0o664),
    Mode("scripts/tidy.sh", 0o600),
    Mode("files/empty", 0o775),
    Mode("files/bin/run", 0o711),
    Write("files/.bakeignore", "# nothing\n*.tmp\n"),
    Do(|at| {
        for name in ["motd", "files/app.conf", "files/sub", "files/empty", TEMPLATE] {
            let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
            fs::File::open(at.join(name)).unwrap().set_modified(old).unwrap();
        }
    }),
];

fn rewrite(at: &Path, change: impl Fn(&str) -> String) {
    let path = at.join(TEMPLATE);
    let text = fs::read_to_string(&path).unwrap();
    let changed = change(&text);
    assert_ne!(changed, text, "the edit changes nothing");
    fs::write(path, changed).unwrap();
}

/// Changes the order of the steps.
fn steps(at: &Path, change: impl Fn(&mut Vec<String>)) {
    rewrite(at, |text| {
        let start = text.find("  provisioner").unwrap();
        let end = text.find("  error-cleanup").unwrap();
        let pieces = text[start..end].split("  provisioner").skip(1);
        let mut steps: Vec<_> = pieces.map(|step| format!("  provisioner{step}")).collect();
        change(&mut steps);
        format!("{}{}{}", &text[..start], steps.concat(), &text[end..])
    });
}

/// The template as a directory of two files.
fn split_into_files(at: &Path) {
    let mut rest = String::new();
    rewrite(at, |text| text[..text.find("build {").unwrap()].to_owned());
    rest += &fs::read_to_string(fixture().join(TEMPLATE)).unwrap();
    fs::write(at.join("build.pkr.hcl"), &rest[rest.find("build {").unwrap()..]).unwrap();
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/identity/recipe")
}

/// The fixture, with what git does not keep.
fn copy(to: &Path) {
    copy_directory(&fixture(), to);
    fs::create_dir(to.join("files/empty")).unwrap();
    symlink("app.conf", to.join("files/link")).unwrap();
    let mode = |name: &str, mode| fs::set_permissions(to.join(name), Permissions::from_mode(mode));
    // Whatever the umask was.
    mode("files/bin/run", 0o755).unwrap();
    mode("scripts/tidy.sh", 0o644).unwrap();
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy_directory(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

impl Edit {
    fn apply(self, at: &Path) {
        let replace = |from: &str, to: &str| {
            rewrite(at, |text| {
                assert!(text.contains(from), "`{from}` is not in the template");
                text.replacen(from, to, 1)
            });
        };
        match self {
            // The block of a `dynamic` block is one more to close.
            Replace(from, to) if to.starts_with("dynamic") => {
                replace(from, to);
                replace("http_tokens = \"required\"\n  }", "http_tokens = \"required\"\n }\n }");
            }
            Replace(from, to) => replace(from, to),
            Source(option) => replace(SOURCE, &format!("{option}\n  {SOURCE}")),
            Step(place, option) => replace(place, &format!("{option}\n    {place}")),
            Write(name, text) => fs::write(at.join(name), text).unwrap(),
            Remove(name) if at.join(name).is_dir() => fs::remove_dir(at.join(name)).unwrap(),
            Remove(name) => fs::remove_file(at.join(name)).unwrap(),
            Rename(from, to) => fs::rename(at.join(from), at.join(to)).unwrap(),
            Mode(name, mode) => {
                fs::set_permissions(at.join(name), Permissions::from_mode(mode)).unwrap();
            }
            Directory(name) => fs::create_dir(at.join(name)).unwrap(),
            Link(name, target) => {
                fs::remove_file(at.join(name)).unwrap();
                symlink(target, at.join(name)).unwrap();
            }
            Variable(..) => {}
            Do(change) => change(at),
        }
    }

    /// What tells one from another in a message.
    fn title(self) -> String {
        match self {
            Replace(from, to) => format!("`{from}` becomes `{to}`"),
            Source(option) => format!("the source has `{option}`"),
            Step(place, option) => format!("`{option}` before `{place}`"),
            Write(name, text) => format!("{name} is {text:?}"),
            Remove(name) => format!("{name} is removed"),
            Rename(from, to) => format!("{from} becomes {to}"),
            Mode(name, mode) => format!("{name} has mode {mode:o}"),
            Directory(name) => format!("directory {name}"),
            Link(name, target) => format!("{name} points to {target}"),
            Variable(name, value) => format!("-var {name}={value}"),
            Do(_) => "something else".to_owned(),
        }
    }
}

fn side(at: &Path, variables: Vec<(String, String)>) -> Result<Side, String> {
    let arguments = WhyArguments {
        old: String::new(),
        new: String::new(),
        values: ValueArguments { variables, variable_files: Vec::new() },
        builds: SelectedBuilds::default(),
        json: false,
        region: None,
        sandbox: false,
        records: RecordsArguments::default(),
    };
    match Side::of(at.to_str().unwrap(), &arguments, &Mask::default()) {
        Ok(side) => Ok(side),
        Err(Failure::Said(text)) => Err(text),
        Err(Failure::Found(found)) => Err(render(&found, Style::default())),
    }
}

/// The recipe against the recipe with an edit.
fn compared(edit: Edit) -> Result<Comparison, String> {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("old"), directory.path().join("new/checkout"));
    copy(&old);
    copy(&new);
    edit.apply(&new);
    let variables = match edit {
        Variable(name, value) => vec![(name.to_owned(), value.to_owned())],
        _ => Vec::new(),
    };
    let mut all = compare(side(&old, Vec::new())?, side(&new, variables)?)?;
    assert_eq!(all.len(), 1);
    Ok(all.remove(0))
}

#[test]
fn each_change_of_an_input_moves_the_hash_and_is_named() {
    let mut wrong = Vec::new();
    let mut hashes = BTreeMap::new();
    for (edit, input) in MOVING {
        let one = match compared(*edit) {
            Ok(one) => one,
            Err(said) => {
                wrong.push(said);
                continue;
            }
        };
        let named: Vec<_> = one.differences.iter().map(|one| one.input()).collect();
        if one.verdict() != Verdict::Different || named != [*input] {
            wrong.push(format!("{}: {named:?} instead of {input}", edit.title()));
        }
        let hash = one.new.unwrap().template_hash().to_owned();
        if let Some(other) = hashes.insert(hash, edit.title()) {
            wrong.push(format!("{} gives the hash of {other}", edit.title()));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), MOVING.len(), wrong.join("\n"));
    assert!(MOVING.len() >= 60, "{}", MOVING.len());
}

/// What a copy of the recipe depends on, told from its own directory.
fn dependencies(at: &Path) -> Dependencies {
    let arguments = TemplateArguments::of(at.to_owned(), ValueArguments::default());
    let mask = Mask::default();
    let found = template::load(at)
        .and_then(|loaded| Inputs::in_directory(loaded, at.to_owned(), &arguments, false, &mask))
        .and_then(|inputs| {
            let prepared = inputs.offline("a list", &mask)?;
            Ok(Dependencies::of(&arguments, &inputs, &prepared))
        });
    found.unwrap_or_else(|found| panic!("{}", render(&found, Style::default())))
}

/// What stands at each path below a directory.
fn entries(at: &Path, below: &Path, all: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(at.join(below)).unwrap() {
        let entry = entry.unwrap();
        let (path, inside) = (entry.path(), below.join(entry.file_name()));
        let metadata = fs::symlink_metadata(&path).unwrap();
        let what = if metadata.is_dir() {
            entries(at, &inside, all);
            String::new()
        } else if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else {
            let bytes = fs::read(&path).unwrap();
            format!("{:o} {bytes:?}", metadata.permissions().mode() & 0o111)
        };
        all.insert(inside.to_str().unwrap().to_owned(), what);
    }
}

#[test]
fn what_moves_the_hash_is_among_the_inputs() {
    let mut missing = Vec::new();
    for (edit, _) in MOVING {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("old"), directory.path().join("new"));
        copy(&old);
        copy(&new);
        edit.apply(&new);
        let listed = [dependencies(&old), dependencies(&new)];
        if let Variable(name, _) = edit {
            assert!(listed.iter().all(|one| one.variables.contains(*name)), "{}", edit.title());
            continue;
        }
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        entries(&old, Path::new(""), &mut before);
        entries(&new, Path::new(""), &mut after);
        let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let changed = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
        let changed: Vec<_> = changed.collect();
        assert!(!changed.is_empty(), "{}", edit.title());
        for path in changed {
            let is_listed = |one: &Dependencies| {
                let below = |listed: &String| path.starts_with(&format!("{listed}/"));
                one.files.contains(path) || one.directories.iter().any(below)
            };
            if !listed.iter().any(is_listed) {
                missing.push(format!("{path} ({})", edit.title()));
            }
        }
    }
    assert!(missing.is_empty(), "not listed:\n{}", missing.join("\n"));
}

#[test]
fn what_links_lead_to_and_empty_directories_are_among_the_inputs() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().join("images");
    copy(&at);
    let common = directory.path().join("common");
    fs::create_dir_all(common.join("conf")).unwrap();
    fs::rename(at.join("scripts/install.sh"), common.join("install.sh")).unwrap();
    symlink("../../common/install.sh", at.join("scripts/install.sh")).unwrap();
    fs::write(common.join("conf/a"), "a").unwrap();
    symlink("../../common/conf", at.join("files/conf")).unwrap();
    fs::create_dir_all(at.join("none/at/all")).unwrap();
    let step = "provisioner \"file\" {\n  source = \"${path.root}/none\"\n  destination = \"/tmp/none\"\n}\n";
    rewrite(&at, |text| {
        text.replacen("error-cleanup-provisioner", &format!("{step}\nerror-cleanup-provisioner"), 1)
    });
    let found = dependencies(&at);
    let below = |all: &BTreeSet<String>, beginning: &str| {
        all.iter().filter(|path| path.starts_with(beginning)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(below(&found.files, "../"), ["../common/conf/a", "../common/install.sh"]);
    assert_eq!(below(&found.directories, "../"), ["../common/conf"]);
    assert!(found.files.contains("scripts/install.sh"));
    assert_eq!(below(&found.directories, "none"), ["none"]);
    let patterns = ["*.auto.pkrvars.hcl", "*.auto.pkrvars.json", "*.pkr.hcl", "*.pkr.json"];
    assert_eq!(found.patterns.iter().collect::<Vec<_>>(), patterns.iter().collect::<Vec<_>>());
}

#[test]
fn no_other_change_moves_the_hash() {
    let moved: Vec<_> = STAYING
        .iter()
        .map(|edit| (edit.title(), compared(*edit)))
        .filter(|(_, one)| !one.as_ref().is_ok_and(|one| one.verdict() == Verdict::Same))
        .map(|(title, one)| format!("{title}: {:?}", one.map(|one| one.differences)))
        .collect();
    assert!(moved.is_empty(), "{} of {}:\n{}", moved.len(), STAYING.len(), moved.join("\n"));
    assert!(STAYING.len() >= 40, "{}", STAYING.len());
}

#[test]
fn changes_are_told_to_the_line() {
    let told = |edit: Edit| super::command::text(&[compared(edit).unwrap()]);
    let edits = [
        Replace("apt-get update", "apt-get upgrade"),
        Write("files/app.conf", "port = 81\nname = web\nlog = yes\nmore = no\n"),
        Replace("t3.small", "t3.large"),
        Step(FIRST, "valid_exit_codes = [0, 3]"),
        Replace("{ TOKEN = var.token }", "{ TOKEN = \"x${var.token}\" }"),
        Do(|at| steps(at, |steps| steps.swap(1, 2))),
        Step(LAST, "only = [\"amazon-ebs.none\"]"),
        Replace("echo two", "echo three"),
        Link("files/link", "sub/b"),
        Mode("scripts/tidy.sh", 0o755),
        Step(LAST, "max_retries = 3"),
    ];
    let text: String = edits.iter().map(|edit| told(*edit)).collect();
    let note = "(Nothing was looked up: source images and look-ups are compared as the templates ask for them.)\n";
    insta::assert_snapshot!(text.replace(note, ""), @r#"
    amazon-ebs.app: 1 input differs; the image would be built again
      step 1 (shell): inline: changed  (app.pkr.hcl:54)
        -   3: apt-get update
        +   3: apt-get upgrade
    amazon-ebs.app: 1 input differs; the image would be built again
      step 2 (file): files/app.conf: changed  (app.pkr.hcl:61)
        -   1: port = 80
        +   1: port = 81
        +   4: more = no
    amazon-ebs.app: 1 input differs; the image would be built again
      builder amazon-ebs: instance_type: "t3.large" instead of "t3.small"  (app.pkr.hcl:20)
    amazon-ebs.app: 1 input differs; the image would be built again
      step 1 (shell): valid_exit_codes: [0,3] instead of the default  (app.pkr.hcl:53)
    amazon-ebs.app: 1 input differs; the image would be built again
      step 4 (shell): env: (sensitive) changed  (app.pkr.hcl:74)
    amazon-ebs.app: 1 input differs; the image would be built again
      step 3 (file): moved; it was step 2  (app.pkr.hcl:66)
    amazon-ebs.app: 1 input differs; the image would be built again
      step 5 (shell): removed  (app.pkr.hcl:77)
    amazon-ebs.app: 1 input differs; the image would be built again
      builder amazon-ebs: user_data: changed  (app.pkr.hcl:22)
        -   3: echo two
        +   3: echo three
    amazon-ebs.app: 1 input differs; the image would be built again
      step 2 (file): files/link: points to `sub/b` instead of `app.conf`  (app.pkr.hcl:61)
    amazon-ebs.app: 1 input differs; the image would be built again
      step 4 (shell): scripts/tidy.sh: made executable  (app.pkr.hcl:71)
    amazon-ebs.app: nothing differs
    "#);
}

#[test]
fn a_secret_is_not_told() {
    let json = |edit| serde_json::to_string(&compared(edit).unwrap().differences).unwrap();
    let changed = json(Replace("{ TOKEN = var.token }", "{ TOKEN = \"x${var.token}\" }"));
    assert!(changed.contains("\"sensitive\":true") && !changed.contains("hush"), "{changed}");
    let gone = json(Replace("env             = { TOKEN = var.token }", ""));
    assert!(gone.contains("\"sensitive\":true") && !gone.contains("hush"), "{gone}");
}
