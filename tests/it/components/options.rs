//! The options of each component against the tables of Packer's documentation.

use super::roles;

/// The options that all provisioners with scripts have.
const SCRIPTS: &str = "inline script scripts valid_exit_codes environment_vars env";

/// How AWS is reached.
const ACCESS: &str = "access_key secret_key token region profile shared_credentials_file \
    assume_role vault_aws_engine mfa_code custom_endpoint_ec2 max_retries insecure_skip_tls_verify \
    skip_metadata_api_check skip_credential_validation decode_authorization_messages aws_polling";

/// Role, name and options of each component, the parts in any order (`packer-core.md` sections 4.2
/// to 4.15, `packer-amazon.md` section 3.6, the Ansible plugin's documentation).
const TABLE: &[(&str, &str, &[&str])] = &[
    (
        "provisioner",
        "ansible",
        &["playbook_file command extra_arguments ansible_env_vars ansible_ssh_extra_args groups \
           empty_groups host_alias user local_port ssh_host_key_file ssh_authorized_key_file \
           ansible_proxy_key_type sftp_command use_sftp skip_version_check inventory_directory \
           inventory_file_template inventory_file keep_inventory_file galaxy_file galaxy_command \
           galaxy_force_install galaxy_force_with_deps roles_path collections_path use_proxy"],
    ),
    (
        "provisioner",
        "ansible-local",
        &["playbook_file playbook_files playbook_dir playbook_paths role_paths collection_paths \
           group_vars host_vars command extra_arguments inventory_file inventory_groups \
           staging_directory clean_staging_directory galaxy_file galaxy_command \
           galaxy_roles_path galaxy_collections_path galaxy_force_install galaxy_force_with_deps"],
    ),
    ("provisioner", "breakpoint", &["note disable"]),
    ("provisioner", "file", &["source sources content destination direction generated", OWN_FILE]),
    (
        "provisioner",
        "hcp-sbom",
        &["source auto_generate destination sbom_name scan_path scanner_args execute_command \
           elevated_user elevated_password scanner_url scanner_checksum"],
    ),
    (
        "provisioner",
        "powershell",
        &[
            SCRIPTS,
            "binary remote_path remote_env_var_path env_var_format elevated_env_var_format \
             execution_policy use_pwsh debug_mode execute_command elevated_execute_command \
             elevated_user elevated_password start_retry_timeout skip_clean pause_after",
        ],
    ),
    (
        "provisioner",
        "shell",
        &[
            SCRIPTS,
            "inline_shebang binary env_var_format use_env_var_file execute_command remote_folder \
             remote_file remote_path start_retry_timeout expect_disconnect skip_clean pause_after",
        ],
    ),
    ("provisioner", "shell-local", &[SCRIPTS, SHELL_LOCAL]),
    ("provisioner", "sleep", &["duration"]),
    (
        "provisioner",
        "windows-restart",
        &["restart_command restart_check_command restart_timeout check_registry registry_keys"],
    ),
    (
        "provisioner",
        "windows-shell",
        &[SCRIPTS, "binary remote_path execute_command env_var_format start_retry_timeout"],
    ),
    (
        "post-processor",
        "amazon-import",
        &[
            ACCESS,
            "s3_bucket_name s3_key_name s3_encryption s3_encryption_key format architecture \
             boot_mode platform license_type role_name ami_name ami_description ami_users \
             ami_groups ami_org_arns ami_ou_arns imds_support ami_encrypt ami_kms_key tags \
             skip_clean skip_region_validation",
        ],
    ),
    ("post-processor", "artifice", &["files"]),
    ("post-processor", "checksum", &["checksum_types output"]),
    ("post-processor", "compress", &["output format compression_level"]),
    ("post-processor", "manifest", &["output strip_path strip_time custom_data"]),
    (
        "post-processor",
        "provenance",
        &["provenance build_type output_dir template only_builds user_variables source_uri sbom \
           sbom_format sbom_scan_path sbom_scope sbom_exclude signing_mode signer verifier \
           fulcio_url rekor_url upload_tlog trusted_root_path keyless_identity \
           keyless_oidc_issuer"],
    ),
    ("post-processor", "shell-local", &[SCRIPTS, SHELL_LOCAL]),
];

/// What Packer's `file` does not have.
const OWN_FILE: &str = "exclude symlinks mode directory_mode owner group";

const SHELL_LOCAL: &str = "command execute_command inline_shebang env_var_format \
    tempfile_extension only_on use_linux_pathing";

#[test]
fn every_option_of_packer_is_there_and_no_other() {
    for (role, kinds) in roles().into_iter().skip(1) {
        for kind in kinds {
            let listed = TABLE.iter().find(|(of, name, _)| (*of, *name) == (role, kind.name));
            let Some((_, _, listed)) = listed else { panic!("{role} {} is not listed", kind.name) };
            let mut listed: Vec<_> =
                listed.iter().flat_map(|part| part.split_whitespace()).collect();
            let schema = (kind.schema)();
            let mut names: Vec<_> = schema.options.iter().map(|option| option.name).collect();
            listed.sort_unstable();
            names.sort_unstable();
            assert_eq!(names, listed, "{role} {}", kind.name);
        }
    }
    for (role, name, _) in TABLE {
        let kinds = roles().into_iter().find(|(of, _)| of == role).expect("a role").1;
        assert!(kinds.iter().any(|kind| kind.name == *name), "{role} {name} is gone");
    }
}

/// One line each: `bake docs` prints them in a column.
#[test]
fn every_option_is_documented() {
    for (role, kinds) in roles() {
        for kind in kinds {
            let schema = (kind.schema)();
            assert!(!schema.doc.is_empty(), "{role} {}", kind.name);
            for option in &schema.options {
                let doc = &option.doc;
                let place = format!("{role} {}: {}: {doc}", kind.name, option.name);
                assert!(doc.ends_with(['.', '…']), "{place}");
                assert!(doc.starts_with(|first: char| !first.is_lowercase()), "{place}");
                assert!(!doc.contains('\n') && doc.chars().count() < 200, "{place}");
            }
        }
    }
}

#[test]
fn names_are_unique() {
    for (role, kinds) in roles() {
        let mut names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{role}");
        for kind in kinds {
            let schema = (kind.schema)();
            let mut options: Vec<_> = schema.options.iter().map(|option| option.name).collect();
            options.sort_unstable();
            let twice = options.windows(2).find(|pair| pair[0] == pair[1]);
            assert_eq!(twice, None, "{role} {}", kind.name);
        }
    }
}
