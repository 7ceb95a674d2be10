//! `bake runs resume`.

use std::path::PathBuf;

use crate::build::gc::{self, Regions};
use crate::build::ledger::Listed;
use crate::build::{Cancel, Clock, resume};
use crate::render::Mask;

use super::clouds::Reachable;
use super::outcome::{complain, failed, plain_log, print};
use super::signals::Signals;
use super::told::told;
use super::{Exit, runtime};

/// Finishes the image of a dead run, then removes what else is left of it.
pub(super) fn run(listed: &Listed, ledgers: PathBuf, mask: &Mask) -> Exit {
    let clouds = Reachable::default();
    runtime::run(async {
        let exit = finish(listed, ledgers, &clouds, mask).await;
        clouds.close().await;
        exit
    })
}

async fn finish(listed: &Listed, ledgers: PathBuf, clouds: &Reachable, mask: &Mask) -> Exit {
    let signals = match Signals::take() {
        Ok(signals) => signals,
        Err(error) => return failed(&error),
    };
    let clock = Clock::system();
    let work = async |events, cancel: &Cancel| {
        resume(listed, clouds, &events, cancel.stop(), &clock).await
    };
    let (resumed, came) = told(work, signals, plain_log(), mask).await;
    let images = match resumed {
        Ok(images) => images,
        Err(error) => {
            let mut text = format!("error: {error}");
            for hint in error.hints(&listed.run) {
                text += &format!("\n  = help: {hint}");
            }
            complain(&mask.apply(&text));
            return came.map_or(Exit::Failed, super::build::interrupted);
        }
    };
    let settings = gc::Settings {
        ledgers,
        run: Some(listed.run.clone()),
        older_than: None,
        dry_run: false,
        // Its ledger knows where it was.
        regions: Regions::These(Vec::new()),
    };
    let exit = match super::gc::collect(&settings, clouds, true, mask).await {
        Ok(report) => {
            for problem in &report.problems {
                complain(&mask.apply(&format!("error: {problem}")));
            }
            let now = jiff::Timestamp::now();
            if report.left().next().is_some() {
                print(&mask.apply(&super::gc::text(&report, false, now)));
            }
            super::gc::exit_of(&report)
        }
        Err(error) => failed(&error),
    };
    for (region, id) in &images {
        print(&format!("{region}: {id}\n"));
    }
    exit
}
