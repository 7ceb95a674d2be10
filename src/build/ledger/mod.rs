//! The ledger: what a run was about to make, made and removed, on disk before it happens.
//!
//! One file a run, `<run id>.jsonl` in `$XDG_STATE_HOME/bake/runs`, one JSON object a line.
//! The first line opens it and says the version of the format. Some lines are about one entry, a
//! thing in the cloud, known by its number:
//!
//! | event | when | fields besides `entry` |
//! |---|---|---|
//! | `intent` | before the create call | `at`, `kind`, `name`, `build`, `region`, `endpoint`, `ec2_only`, `account` |
//! | `created` | right after it | `id` |
//! | `refused` | the call was refused: there is nothing | |
//! | `deleted` | it is gone | |
//! | `kept` | it is part of the result and nobody's leftover | |
//! | `forgotten` | nobody is to look for it any more, whether it is there or not | |
//!
//! The others are about the run, or one of its builds:
//!
//! | event | when | fields |
//! |---|---|---|
//! | `opened` | first of all | `version`, `run`, `at`, `pid`, `process` |
//! | `started` | the builds begin | `at`, `template`, `builds`, `deadline`, `sandbox` |
//! | `hashed` | the image hash of a build is known | `build`, `image_hash`, `name` |
//! | `publication` | before the image is made | `build`, `publication`: what is to be done with it |
//! | `ended` | a build has ended | `build`, `at`, `how`, `images` |
//! | `closed` | nothing of the run is left over | `at` |
//!
//! Version 1 had no `process`, `ec2_only`, `started`, `hashed`, `publication` and `ended`; it is
//! still read.
//!
//! Each line is on the disk before the next call is made. `name` is the name, or the client
//! token, by which a thing can be found whose id never arrived. A closed ledger is renamed to
//! `<run id>.done`, so what still ends in `.jsonl` is a run under way or a dead one: [`Life`] says
//! which. Whoever writes to a ledger has it locked (flock).
//!
//! A reader takes a last line without an end as never written. A line that it cannot read
//! elsewhere, after a crash of the machine or a full disk, is told and costs nothing but itself:
//! what the line was about is found again by the run's tags.

mod directory;
mod process;
mod reader;
mod record;
mod writer;

pub use directory::{Claimed, Listed, RunState, abandoned, claim, default_directory, find, list};
pub use process::{Life, Process};
pub use reader::{Broken, BuildReading, Leftover, Reading, Unreadable, read};
pub use record::{Ending, Intent, Place, Record, VERSION};
pub use writer::{Ledger, Start};

#[cfg(test)]
pub(crate) use writer::tests;
