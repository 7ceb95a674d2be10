//! The way to the clouds in which runs worked.

use futures::future::BoxFuture;

use crate::aws::{AwsError, Client};
use crate::build::ledger::Place;

/// A cloud to look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// The one that this process is configured for, in a region of it or in the configured one.
    Configured {
        /// The region.
        region: Option<String>,
    },
    /// The one that a ledger names.
    Recorded {
        /// Where.
        place: Place,
        /// Whether it was bake's own, and ended with the run.
        sandbox: bool,
    },
}

/// Makes clients.
pub trait Clouds: Send + Sync {
    /// A client for a site.
    ///
    /// # Errors
    /// When there is no way there.
    fn connect<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Result<Client, String>>;
}

/// What an error of AWS says to people, with what to do.
pub(super) fn told(error: &AwsError) -> String {
    error.with_hints()
}
