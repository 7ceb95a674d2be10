//! The data source `amazon-parameterstore`: a parameter of Systems Manager.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::aws_access::access;
use super::resolver::{Clients, of_aws};
use crate::aws::{Access, AccessOptions};
use crate::template::data_source::{DataReader, DataSourceKind, Output, Reading};
use crate::template::lookup::{Answer, Refusal};
use crate::value::Value;

pub(super) const KIND: DataSourceKind = DataSourceKind {
    name: "amazon-parameterstore",
    schema: ParameterStoreOptions::schema,
    outputs: &[Output::text("value"), Output::text("version"), Output::text("arn")],
    sensitive: true,
    read,
};

crate::options! {
    /// A parameter of Systems Manager.
    struct ParameterStoreOptions {
        /// Account and region.
        flat access: AccessOptions,
        /// The parameter; `:VERSION` after it asks for a version.
        hashed name: String,
        /// Decrypts a secure parameter.
        hashed with_decryption: bool = false,
    }
}

/// What is asked.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    access: Access,
    name: String,
    decrypted: bool,
}

fn read(reader: &mut DataReader<'_>) -> Option<Reading> {
    let options =
        reader.decode(ParameterStoreOptions::schema(), ParameterStoreOptions::decode_options)?;
    let request = Request {
        access: access(&options.access, reader),
        name: options.name,
        decrypted: options.with_decryption,
    };
    serde_json::to_value(request).ok().map(Reading::Ask)
}

/// Asks Systems Manager.
pub(super) async fn answer(clients: &Clients, request: Request) -> Result<Answer, Refusal> {
    let client = clients.client(request.access).await?;
    let name = &request.name;
    let parameter = client.whole_parameter(name, request.decrypted).await.map_err(|error| {
        if error.is_not_found() {
            let region = client.region();
            return Refusal::new(format!("there is no SSM parameter `{name}` in {region}"))
                .hint("parameters belong to one region and account: check both and the name");
        }
        of_aws(&error)
    })?;
    let identity = format!("{}#{}", parameter.arn, parameter.version);
    let text = |name: &str, text: String| (name.to_owned(), Value::string(text));
    Ok(Answer::Found {
        value: Value::object(BTreeMap::from([
            text("value", parameter.value),
            text("version", parameter.version.to_string()),
            text("arn", parameter.arn),
        ])),
        identity: Some(identity),
    })
}
