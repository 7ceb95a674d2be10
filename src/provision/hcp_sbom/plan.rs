//! Checking an `hcp-sbom` step.

use super::options::{HcpSbomOptions, usual_command};
use crate::diagnostic::Diagnostic;
use crate::plan::Planner;
use crate::provision::elevation;

/// How long the name of a list may be.
const NAME_LENGTH: std::ops::RangeInclusive<usize> = 3..=36;

/// Options that only matter to the scanner.
const OF_THE_SCANNER: &[&str] =
    &["scan_path", "scanner_args", "execute_command", "elevated_user", "elevated_password"];

/// Options that are taken and not used, as in Packer.
const UNUSED: &[&str] = &["scanner_url", "scanner_checksum"];

/// Checks the options.
pub(super) fn plan(planner: &mut Planner<'_>) {
    planner.unsupported_yet("provisioner");
    let schema = HcpSbomOptions::schema();
    let Some(options) = planner.decode(schema, HcpSbomOptions::decode_options) else { return };
    planner.usual("execute_command", &usual_command());
    where_from(planner, &options);
    if let Some(name) = &options.sbom_name {
        check_name(planner, name);
    }
    elevation::check(planner, &options.elevated_user, &options.elevated_password);
    for option in UNUSED {
        if planner.is_given(option) {
            let text = format!("`{option}` does nothing");
            planner.error(option, Diagnostic::warning("no-effect", text));
        }
    }
    planner.set_title("Fetching the software bill of materials");
}

fn where_from(planner: &mut Planner<'_>, options: &HcpSbomOptions) {
    let source = options.source.as_ref().is_some_and(|source| !source.is_empty());
    let wrong = |text: &str| Diagnostic::error("what-to-fetch", text);
    let made = options.auto_generate || planner.is_late("auto_generate");
    if source && options.auto_generate {
        let finding = wrong("`source` and `auto_generate` exclude each other");
        planner.error("auto_generate", finding);
    } else if !source && !made {
        let text = "an `hcp-sbom` provisioner needs one of `source` and `auto_generate`";
        planner.error("source", wrong(text));
    }
    if made {
        return;
    }
    for option in OF_THE_SCANNER {
        if planner.is_given(option) {
            let text = format!("`{option}` does nothing without `auto_generate`");
            planner.error(option, Diagnostic::warning("no-effect", text));
        }
    }
}

fn check_name(planner: &mut Planner<'_>, name: &str) {
    let letters = name.chars().all(|one| one.is_ascii_alphanumeric() || one == '-');
    if planner.is_late("sbom_name") || (letters && NAME_LENGTH.contains(&name.len())) {
        return;
    }
    let finding = Diagnostic::error("wrong-value", format!("`sbom_name` cannot be `{name}`"))
        .note("it has 3 to 36 letters, digits and hyphens");
    planner.error("sbom_name", finding);
}
