//! `artifice`: names the files that later post-processors work on.

use crate::diagnostic::Diagnostic;
use crate::plan::{ComponentKind, Planner};

use super::ROLE;

crate::options! {
    /// Names the files that later post-processors of the chain work on.
    struct ArtificeOptions {
        /// The files; patterns such as `out/*.ova`.
        unhashed files: Vec<String>,
    }
}

/// The post-processor, for the registry.
pub(super) const KIND: ComponentKind =
    ComponentKind { name: "artifice", schema: ArtificeOptions::schema, plan };

fn plan(planner: &mut Planner<'_>) {
    planner.unsupported_yet(ROLE);
    let schema = ArtificeOptions::schema();
    let Some(options) = planner.decode(schema, ArtificeOptions::decode_options) else { return };
    if options.files.is_empty() && !planner.is_late("files") {
        let text = "an `artifice` post-processor needs `files`";
        let finding = Diagnostic::error("missing-option", text)
            .help("name what a step of the build has made: `files = [\"out/*.ova\"]`");
        planner.error("files", finding);
    }
    planner.set_title(format!("Using {}", options.files.join(", ")));
}
