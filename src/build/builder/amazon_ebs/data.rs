//! What templates can say about a build under way, by Packer's names.

use std::collections::BTreeMap;

use crate::aws::Instance;
use crate::build::ResolvedSource;
use crate::build::connection_data::{Reached, add_connection};
use crate::communicator::ssh::KeyPair;
use crate::template::schema::BuildData;
use crate::value::{Marks, Value};

/// What is known once source image and hash are.
pub(super) fn of_source(source: &ResolvedSource, hash: &str, run_id: &str) -> BuildData {
    let image = &source.image;
    let tags: BTreeMap<_, _> =
        image.tags.iter().map(|(key, value)| (key.clone(), Value::string(value))).collect();
    BuildData::from([
        text("BuildRegion", &source.region),
        text("SourceAMI", &image.id),
        text("SourceAMIName", &image.name),
        text("SourceAMIOwner", &image.owner_id),
        text("SourceAMIOwnerName", image.owner_alias.as_deref().unwrap_or_default()),
        text("SourceAMICreationDate", &image.creation_date),
        ("SourceAMITags".to_owned(), Value::object(tags)),
        text("ImageHash", hash),
        text("PackerRunUUID", run_id),
    ])
}

/// Adds what is known once the instance is reached.
pub(super) fn add_instance(
    data: &mut BuildData,
    instance: &Instance,
    reached: Option<&Reached<'_>>,
    key: Option<&KeyPair>,
) {
    data.extend([text("ID", &instance.id)]);
    add_connection(data, reached);
    if let Some(key) = key {
        data.extend([text("SSHPublicKey", &key.public)]);
        let private = Value::string(key.private.reveal()).marked(Marks::SENSITIVE);
        data.insert("SSHPrivateKey".to_owned(), private);
    }
}

fn text(name: &str, text: &str) -> (String, Value) {
    (name.to_owned(), Value::string(text))
}
