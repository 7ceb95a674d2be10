//! The order of a collection.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::clouds::{Clouds, Site, told};
use super::report::{Finding, Outcome, Report};
use super::tagged::{Scope, Tagged, tagged};
use crate::aws::{AwsErrorKind, Client};
use crate::build::ledger::{self, Ledger, Listed, RunState};
use crate::build::run::{LIFETIME, TEARDOWN_DEADLINE};
use crate::build::{Clock, Resources, Teardown};
use crate::event::Emitter;

/// How many runs, or regions, are looked into at the same time.
const AT_ONCE: usize = 8;

/// What to collect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where ledgers are kept.
    pub ledgers: PathBuf,
    /// Only this run.
    pub run: Option<String>,
    /// Only runs that began at least this long ago.
    pub older_than: Option<Duration>,
    /// Removes nothing.
    pub dry_run: bool,
    /// Where to look by tags alone.
    pub regions: Regions,
}

/// Where to look by tags alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Regions {
    /// In the configured one, if there is one.
    Configured,
    /// In these.
    These(Vec<String>),
    /// In all that are enabled for the account.
    All,
}

/// Finds what dead runs left and, unless it is a dry run, removes it. Facts go out through `events`,
/// in the name of each run; `leave` ends it, and what is then still there is in the report.
///
/// # Errors
/// When the ledgers cannot be listed. All else that goes wrong is in the report.
pub async fn collect(
    settings: &Settings,
    clouds: &dyn Clouds,
    events: &Emitter,
    leave: &CancellationToken,
    clock: &Clock,
) -> io::Result<Report> {
    let all = ledger::list(&settings.ledgers, clock)?;
    let collector = Collector { settings, clouds, events, leave, clock };
    let mut report = Report::default();
    let mut known = Known::default();
    let mut dead = Vec::new();
    for listed in &all {
        let chosen = collector.is_chosen(&listed.run);
        match &listed.state {
            RunState::Done(_) => drop(known.over.insert(listed.run.clone())),
            RunState::Alive(reading) => {
                let process =
                    reading.pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
                known.under_way.insert(listed.run.clone(), format!("it is under way{process}"));
            }
            RunState::Elsewhere { until, .. } => {
                let why = format!("it may be under way on another machine until {until}");
                known.under_way.insert(listed.run.clone(), why);
            }
            RunState::Dead(_) => {
                known.recorded.insert(listed.run.clone());
                if chosen {
                    dead.push(listed);
                }
            }
            RunState::Unreadable(why) if chosen => {
                let path = listed.path.display();
                report.problems.push(format!("`{path}` is left alone: {why}"));
            }
            RunState::Unreadable(_) => {}
        }
        if let Some(why) = known.under_way.get(&listed.run).filter(|_| chosen) {
            report.merge(Report::of_skipped(&listed.run, why.clone()));
        }
    }
    let mut runs = stream::iter(dead).map(|listed| collector.recorded(listed)).buffered(AT_ONCE);
    while let Some(of_run) = runs.next().await {
        report.merge(of_run);
    }
    drop(runs);
    report.merge(collector.everywhere(&known).await);
    Ok(report)
}

/// What the ledgers say of runs.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Nothing should be left of them.
    over: BTreeSet<String>,
    /// And why.
    under_way: BTreeMap<String, String>,
    /// They are dead, and what their ledgers know is taken care of.
    recorded: BTreeSet<String>,
}

pub(super) struct Collector<'a> {
    pub(super) settings: &'a Settings,
    pub(super) clouds: &'a dyn Clouds,
    pub(super) events: &'a Emitter,
    pub(super) leave: &'a CancellationToken,
    pub(super) clock: &'a Clock,
}

