//! Which base stands in for a well-known image name.
//!
//! Templates ask for their source image by a name pattern and an owner. The
//! catalogue holds releases that such patterns find, with fixed names and
//! dates, and says which base of the store a release is served from: an
//! imported base of the same distribution and version, else one of the same
//! distribution, else the host's own root, which then only stands in.

use crate::sandbox::machine::Base;

/// A distribution that publishes images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// `ID` of its os-release.
    pub os_id: &'static str,
    /// The account that publishes.
    pub owner: &'static str,
    /// The alias of that account.
    pub owner_alias: Option<&'static str>,
    /// The user that cloud-init makes.
    pub user: &'static str,
    /// Where the root volume is.
    pub root_device: &'static str,
}

/// Amazon Linux.
pub const AMAZON: Family = Family {
    os_id: "amzn",
    owner: "137112412989",
    owner_alias: Some("amazon"),
    user: "ec2-user",
    root_device: "/dev/xvda",
};
/// Ubuntu.
pub const UBUNTU: Family = Family {
    os_id: "ubuntu",
    owner: "099720109477",
    owner_alias: None,
    user: "ubuntu",
    root_device: "/dev/sda1",
};
/// Debian.
pub const DEBIAN: Family = Family {
    os_id: "debian",
    owner: "136693071363",
    owner_alias: None,
    user: "admin",
    root_device: "/dev/xvda",
};

/// Red Hat Enterprise Linux.
pub const RHEL: Family = Family {
    os_id: "rhel",
    owner: "309956199498",
    owner_alias: None,
    user: "ec2-user",
    root_device: "/dev/sda1",
};
/// Rocky Linux.
pub const ROCKY: Family = Family {
    os_id: "rocky",
    owner: "792107900819",
    owner_alias: None,
    user: "rocky",
    root_device: "/dev/sda1",
};
/// AlmaLinux.
pub const ALMA: Family = Family {
    os_id: "almalinux",
    owner: "764336703387",
    owner_alias: None,
    user: "ec2-user",
    root_device: "/dev/sda1",
};

/// A published image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Who publishes it.
    pub family: Family,
    /// `VERSION_ID` of its os-release.
    pub os_version: &'static str,
    /// The image's name.
    pub name: &'static str,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
    /// When it was published.
    pub created: &'static str,
    /// The public Systems Manager parameter that names the newest of its kind.
    pub parameters: &'static [&'static str],
}

const fn release(
    family: Family,
    os_version: &'static str,
    name: &'static str,
    architecture: &'static str,
    created: &'static str,
    parameters: &'static [&'static str],
) -> Release {
    Release { family, os_version, name, architecture, created, parameters }
}

const X86: &str = "x86_64";
const ARM: &str = "arm64";

