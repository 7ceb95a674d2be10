//! `provenance`: a signed statement of what was built from what.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::plan::{ComponentKind, Planner};

use super::ROLE;

/// How a statement may be signed.
const SIGNING_MODES: &[&str] = &["key", "keyless", "kms", "none"];

/// What a list of software may be written as.
const SBOM_FORMATS: &[&str] = &["cyclonedx", "spdx"];

/// Services that keep keys, as a signer begins with them.
const KEY_SERVICES: &[&str] = &["awskms://", "azurekms://", "gcpkms://", "hashivault://"];

/// Options that only matter to keyless signing.
const OF_KEYLESS: &[&str] = &[
    "fulcio_url",
    "rekor_url",
    "upload_tlog",
    "trusted_root_path",
    "keyless_identity",
    "keyless_oidc_issuer",
];

crate::options! {
    /// Writes what was built from what, as in-toto and SLSA have it.
    struct ProvenanceOptions {
        /// Whether it does anything.
        unhashed provenance: bool = true,
        /// What the statement calls this way of building.
        unhashed build_type: String = "https://packer.io/buildtypes/hcl2/v1".to_owned(),
        /// Directory of what is written; that of the artifact's first file, or this one.
        unhashed output_dir: Option<String>,
        /// Name of the template, to be written down.
        unhashed template: Option<String>,
        /// Names of the builds, to be written down.
        unhashed only_builds: Vec<String>,
        /// Values of variables, to be written down.
        unhashed user_variables: BTreeMap<String, String>,
        /// Where the template comes from; by default from CI or the local Git repository.
        unhashed source_uri: Option<String>,
        /// Whether a list of the software is made, too.
        unhashed sbom: bool = false,
        /// Format of that list: `cyclonedx` or `spdx`.
        unhashed sbom_format: String = "cyclonedx".to_owned(),
        /// What is scanned for it.
        unhashed sbom_scan_path: Option<String>,
        /// Which layers are scanned.
        unhashed sbom_scope: String = "squashed".to_owned(),
        /// What is left out of the scan.
        unhashed sbom_exclude: Vec<String>,
        /// How statements are signed: `none`, `key`, `kms` or `keyless`.
        unhashed signing_mode: String = "none".to_owned(),
        /// The key: a PEM file, or a key in `awskms://`, `gcpkms://`, `azurekms://`, `hashivault://`.
        unhashed signer: Option<String>,
        /// The public key that signatures are checked with, as a PEM file.
        unhashed verifier: Option<String>,
        /// The service that certifies keyless signers.
        unhashed fulcio_url: String = "https://fulcio.sigstore.dev".to_owned(),
        /// The log of signatures.
        unhashed rekor_url: String = "https://rekor.sigstore.dev".to_owned(),
        /// Whether signatures go to the log.
        unhashed upload_tlog: bool = false,
        /// Roots of trust other than Sigstore's public ones, as a file.
        unhashed trusted_root_path: Option<String>,
        /// The identity that a keyless signature must have.
        unhashed keyless_identity: Option<String>,
        /// The issuer that a keyless signature must have.
        unhashed keyless_oidc_issuer: Option<String>,
    }
}

/// The post-processor, for the registry.
pub(super) const KIND: ComponentKind =
    ComponentKind { name: "provenance", schema: ProvenanceOptions::schema, plan };

fn plan(planner: &mut Planner<'_>) {
    planner.unsupported_yet(ROLE);
    let schema = ProvenanceOptions::schema();
    let Some(options) = planner.decode(schema, ProvenanceOptions::decode_options) else { return };
    planner.set_title("Writing provenance");
    planner.one_of("sbom_format", Some(&options.sbom_format), SBOM_FORMATS);
    planner.one_of("signing_mode", Some(&options.signing_mode), SIGNING_MODES);
    signing(planner, &options);
}

/// Whether the key that a mode needs is there.
fn signing(planner: &mut Planner<'_>, options: &ProvenanceOptions) {
    if planner.is_late("signing_mode") || planner.is_late("signer") {
        return;
    }
    let signer = options.signer.as_deref().filter(|signer| !signer.is_empty());
    let service = signer.is_some_and(|one| KEY_SERVICES.iter().any(|is| one.starts_with(is)));
    let mode = options.signing_mode.as_str();
    let wrong = |text: String| Diagnostic::error("wrong-signer", text);
    match (mode, signer) {
        ("key" | "kms", None) => {
            planner.error("signing_mode", wrong(format!("`signing_mode` `{mode}` needs `signer`")));
        }
        ("key", Some(signer)) if service => {
            let text = format!("`{signer}` is no file");
            planner.error("signer", wrong(text).help("set `signing_mode` to `kms`"));
        }
        ("kms", Some(signer)) if !service => {
            let text = format!("`{signer}` is no key of a key service");
            let known = KEY_SERVICES.join(", ");
            planner.error("signer", wrong(text).note(format!("it begins with one of {known}")));
        }
        _ => {}
    }
    if mode == "keyless" {
        return;
    }
    for option in OF_KEYLESS {
        if planner.is_given(option) {
            let text = format!("`{option}` does nothing unless `signing_mode` is `keyless`");
            planner.error(option, Diagnostic::warning("no-effect", text));
        }
    }
}
