//! What has the tags of a run.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::clouds::told;
use crate::aws::{AwsError, AwsErrorKind, Client, Filter, ImageQuery, Tags};
use crate::build::builder::amazon_ebs::{DEADLINE, IMAGE_HASH, RUN_ID};
use crate::build::lease;
use crate::event::ResourceKind;

/// What names of temporary roles and instance profiles begin with.
const TEMPORARY: &str = "packer_";

/// Something that a run has tagged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tagged {
    pub(super) kind: ResourceKind,
    /// Its id; a name where that is what it is deleted by.
    pub(super) id: String,
    pub(super) run: String,
    /// When the run is certainly over; things that stay have none.
    pub(super) deadline: Option<Timestamp>,
    /// When it was made, where EC2 says so.
    pub(super) created: Option<Timestamp>,
    /// Whether it is, or belongs to, a complete image.
    pub(super) complete: bool,
    /// An image's name.
    pub(super) name: Option<String>,
}

/// What was found, and what kept from finding more.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) all: Vec<Tagged>,
    /// Failed look-ups.
    pub(super) problems: Vec<AwsError>,
}

impl Found {
    /// Why nothing could be asked at all, if so: other look-ups would say the same.
    pub(super) fn unreached(&self) -> Option<&AwsError> {
        let of_the_way = |kind| {
            matches!(
                kind,
                AwsErrorKind::Credentials
                    | AwsErrorKind::Region
                    | AwsErrorKind::Unreachable
                    | AwsErrorKind::Timeout
            )
        };
        let first = self.problems.first()?;
        let all = self.all.is_empty() && self.problems.iter().all(|one| of_the_way(one.kind));
        all.then_some(first)
    }

    /// The failed look-ups in words.
    pub(super) fn told(&self) -> Vec<String> {
        self.problems.iter().map(told).collect()
    }
}

/// Which kinds of things to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// What belongs to the region.
    Region,
    /// Also what IAM has, which is one for all regions.
    RegionAndIam,
}

/// Everything in the client's region that has the tag of the run, or of any run.
pub(super) async fn tagged(client: &Client, run: Option<&str>, scope: Scope) -> Found {
    let by = [match run {
        Some(run) => Filter::new(format!("tag:{RUN_ID}"), run),
        None => Filter::new("tag-key", RUN_ID),
    }];
    let query = ImageQuery {
        owners: vec!["self".to_owned()],
        filters: by.to_vec(),
        include_deprecated: true,
        ..ImageQuery::default()
    };
    let (instances, volumes, snapshots, images, keys, groups) = tokio::join!(
        client.describe_instances(&[], &by),
        client.describe_volumes(&[], &by),
        client.describe_snapshots(&[], &by),
        client.describe_images(&query),
        client.describe_key_pairs(&by),
        client.describe_security_groups(&[], &by),
    );
    let mut found = Found::default();
    for one in found.take(instances) {
        if one.state != "terminated" {
            found.add(ResourceKind::Instance, one.id, &one.tags);
        }
    }
    for one in found.take(volumes) {
        if one.state != "deleting" && one.state != "deleted" {
            found.add(ResourceKind::Volume, one.id, &one.tags);
        }
    }
    let images = found.take(images);
    let mut of_complete = BTreeSet::new();
    for one in images {
        if one.tags.contains_key(IMAGE_HASH) {
            of_complete.extend(one.snapshot_ids);
        }
        if let Some(added) = found.add(ResourceKind::Image, one.id, &one.tags) {
            added.created = one.creation_date.parse().ok();
            added.name = Some(one.name);
        }
    }
    let snapshots = found.take(snapshots);
    let used = match used_by_others(client, &snapshots).await {
        Ok(used) => used,
        Err(error) => {
            found.problems.push(error);
            // Without knowing whose they are, they stay.
            snapshots.iter().map(|one| one.id.clone()).collect()
        }
    };
    for one in snapshots {
        let complete = of_complete.contains(&one.id) || used.contains(&one.id);
        if let Some(added) = found.add(ResourceKind::Snapshot, one.id, &one.tags) {
            added.complete |= complete;
        }
    }
    for pair in found.take(keys) {
        // A lease goes by its id: another build may have one of the same name by then.
        match lease::is_lease(&pair.tags) {
            true => found.add(ResourceKind::Lease, pair.id, &pair.tags),
            false => found.add(ResourceKind::KeyPair, pair.name, &pair.tags),
        };
    }
    for one in found.take(groups) {
        found.add(ResourceKind::SecurityGroup, one.id, &one.tags);
    }
    if scope == Scope::RegionAndIam {
        let (profiles, roles) =
            tokio::join!(client.instance_profiles_named(TEMPORARY), client.roles_named(TEMPORARY));
        for (kind, named) in
            [(ResourceKind::InstanceProfile, profiles), (ResourceKind::Role, roles)]
        {
            for (name, tags) in found.take(named) {
                found.add(kind, name, &tags);
            }
        }
    }
    found.all.retain(|one| run.is_none_or(|run| run == one.run));
    found
}

/// Those of the snapshots that images need which are no half-made ones of a run.
async fn used_by_others(
    client: &Client,
    snapshots: &[crate::aws::Snapshot],
) -> Result<BTreeSet<String>, AwsError> {
    let mut used = BTreeSet::new();
    let ids: Vec<_> = snapshots.iter().map(|one| one.id.clone()).collect();
    // As many values as a filter may have.
    for ids in ids.chunks(200) {
        let name = "block-device-mapping.snapshot-id".to_owned();
        let query = ImageQuery {
            owners: vec!["self".to_owned()],
            filters: vec![Filter { name, values: ids.to_vec() }],
            include_deprecated: true,
            ..ImageQuery::default()
        };
        for image in client.describe_images(&query).await? {
            if image.tags.contains_key(IMAGE_HASH) || !image.tags.contains_key(RUN_ID) {
                used.extend(image.snapshot_ids);
            }
        }
    }
    Ok(used)
}

impl Found {
    /// What a look gave; one that failed gives nothing and is remembered.
    fn take<T>(&mut self, looked: Result<Vec<T>, AwsError>) -> Vec<T> {
        match looked {
            Ok(found) => found,
            Err(error) if does_not_exist(&error) => {
                tracing::debug!(%error, "not looked for");
                Vec::new()
            }
            Err(error) => {
                self.problems.push(error);
                Vec::new()
            }
        }
    }

    /// Adds what has the tag of a run, whatever the filter was taken for.
    fn add(&mut self, kind: ResourceKind, id: String, tags: &Tags) -> Option<&mut Tagged> {
        let run = tags.get(RUN_ID)?.clone();
        self.all.push(Tagged {
            kind,
            id,
            run,
            deadline: tags.get(DEADLINE).and_then(|text| text.parse().ok()),
            created: None,
            complete: tags.contains_key(IMAGE_HASH),
            name: None,
        });
        self.all.last_mut()
    }
}

/// Whether the endpoint does not know the action: then nothing was made by it either.
fn does_not_exist(error: &AwsError) -> bool {
    error.endpoint.is_some()
        && (error.is_code(&["InvalidAction", "UnknownAction", "NotImplemented"])
            || error.status == Some(501))
}
