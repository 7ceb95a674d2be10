//! Functions for values that other services keep: look-ups, unknown until somebody has asked
//! (`packer-core.md` section 3.1).

use serde_json::json;

use super::declaration::{Call, Failure, Function, Of, Outcome, string};
use crate::template::lookup::{Answer, Lookup, Question, published_call};
use crate::value::{Marks, Type, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "aws_secretsmanager",
        &[string("name"), string("key").nullable()],
        Of::String,
        "a secret of AWS Secrets Manager: all of it, or the value of a key in its JSON",
        |call| {
            let key = call.get(1).and_then(Value::as_str).filter(|key| !key.is_empty());
            let request = json!({ "name": call.text(0), "key": key });
            ask(call, "aws_secretsmanager", &request, Marks::SENSITIVE)
        },
    ),
    Function::new(
        "aws_secretsmanager_raw",
        &[string("name")],
        Of::String,
        "a secret of AWS Secrets Manager as it is",
        |call| {
            let request = json!({ "name": call.text(0) });
            ask(call, "aws_secretsmanager_raw", &request, Marks::SENSITIVE)
        },
    ),
    Function::new("consul_key", &[string("key")], Of::String, "a value of Consul", |call| {
        // Settings, not secrets; a `local` block can make one sensitive.
        ask(call, "consul_key", &json!({ "key": call.text(0) }), Marks::NONE)
    }),
    Function::new(
        "vault",
        &[string("path"), string("key")],
        Of::String,
        "a key of a secret of Vault",
        |call| {
            let request = json!({ "path": call.text(0), "key": call.text(1) });
            ask(call, "vault", &request, Marks::SENSITIVE)
        },
    ),
];

/// The answer, or an unknown text.
fn ask(call: &Call<'_>, name: &str, request: &serde_json::Value, marks: Marks) -> Outcome {
    let lookup = Lookup {
        question: Question::new(name, request),
        asked_by: name.to_owned(),
        span: call.span.clone(),
        published: match call.sensitive.contains(&true) {
            true => None,
            false => published_call(name, request),
        },
    };
    match call.context().lookups.ask(lookup) {
        Some(Answer::Found { value, .. }) => Ok(value.clone().marked(marks)),
        Some(Answer::Refused(refusal)) => {
            let help = Some(refusal.hints.join("; ")).filter(|help| !help.is_empty());
            Err(Failure { help, ..Failure::new(refusal.message.clone()) })
        }
        None if call.scope.allows_lookups() => Ok(Value::unknown(Type::String).marked(marks)),
        None => Err(Failure::new("its arguments are only known while the build runs")
            .help("look-ups are made before a build begins: name what is looked up by variables")),
    }
}
