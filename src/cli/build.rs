//! `bake build`.
use super::Exit;
use super::arguments::BuildArguments;
pub(super) fn run(_arguments: &BuildArguments) -> Exit { Exit::Failed }
