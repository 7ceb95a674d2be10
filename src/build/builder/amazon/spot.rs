//! Spot instances: declared, not done yet.

use std::collections::BTreeMap;

use super::image::KeyValue;
use crate::plan::Planner;
use crate::template::fix::GIVEN_UP;
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

/// Options of spot instances that bake cannot do yet, with what to do instead.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("spot_instance_types", "set `instance_type`"),
    ("spot_allocation_strategy", ""),
    ("spot_tags", ""),
    ("spot_tag", ""),
    ("fleet_tags", ""),
    ("fleet_tag", ""),
];

/// How EC2 can choose among spot pools.
const STRATEGIES: &[&str] = &[
    "lowest-price",
    "diversified",
    "capacity-optimized",
    "capacity-optimized-prioritized",
    "price-capacity-optimized",
];

impl SpotOptions {
    /// Whether a spot instance is wanted.
    pub fn is_asked_for(&self) -> bool {
        self.spot_price.as_deref().is_some_and(|price| !matches!(price, "" | "0"))
    }

    /// Reports what is wrong with them, and what bake cannot do yet.
    pub fn check(&self, planner: &mut Planner<'_>) {
        for (option, help) in UNSUPPORTED {
            if planner.asks_for(option) {
                planner.not_yet(option, help);
            }
        }
        if self.is_asked_for() {
            planner.not_yet("spot_price", "leave it out to launch on demand");
            // The options of some builders; others do not have them.
            for option in ["ena_support", "sriov_support"] {
                if planner.asks_for(option) {
                    let text = format!("`{option}` cannot be set on spot instances");
                    let help = "they cannot be stopped and changed; use a source image that has it";
                    planner.wrong(option, text, help);
                }
            }
        } else {
            for option in ["spot_tags", "spot_tag", "fleet_tags", "fleet_tag"] {
                if planner.asks_for(option) {
                    planner.wrong(option, format!("`{option}` needs `spot_price`"), "");
                }
            }
        }
        let price = self.spot_price.as_deref().filter(|_| self.is_asked_for());
        if let Some(price) = price.filter(|price| *price != "auto" && price.parse::<f64>().is_err())
        {
            let text = format!("`{price}` is no price");
            planner.wrong("spot_price", text, "`auto`, or dollars an hour such as `0.05`");
        }
        let strategy = self.spot_allocation_strategy.as_deref();
        planner.one_of("spot_allocation_strategy", strategy, STRATEGIES);
        if self.block_duration_minutes.is_some_and(|minutes| minutes % 60 != 0) {
            let text = "`block_duration_minutes` must be a multiple of 60";
            planner.wrong("block_duration_minutes", text, "");
        }
        for option in GIVEN_UP {
            if planner.asks_for(option) {
                let text = format!("`{option}` has no effect; Packer has given it up");
                planner.warn("no-effect", option, text, "leave it out");
            }
        }
    }
}
