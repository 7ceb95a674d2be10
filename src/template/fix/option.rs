//! Options by their old names.

/// What an option was once called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Renamed {
    /// The name then.
    pub(crate) old: &'static str,
    /// The name now.
    pub(crate) new: &'static str,
    /// Whose option it is: a component's type, or the beginning of several.
    pub(crate) of: &'static str,
}

/// All options that have another name now. Some have another form too; see the fixers.
pub(crate) const RENAMED: [Renamed; 9] = [
    Renamed { old: "ssh_key_path", new: "ssh_private_key_file", of: "" },
    Renamed { old: "ssh_disable_agent", new: "ssh_disable_agent_forwarding", of: "" },
    Renamed { old: "ssh_wait_timeout", new: "ssh_timeout", of: "" },
    Renamed { old: "ssh_private_ip", new: "ssh_interface", of: "amazon-" },
    Renamed { old: "shutdown_behaviour", new: "shutdown_behavior", of: "amazon-" },
    Renamed { old: "enhanced_networking", new: "ena_support", of: "amazon-" },
    Renamed {
        old: "temporary_security_group_source_cidr",
        new: "temporary_security_group_source_cidrs",
        of: "amazon-",
    },
    Renamed { old: "filename", new: "output", of: "manifest" },
    Renamed { old: "galaxycommand", new: "galaxy_command", of: "ansible-local" },
];

/// Options of Amazon's builders that Packer still takes and does nothing with.
pub(crate) const GIVEN_UP: [&str; 2] = ["spot_price_auto_product", "block_duration_minutes"];

/// The old name's new one.
pub(super) fn new_name(old: &str) -> &'static str {
    RENAMED.iter().find(|renamed| renamed.old == old).map_or("", |renamed| renamed.new)
}
