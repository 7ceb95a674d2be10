//! The data source `amazon-ami`: an image by filter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::aws_access::access;
use super::resolver::{Clients, of_aws};
use crate::aws::{
    Access, AccessOptions, Filter, ImageQuery, NoImage, SourceFilterOptions, filters,
};
use crate::diagnostic::Diagnostic;
use crate::template::data_source::{DataReader, DataSourceKind, Output, Reading};
use crate::template::lookup::{Answer, Refusal};
use crate::value::Value;

pub(super) const KIND: DataSourceKind = DataSourceKind {
    name: "amazon-ami",
    schema: AmazonAmiOptions::schema,
    outputs: &[
        Output::text("id"),
        Output::text("name"),
        Output::text("creation_date"),
        Output::text("owner"),
        Output::text("owner_name"),
        Output::texts("tags"),
    ],
    sensitive: false,
    read,
};

crate::options! {
    /// An image by filter.
    struct AmazonAmiOptions {
        /// Account and region.
        flat access: AccessOptions,
        /// The image.
        flat search: SourceFilterOptions,
    }
}

/// What is asked.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    access: Access,
    filters: Vec<(String, Vec<String>)>,
    owners: Vec<String>,
    most_recent: bool,
    include_deprecated: bool,
}

fn read(reader: &mut DataReader<'_>) -> Option<Reading> {
    let options = reader.decode(AmazonAmiOptions::schema(), AmazonAmiOptions::decode_options)?;
    let search = options.search;
    if search.owners.is_empty() {
        let finding = Diagnostic::error("missing-option", "`owners` is required")
            .help("name accounts, or `self`, `amazon`, `aws-marketplace`: anybody may give an image any name");
        reader.error("owners", finding);
    }
    let request = Request {
        access: access(&options.access, reader),
        filters: filters(&search.filters, &search.filter)
            .into_iter()
            .map(|Filter { name, values }| (name, values))
            .collect(),
        owners: search.owners,
        most_recent: search.most_recent,
        include_deprecated: search.include_deprecated,
    };
    serde_json::to_value(request).ok().map(Reading::Ask)
}

/// Asks EC2.
pub(super) async fn answer(clients: &Clients, request: Request) -> Result<Answer, Refusal> {
    let client = clients.client(request.access).await?;
    let query = ImageQuery {
        ids: Vec::new(),
        owners: request.owners,
        filters: request
            .filters
            .into_iter()
            .map(|(name, values)| Filter { name, values })
            .collect(),
        include_deprecated: request.include_deprecated,
    };
    let image = match client.find_image(&query, request.most_recent).await {
        Ok(image) => image,
        Err(NoImage::Aws(error)) => return Err(of_aws(&error)),
        Err(NoImage::Nothing { message, hints } | NoImage::Several { message, hints }) => {
            return Err(Refusal { message, hints });
        }
    };
    let text = |name: &str, text: String| (name.to_owned(), Value::string(text));
    let tags = image.tags.into_iter().map(|(key, value)| (key, Value::string(value)));
    Ok(Answer::found(Value::object(BTreeMap::from([
        text("id", image.id),
        text("name", image.name),
        text("creation_date", image.creation_date),
        text("owner", image.owner_id),
        text("owner_name", image.owner_alias.unwrap_or_default()),
        ("tags".to_owned(), Value::object(tags.collect())),
    ]))))
}
