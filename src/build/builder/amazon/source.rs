//! The source image.

use crate::aws::SourceFilterOptions;
use crate::plan::Planner;

crate::options! {
    /// The source image.
    pub struct SourceOptions {
        /// Source image by id, or `resolve:ssm:` and the name of a parameter that holds it.
        hashed source_ami: Option<String>,
        /// Source image by a filter.
        hashed source_ami_filter: Option<SourceFilterOptions>,
    }
}

/// Options that only say which source image is meant; in the image hash the image that they led to
/// stands for them.
pub const SELECTORS: &[&str] = &["source_ami", "source_ami_filter"];

impl SourceOptions {
    /// Reports what is wrong with them.
    pub fn check(&self, planner: &mut Planner<'_>) {
        let has_id = planner.asks_for("source_ami");
        let Some(filter) = &self.source_ami_filter else {
            if !has_id {
                let help = "`source_ami = \"ami-…\"`, or a `source_ami_filter` block";
                planner.wrong("source_ami", "a source image is needed", help);
            }
            return;
        };
        if has_id {
            return;
        }
        if filter.owners.is_empty() && !planner.is_late("source_ami_filter.0.owners") {
            let help = "`owners = [\"amazon\"]`, `[\"self\"]` or an account: without it anybody's image may match";
            planner.wrong("source_ami_filter", "`source_ami_filter` needs `owners`", help);
        }
        let late = planner.is_late("source_ami_filter.0.filters");
        if filter.filters.is_empty() && filter.filter.is_empty() && !late {
            planner.wrong("source_ami_filter", "`source_ami_filter` has no filters", "");
        }
    }
}
