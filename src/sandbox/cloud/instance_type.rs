//! The instance types on offer: families by sizes.

use super::filter::{Field, Filterable};
use super::{CloudError, Tags};

/// An instance type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceType {
    /// `t3.micro`
    pub name: String,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// `nitro` or `xen`.
    pub hypervisor: &'static str,
    /// Whether it has burstable performance.
    pub burstable: bool,
}

struct Family {
    name: &'static str,
    architecture: &'static str,
    hypervisor: &'static str,
    /// GiB of memory for each virtual CPU; none for burstable families.
    ratio: Option<u64>,
    sizes: &'static [(&'static str, u32)],
}

const X86: &str = "x86_64";
const ARM: &str = "arm64";

/// Sizes of burstable types: their memory is not a multiple of their virtual CPUs.
const BURSTABLE: &[(&str, u32)] = &[
    ("nano", 2),
    ("micro", 2),
    ("small", 2),
    ("medium", 2),
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
];
/// Sizes of common types, without and with the smallest one.
const SIZES: &[(&str, u32)] = &[
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
    ("8xlarge", 32),
    ("12xlarge", 48),
    ("16xlarge", 64),
    ("24xlarge", 96),
];
const GRAVITON: &[(&str, u32)] = &[
    ("medium", 1),
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
    ("8xlarge", 32),
    ("12xlarge", 48),
    ("16xlarge", 64),
];
const OLD: &[(&str, u32)] = &[("large", 2), ("xlarge", 4), ("2xlarge", 8), ("4xlarge", 16)];
const GPU: &[(&str, u32)] = &[
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
    ("8xlarge", 32),
    ("12xlarge", 48),
    ("16xlarge", 64),
];

const fn family(
    name: &'static str,
    architecture: &'static str,
    hypervisor: &'static str,
    ratio: Option<u64>,
    sizes: &'static [(&'static str, u32)],
) -> Family {
    Family { name, architecture, hypervisor, ratio, sizes }
}

const FAMILIES: &[Family] = &[
    family("t2", X86, "xen", None, BURSTABLE),
    family("t3", X86, "nitro", None, BURSTABLE),
    family("t3a", X86, "nitro", None, BURSTABLE),
    family("t4g", ARM, "nitro", None, BURSTABLE),
    family("m3", X86, "xen", Some(4), OLD),
    family("m4", X86, "xen", Some(4), OLD),
    family("m5", X86, "nitro", Some(4), SIZES),
    family("m5a", X86, "nitro", Some(4), SIZES),
    family("m5d", X86, "nitro", Some(4), SIZES),
    family("m6a", X86, "nitro", Some(4), SIZES),
    family("m6g", ARM, "nitro", Some(4), GRAVITON),
    family("m6i", X86, "nitro", Some(4), SIZES),
    family("m7a", X86, "nitro", Some(4), SIZES),
    family("m7g", ARM, "nitro", Some(4), GRAVITON),
    family("m7i", X86, "nitro", Some(4), SIZES),
    family("m8g", ARM, "nitro", Some(4), GRAVITON),
    family("c4", X86, "xen", Some(2), OLD),
    family("c5", X86, "nitro", Some(2), SIZES),
    family("c5a", X86, "nitro", Some(2), SIZES),
    family("c5n", X86, "nitro", Some(2), SIZES),
    family("c6a", X86, "nitro", Some(2), SIZES),
    family("c6g", ARM, "nitro", Some(2), GRAVITON),
    family("c6i", X86, "nitro", Some(2), SIZES),
    family("c7a", X86, "nitro", Some(2), SIZES),
    family("c7g", ARM, "nitro", Some(2), GRAVITON),
    family("c7i", X86, "nitro", Some(2), SIZES),
    family("r4", X86, "xen", Some(8), OLD),
    family("r5", X86, "nitro", Some(8), SIZES),
    family("r6g", ARM, "nitro", Some(8), GRAVITON),
    family("r6i", X86, "nitro", Some(8), SIZES),
    family("r7g", ARM, "nitro", Some(8), GRAVITON),
    family("r7i", X86, "nitro", Some(8), SIZES),
    family("i3", X86, "nitro", Some(8), OLD),
    family("g4dn", X86, "nitro", Some(4), GPU),
    family("g5", X86, "nitro", Some(4), GPU),
];

