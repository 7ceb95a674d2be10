//! What templates can say about a build under way, by Packer's names.

use std::collections::BTreeMap;

use crate::aws::Instance;
use crate::build::ResolvedSource;
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

/// How the instance is reached.
pub(super) struct Reached<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) kind: &'static str,
}

/// Adds what is known once the instance runs.
pub(super) fn add_instance(
    data: &mut BuildData,
    instance: &Instance,
    reached: Option<&Reached<'_>>,
    key: Option<&KeyPair>,
) {
    data.extend([text("ID", &instance.id)]);
    data.extend([text("ConnType", reached.map_or("none", |one| one.kind))]);
    if let Some(reached) = reached {
        data.extend([text("Host", reached.host), text("User", reached.user)]);
        data.insert("Port".to_owned(), Value::number(u32::from(reached.port)));
    }
    if let Some(key) = key {
        data.extend([text("SSHPublicKey", &key.public)]);
        let private = Value::string(key.private.reveal()).marked(Marks::SENSITIVE);
        data.insert("SSHPrivateKey".to_owned(), private);
    }
}

fn text(name: &str, text: &str) -> (String, Value) {
    (name.to_owned(), Value::string(text))
}
