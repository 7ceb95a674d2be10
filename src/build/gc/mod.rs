//! What dead runs left: found by their ledgers and by tags, and removed with the teardown of a build.
//!
//! Two ways lead to it, and both are gone:
//!
//! - **Ledgers** of this machine ([`recorded`]). A run whose process is gone is due at once. What its
//!   ledger names is looked for where the ledger says, and so is what has the tags of the run there.
//! - **Tags** alone ([`tagged`]), in the regions that are asked for. A run that is known on this
//!   machine is due when it is over; any other when the deadline in its tags has passed.
//!
//! What a ledger names where nobody gets to any more can be given up on ([`forget`]).
//!
//! Never touched are runs under way, images with an image hash (they are complete), their snapshots,
//! and whatever has no tags of ours.

mod clouds;
mod collector;
mod forget;
mod recorded;
mod report;
mod tagged;

pub use clouds::{Clouds, Site};
pub use collector::{Regions, Settings, collect};
pub use forget::{NotForgotten, forget};
pub use report::{Finding, Outcome, Report, Skipped};
