//! Components of Packer that bake does not have, by the plugins that they come with: so that a
//! template that needs one is told apart from a typo.

use Role::{Builder, DataSource, PostProcessor, Provisioner};

/// What a component is in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A source's type.
    Builder,
    /// A provisioner's.
    Provisioner,
    /// A post-processor's.
    PostProcessor,
    /// A data source's.
    DataSource,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Builder => "builder",
            Provisioner => "provisioner",
            PostProcessor => "post-processor",
            DataSource => "data source",
        })
    }
}

/// A plugin with the names of its components.
struct Plugin {
    /// As in `required_plugins`, without `github.com/`.
    source: &'static str,
    components: &'static [(Role, &'static [&'static str])],
}

const PLUGINS: &[Plugin] = &[
    Plugin {
        source: "hashicorp/amazon",
        components: &[
            (
                Builder,
                &[
                    "amazon-chroot",
                    "amazon-ebs",
                    "amazon-ebssurrogate",
                    "amazon-ebsvolume",
                    "amazon-instance",
                ],
            ),
            (PostProcessor, &["amazon-import"]),
            (DataSource, &["amazon-ami", "amazon-parameterstore", "amazon-secretsmanager"]),
        ],
    },
    Plugin {
        source: "hashicorp/alicloud",
        components: &[(Builder, &["alicloud-ecs"]), (PostProcessor, &["alicloud-import"])],
    },
    Plugin {
        source: "hashicorp/ansible",
        components: &[(Provisioner, &["ansible", "ansible-local"])],
    },
    Plugin {
        source: "hashicorp/azure",
        components: &[
            (Builder, &["azure-arm", "azure-chroot", "azure-dtl"]),
            (Provisioner, &["azure-dtlartifact"]),
            (DataSource, &["azure-keyvaultsecret"]),
        ],
    },
    Plugin {
        source: "hashicorp/chef",
        components: &[(Provisioner, &["chef-client", "chef-solo"])],
    },
    Plugin { source: "hashicorp/cloudstack", components: &[(Builder, &["cloudstack"])] },
    Plugin { source: "hashicorp/converge", components: &[(Provisioner, &["converge"])] },
    Plugin {
        source: "digitalocean/digitalocean",
        components: &[
            (Builder, &["digitalocean"]),
            (PostProcessor, &["digitalocean-import"]),
            (DataSource, &["digitalocean-image"]),
        ],
    },
    Plugin {
        source: "hashicorp/docker",
        components: &[
            (Builder, &["docker"]),
            (PostProcessor, &["docker-import", "docker-push", "docker-save", "docker-tag"]),
        ],
    },
    Plugin {
        source: "hashicorp/external",
        components: &[(DataSource, &["external", "external-raw"])],
    },
    Plugin { source: "ivoronin/sshkey", components: &[(DataSource, &["sshkey"])] },
    Plugin {
        source: "ethanmdavidson/git",
        components: &[(DataSource, &["git-commit", "git-repository", "git-tree"])],
    },
    Plugin {
        source: "exoscale/exoscale",
        components: &[(Builder, &["exoscale"]), (PostProcessor, &["exoscale-import"])],
    },
    Plugin {
        source: "hashicorp/googlecompute",
        components: &[
            (Builder, &["googlecompute"]),
            (PostProcessor, &["googlecompute-export", "googlecompute-import"]),
            (DataSource, &["googlecompute-image", "googlecompute-secretsmanager"]),
        ],
    },
    Plugin {
        source: "hetznercloud/hcloud",
        components: &[(Builder, &["hcloud"]), (DataSource, &["hcloud-image"])],
    },
    Plugin { source: "hashicorp/hyperone", components: &[(Builder, &["hyperone"])] },
    Plugin { source: "hashicorp/hyperv", components: &[(Builder, &["hyperv-iso", "hyperv-vmcx"])] },
    Plugin { source: "hashicorp/inspec", components: &[(Provisioner, &["inspec"])] },
    Plugin { source: "hashicorp/jdcloud", components: &[(Builder, &["jdcloud"])] },
    Plugin { source: "kubevirt/kubevirt", components: &[(Builder, &["kubevirt-iso"])] },
    Plugin {
        source: "linode/linode",
        components: &[(Builder, &["linode"]), (DataSource, &["linode-image"])],
    },
    Plugin { source: "hashicorp/libvirt", components: &[(Builder, &["libvirt"])] },
    Plugin { source: "hashicorp/lxc", components: &[(Builder, &["lxc"])] },
    Plugin { source: "hashicorp/lxd", components: &[(Builder, &["lxd"])] },
    Plugin { source: "bloomberg/incus", components: &[(Builder, &["incus"])] },
    Plugin { source: "hashicorp/ncloud", components: &[(Builder, &["ncloud"])] },
    Plugin { source: "nutanix-cloud-native/nutanix", components: &[(Builder, &["nutanix"])] },
    Plugin { source: "hashicorp/oneandone", components: &[(Builder, &["oneandone"])] },
    Plugin { source: "hashicorp/openstack", components: &[(Builder, &["openstack"])] },
    Plugin {
        source: "hashicorp/oracle",
        components: &[(Builder, &["oracle-classic", "oracle-oci"])],
    },
    Plugin {
        source: "outscale/outscale",
        components: &[(Builder, &["outscale-bsu", "outscale-bsusurrogate", "outscale-bsuvolume"])],
    },
    Plugin {
        source: "Parallels/parallels",
        components: &[
            (Builder, &["parallels-iso", "parallels-ipsw", "parallels-macvm", "parallels-pvm"]),
            (PostProcessor, &["parallels-vagrant"]),
        ],
    },
    Plugin { source: "hashicorp/profitbricks", components: &[(Builder, &["profitbricks"])] },
    Plugin {
        source: "hashicorp/proxmox",
        components: &[(Builder, &["proxmox", "proxmox-clone", "proxmox-iso"])],
    },
    Plugin {
        source: "hashicorp/puppet",
        components: &[(Provisioner, &["puppet-masterless", "puppet-server"])],
    },
    Plugin { source: "hashicorp/qemu", components: &[(Builder, &["qemu"])] },
    Plugin { source: "hashicorp/salt", components: &[(Provisioner, &["salt-masterless"])] },
    Plugin { source: "scaleway/scaleway", components: &[(Builder, &["scaleway"])] },
    Plugin { source: "hashicorp/tencentcloud", components: &[(Builder, &["tencentcloud-cvm"])] },
    Plugin { source: "cirruslabs/tart", components: &[(Builder, &["tart-cli"])] },
    Plugin { source: "hashicorp/triton", components: &[(Builder, &["triton"])] },
    Plugin {
        source: "hashicorp/ucloud",
        components: &[(Builder, &["ucloud-uhost"]), (PostProcessor, &["ucloud-import"])],
    },
    Plugin {
        source: "upcloudltd/upcloud",
        components: &[(Builder, &["upcloud"]), (PostProcessor, &["upcloud-import"])],
    },
    Plugin {
        source: "hashicorp/vagrant",
        components: &[
            (Builder, &["vagrant"]),
            (PostProcessor, &["vagrant", "vagrant-cloud", "vagrant-registry"]),
        ],
    },
    Plugin {
        source: "hashicorp/virtualbox",
        components: &[(Builder, &["virtualbox-iso", "virtualbox-ovf", "virtualbox-vm"])],
    },
    Plugin { source: "vultr/vultr", components: &[(Builder, &["vultr"])] },
    Plugin { source: "vmware/vmware", components: &[(Builder, &["vmware-iso", "vmware-vmx"])] },
    Plugin {
        source: "vmware/vsphere",
        components: &[
            (Builder, &["vsphere-clone", "vsphere-iso", "vsphere-supervisor"]),
            (PostProcessor, &["vsphere", "vsphere-template"]),
            (DataSource, &["vsphere-virtualmachine"]),
        ],
    },
    Plugin { source: "rgl/windows-update", components: &[(Provisioner, &["windows-update"])] },
    Plugin {
        source: "hashicorp/yandex",
        components: &[(Builder, &["yandex"]), (PostProcessor, &["yandex-export", "yandex-import"])],
    },
];

/// Components that are built into Packer itself.
const BUILT_IN: &[(Role, &[&str])] = &[
    (Builder, &["file", "null"]),
    (
        Provisioner,
        &[
            "breakpoint",
            "file",
            "hcp-sbom",
            "powershell",
            "shell",
            "shell-local",
            "sleep",
            "windows-restart",
            "windows-shell",
        ],
    ),
    (PostProcessor, &["artifice", "checksum", "compress", "manifest", "provenance", "shell-local"]),
    (
        DataSource,
        &[
            "hcp-packer-artifact",
            "hcp-packer-image",
            "hcp-packer-iteration",
            "hcp-packer-version",
            "http",
            "null",
        ],
    ),
];

/// Where a component that bake does not have comes from in Packer, and what to do without it.
pub(crate) struct Known {
    /// Where from.
    pub(crate) note: String,
    /// What to do.
    pub(crate) help: String,
}

/// What is known of a component of this name; `None` when Packer has none either.
pub(crate) fn known(role: Role, name: &str) -> Option<Known> {
    let holds = |components: &[(Role, &[&str])]| {
        components.iter().any(|(is, names)| *is == role && names.contains(&name))
    };
    let note = if holds(BUILT_IN) {
        format!("`{name}` is built into Packer; bake does not have it yet")
    } else {
        let source = PLUGINS.iter().find(|plugin| holds(plugin.components))?.source;
        let why = if source == OWN { "bake does not have it yet" } else { "bake runs no plugins" };
        format!("`{name}` is in the Packer plugin `{source}`; {why}")
    };
    Some(Known { note, help: instead(role, name).to_owned() })
}

/// The plugin whose components bake is to have.
const OWN: &str = "hashicorp/amazon";

/// What to do without a component.
fn instead(role: Role, name: &str) -> &'static str {
    match (role, name) {
        (Builder, _) => {
            "bake makes Amazon images: leave this build out with `-except`, or keep it with Packer"
        }
        (Provisioner, "windows-update") => {
            "install updates in a `powershell` provisioner, and restart with `windows-restart`"
        }
        (Provisioner, "inspec") => {
            "run `inspec exec` on this machine in a `shell-local` provisioner, or on the instance in a `shell` one"
        }
        (Provisioner, "puppet-server" | "chef-client") => {
            "install the agent and run it once in a `shell` provisioner"
        }
        (Provisioner, "chef-solo" | "puppet-masterless" | "salt-masterless" | "converge") => {
            "upload what it applies with a `file` provisioner, then run it in a `shell` one"
        }
        (Provisioner, _) => "do the same in a `shell` provisioner",
        (PostProcessor, _) => {
            "do the same in a `shell-local` post-processor, or after bake has ended"
        }
        (
            DataSource,
            "git-commit" | "git-repository" | "git-tree" | "external" | "external-raw" | "sshkey",
        ) => "look it up before, and pass it as a variable: `-var NAME=…`",
        (DataSource, _) => "pass the value as a variable: `-var NAME=…`",
    }
}
