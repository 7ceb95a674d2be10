//! HCP Packer's data sources: known by name, so that a template that has them can be checked.

use serde_json::json;

use crate::diagnostic::Diagnostic;
use crate::template::data_source::{DataReader, DataSourceKind, Output, Reading};

const fn kind(
    name: &'static str,
    schema: fn() -> &'static crate::template::schema::Schema,
    outputs: &'static [Output],
    read: fn(&mut DataReader<'_>) -> Option<Reading>,
) -> DataSourceKind {
    DataSourceKind { name, schema, outputs, sensitive: false, read }
}

/// Whoever looks it up is refused.
fn nobody(reader: &mut DataReader<'_>) -> Option<Reading> {
    let finding = Diagnostic::error("unsupported", "bake does not ask HCP Packer")
        .help("find the image by `data \"amazon-ami\"` with a filter for its tags");
    reader.unsupported("", finding);
    Some(Reading::Ask(json!({})))
}

pub(super) const VERSION: DataSourceKind = kind(
    "hcp-packer-version",
    VersionOptions::schema,
    &[
        Output::text("author_id"),
        Output::text("bucket_name"),
        Output::text("status"),
        Output::text("created_at"),
        Output::text("fingerprint"),
        Output::text("id"),
        Output::text("name"),
        Output::text("updated_at"),
        Output::text("channel_id"),
    ],
    |reader| {
        reader.decode(VersionOptions::schema(), VersionOptions::decode_options)?;
        nobody(reader)
    },
);

pub(super) const ARTIFACT: DataSourceKind = kind(
    "hcp-packer-artifact",
    ArtifactOptions::schema,
    &[
        Output::text("platform"),
        Output::text("component_type"),
        Output::text("created_at"),
        Output::text("build_id"),
        Output::text("version_id"),
        Output::text("channel_id"),
        Output::text("packer_run_uuid"),
        Output::text("external_identifier"),
        Output::text("region"),
        Output::texts("labels"),
    ],
    |reader| {
        reader.decode(ArtifactOptions::schema(), ArtifactOptions::decode_options)?;
        nobody(reader)
    },
);

pub(super) const IMAGE: DataSourceKind = kind(
    "hcp-packer-image",
    ImageOptions::schema,
    &[
        Output::text("cloud_provider"),
        Output::text("component_type"),
        Output::text("created_at"),
        Output::text("build_id"),
        Output::text("iteration_id"),
        Output::text("channel_id"),
        Output::text("packer_run_uuid"),
        Output::text("id"),
        Output::text("region"),
        Output::texts("labels"),
    ],
    |reader| {
        reader.decode(ImageOptions::schema(), ImageOptions::decode_options)?;
        nobody(reader)
    },
);

pub(super) const ITERATION: DataSourceKind = kind(
    "hcp-packer-iteration",
    IterationOptions::schema,
    &[
        Output::text("author_id"),
        Output::text("bucket_name"),
        Output::text("complete"),
        Output::text("created_at"),
        Output::text("fingerprint"),
        Output::text("id"),
        Output::text("incremental_version"),
        Output::text("updated_at"),
        Output::text("channel_id"),
    ],
    |reader| {
        reader.decode(IterationOptions::schema(), IterationOptions::decode_options)?;
        nobody(reader)
    },
);

crate::options! {
    /// A version in a channel of HCP Packer.
    struct VersionOptions {
        /// The bucket.
        hashed bucket_name: String,
        /// The channel.
        hashed channel_name: String,
    }
}

crate::options! {
    /// An artifact of a version in HCP Packer.
    struct ArtifactOptions {
        /// The bucket.
        hashed bucket_name: String,
        /// The channel, unless the version is given.
        hashed channel_name: Option<String>,
        /// The version's fingerprint.
        hashed version_fingerprint: Option<String>,
        /// The platform, such as `aws`.
        hashed platform: String,
        /// The region of the artifact.
        hashed region: String,
        /// The type of builder.
        hashed component_type: Option<String>,
    }
}

crate::options! {
    /// An image of an iteration in HCP Packer.
    struct ImageOptions {
        /// The bucket.
        hashed bucket_name: String,
        /// The channel, unless the iteration is given.
        hashed channel: Option<String>,
        /// The iteration.
        hashed iteration_id: Option<String>,
        /// The cloud, such as `aws`.
        hashed cloud_provider: String,
        /// The region of the image.
        hashed region: String,
        /// The type of builder.
        hashed component_type: Option<String>,
    }
}

crate::options! {
    /// An iteration in a channel of HCP Packer.
    struct IterationOptions {
        /// The bucket.
        hashed bucket_name: String,
        /// The channel.
        hashed channel: String,
    }
}
