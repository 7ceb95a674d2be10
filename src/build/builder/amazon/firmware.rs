//! How instances of a registered image boot.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::plan::Planner;

crate::options! {
    /// How instances of the image boot.
    pub struct FirmwareOptions {
        /// `x86_64`, `arm64`, `i386`, `x86_64_mac` or `arm64_mac`.
        hashed ami_architecture: String = "x86_64".to_owned(),
        /// `legacy-bios`, `uefi` or `uefi-preferred`.
        hashed boot_mode: Option<String>,
        /// UEFI variables in base64.
        hashed uefi_data: Option<String>,
        /// `v2.0`: instances have a trusted platform module.
        hashed tpm_support: Option<String>,
    }
}

impl FirmwareOptions {
    /// Reports what is wrong with them.
    pub fn check(&self, planner: &mut Planner<'_>) {
        planner.one_of(
            "ami_architecture",
            Some(&self.ami_architecture),
            &["x86_64", "arm64", "i386", "x86_64_mac", "arm64_mac"],
        );
        let mode = self.boot_mode.as_deref().filter(|text| !text.is_empty());
        planner.one_of("boot_mode", mode, &["legacy-bios", "uefi", "uefi-preferred"]);
        check_tpm(self.tpm_support.as_deref(), planner);
        if !planner.asks_for("uefi_data") {
            return;
        }
        if mode == Some("legacy-bios") {
            let text = "`uefi_data` is of no use with `boot_mode = \"legacy-bios\"`";
            planner.wrong("uefi_data", text, "");
        } else if mode.is_none() && !self.ami_architecture.starts_with("arm64") {
            let text = "`uefi_data` needs `boot_mode`";
            planner.wrong("uefi_data", text, "`uefi` or `uefi-preferred`");
        }
        let data = self.uefi_data.as_deref().unwrap_or_default();
        if BASE64.decode(data.trim()).is_err() && !planner.is_late("uefi_data") {
            let text = "`uefi_data` is not in base64";
            planner.wrong("uefi_data", text, "as `aws ec2 get-instance-uefi-data` prints it");
        }
    }
}

/// Reports an unknown trusted platform module.
pub fn check_tpm(version: Option<&str>, planner: &mut Planner<'_>) {
    planner.one_of("tpm_support", version, &["v2.0"]);
}
