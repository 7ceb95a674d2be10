//! Options of Amazon's builders.

use super::fixer::{Fixer, builders};
use super::option::{GIVEN_UP, new_name};
use super::tree::Json;

const AMAZON: &str = "amazon-";

pub(super) const SHUTDOWN_BEHAVIOR: Fixer = Fixer {
    name: "amazon-shutdown_behavior",
    doc: "`shutdown_behaviour` is `shutdown_behavior`",
    run: |template| rename(template, "shutdown_behaviour"),
};

pub(super) const ENHANCED_NETWORKING: Fixer = Fixer {
    name: "amazon-enhanced-networking",
    doc: "`enhanced_networking` is `ena_support`",
    run: |template| rename(template, "enhanced_networking"),
};

pub(super) const PRIVATE_IP: Fixer = Fixer {
    name: "amazon-private-ip",
    doc: "`ssh_private_ip` is a value of `ssh_interface`",
    run: private_ip,
};

pub(super) const SOURCE_CIDRS: Fixer = Fixer {
    name: "amazon-temp-sec-cidrs",
    doc: "`temporary_security_group_source_cidr` is a list, `temporary_security_group_source_cidrs`",
    run: source_cidrs,
};

pub(super) const SPOT_PRICE_PRODUCT: Fixer = Fixer {
    name: "spot-price-auto-product",
    doc: "`spot_price_auto_product` does nothing any more",
    run: |template| {
        for builder in builders(template, AMAZON) {
            for option in GIVEN_UP {
                builder.remove(option);
            }
        }
    },
};

fn rename(template: &mut Json, old: &str) {
    builders(template, AMAZON).for_each(|builder| builder.rename(old, new_name(old)));
}

/// False was the default, which needs no words. What cannot be told, such as a variable, stays.
fn private_ip(template: &mut Json) {
    const OLD: &str = "ssh_private_ip";
    for builder in builders(template, AMAZON) {
        let wanted = match builder.get(OLD) {
            Some(Json::Bool(wanted)) => *wanted,
            Some(Json::Text(text)) => match text.as_str() {
                "true" | "1" => true,
                "false" | "0" | "" => false,
                _ => continue,
            },
            _ => continue,
        };
        if wanted {
            builder.replace(OLD, new_name(OLD), Json::Text("private_ip".to_owned()));
        } else {
            builder.remove(OLD);
        }
    }
}

fn source_cidrs(template: &mut Json) {
    const OLD: &str = "temporary_security_group_source_cidr";
    for builder in builders(template, AMAZON) {
        let list = match builder.get(OLD) {
            Some(list @ Json::Array(_)) => list.clone(),
            Some(one) => Json::Array(vec![one.clone()]),
            None => continue,
        };
        if builder.get(new_name(OLD)).is_some() {
            builder.remove(OLD);
        } else {
            builder.replace(OLD, new_name(OLD), list);
        }
    }
}
