//! How data sources of AWS say which account and region they mean.

use crate::aws::{Access, AccessOptions};
use crate::template::data_source::DataReader;

/// The access that the options mean; says what is wrong with them.
pub(super) fn access(options: &AccessOptions, reader: &mut DataReader<'_>) -> Access {
    for (option, finding) in options.problems() {
        reader.error(option, finding);
    }
    for (option, finding) in options.unsupported() {
        reader.unsupported(option, finding);
    }
    options.access()
}
