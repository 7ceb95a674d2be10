//! `hcp_packer_registry`: bake keeps no registry, but what is wrong with the block is said
//! (`packer-core.md` section 2.7).

#![expect(dead_code, reason = "of some options only the types are checked")]

use std::collections::BTreeMap;

use super::Planning;
use crate::diagnostic::Diagnostic;
use crate::template::BuildScope;
use crate::template::schema::{Decoder, Evaluate};
use crate::template::syntax::Block;

crate::options! {
    /// Where HCP Packer keeps what is known of the images.
    struct RegistryOptions {
        /// The bucket: 3 to 36 letters, digits and dashes.
        unhashed bucket_name: Option<String>,
        /// What the bucket is for; at most 255 characters.
        unhashed description: Option<String>,
        /// Labels of the bucket.
        unhashed bucket_labels: BTreeMap<String, String>,
        /// The old name of `bucket_labels`.
        unhashed labels: BTreeMap<String, String>,
        /// Labels of this version.
        unhashed build_labels: BTreeMap<String, String>,
        /// Channels that get this version.
        unhashed channels: Vec<String>,
    }
}

impl Planning<'_> {
    /// Says what is wrong with a registry.
    pub(super) fn check_registry(&mut self, block: &Block, scope: &BuildScope) {
        let decoded = Decoder::decode_for_checks(
            &*scope.resolve(None),
            &block.body,
            &block.header,
            RegistryOptions::schema(),
            RegistryOptions::decode_options,
            &mut self.found,
        );
        let Some(decoded) = decoded else { return };
        let options = &decoded.options;
        let mut wrong = |option: &str, text: &str| {
            let finding = Diagnostic::error("wrong-option", text);
            self.found.push(decoded.facts.at(option, &block.header, finding));
        };
        let bucket = options.bucket_name.as_deref().unwrap_or_default();
        let fits = |name: &str| {
            (3..=36).contains(&name.len())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if !bucket.is_empty() && !fits(bucket) && !decoded.facts.late.contains("bucket_name") {
            wrong("bucket_name", "`bucket_name` must be 3 to 36 letters, digits and dashes");
        }
        if options.description.as_ref().is_some_and(|text| text.chars().count() > 255) {
            wrong("description", "`description` has more than 255 characters");
        }
        if !options.labels.is_empty() && !options.bucket_labels.is_empty() {
            wrong("labels", "`labels` is the old name of `bucket_labels`: give one of them");
        }
    }
}
