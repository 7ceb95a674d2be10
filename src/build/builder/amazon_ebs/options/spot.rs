//! Spot instances: declared, not done yet.

use std::collections::BTreeMap;

use super::image::KeyValue;
use crate::template::schema::Deferred;

crate::options! {
    /// Spot instances.
    pub struct SpotOptions {
        /// The highest price; none, or `0`, launches on demand.
        unhashed spot_price: Option<String>,
        /// Instance types to choose from.
        unhashed spot_instance_types: Vec<String>,
        /// How to choose.
        unhashed spot_allocation_strategy: Option<String>,
        /// How long the instance is kept.
        unhashed block_duration_minutes: Option<i64>,
        /// Tags for the spot request.
        unhashed spot_tags: BTreeMap<String, Deferred>,
        /// The same as blocks.
        unhashed spot_tag: Vec<KeyValue>,
        /// Tags for the fleet.
        unhashed fleet_tags: BTreeMap<String, Deferred>,
        /// The same as blocks.
        unhashed fleet_tag: Vec<KeyValue>,
        /// Has no effect; Packer has given it up.
        unhashed spot_price_auto_product: Option<String>,
    }
}
