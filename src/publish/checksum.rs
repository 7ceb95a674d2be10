//! `checksum`: digests of the files of an artifact.

use crate::plan::{ComponentKind, Planner};
use crate::template::schema::Deferred;

use super::ROLE;

/// The digests that there are.
const TYPES: &[&str] = &["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

crate::options! {
    /// Writes digests of the files of an artifact; an image has none.
    struct ChecksumOptions {
        /// Which digests: `md5`, `sha1`, `sha224`, `sha256`, `sha384`, `sha512`.
        unhashed checksum_types: Vec<String> = vec!["md5".to_owned()],
        /// The file that they are added to, with `.BuildName`, `.BuilderType` and `.ChecksumType`.
        unhashed output: Deferred = usual_output(),
    }
}

fn usual_output() -> Deferred {
    Deferred::new("packer_{{.BuildName}}_{{.BuilderType}}_{{.ChecksumType}}.checksum")
}

/// The post-processor, for the registry.
pub(super) const KIND: ComponentKind =
    ComponentKind { name: "checksum", schema: ChecksumOptions::schema, plan };

fn plan(planner: &mut Planner<'_>) {
    planner.unsupported_yet(ROLE);
    let schema = ChecksumOptions::schema();
    let Some(options) = planner.decode(schema, ChecksumOptions::decode_options) else { return };
    for one in &options.checksum_types {
        planner.one_of("checksum_types", Some(one), TYPES);
    }
    planner.check_fields("output", &["BuildName", "BuilderType", "ChecksumType"]);
    planner.set_title(format!("Writing {} checksums", options.checksum_types.join(", ")));
}
