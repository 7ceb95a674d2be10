//! Tags of the instance's volumes.

use std::collections::BTreeMap;

use crate::template::schema::Deferred;

crate::options! {
    /// Tags of the instance's volumes.
    pub struct VolumeTagOptions {
        /// Tags for the instance's volumes.
        unhashed run_volume_tags: BTreeMap<String, Deferred>,
        /// The same as blocks.
        unhashed run_volume_tag: Vec<NamedText>,
    }
}

crate::options! {
    /// A tag as a block with `name` in place of `key`.
    pub struct NamedText {
        /// The key.
        unhashed name: Deferred,
        /// The value.
        unhashed value: Deferred,
    }
}
