//! The fixers in their order.

use super::tree::Json;
use super::{access, amazon, function, post_processor, provisioner};

/// Puts one thing right.
#[derive(Clone, Copy)]
pub struct Fixer {
    /// Packer's name for it.
    pub name: &'static str,
    /// What it does, in one line.
    pub doc: &'static str,
    /// Changes a whole template.
    pub run: fn(&mut Json),
}

/// All fixers, in Packer's order.
pub const FIXERS: [Fixer; 13] = [
    function::CREATE_TIME,
    access::KEY_PATH,
    access::DISABLE_AGENT,
    post_processor::MANIFEST_FILE_NAME,
    amazon::SHUTDOWN_BEHAVIOR,
    amazon::ENHANCED_NETWORKING,
    amazon::PRIVATE_IP,
    amazon::SOURCE_CIDRS,
    provisioner::POWERSHELL_ESCAPES,
    function::CLEAN_IMAGE_NAME,
    amazon::SPOT_PRICE_PRODUCT,
    provisioner::GALAXY_COMMAND,
    access::WAIT_TIMEOUT,
];

/// Runs all fixers; the names of those that found something to do.
pub fn fix(template: &mut Json) -> Vec<&'static str> {
    FIXERS
        .iter()
        .filter(|fixer| {
            let before = template.clone();
            (fixer.run)(template);
            *template != before
        })
        .map(|fixer| fixer.name)
        .collect()
}

/// The builders of a template whose type begins so.
pub(super) fn builders<'t>(
    template: &'t mut Json,
    kind: &'static str,
) -> impl Iterator<Item = &'t mut Json> {
    of_kind(template, "builders", kind)
}

/// The components of a list in a template whose type begins so.
pub(super) fn of_kind<'t>(
    template: &'t mut Json,
    list: &str,
    kind: &'static str,
) -> impl Iterator<Item = &'t mut Json> {
    template.get_mut(list).into_iter().flat_map(Json::elements_mut).filter(move |component| {
        component.get("type").and_then(Json::as_text).is_some_and(|name| name.starts_with(kind))
    })
}
