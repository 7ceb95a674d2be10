//! Options of post-processors.

use super::fixer::Fixer;
use super::option::new_name;
use super::tree::Json;

pub(super) const MANIFEST_FILE_NAME: Fixer = Fixer {
    name: "manifest-filename",
    doc: "`filename` of the manifest is `output`",
    run: |template| {
        let all = template.get_mut("post-processors");
        all.into_iter().flat_map(Json::elements_mut).for_each(file_name);
    },
};

/// A post-processor, or a chain of them.
fn file_name(one: &mut Json) {
    const OLD: &str = "filename";
    if one.get("type").and_then(Json::as_text) == Some("manifest") {
        one.rename(OLD, new_name(OLD));
    }
    one.elements_mut().iter_mut().for_each(file_name);
}
