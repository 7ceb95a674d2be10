//! `docs/permissions.md` says what the code calls, no more and no less.

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;
use serde_json::Value;

use crate::support::{Endpoint, Relay, Running, Workspace, repository, root, shell, template};

/// What takes a permission without being a call of the SDK in `src/aws`.
const OTHERS: &[&str] = &[
    // By RunInstances, for whoever calls it.
    "iam:PassRole",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    // By CreateRole and CreateInstanceProfile, which tag what they make.
    "iam:TagInstanceProfile",
    "iam:TagRole",
    // Requests that are signed without an SDK.
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:PutObject",
    "servicequotas:GetServiceQuota",
    "ssmmessages:OpenDataChannel",
    // By the SDK's provider of credentials.
    "sts:AssumeRole",
];

/// The policies on the page, in its order.
fn policies() -> Vec<Value> {
    let page = fs::read_to_string(repository().join("docs/permissions.md")).expect("the page");
    let blocks = page.split("```json\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().expect("a block"));
    blocks.map(|block| serde_json::from_str(block).expect("a policy")).collect()
}

/// The actions that a policy allows.
fn allowed(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().expect("statements");
    let actions = statements.iter().flat_map(|statement| match &statement["Action"] {
        Value::Array(actions) => actions.clone(),
        one => vec![one.clone()],
    });
    actions.map(|action| action.as_str().expect("an action").to_owned()).collect()
}

/// The calls of the SDK in the code: `self.ec2.run_instances()`.
fn called() -> BTreeSet<String> {
    let call = r"\.(ec2|iam|ssm|sts|secrets)\s*\.\s*([a-z_]+)\(\)";
    let call = Regex::new(call).expect("a pattern");
    let mut called = BTreeSet::new();
    for entry in fs::read_dir(repository().join("src/aws")).expect("the room") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("readable");
        for found in call.captures_iter(&text) {
            let service = if &found[1] == "secrets" { "secretsmanager" } else { &found[1] };
            let words = found[2].split('_').map(|word| {
                let (first, rest) = word.split_at(1);
                first.to_uppercase() + rest
            });
            called.insert(format!("{service}:{}", words.collect::<String>()));
        }
    }
    called
}

#[test]
fn the_page_has_every_action_and_no_other() {
    let page: BTreeSet<_> = policies().iter().flat_map(allowed).collect();
    let mut needed = called();
    assert!(needed.contains("ec2:RunInstances") && needed.len() > 40, "{needed:?}");
    needed.extend(OTHERS.iter().map(|&one| one.to_owned()));
    let missing: Vec<_> = needed.difference(&page).collect();
    let idle: Vec<_> = page.difference(&needed).collect();
    assert!(missing.is_empty(), "not in docs/permissions.md: {missing:?}");
    assert!(idle.is_empty(), "in docs/permissions.md, but never called: {idle:?}");
}

#[test]
fn a_build_needs_no_more_than_its_policy() {
    if !root("building in the sandbox") {
        return;
    }
    let workspace = Workspace::new();
    let endpoint = Endpoint::start(&workspace, &[]);
    let relay = Relay::to(endpoint.url());
    let mut command = workspace.command(["build"]);
    command.arg(workspace.write("t.pkr.hcl", template(&shell("true"))));
    let mut command = endpoint.used_by(command);
    command.env("AWS_ENDPOINT_URL", relay.url());
    Running::start(command).finish().expect(0);
    let policy = allowed(&policies()[0]);
    for action in relay.actions() {
        let action = action.strip_prefix("DryRun").unwrap_or(&action);
        let is_allowed =
            ["ec2", "sts"].map(|service| policy.contains(&format!("{service}:{action}")));
        assert!(is_allowed.contains(&true), "{action} is not in the policy of a build");
    }
}
