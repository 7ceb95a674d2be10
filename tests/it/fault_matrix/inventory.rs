//! What is at an endpoint, besides complete images.

use std::collections::BTreeSet;
use std::fmt;

use aws_sdk_ec2::types::InstanceStateName;

use crate::support::Endpoint;

/// How often a look is tried: rules that have not run out apply to this client, too.
const LOOKS: usize = 12;

/// Something that a build made.
pub(super) struct Thing {
    kind: &'static str,
    /// Its id, and what it may be called instead by one who never heard of the id.
    pub(super) names: Vec<String>,
    /// It goes with this.
    pub(super) part_of: Option<String>,
}

impl fmt::Debug for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.names.join(" or "))
    }
}

/// What is there.
pub(super) struct Inventory {
    /// All but complete images and what they are made of.
    pub(super) things: Vec<Thing>,
    /// Ids of complete images.
    pub(super) images: BTreeSet<String>,
    /// Ids of all snapshots of images.
    pub(super) snapshots: BTreeSet<String>,
}

/// Asks until there is an answer.
macro_rules! ask {
    ($endpoint:expr, $call:expr) => {{
        let mut looks = 0;
        loop {
            match $endpoint.run($call.send()) {
                Ok(answer) => break answer,
                Err(error) if looks == LOOKS => panic!("no answer: {error:?}"),
                Err(_) => looks += 1,
            }
        }
    }};
}

impl Inventory {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        let (mut things, mut used, mut images) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let (ec2, iam) = (endpoint.ec2(), endpoint.iam());
        let own = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let thing = |kind, names: &[String]| Thing { kind, names: names.to_vec(), part_of: None };
        for image in ask!(endpoint, ec2.describe_images().owners("self")).images() {
            let id = own(image.image_id());
            let snapshots: Vec<_> = image
                .block_device_mappings()
                .iter()
                .filter_map(|mapping| Some(mapping.ebs()?.snapshot_id()?.to_owned()))
                .collect();
            if image.tags().iter().any(|tag| tag.key() == Some("bake:image-hash")) {
                images.insert(id);
                used.extend(snapshots);
                continue;
            }
            for snapshot in snapshots {
                used.insert(snapshot.clone());
                let names = vec![snapshot];
                things.push(Thing { kind: "snapshot", names, part_of: Some(id.clone()) });
            }
            things.push(thing("image", &[id, own(image.name())]));
        }
        for snapshot in ask!(endpoint, ec2.describe_snapshots().owner_ids("self")).snapshots() {
            let id = own(snapshot.snapshot_id());
            if !used.contains(&id) {
                things.push(thing("snapshot", &[id]));
            }
        }
        for reservation in ask!(endpoint, ec2.describe_instances()).reservations() {
            for instance in reservation.instances() {
                let state = instance.state().and_then(|state| state.name());
                if state != Some(&InstanceStateName::Terminated) {
                    let names = [own(instance.instance_id()), own(instance.client_token())];
                    things.push(thing("instance", &names));
                }
            }
        }
        for volume in ask!(endpoint, ec2.describe_volumes()).volumes() {
            let attached = volume.attachments().first().and_then(|one| one.instance_id());
            let names = vec![own(volume.volume_id())];
            let part_of = attached.map(str::to_owned);
            things.push(Thing { kind: "volume", names, part_of });
        }
        for pair in ask!(endpoint, ec2.describe_key_pairs()).key_pairs() {
            let (id, name) = (own(pair.key_pair_id()), own(pair.key_name()));
            let token = pair.tags().iter().find(|tag| tag.key() == Some("bake:lease"));
            match token.and_then(|tag| tag.value()) {
                Some(token) => things.push(thing("lease", &[id, format!("{name}/{token}")])),
                None => things.push(thing("key pair", &[name])),
            }
        }
        for group in ask!(endpoint, ec2.describe_security_groups()).security_groups() {
            let name = own(group.group_name());
            if name != "default" {
                things.push(thing("security group", &[own(group.group_id()), name]));
            }
        }
        for role in ask!(endpoint, iam.list_roles()).roles() {
            things.push(thing("role", &[role.role_name().to_owned()]));
        }
        for profile in ask!(endpoint, iam.list_instance_profiles()).instance_profiles() {
            things.push(thing("instance profile", &[profile.instance_profile_name().to_owned()]));
        }
        Self { things, images, snapshots: used }
    }
}
