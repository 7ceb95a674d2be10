//! Filters of look-ups.

use std::collections::BTreeMap;

use crate::aws::NameValue;

crate::options! {
    /// Looks for a subnet.
    pub struct SubnetFilterOptions {
        /// Filters by name.
        unhashed filters: BTreeMap<String, String>,
        /// Filters as blocks.
        unhashed filter: Vec<NameValue>,
        /// Takes the subnet with the most free addresses.
        unhashed most_free: bool = false,
        /// Takes any of several subnets.
        unhashed random: bool = false,
    }
}

crate::options! {
    /// Looks for a VPC or for security groups.
    pub struct VpcFilterOptions {
        /// Filters by name.
        unhashed filters: BTreeMap<String, String>,
        /// Filters as blocks.
        unhashed filter: Vec<NameValue>,
    }
}
