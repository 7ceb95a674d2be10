//! What a dead run's ledger knows.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::clouds::{Site, told};
use super::collector::Collector;
use super::report::{Finding, Outcome, Report};
use super::tagged::{Scope, Tagged, tagged};
use crate::aws::{AwsError, Client, Filter};
use crate::build::Resources;
use crate::build::builder::amazon_ebs::IMAGE_HASH;
use crate::build::lease;
use crate::build::ledger::{self, Claimed, Ledger, Leftover, Listed, Place, Reading};
use crate::build::run::LIFETIME;
use crate::event::ResourceKind;

/// Collects a run, and closes its ledger when nothing is left of it.
pub(super) async fn collect(collector: &Collector<'_>, listed: &Listed) -> Report {
    let Some(reading) = listed.reading() else { return Report::default() };
    if let Some(why) = collector.too_young(reading.opened) {
        return Report::of_skipped(&listed.run, why);
    }
    let (ledger, reading) = if collector.settings.dry_run {
        (Ledger::nowhere(collector.clock.clone()), reading.clone())
    } else {
        match ledger::claim(listed, collector.clock) {
            Ok(Some(Claimed { ledger, reading })) => (ledger, reading),
            Ok(None) => return Report::of_skipped(&listed.run, "another bake works on it"),
            Err(error) => {
                let path = listed.path.display();
                return Report::of_problem(format!("`{path}` cannot be written: {error}"));
            }
        }
    };
    let mut report = Report::default();
    for broken in &reading.broken {
        report.notes.push(format!(
            "line {} of `{}` cannot be read ({}); what it was about is looked for by the tags of the run",
            broken.line,
            listed.path.display(),
            broken.why
        ));
    }
    let run = Run { collector, id: &listed.run, reading: &reading, ledger: &ledger };
    for place in &reading.places {
        report.merge(run.collect_in(place).await);
    }
    let unclear = !report.problems.is_empty();
    // It says nowhere that anything was made: that was never written, or is not there any more.
    // What a sandbox of the run had is gone with it.
    if reading.places.is_empty() && !reading.sandbox {
        report.merge(run.collect_anywhere().await);
    }
    let is_settled = !collector.settings.dry_run && !unclear && report.left().next().is_none();
    if is_settled && let Err(error) = ledger.close().await {
        let path = listed.path.display();
        report.problems.push(format!("`{path}` cannot be closed: {error}"));
    }
    report
}

struct Run<'a> {
    collector: &'a Collector<'a>,
    id: &'a str,
    reading: &'a Reading,
    ledger: &'a Ledger,
}