/// All releases. Older ones first, so that nobody gets away with taking the first match.
pub const RELEASES: &[Release] = &[
    release(
        AMAZON,
        "2",
        "amzn2-ami-hvm-2.0.20250220.0-x86_64-gp2",
        X86,
        "2025-02-26T01:10:00.000Z",
        &[],
    ),
    release(
        AMAZON,
        "2",
        "amzn2-ami-hvm-2.0.20250610.0-x86_64-gp2",
        X86,
        "2025-06-13T01:10:00.000Z",
        &["/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2"],
    ),
    release(
        AMAZON,
        "2",
        "amzn2-ami-kernel-5.10-hvm-2.0.20250610.0-x86_64-gp2",
        X86,
        "2025-06-13T01:15:00.000Z",
        &["/aws/service/ami-amazon-linux-latest/amzn2-ami-kernel-5.10-hvm-x86_64-gp2"],
    ),
    release(
        AMAZON,
        "2",
        "amzn2-ami-hvm-2.0.20250610.0-arm64-gp2",
        ARM,
        "2025-06-13T01:20:00.000Z",
        &["/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-arm64-gp2"],
    ),
    release(
        AMAZON,
        "2023",
        "al2023-ami-2023.6.20250303.0-kernel-6.1-x86_64",
        X86,
        "2025-03-05T22:11:00.000Z",
        &[],
    ),
    release(
        AMAZON,
        "2023",
        "al2023-ami-minimal-2023.6.20250303.0-kernel-6.1-x86_64",
        X86,
        "2025-03-05T22:12:00.000Z",
        &[],
    ),
    release(
        AMAZON,
        "2023",
        "al2023-ami-2023.7.20250609.0-kernel-6.1-x86_64",
        X86,
        "2025-06-11T22:11:00.000Z",
        &[
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64",
        ],
    ),
    release(
        AMAZON,
        "2023",
        "al2023-ami-2023.7.20250609.0-kernel-6.1-arm64",
        ARM,
        "2025-06-11T22:13:00.000Z",
        &[
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
            "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-arm64",
        ],
    ),
    release(
        AMAZON,
        "2023",
        "al2023-ami-minimal-2023.7.20250609.0-kernel-6.1-x86_64",
        X86,
        "2025-06-11T22:12:00.000Z",
        &[
            "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-x86_64",
            "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-6.1-x86_64",
        ],
    ),
    release(
        AMAZON,
        "2023",
        "al2023-ami-minimal-2023.7.20250609.0-kernel-6.1-arm64",
        ARM,
        "2025-06-11T22:14:00.000Z",
        &[
            "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-arm64",
            "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-6.1-arm64",
        ],
    ),
    release(
        UBUNTU,
        "16.04",
        "ubuntu/images/hvm-ssd/ubuntu-xenial-16.04-amd64-server-20210928",
        X86,
        "2021-09-29T14:02:00.000Z",
        &["/aws/service/canonical/ubuntu/server/16.04/stable/current/amd64/hvm/ebs-gp2/ami-id"],
    ),
    release(
        UBUNTU,
        "18.04",
        "ubuntu/images/hvm-ssd/ubuntu-bionic-18.04-amd64-server-20230607",
        X86,
        "2023-06-07T21:04:00.000Z",
        &["/aws/service/canonical/ubuntu/server/18.04/stable/current/amd64/hvm/ebs-gp2/ami-id"],
    ),
    release(
        UBUNTU,
        "20.04",
        "ubuntu/images/hvm-ssd/ubuntu-focal-20.04-amd64-server-20250603.1",
        X86,
        "2025-06-04T09:40:00.000Z",
        &["/aws/service/canonical/ubuntu/server/20.04/stable/current/amd64/hvm/ebs-gp2/ami-id"],
    ),
    release(
        UBUNTU,
        "22.04",
        "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20250305",
        X86,
        "2025-03-05T11:54:00.000Z",
        &[],
    ),
    release(
        UBUNTU,
        "22.04",
        "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20250530",
        X86,
        "2025-05-30T11:54:00.000Z",
        &[
            "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
            "/aws/service/canonical/ubuntu/server/jammy/stable/current/amd64/hvm/ebs-gp2/ami-id",
        ],
    ),
    release(
        UBUNTU,
        "22.04",
        "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-arm64-server-20250530",
        ARM,
        "2025-05-30T11:55:00.000Z",
        &[
            "/aws/service/canonical/ubuntu/server/22.04/stable/current/arm64/hvm/ebs-gp2/ami-id",
            "/aws/service/canonical/ubuntu/server/jammy/stable/current/arm64/hvm/ebs-gp2/ami-id",
        ],
    ),
    release(
        UBUNTU,
        "24.04",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250305",
        X86,
        "2025-03-05T12:31:00.000Z",
        &[],
    ),
    release(
        UBUNTU,
        "24.04",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20250610",
        X86,
        "2025-06-10T12:31:00.000Z",
        &[
            "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
            "/aws/service/canonical/ubuntu/server/noble/stable/current/amd64/hvm/ebs-gp3/ami-id",
        ],
    ),
    release(
        UBUNTU,
        "24.04",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20250610",
        ARM,
        "2025-06-10T12:32:00.000Z",
        &[
            "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id",
            "/aws/service/canonical/ubuntu/server/noble/stable/current/arm64/hvm/ebs-gp3/ami-id",
        ],
    ),
    release(
        DEBIAN,
        "11",
        "debian-11-amd64-20250512-2110",
        X86,
        "2025-05-12T08:20:00.000Z",
        &["/aws/service/debian/release/11/latest/amd64"],
    ),
    release(DEBIAN, "12", "debian-12-amd64-20250316-2053", X86, "2025-03-16T23:05:00.000Z", &[]),
    release(
        DEBIAN,
        "12",
        "debian-12-amd64-20250530-2128",
        X86,
        "2025-05-30T23:05:00.000Z",
        &["/aws/service/debian/release/12/latest/amd64"],
    ),
    release(
        DEBIAN,
        "12",
        "debian-12-arm64-20250530-2128",
        ARM,
        "2025-05-30T23:06:00.000Z",
        &["/aws/service/debian/release/12/latest/arm64"],
    ),
    release(
        DEBIAN,
        "13",
        "debian-13-amd64-20250814-2204",
        X86,
        "2025-08-14T23:05:00.000Z",
        &["/aws/service/debian/release/13/latest/amd64"],
    ),
    release(
        RHEL,
        "8.10",
        "RHEL-8.10.0_HVM-20240514-x86_64-76-Hourly2-GP3",
        X86,
        "2024-05-17T14:10:00.000Z",
        &[],
    ),
    release(
        RHEL,
        "9.5",
        "RHEL-9.5.0_HVM-20250313-x86_64-0-Hourly2-GP3",
        X86,
        "2025-03-17T14:10:00.000Z",
        &[],
    ),
    release(
        ROCKY,
        "8.10",
        "Rocky-8-EC2-Base-8.10-20240528.0.x86_64",
        X86,
        "2024-05-29T18:05:00.000Z",
        &[],
    ),
    release(
        ROCKY,
        "9.5",
        "Rocky-9-EC2-Base-9.5-20241118.0.x86_64",
        X86,
        "2024-11-19T18:05:00.000Z",
        &[],
    ),
    release(
        ALMA,
        "8.10",
        "AlmaLinux OS 8.10.20240820 x86_64",
        X86,
        "2024-08-20T12:00:00.000Z",
        &[],
    ),
    release(ALMA, "9.5", "AlmaLinux OS 9.5.20241120 x86_64", X86, "2024-11-20T12:00:00.000Z", &[]),
];

