//! `bake runs resume`.

use std::path::PathBuf;

use crate::build::gc::{self, Regions};
use crate::build::ledger::Listed;
use crate::build::{Cancel, Clock, resume};
use crate::event::channel;
use crate::render::{Console, Mask, Settings};

use super::Exit;
use super::clouds::Reachable;
use super::outcome::{self, complain, print};
use super::sandbox;
use super::signals::Signals;

/// Finishes the image of a dead run, then removes what else is left of it.
pub(super) fn run(listed: &Listed, ledgers: PathBuf, mask: &Mask) -> Exit {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return sandbox::failed(&error),
    };
    let clouds = Reachable::default();
    runtime.block_on(async {
        let exit = finish(listed, ledgers, &clouds, mask).await;
        clouds.close().await;
        exit
    })
}

async fn finish(listed: &Listed, ledgers: PathBuf, clouds: &Reachable, mask: &Mask) -> Exit {
    let (events, received) = channel();
    let cancel = Cancel::new();
    let signals = match Signals::take() {
        Ok(signals) => signals.cancel(cancel.clone(), events.clone()),
        Err(error) => return sandbox::failed(&error),
    };
    let printing = (!outcome::is_machine_readable()).then(|| {
        let settings =
            Settings { colour: outcome::colour(None), progress: false, timestamps: false };
        tokio::spawn(Console::new(outcome::Stdout, settings, mask.clone()).run(received))
    });
    let resumed = resume(listed, clouds, &events, cancel.stop(), &Clock::system()).await;
    let came = *signals.borrow();
    drop((signals, events));
    if let Some(printing) = printing
        && let Err(error) = printing.await
    {
        complain(&format!("error: the log broke off: {error}"));
    }
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
        Err(error) => sandbox::failed(&error),
    };
    for (region, id) in &images {
        print(&format!("{region}: {id}\n"));
    }
    exit
}