impl Run<'_> {
    async fn collect_in(&self, place: &Place) -> Report {
        let leftovers: Vec<_> =
            self.reading.leftovers.iter().filter(|one| one.intent.place() == *place).collect();
        let unreached = |error: String| self.unreached(place, &leftovers, &error);
        let site = Site::Recorded { place: place.clone(), sandbox: self.reading.sandbox };
        let client = match self.collector.clouds.connect(&site).await {
            Ok(client) => client,
            Err(error) => return unreached(error),
        };
        if let Some(account) = &place.account {
            match client.caller_identity().await {
                Ok(caller) if caller.account == *account => {}
                Ok(caller) => {
                    return unreached(format!(
                        "it is in account {account}, and these credentials are for {}: set AWS_PROFILE to those of the run",
                        caller.account
                    ));
                }
                Err(error) => return unreached(told(&error)),
            }
        }
        self.collect_with(&client, place, &leftovers).await
    }

    /// What there is to say when a place cannot be asked.
    fn unreached(&self, place: &Place, leftovers: &[&Leftover], error: &str) -> Report {
        if leftovers.is_empty() {
            return Report { notes: vec![error.to_owned()], ..Report::default() };
        }
        let finding = |one: &&Leftover| {
            let outcome = Outcome::Unreached { error: error.to_owned() };
            self.finding(place, one.intent.kind, name_of(one), outcome)
        };
        Report { findings: leftovers.iter().map(finding).collect(), ..Report::default() }
    }

    /// Looks in the configured region for what has the tag of the run.
    async fn collect_anywhere(&self) -> Report {
        let unseen = |error: String| {
            // Most such ledgers are of runs that died before they made anything.
            if self.reading.broken.is_empty() {
                let run = self.id;
                let note = format!("nothing was looked for by the tags of run {run}: {error}");
                return Report { notes: vec![note], ..Report::default() };
            }
            Report::of_problem(error)
        };
        let client = match self.collector.clouds.connect(&Site::Configured { region: None }).await {
            Ok(client) => client,
            Err(error) => return unseen(error),
        };
        if let Err(error) = client.caller_identity().await {
            return unseen(told(&error));
        }
        let place = Place {
            region: client.region().to_owned(),
            endpoint: client.endpoint().map(str::to_owned),
            ec2_only: client.has_ec2_endpoint_only(),
            account: None,
        };
        self.collect_with(&client, &place, &[]).await
    }

    async fn collect_with(
        &self,
        client: &Client,
        place: &Place,
        leftovers: &[&Leftover],
    ) -> Report {
        // Names of roles are known before they are made, so a whole ledger has them all.
        let scope = match self.reading.broken.is_empty() {
            true => Scope::Region,
            false => Scope::RegionAndIam,
        };
        let found = tagged(client, Some(self.id), scope).await;
        if let Some(error) = found.unreached() {
            return self.unreached(place, leftovers, &told(error));
        }
        let mut report = Report { problems: found.told(), ..Report::default() };
        let complete = match self.complete(client, leftovers, &found.all).await {
            Ok(complete) => complete,
            Err(error) => {
                report.problems.push(told(&error));
                return report;
            }
        };
        let is_complete =
            |one: &Leftover| complete.contains(&(one.intent.kind, name_of(one).to_owned()));
        let (kept, open): (Vec<&Leftover>, Vec<&Leftover>) =
            leftovers.iter().copied().partition(|one| is_complete(one));
        for one in kept {
            if let Err(error) = self.ledger.kept(one.entry).await {
                report.problems.push(format!("the ledger cannot be written: {error}"));
            }
            report.findings.push(self.finding(place, one.intent.kind, name_of(one), Outcome::Kept));
        }
        // With the kind: key pair, role and profile of a build have one name.
        let known: BTreeSet<_> = open
            .iter()
            .flat_map(|one| {
                let names = [one.id.as_deref(), Some(one.intent.name.as_str())];
                names.into_iter().flatten().map(|name| (one.intent.kind, name))
            })
            .collect();
        let more: Vec<&Tagged> = found
            .all
            .iter()
            .filter(|one| {
                !one.complete
                    && !complete.contains(&(one.kind, one.id.clone()))
                    && !known.contains(&(one.kind, one.id.as_str()))
            })
            .collect();
        if self.collector.settings.dry_run {
            self.list(client, place, &open, &more, &mut report).await;
        } else {
            self.remove(client, place, &open, &more, &mut report).await;
        }
        report
    }

    /// Images that are complete, and their snapshots, by id, or by name where there is no id.
    async fn complete(
        &self,
        client: &Client,
        leftovers: &[&Leftover],
        found: &[Tagged],
    ) -> Result<BTreeSet<(ResourceKind, String)>, AwsError> {
        let mut complete = BTreeSet::new();
        for one in found.iter().filter(|one| one.complete) {
            complete.insert((one.kind, one.id.clone()));
        }
        for image in leftovers.iter().filter(|one| one.intent.kind == ResourceKind::Image) {
            let Some(id) = &image.id else {
                let named = |one: &&Tagged| {
                    one.complete && one.name.as_deref() == Some(image.intent.name.as_str())
                };
                if found.iter().any(|one| named(&one)) {
                    complete.insert((ResourceKind::Image, image.intent.name.clone()));
                }
                continue;
            };
            if let Some(image) = client.image(id).await?
                && image.tags.contains_key(IMAGE_HASH)
            {
                complete.insert((ResourceKind::Image, image.id));
                let snapshots = image.snapshot_ids.into_iter();
                complete.extend(snapshots.map(|id| (ResourceKind::Snapshot, id)));
            }
        }
        Ok(complete)
    }

    async fn list(
        &self,
        client: &Client,
        place: &Place,
        open: &[&Leftover],
        more: &[&Tagged],
        report: &mut Report,
    ) {
        for one in open {
            match still_there(client, one).await {
                Ok(Some(id)) => {
                    let finding = self.finding(place, one.intent.kind, &id, Outcome::Found);
                    report.findings.push(finding);
                }
                Ok(None) => {}
                Err(error) => report.problems.push(told(&error)),
            }
        }
        for one in more {
            // An id that never arrived was found just now.
            let same = |found: &Finding| found.kind == one.kind && found.id == one.id;
            let known = report.findings.iter().any(same);
            if !known {
                report.findings.push(self.finding(place, one.kind, &one.id, Outcome::Found));
            }
        }
    }

    async fn remove(
        &self,
        client: &Client,
        place: &Place,
        open: &[&Leftover],
        more: &[&Tagged],
        report: &mut Report,
    ) {
        let now = self.collector.now();
        let age = |at: Option<Timestamp>| {
            if self.reading.sandbox {
                // Its cloud is gone: nothing of it will still become visible.
                return LIFETIME;
            }
            at.and_then(|at| Duration::try_from(now.duration_since(at)).ok()).unwrap_or_default()
        };
        let events = self.collector.events.of_build(self.id);
        let build = open.first().map_or("", |one| one.intent.build.as_str());
        let (ledger, account) = (self.ledger.clone(), place.account.clone());
        let resources = Resources::new(ledger, events.clone(), build, client, account)
            .reopened(self.id, open.iter().map(|one| ((*one).clone(), age(one.at))));
        for one in more {
            if let Err(error) = resources.adopt(one.kind, &one.id).await {
                // What is removed need not be recorded; that it is there will be found again.
                report.problems.push(error.to_string());
            }
        }
        let left = self.collector.teardown(client, &resources, &events).await;
        for one in left {
            let outcome = Outcome::Left { error: one.error };
            report.findings.push(self.finding(place, one.kind, &one.id, outcome));
        }
        // An id that never arrived may be known by the tags, too.
        let deleted: BTreeSet<_> = resources
            .all_deleted()
            .into_iter()
            .map(|one| (one.kind, one.id.unwrap_or(one.name)))
            .collect();
        for (kind, id) in deleted {
            report.findings.push(self.finding(place, kind, &id, Outcome::Removed));
        }
    }

    fn finding(&self, place: &Place, kind: ResourceKind, id: &str, outcome: Outcome) -> Finding {
        finding(self.id, self.reading, place, (kind, id), outcome)
    }
}

