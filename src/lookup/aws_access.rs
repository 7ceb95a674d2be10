//! How data sources of AWS say which account and region they mean.

use crate::aws::{Access, AccessOptions};
use crate::diagnostic::Diagnostic;
use crate::template::data_source::DataReader;

/// The access that the options mean. What bake cannot do yet is an error.
pub(super) fn access(options: &AccessOptions, reader: &mut DataReader<'_>) -> Access {
    for (option, instead) in [
        ("vault_aws_engine", "export the credentials into the environment"),
        ("mfa_code", "use a profile with `mfa_serial` and `aws sts get-session-token`"),
    ] {
        if reader.is_given(option) {
            let summary = format!("`{option}` is not supported in a data source yet");
            reader.error(option, Diagnostic::error("unsupported-option", summary).help(instead));
        }
    }
    if options.access_key.is_some() != options.secret_key.is_some() {
        let (given, missing) = match options.access_key {
            Some(_) => ("access_key", "secret_key"),
            None => ("secret_key", "access_key"),
        };
        let summary = format!("`{given}` needs `{missing}`");
        reader.error(given, Diagnostic::error("missing-option", summary));
    }
    Access::from(options)
}
