//! `manifest`: a file that lists what was built.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::plan::{ComponentKind, Planner};
use crate::template::schema::Deferred;

use super::ROLE;

crate::options! {
    /// Writes what was built to a JSON file.
    struct ManifestOptions {
        /// The file; builds are added to it.
        unhashed output: String = "packer-manifest.json".to_owned(),
        /// Whether files of artifacts are listed without their directories.
        unhashed strip_path: bool = false,
        /// Whether the time of the build is left out.
        unhashed strip_time: bool = false,
        /// More data to write down.
        unhashed custom_data: BTreeMap<String, Deferred>,
    }
}

/// The post-processor, for the registry.
pub(super) const KIND: ComponentKind =
    ComponentKind { name: "manifest", schema: ManifestOptions::schema, plan };

fn plan(planner: &mut Planner<'_>) {
    planner.unsupported_yet(ROLE);
    let schema = ManifestOptions::schema();
    let Some(options) = planner.decode(schema, ManifestOptions::decode_options) else { return };
    if !planner.is_late("output") && planner.directory().join(&options.output).is_dir() {
        let text = format!("`{}` is a directory", options.output);
        let finding = Diagnostic::error("wrong-file", text).help("name a file in it");
        planner.error("output", finding);
    }
    planner.check_fields("custom_data", &[]);
    planner.set_title(format!("Writing {}", options.output));
}
