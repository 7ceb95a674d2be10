//! Steps on Windows that run as another user.

use crate::diagnostic::Diagnostic;
use crate::plan::Planner;
use crate::template::schema::{Deferred, Secret};

/// A password is of no use without a user.
pub(super) fn check(planner: &mut Planner<'_>, user: &Option<Deferred>, password: &Option<Secret>) {
    planner.check_fields("elevated_user", &[]);
    let user = user.as_ref().is_some_and(|user| !user.text().is_empty());
    let password = password.as_ref().is_some_and(|password| !password.reveal().is_empty());
    if password && !user {
        let text = "`elevated_password` is given without `elevated_user`";
        planner.error("elevated_password", Diagnostic::error("missing-option", text));
    }
}