impl Collector<'_> {
    pub(super) fn is_chosen(&self, run: &str) -> bool {
        self.settings.run.as_deref().is_none_or(|chosen| run == chosen)
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::try_from(self.clock.now()).unwrap_or(Timestamp::MAX)
    }

    /// Why a run that began then is too young to be collected, if so.
    pub(super) fn too_young(&self, since: Option<Timestamp>) -> Option<String> {
        let limit = self.settings.older_than?;
        let age = self.now().duration_since(since?);
        let young = Duration::try_from(age).unwrap_or_default() < limit;
        young.then(|| "it is younger than -older-than".to_owned())
    }

    /// What is found by tags alone, in all regions that are asked for.
    async fn everywhere(&self, known: &Known) -> Report {
        let site = |region: &String| Site::Configured { region: Some(region.clone()) };
        let sites = match &self.settings.regions {
            Regions::Configured => vec![Site::Configured { region: None }],
            Regions::These(regions) => regions.iter().map(site).collect(),
            Regions::All => {
                let configured = Site::Configured { region: None };
                let client = match self.clouds.connect(&configured).await {
                    Ok(client) => client,
                    Err(error) => return Report::of_problem(error),
                };
                match client.regions().await {
                    Ok(regions) => regions.iter().map(site).collect(),
                    Err(error) => return Report::of_problem(told(&error)),
                }
            }
        };
        let mut report = Report::default();
        let mut looks = stream::iter(sites.iter().enumerate())
            .map(|(index, site)| {
                // IAM is one for all regions.
                let scope = if index == 0 { Scope::RegionAndIam } else { Scope::Region };
                self.by_tags(site, scope, known)
            })
            .buffered(AT_ONCE);
        while let Some(looked) = looks.next().await {
            report.merge(looked);
        }
        report
    }

    async fn by_tags(&self, site: &Site, scope: Scope, known: &Known) -> Report {
        let optional = self.settings.regions == Regions::Configured;
        let unseen = |error: String| match optional {
            true => {
                let note = format!("nothing was looked for by tags: {error}");
                Report { notes: vec![note], ..Report::default() }
            }
            false => Report::of_problem(error),
        };
        let client = match self.clouds.connect(site).await {
            Ok(client) => client,
            Err(error) => return unseen(error),
        };
        let found = tagged(&client, self.settings.run.as_deref(), scope).await;
        if let Some(error) = found.unreached() {
            return match error.kind {
                // Nobody has said where to look.
                AwsErrorKind::Credentials | AwsErrorKind::Region => unseen(told(error)),
                _ => Report::of_problem(told(error)),
            };
        }
        let mut report = Report { problems: found.told(), ..Report::default() };
        let mut runs: BTreeMap<String, Vec<Tagged>> = BTreeMap::new();
        for one in found.all.into_iter().filter(|one| !one.complete) {
            runs.entry(one.run.clone()).or_default().push(one);
        }
        for (run, things) in runs {
            if known.recorded.contains(&run) {
                continue;
            }
            match self.due(&run, &things, known) {
                Err(why) => report.merge(Report::of_skipped(&run, why)),
                Ok(why) => report.merge(self.remove_tagged(&client, &run, things, &why).await),
            }
        }
        report
    }

    /// Why a run is due, or why it is passed over.
    fn due(&self, run: &str, things: &[Tagged], known: &Known) -> Result<String, String> {
        if let Some(why) = known.under_way.get(run) {
            return Err(why.clone());
        }
        if let Some(why) = self.too_young(began(run, things)) {
            return Err(why);
        }
        if known.over.contains(run) {
            return Ok("its run is over".to_owned());
        }
        // What stays has no deadline, but the run was younger than the thing.
        let latest = |one: &Tagged| {
            one.deadline.or_else(|| one.created.or(time_of(run))?.checked_add(LIFETIME).ok())
        };
        match things.iter().filter_map(latest).max() {
            Some(deadline) if deadline <= self.now() => {
                Ok(format!("the deadline of its run was {deadline}"))
            }
            Some(deadline) => Err(format!("it may be under way until {deadline}")),
            None => Err("nothing says when it is over".to_owned()),
        }
    }

    async fn remove_tagged(
        &self,
        client: &Client,
        run: &str,
        things: Vec<Tagged>,
        why: &str,
    ) -> Report {
        let since = began(run, &things);
        let finding = |kind, id: &str, outcome| Finding {
            kind,
            id: id.to_owned(),
            region: client.region().to_owned(),
            endpoint: client.endpoint().map(str::to_owned),
            run: run.to_owned(),
            since,
            why: why.to_owned(),
            outcome,
        };
        let mut report = Report::default();
        if self.settings.dry_run {
            let found = things.iter().map(|one| finding(one.kind, &one.id, Outcome::Found));
            report.findings.extend(found);
            return report;
        }
        let events = self.events.of_build(run);
        let ledger = Ledger::nowhere(self.clock.clone());
        let resources = Resources::new(ledger, events.clone(), "", client, None).reopened(run, []);
        for one in &things {
            if let Err(error) = resources.adopt(one.kind, &one.id).await {
                report.problems.push(error.to_string());
            }
        }
        let left = self.teardown(client, &resources, &events).await;
        report.findings.extend(
            left.into_iter()
                .map(|one| finding(one.kind, &one.id, Outcome::Left { error: one.error })),
        );
        report.findings.extend(resources.all_deleted().iter().map(|one| {
            finding(one.kind, one.id.as_deref().unwrap_or(&one.name), Outcome::Removed)
        }));
        report
    }

    pub(super) async fn teardown(
        &self,
        client: &Client,
        resources: &Resources,
        events: &Emitter,
    ) -> Vec<crate::build::Left> {
        let teardown =
            Teardown { client, resources, events, leave: self.leave, deadline: TEARDOWN_DEADLINE };
        // The SDK's futures are large.
        Box::pin(teardown.everything()).await
    }

    pub(super) async fn recorded(&self, listed: &Listed) -> Report {
        super::recorded::collect(self, listed).await
    }
}

/// When a run began: ids of runs say so.
fn time_of(run: &str) -> Option<Timestamp> {
    let (seconds, nanoseconds) = run.parse::<uuid::Uuid>().ok()?.get_timestamp()?.to_unix();
    Timestamp::new(seconds.try_into().ok()?, nanoseconds.try_into().ok()?).ok()
}

/// When a run began, as far as can be told.
fn began(run: &str, things: &[Tagged]) -> Option<Timestamp> {
    let counted =
        |one: &Tagged| one.deadline.and_then(|at| at.checked_sub(LIFETIME).ok()).or(one.created);
    time_of(run).or_else(|| things.iter().filter_map(counted).min())
}
