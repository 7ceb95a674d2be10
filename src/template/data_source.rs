//! Data sources: what each type takes and gives (`packer-core.md` section 4.17, `packer-amazon.md`
//! section 3.5).
//!
//! Only `null` is read here. What the others give is not known before something outside of this
//! machine is asked, so their values have a type but are unknown.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Diagnostics, Span, did_you_mean};
use crate::value::{Marks, Type, Value, convert};

use super::declaration::Labelled;
use super::known_plugins::{self, Role};
use super::syntax::{Body, Expression, Name};

/// A type of data source.
struct DataKind {
    name: &'static str,
    /// Options that must be given.
    required: &'static [&'static str],
    /// Options that may be given.
    optional: &'static [&'static str],
    /// Whether it also takes the options by which AWS is reached.
    access: bool,
    /// What it gives: name, and whether that is a map of strings rather than a string.
    outputs: &'static [(&'static str, bool)],
    /// Whether what it gives is secret.
    sensitive: bool,
}

const KINDS: &[DataKind] = &[
    DataKind {
        name: NULL,
        required: &["input"],
        optional: &[],
        access: false,
        outputs: &[("output", false)],
        sensitive: false,
    },
    DataKind {
        name: "http",
        required: &["url"],
        optional: &["method", "request_headers", "request_body"],
        access: false,
        outputs: &[("url", false), ("body", false), ("request_headers", true)],
        sensitive: false,
    },
    DataKind {
        name: "amazon-ami",
        required: &["owners"],
        optional: &["filters", "filter", "most_recent", "include_deprecated"],
        access: true,
        outputs: &[
            ("id", false),
            ("name", false),
            ("creation_date", false),
            ("owner", false),
            ("owner_name", false),
            ("tags", true),
        ],
        sensitive: false,
    },
    DataKind {
        name: "amazon-parameterstore",
        required: &["name"],
        optional: &["with_decryption"],
        access: true,
        outputs: &[("value", false), ("version", false), ("arn", false)],
        sensitive: true,
    },
    DataKind {
        name: "amazon-secretsmanager",
        required: &["name"],
        optional: &["key", "version_id", "version_stage"],
        access: true,
        outputs: &[
            ("value", false),
            ("secret_string", false),
            ("secret_binary", false),
            ("version_id", false),
        ],
        sensitive: true,
    },
];

/// The one that gives what it is given.
const NULL: &str = "null";

/// How AWS is reached.
const ACCESS: &[&str] = &[
    "access_key",
    "secret_key",
    "token",
    "region",
    "profile",
    "shared_credentials_file",
    "assume_role",
    "vault_aws_engine",
    "mfa_code",
    "custom_endpoint_ec2",
    "max_retries",
    "insecure_skip_tls_verify",
    "skip_metadata_api_check",
    "skip_credential_validation",
    "decode_authorization_messages",
    "aws_polling",
];

/// What a data source gives.
pub(super) struct Outcome {
    /// An object.
    pub(super) value: Value,
    /// Whether it was read; else its attributes are unknown.
    pub(super) is_read: bool,
}

/// Checks a data source and reads it when that needs nothing but the template. `None` after an
/// error.
pub(super) fn read(
    data: &Labelled,
    evaluate: &dyn Fn(&Expression) -> Result<Value, Diagnostics>,
    found: &mut Diagnostics,
) -> Option<Outcome> {
    let Some(kind) = KINDS.iter().find(|kind| kind.name == data.kind.text) else {
        let names = KINDS.iter().map(|kind| kind.name);
        let known: Vec<_> = names.clone().collect();
        let mut finding = Diagnostic::error(
            "unknown-component",
            format!("there is no data source `{}`", data.kind.text),
        )
        .at(&data.kind.span, "not known to bake");
        if let Some(known) = known_plugins::known(Role::DataSource, &data.kind.text) {
            found.push(finding.note(known.note).help(known.help));
            return None;
        }
        let hint = did_you_mean(&data.kind.text, names);
        if hint.is_none() {
            finding = finding.note(format!("known: {}", known.join(", ")));
        }
        found.push(finding.maybe_help(hint));
        return None;
    };
    let mut own = Diagnostics::new();
    let given = options(kind, data, evaluate, &mut own);
    let failed = own.has_errors();
    found.extend(own);
    if failed {
        return None;
    }
    if kind.name == NULL {
        let (value, span) = given.get("input")?;
        let output = convert(value, &Type::String).map_err(|error| {
            Diagnostic::error("wrong-type", format!("wrong type for `input`: {error}"))
                .at(span, "string is expected")
                .into()
        });
        let output = found.take(output)?;
        let value = Value::object(BTreeMap::from([("output".to_owned(), output)]));
        return Some(Outcome { value, is_read: true });
    }
    let marks = if kind.sensitive { Marks::SENSITIVE } else { Marks::NONE };
    let outputs = kind.outputs.iter().map(|(name, is_map)| {
        let of = if *is_map { Type::Map(Box::new(Type::String)) } else { Type::String };
        ((*name).to_owned(), Value::unknown(of).marked(marks))
    });
    Some(Outcome { value: Value::object(outputs.collect()), is_read: false })
}

/// The values of the arguments; every argument and block is checked by name and evaluated.
fn options(
    kind: &DataKind,
    data: &Labelled,
    evaluate: &dyn Fn(&Expression) -> Result<Value, Diagnostics>,
    found: &mut Diagnostics,
) -> BTreeMap<String, (Value, Span)> {
    let mut given = BTreeMap::new();
    for attribute in &data.body.attributes {
        is_known(kind, "option", &attribute.name, found);
        let Some(value) = found.take(evaluate(&attribute.expression)) else { continue };
        let place = (value, attribute.expression.span.clone());
        if given.insert(attribute.name.text.clone(), place).is_some() {
            found.push(
                Diagnostic::error(
                    "duplicate-option",
                    format!("`{}` is given twice", attribute.name.text),
                )
                .at(&attribute.name.span, "again here"),
            );
        }
    }
    for block in &data.body.blocks {
        if block.kind.text == super::dynamic::KEYWORD {
            found.push(
                Diagnostic::error("unknown-block", "a data source has no `dynamic` blocks")
                    .at(&block.header, "write the blocks out"),
            );
            continue;
        }
        is_known(kind, "block", &block.kind, found);
        evaluate_body(&block.body, evaluate, found);
    }
    for name in kind.required {
        let absent = given.get(*name).is_none_or(|(value, _)| value.is_null());
        let failed = found.has_errors();
        if absent && !failed {
            found.push(
                Diagnostic::error("missing-option", format!("`{name}` is required"))
                    .at(&data.header, format!("`{name}` is not given")),
            );
        }
    }
    given
}

fn is_known(kind: &DataKind, what: &str, name: &Name, found: &mut Diagnostics) {
    let access: &[&str] = if kind.access { ACCESS } else { &[] };
    let mut known = kind.required.iter().chain(kind.optional).chain(access).copied();
    if known.clone().any(|one| one == name.text) {
        return;
    }
    found.push(
        Diagnostic::error("unknown-option", format!("unknown {what} `{}`", name.text))
            .at(&name.span, "not known here")
            .maybe_help(did_you_mean(&name.text, known.by_ref())),
    );
}

fn evaluate_body(
    body: &Body,
    evaluate: &dyn Fn(&Expression) -> Result<Value, Diagnostics>,
    found: &mut Diagnostics,
) {
    for attribute in &body.attributes {
        found.take(evaluate(&attribute.expression));
    }
    for block in &body.blocks {
        evaluate_body(&block.body, evaluate, found);
    }
}
