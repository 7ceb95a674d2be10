//! The engine: what a build does to the world, and how the world is put back.
//!
//! Every resource is in the [`ledger`] before the call that makes it, and teardown
//! runs on success, failure, panic and interruption. A [`builder`] is a run over
//! this; it never prints and is never dropped half way through a create call.

mod cancel;
mod clock;
mod conclusion;
mod connection_data;
mod context;
mod dead_man;
mod error;
pub mod gc;
mod key;
mod lease;
pub mod ledger;
mod machine;
mod places;
mod preflight;
mod resources;
mod resume;
mod run;
mod shared_record;
mod source_search;
mod step;
mod teardown;

pub mod builder;

pub use builder::KINDS;
pub use cancel::{Cancel, Signal, Urgency};
pub use clock::Clock;
pub use context::{
    Apart, BoxError, BuildContext, BuildOutcome, Connect, ConnectRequest, Identify, ImageIdentity,
    Killed, OnError, Provision, ProvisionRequest, ResolvedSource, Way,
};
pub use error::BuildError;
pub(crate) use error::kind_name;
pub use ledger::Ledger;
pub use places::Places;
pub use resources::{Resource, Resources};
pub use resume::{ResumeError, resume};
pub use run::{LIFETIME, RunError, RunSettings, record, run};
pub use shared_record::{SharedRecord, SharedRecordError, shared_record};
pub use source_search::SourceSearch;
pub use teardown::{Left, Teardown};