/// Something of a run, by its kind and id, as its ledger tells of it.
pub(super) fn finding(
    run: &str,
    reading: &Reading,
    place: &Place,
    (kind, id): (ResourceKind, &str),
    outcome: Outcome,
) -> Finding {
    let ended =
        !reading.builds.is_empty() && reading.builds.iter().all(|build| build.ended.is_some());
    let why = match (ended, reading.pid) {
        (true, _) => "its run ended without removing it".to_owned(),
        (false, Some(pid)) => format!("its run died (process {pid})"),
        (false, None) => "its run died".to_owned(),
    };
    Finding {
        kind,
        id: id.to_owned(),
        region: place.region.clone(),
        endpoint: place.endpoint.clone(),
        run: run.to_owned(),
        since: reading.opened,
        why,
        outcome,
    }
}

/// Its id; its name or client token where the id never arrived.
pub(super) fn name_of(one: &Leftover) -> &str {
    one.id.as_deref().unwrap_or(&one.intent.name)
}

/// The id of what a ledger names, if it is there now.
async fn still_there(client: &Client, one: &Leftover) -> Result<Option<String>, AwsError> {
    let name = one.intent.name.as_str();
    let found = match (one.intent.kind, &one.id) {
        (ResourceKind::Instance, Some(id)) => {
            let found = client.instance(id).await?;
            found.filter(|one| one.state != "terminated").map(|one| one.id)
        }
        (ResourceKind::Instance, None) => {
            let found =
                client.describe_instances(&[], &[Filter::new("client-token", name)]).await?;
            found.into_iter().find(|one| one.state != "terminated").map(|one| one.id)
        }
        (ResourceKind::Image, Some(id)) => client.image(id).await?.map(|one| one.id),
        // By its tags it is found.
        (ResourceKind::Image, None) => None,
        (ResourceKind::SecurityGroup, id) => {
            let by = match id {
                Some(id) => Filter::new("group-id", id),
                None => Filter::new("group-name", name),
            };
            let found = client.describe_security_groups(&[], &[by]).await?;
            found.into_iter().next().map(|one| one.id)
        }
        (ResourceKind::Volume, id) => {
            let by = [Filter::new("volume-id", id.as_deref().unwrap_or(name))];
            client.describe_volumes(&[], &by).await?.into_iter().next().map(|one| one.id)
        }
        (ResourceKind::Snapshot, id) => {
            let by = [Filter::new("snapshot-id", id.as_deref().unwrap_or(name))];
            client.describe_snapshots(&[], &by).await?.into_iter().next().map(|one| one.id)
        }
        (ResourceKind::Lease, id) => lease::find(client, name, id.as_deref()).await?,
        (ResourceKind::KeyPair, _) => client.key_pair_tags(name).await?.map(|_| name.to_owned()),
        (ResourceKind::Role, _) => {
            let found = client.roles_named(name).await?;
            found.into_iter().find(|(found, _)| found == name).map(|(found, _)| found)
        }
        (ResourceKind::InstanceProfile, _) => {
            let found = client.instance_profiles_named(name).await?;
            found.into_iter().find(|(found, _)| found == name).map(|(found, _)| found)
        }
        // There may be one; to delete it is no error when there is none.
        (ResourceKind::Object, _) => Some(name.to_owned()),
    };
    Ok(found)
}