/// All types, by name.
pub(crate) fn all() -> Vec<InstanceType> {
    let mut types: Vec<InstanceType> = FAMILIES
        .iter()
        .flat_map(|family| {
            family.sizes.iter().map(|(size, vcpus)| InstanceType {
                name: format!("{}.{size}", family.name),
                architecture: family.architecture,
                vcpus: *vcpus,
                memory_mib: match family.ratio {
                    Some(gib) => gib * 1024 * u64::from(*vcpus),
                    None => burstable_mib(size),
                },
                hypervisor: family.hypervisor,
                burstable: family.ratio.is_none(),
            })
        })
        .collect();
    types.sort_by(|a, b| a.name.cmp(&b.name));
    types
}

fn burstable_mib(size: &str) -> u64 {
    match size {
        "nano" => 512,
        "micro" => 1024,
        "small" => 2048,
        "medium" => 4096,
        "large" => 8192,
        "xlarge" => 16_384,
        _ => 32_768,
    }
}

/// The type of this name, or RunInstances' error.
pub(crate) fn find(name: &str) -> Result<InstanceType, CloudError> {
    all()
        .into_iter()
        .find(|found| found.name == name)
        .ok_or_else(|| CloudError::invalid(format!("Invalid value '{name}' for InstanceType.")))
}

/// The types of these names (all when none is given), or DescribeInstanceTypes' error.
pub(crate) fn named(names: &[String]) -> Result<Vec<InstanceType>, CloudError> {
    let types = all();
    let unknown: Vec<&str> = names
        .iter()
        .filter(|name| !types.iter().any(|found| found.name == **name))
        .map(String::as_str)
        .collect();
    if !unknown.is_empty() {
        return Err(CloudError::new(
            "InvalidInstanceType",
            format!("The following supplied instance types do not exist: [{}]", unknown.join(", ")),
        ));
    }
    Ok(types.into_iter().filter(|found| names.is_empty() || names.contains(&found.name)).collect())
}

impl Filterable for InstanceType {
    const FIELDS: &'static [Field<Self>] = &[
        ("instance-type", |t| vec![t.name.clone()]),
        ("processor-info.supported-architecture", |t| vec![t.architecture.to_owned()]),
        ("vcpu-info.default-vcpus", |t| vec![t.vcpus.to_string()]),
        ("memory-info.size-in-mib", |t| vec![t.memory_mib.to_string()]),
        ("hypervisor", |t| vec![t.hypervisor.to_owned()]),
        ("burstable-performance-supported", |t| vec![t.burstable.to_string()]),
        ("current-generation", |t| vec![(t.hypervisor == "nitro").to_string()]),
        ("bare-metal", |_| vec!["false".to_owned()]),
        ("supported-root-device-type", |_| vec!["ebs".to_owned()]),
        ("supported-virtualization-type", |_| vec!["hvm".to_owned()]),
        ("supported-usage-class", |_| vec!["on-demand".to_owned(), "spot".to_owned()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        None
    }
}

/// An instance type in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offering {
    /// `t3.micro`
    pub instance_type: String,
    /// `region`, `availability-zone` or `availability-zone-id`.
    pub location_type: String,
    /// Its name or id.
    pub location: String,
}

impl Filterable for Offering {
    const FIELDS: &'static [Field<Self>] = &[
        ("instance-type", |o| vec![o.instance_type.clone()]),
        ("location", |o| vec![o.location.clone()]),
    ];

    fn tags(&self) -> Option<&Tags> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: Vec<String> = all().into_iter().map(|t| t.name).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(names.iter().any(|name| name == "t3.micro"));
    }

    #[test]
    fn memory_of_common_types() {
        let mib = |name| find(name).map(|t| (t.memory_mib, t.vcpus, t.architecture));
        assert_eq!(mib("t4g.small"), Ok((2048, 2, "arm64")));
        assert_eq!(mib("c5.xlarge"), Ok((8192, 4, "x86_64")));
        assert_eq!(mib("m6g.medium"), Ok((4096, 1, "arm64")));
        assert!(find("t3.tiny").is_err());
    }
}
