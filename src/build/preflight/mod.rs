//! What would fail late, refused early: before anything is made, as far as that can be known.
//!
//! Source image, network, name, key and agent are looked up by the builder in any case. Here is what
//! only shows later otherwise: the disk that the ledger is on, the time that the credentials have
//! left, whether the instance type is offered and the quota has room for it, and what the
//! credentials may do. Whoever may not ask is not stopped.

mod credentials;
mod instance_type;
mod permission;
mod quota;
mod room;

pub(super) use credentials::check_credentials;
pub(super) use instance_type::check_instance_type;
pub(super) use permission::{Asker, Question};
pub(super) use quota::{Launching, QuotaCheck, beyond_quota};
pub(super) use room::check_room;
