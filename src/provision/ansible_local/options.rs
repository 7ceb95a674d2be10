//! Options of the `ansible-local` provisioner.

use crate::template::schema::Deferred;

crate::options! {
    /// Runs Ansible playbooks on the instance.
    pub(super) struct AnsibleLocalOptions {
        /// The playbook. Excludes `playbook_files`.
        unhashed playbook_file: Option<String>,
        /// Playbooks; they run in this order.
        unhashed playbook_files: Vec<String>,
        /// A whole directory that becomes the staging directory.
        unhashed playbook_dir: Option<String>,
        /// Directories of playbooks that go to `playbooks` in the staging directory.
        unhashed playbook_paths: Vec<String>,
        /// Roles that go to `roles` in the staging directory.
        unhashed role_paths: Vec<String>,
        /// Collections that go to `collections` in the staging directory.
        unhashed collection_paths: Vec<String>,
        /// Directory of variables of groups.
        unhashed group_vars: Option<String>,
        /// Directory of variables of hosts.
        unhashed host_vars: Option<String>,
        /// The program that runs the playbooks.
        hashed command: String = "ansible-playbook".to_owned(),
        /// More arguments for it, as a shell of the instance reads them.
        hashed extra_arguments: Vec<Deferred>,
        /// An inventory of one's own.
        unhashed inventory_file: Option<String>,
        /// Groups of 127.0.0.1 in the inventory that is made.
        hashed inventory_groups: Vec<String>,
        /// Directory on the instance for everything; a new one in `/tmp` by default.
        hashed staging_directory: Option<String>,
        /// Whether the staging directory is removed.
        hashed clean_staging_directory: bool = false,
        /// Roles and collections to install before, as `ansible-galaxy` reads them.
        unhashed galaxy_file: Option<String>,
        /// The program that installs them.
        hashed galaxy_command: String = "ansible-galaxy".to_owned(),
        /// Where roles are installed on the instance.
        hashed galaxy_roles_path: Option<String>,
        /// Where collections are installed on the instance.
        hashed galaxy_collections_path: Option<String>,
        /// Whether those that are installed are replaced.
        hashed galaxy_force_install: bool = false,
        /// Whether those that they depend on are replaced, too.
        hashed galaxy_force_with_deps: bool = false,
    }
}
