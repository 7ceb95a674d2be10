//! `null`: makes nothing; provisioners run on a machine that is there already.

use super::Builder;
use crate::communicator::CommunicatorOptions;
use crate::plan::{BUILD_LATER, ComponentKind, Planner};

crate::options! {
    /// Options of the `null` builder: a machine to run provisioners on.
    pub struct NullOptions {
        /// How to reach the machine.
        flat communicator: CommunicatorOptions,
    }
}

/// The builder, for the registry.
pub const BUILDER: Builder = Builder {
    kind: ComponentKind { name: "null", schema: NullOptions::schema, plan },
    prepare: None,
};

fn plan(planner: &mut Planner<'_>) {
    let decoded = planner.decode(NullOptions::schema(), NullOptions::decode_options);
    let Some(NullOptions { communicator }) = decoded else { return };
    planner.refuse_late(&[], BUILD_LATER);
    communicator.check(planner);
    if let Some(option) = communicator.missing_host() {
        planner.wrong(option, format!("`{option}` is needed"), "the machine's name or address");
    }
    communicator.check_one_login(planner);
    let text = "the builder `null` is not supported yet";
    planner.not_yet_because("", text, "");
}
