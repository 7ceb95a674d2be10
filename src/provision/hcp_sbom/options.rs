//! Options of the `hcp-sbom` provisioner.

use crate::template::schema::{Deferred, Secret};

crate::options! {
    /// Fetches a software bill of materials from the instance, or has it made there.
    pub(super) struct HcpSbomOptions {
        /// Path of the list on the instance. Excludes `auto_generate`.
        unhashed source: Option<String>,
        /// Whether the list is made by a scanner on the instance.
        hashed auto_generate: bool = false,
        /// Where to keep a copy: a file, or a directory with a `/` at its end.
        unhashed destination: Option<String>,
        /// Name of the list: 3 to 36 letters, digits and hyphens.
        unhashed sbom_name: Option<String>,
        /// Directory on the instance that is scanned.
        hashed scan_path: String = "/".to_owned(),
        /// Arguments of the scanner.
        hashed scanner_args: Vec<String> = vec!["-o".to_owned(), "cyclonedx-json".to_owned()],
        /// Where to get the scanner; Packer takes it and does not use it.
        unhashed scanner_url: Option<String>,
        /// Digest of the scanner; Packer takes it and does not use it.
        unhashed scanner_checksum: Option<String>,
        /// How the scanner is run: a Go template with `.Path`, `.Args`, `.ScanPath` and `.Output`.
        hashed execute_command: Option<Deferred>,
        /// User that runs the scanner on Windows, with all rights.
        hashed elevated_user: Option<Deferred>,
        /// Password of `elevated_user`.
        unhashed elevated_password: Option<Secret>,
    }
}

/// How the scanner is run on Unix unless the template says otherwise.
pub(super) fn usual_command() -> Deferred {
    Deferred::new(
        "chmod +x {{.Path}} && sudo {{.Path}} sbom-generate {{.Args}} {{.ScanPath}} > {{.Output}}",
    )
}