/// The architecture of this machine, in EC2's words.
pub fn host_architecture() -> &'static str {
    if std::env::consts::ARCH == "aarch64" { ARM } else { X86 }
}

/// The base that serves a release: same version, else same distribution, else [`any_base`].
/// `None` when no machine can start from it: another architecture, or no base at all.
pub fn base_of<'a>(release: &Release, bases: &'a [Base]) -> Option<&'a Base> {
    if release.architecture != host_architecture() {
        return None;
    }
    let imported =
        || bases.iter().filter(|base| base.name != "host" && base.os_id == release.family.os_id);
    imported()
        .find(|base| base.os_version == release.os_version)
        .or_else(|| imported().next())
        .or_else(|| any_base(bases))
}

/// The base that stands in for an image that nothing is known of: the host, else the first.
pub fn any_base(bases: &[Base]) -> Option<&Base> {
    bases.iter().find(|base| base.name == "host").or_else(|| bases.first())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    fn base(name: &str, os_id: &str, os_version: &str) -> Base {
        Base {
            name: name.to_owned(),
            path: PathBuf::from("/"),
            os_id: os_id.to_owned(),
            os_version: os_version.to_owned(),
            os_name: format!("{os_id} {os_version}"),
        }
    }

    fn served_by(name: &str, bases: &[Base]) -> Option<String> {
        let release = RELEASES.iter().find(|release| release.name == name)?;
        // Tests run on both architectures.
        let release = Release { architecture: host_architecture(), ..*release };
        base_of(&release, bases).map(|base| base.name.clone())
    }

    #[test]
    fn an_imported_base_of_the_distribution_goes_before_the_host() {
        let bases = [
            base("host", "debian", "12"),
            base("u2404", "ubuntu", "24.04"),
            base("u2204", "ubuntu", "22.04"),
        ];
        let jammy = "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20250530";
        let focal = "ubuntu/images/hvm-ssd/ubuntu-focal-20.04-amd64-server-20250603.1";
        assert_eq!(served_by(jammy, &bases).as_deref(), Some("u2204"));
        assert_eq!(served_by(focal, &bases).as_deref(), Some("u2404"));
        assert_eq!(served_by("debian-12-amd64-20250530-2128", &bases).as_deref(), Some("host"));
        assert_eq!(served_by(jammy, &[]), None);
    }

    #[test]
    fn names_and_parameters_are_unique() {
        let names: BTreeSet<_> = RELEASES.iter().map(|release| release.name).collect();
        assert_eq!(names.len(), RELEASES.len());
        let parameters: Vec<_> = RELEASES.iter().flat_map(|release| release.parameters).collect();
        assert_eq!(parameters.iter().collect::<BTreeSet<_>>().len(), parameters.len());
    }

    #[test]
    fn another_architecture_is_a_listing_only() {
        let other = if host_architecture() == X86 { ARM } else { X86 };
        let found = RELEASES.iter().find(|release| release.architecture == other);
        assert!(
            found
                .is_some_and(|release| base_of(release, &[base("host", "debian", "12")]).is_none())
        );
    }
}
