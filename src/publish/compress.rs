//! `compress`: the files of an artifact in one archive.

use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::plan::{ComponentKind, Planner};
use crate::template::schema::Deferred;

use super::ROLE;

/// Ends of names that say what the archive is; `tar.` may stand before each.
const FORMATS: &[&str] = &["bgzf", "bzip2", "gz", "lz4", "tar", "xz", "zip"];

/// The highest level of compression.
const HIGHEST_LEVEL: i64 = 9;

crate::options! {
    /// Puts the files of an artifact into one archive.
    struct CompressOptions {
        /// The archive, with `.BuildName` and `.BuilderType`.
        unhashed output: Deferred = usual_output(),
        /// Its format, in place of what the end of its name says: `tar.gz`, `zip`, …
        unhashed format: Option<String>,
        /// How hard to try, from 1 to 9; -1 and 0 leave it to the format.
        unhashed compression_level: i64 = -1,
    }
}

fn usual_output() -> Deferred {
    Deferred::new("packer_{{.BuildName}}_{{.BuilderType}}")
}

/// The post-processor, for the registry.
pub(super) const KIND: ComponentKind =
    ComponentKind { name: "compress", schema: CompressOptions::schema, plan };

fn plan(planner: &mut Planner<'_>) {
    planner.unsupported_yet(ROLE);
    let schema = CompressOptions::schema();
    let Some(options) = planner.decode(schema, CompressOptions::decode_options) else { return };
    if options.compression_level > HIGHEST_LEVEL {
        let text = format!("there is no compression level {}", options.compression_level);
        let finding = Diagnostic::warning("wrong-value", text).note("the highest, 9, is taken");
        planner.error("compression_level", finding);
    }
    if let Some(format) = options.format.as_deref().filter(|format| !format.is_empty())
        && !planner.is_late("format")
        && !FORMATS.contains(&format.strip_prefix("tar.").unwrap_or(format))
    {
        // Packer takes any text.
        let finding = Diagnostic::warning("wrong-value", format!("`format` cannot be `{format}`"))
            .note("the archive will be a `tar.gz`")
            .maybe_help(did_you_mean(format, FORMATS.iter().copied()));
        planner.error("format", finding);
    }
    planner.check_fields("output", &["BuildName", "BuilderType"]);
    planner.set_title(format!("Compressing to {}", options.output.text()));
}
