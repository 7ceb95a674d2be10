//! Options of the `ansible` provisioner.

use crate::template::schema::Deferred;

crate::options! {
    /// Runs an Ansible playbook on this machine against the instance.
    pub(super) struct AnsibleOptions {
        /// The playbook.
        unhashed playbook_file: String,
        /// The program that runs the playbook.
        hashed command: String = "ansible-playbook".to_owned(),
        /// More arguments for it; they do not pass through a shell.
        hashed extra_arguments: Vec<Deferred>,
        /// Variables of its environment, as `NAME=VALUE`.
        hashed ansible_env_vars: Vec<Deferred>,
        /// What `--ssh-extra-args` says; `-o IdentitiesOnly=yes` by default.
        hashed ansible_ssh_extra_args: Vec<Deferred>,
        /// Groups of the instance in the inventory.
        hashed groups: Vec<String>,
        /// Groups of the inventory with nothing in them.
        hashed empty_groups: Vec<String>,
        /// Name of the instance in the inventory.
        hashed host_alias: String = "default".to_owned(),
        /// The user that Ansible logs in as; by default the one of the build's connection.
        hashed user: Option<String>,
        /// Where to listen for Ansible: the first free one of ten ports from here on.
        unhashed local_port: u32 = 0,
        /// Host key of the proxy; a new one by default.
        unhashed ssh_host_key_file: Option<String>,
        /// Public key that may log in to the proxy; a new one by default.
        unhashed ssh_authorized_key_file: Option<String>,
        /// Type of the keys that are made for the proxy: `ECDSA` or `RSA`.
        unhashed ansible_proxy_key_type: String = "ECDSA".to_owned(),
        /// What serves SFTP on the instance.
        hashed sftp_command: String = "/usr/lib/sftp-server -e".to_owned(),
        /// Whether files are copied over SFTP.
        hashed use_sftp: bool = false,
        /// Whether Ansible need not be there before the build.
        unhashed skip_version_check: bool = false,
        /// Directory for the inventory that is made, next to `group_vars` and `host_vars`.
        unhashed inventory_directory: Option<String>,
        /// A line of the inventory, with `.HostAlias`, `.Host`, `.User` and `.Port`.
        hashed inventory_file_template: Option<Deferred>,
        /// An inventory of one's own.
        unhashed inventory_file: Option<String>,
        /// Whether the inventory that is made stays.
        unhashed keep_inventory_file: bool = false,
        /// Roles and collections to install before, as `ansible-galaxy` reads them.
        unhashed galaxy_file: Option<String>,
        /// The program that installs them.
        hashed galaxy_command: String = "ansible-galaxy".to_owned(),
        /// Whether those that are installed are replaced.
        hashed galaxy_force_install: bool = false,
        /// Whether those that they depend on are replaced, too.
        hashed galaxy_force_with_deps: bool = false,
        /// Where roles are installed.
        unhashed roles_path: Option<String>,
        /// Where collections are installed.
        unhashed collections_path: Option<String>,
        /// Whether Ansible goes through a proxy on this machine.
        unhashed use_proxy: bool = true,
    }
}
