//! Filters of look-ups.

use std::collections::BTreeMap;

use crate::aws::Filter;

crate::options! {
    /// A filter of EC2: a name and values.
    pub struct NameValue {
        /// The filter's name.
        hashed name: String,
        /// The value; several are separated by commas.
        hashed value: String,
    }
}

crate::options! {
    /// Looks for the source image.
    pub struct SourceFilterOptions {
        /// Filters by name.
        hashed filters: BTreeMap<String, String>,
        /// Filters as blocks.
        hashed filter: Vec<NameValue>,
        /// Accounts, or `self`, `amazon`, `aws-marketplace`.
        hashed owners: Vec<String>,
        /// Takes the newest of several images.
        hashed most_recent: bool = false,
        /// Also looks at deprecated images.
        hashed include_deprecated: bool = false,
    }
}

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

/// Filters as EC2 takes them. Each value is a list with commas in between, as Packer reads it:
/// quotes keep a comma, blanks before an element go.
pub fn filters(map: &BTreeMap<String, String>, blocks: &[NameValue]) -> Vec<Filter> {
    let pairs = map.iter().chain(blocks.iter().map(|block| (&block.name, &block.value)));
    pairs.map(|(name, value)| Filter { name: name.clone(), values: values(value) }).collect()
}

fn values(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        let Some(last) = all.last_mut() else { break };
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => all.push(String::new()),
            ' ' | '\t' if last.is_empty() && !quoted => {}
            other => last.push(other),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_list_with_commas() {
        assert_eq!(values("al2023-ami-*"), ["al2023-ami-*"]);
        assert_eq!(values("a, b,c"), ["a", "b", "c"]);
        assert_eq!(values("\"a,b\",c d"), ["a,b", "c d"]);
    }
}
