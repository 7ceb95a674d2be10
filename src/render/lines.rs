//! What a fact reads like.

use crate::event::{Artifact, Fact, ResourceKind, Step, Stream};

use super::duration;

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// What bake does.
    Normal,
    /// What the instance prints.
    Output,
    /// What went wrong, and the instance's standard error.
    Error,
}

/// How output of a stream is meant.
pub(super) fn tone(stream: Stream) -> Tone {
    match stream {
        Stream::Stdout => Tone::Output,
        Stream::Stderr => Tone::Error,
    }
}

/// The lines of a fact about a build, without the `==> NAME: ` in front. Wording follows Packer's
/// where it has the same step (`packer-amazon.md` section 5), since people grep for it.
pub(super) fn lines(fact: &Fact) -> Vec<(Tone, String)> {
    let say = |text: String| vec![(Tone::Normal, text)];
    match fact {
        Fact::RunStarted { .. }
        | Fact::BuildStarted { .. }
        | Fact::StepStarted { .. }
        | Fact::UploadStarted { .. }
        | Fact::UploadProgressed { .. }
        | Fact::DownloadStarted { .. }
        | Fact::DownloadProgressed { .. }
        | Fact::ImageProgressed { .. }
        | Fact::BuildFinished { .. }
        | Fact::BuildFailed { .. }
        | Fact::SecretsFound { .. }
        | Fact::RunEnded { .. } => Vec::new(),
        Fact::StepEnded { .. } | Fact::ProvisionerEnded { .. } => Vec::new(),
        // Nothing that people need to know of as long as nobody waits.
        Fact::CreateStarted { kind: ResourceKind::Lease, .. }
        | Fact::ResourceCreated { kind: ResourceKind::Lease, .. }
        | Fact::DeleteStarted { kind: ResourceKind::Lease, .. }
        | Fact::ResourceDeleted { kind: ResourceKind::Lease, .. }
        | Fact::LeaseTaken { waited: false, .. } => Vec::new(),
        Fact::LeaseAwaited { holder, since, .. } => vec![
            (
                Tone::Normal,
                match since {
                    Some(since) => format!("Another build makes this image: {holder}, since {since}"),
                    None => format!("Another build makes this image: {holder}"),
                },
            ),
            (Tone::Normal, "Waiting for its image...".to_owned()),
        ],
        Fact::LeaseTakenOver { holder, deadline } => say(match deadline {
            Some(deadline) => format!("Not heard of since its deadline, {deadline}: {holder}"),
            None => format!("Not heard of any more: {holder}"),
        }),
        Fact::LeaseHolderGone { holder, run, left } => {
            let mut text = format!("The process that was making this image is gone: {holder}");
            if *left > 0 {
                text += &format!("; `bake gc -run {run}` removes what it left");
            }
            say(text)
        }
        Fact::UnfinishedImageFound { id, name, run } => {
            say(format!("{id} has the name {name}, and run {run} was killed before it was complete"))
        }
        Fact::LeaseTaken { waited: true, .. } => {
            say("Nobody makes this image any more: building it here".to_owned())
        }
        Fact::LeaseLost { .. } => vec![(
            Tone::Error,
            "Warning: this build did not renew its lease in time, and another one makes the image now"
                .to_owned(),
        )],
        Fact::ImageTooOld { id, created, max_age } => say(format!(
            "Not taking {id} of {created}: it is older than {}",
            duration::long(*max_age)
        )),
        Fact::Warning { text } => vec![(Tone::Error, format!("Warning: {text}"))],
        Fact::SourceImageFound { id, name, stand_in } => {
            let mut text = format!("Found Image ID: {id}");
            if !name.is_empty() {
                text += &format!(" ({name})");
            }
            let mut lines = say(text);
            if let Some(base) = stand_in {
                lines.extend(say(format!("Sandbox base that stands in for it: {base}")));
            }
            lines
        }
        Fact::ImageHashKnown { hash, name } => {
            vec![
                (Tone::Normal, format!("Image hash: {hash}")),
                (Tone::Normal, format!("Image name: {name}")),
            ]
        }
        Fact::NetworkFound { vpc_id, subnet_id } => [("VPC", vpc_id), ("Subnet", subnet_id)]
            .into_iter()
            .filter_map(|(what, id)| {
                Some((Tone::Normal, format!("Found {what} ID: {}", id.as_ref()?)))
            })
            .collect(),
        Fact::ImageNameChecked { name } => say(format!("Prevalidating AMI Name: {name}")),
        Fact::CreateStarted { kind, name, detail } => say(creating(*kind, name, detail)),
        Fact::WaitStarted { kind, id, state } => {
            say(format!("Waiting for {} ({id}) to become {state}...", noun(*kind)))
        }
        Fact::StopRequested { .. } => say("Stopping the source instance...".to_owned()),
        Fact::AttributesChanged { id, what } => {
            say(format!("Modifying attributes on AMI ({id}): {what}"))
        }
        Fact::ImageTagged { id, tags } => {
            let mut lines = say(format!("Adding tags to AMI ({id})..."));
            lines.extend(
                tags.iter().map(|(key, value)| {
                    (Tone::Normal, format!("Adding tag: \"{key}\": \"{value}\""))
                }),
            );
            lines
        }
        Fact::DeleteStarted { kind, .. } => say(deleting(*kind)),
        Fact::ReuseSkipped { reason } => {
            say(format!("Not looking for an existing image: {reason}"))
        }
        Fact::ImageReused { id, name } => {
            say(format!("An image of this hash exists: {id} ({name}); nothing to build"))
        }
        Fact::ResourceCreated { kind, id, detail } => say(created(*kind, id, detail)),
        Fact::PolicyAttached { policy, .. } => {
            say(format!("Attaching policy to the temporary role: {policy}"))
        }
        Fact::IngressAuthorized { port, cidrs } => say(format!(
            "Authorizing access to port {port} from [{}] in the temporary security group...",
            cidrs.join(" ")
        )),
        Fact::StateChanged { kind, id, state } => {
            say(format!("{} {id} is {state}", capitalised(noun(*kind))))
        }
        Fact::PasswordWaitStarted { .. } => {
            say("Waiting for auto-generated password for instance...".to_owned())
        }
        Fact::PasswordReceived { .. } => say("Password retrieved!".to_owned()),
        Fact::ConnectStarted { communicator, address } => vec![
            (Tone::Normal, format!("Using {communicator} communicator to connect: {address}")),
            (Tone::Normal, format!("Waiting for {communicator} to become available...")),
        ],
        Fact::Connected { .. } => say("Connected!".to_owned()),
        Fact::ProvisionerStarted { title, .. } => say(title.clone()),
        Fact::ProvisionerSaid { text } => say(text.clone()),
        Fact::Output { stream, line } => vec![(tone(*stream), line.clone())],
        Fact::UploadEnded { bytes, files, elapsed } => {
            say(transferred("Uploaded", *bytes, *files, *elapsed))
        }
        Fact::DownloadEnded { bytes, files, elapsed } => {
            say(transferred("Downloaded", *bytes, *files, *elapsed))
        }
        Fact::Interrupted { signal, count } => vec![(
            Tone::Error,
            match count {
                1 => format!("Cancelling build after receiving {signal}"),
                2 => "Asked again: leaving out everything but the teardown".to_owned(),
                _ => "Asked a third time: leaving now".to_owned(),
            },
        )],
        Fact::ResourceDeleted { kind, id } => say(deleted(*kind, id)),
        Fact::ResourceLeft { kind, id, region, error } => {
            vec![(Tone::Error, format!("Left behind in {region}: {} {id}: {error}", noun(*kind)))]
        }
    }
}

fn transferred(verb: &str, bytes: u64, files: usize, elapsed: std::time::Duration) -> String {
    let plural = if files == 1 { "" } else { "s" };
    format!("{verb} {} in {files} file{plural} in {}", size(bytes), duration::short(elapsed))
}

fn creating(kind: ResourceKind, name: &str, detail: &str) -> String {
    match kind {
        ResourceKind::KeyPair => format!("Creating temporary keypair: {name}"),
        ResourceKind::SecurityGroup => {
            format!("Creating temporary security group for this instance: {name}")
        }
        ResourceKind::Role => format!("Creating temporary role for this instance: {name}"),
        ResourceKind::InstanceProfile => {
            format!("Creating temporary instance profile for this instance: {name}")
        }
        ResourceKind::Instance => "Launching a source AWS instance...".to_owned(),
        ResourceKind::Image => format!("Creating AMI {name} from instance {detail}"),
        ResourceKind::Object => format!("Moving files by way of {name}"),
        ResourceKind::Volume | ResourceKind::Snapshot | ResourceKind::Lease => {
            format!("Creating {} {name}", noun(kind))
        }
    }
}

fn created(kind: ResourceKind, id: &str, detail: &str) -> String {
    let text = match kind {
        ResourceKind::Instance => format!("Instance ID: {id}"),
        ResourceKind::Image => return format!("AMI: {id}"),
        other => format!("{}: {id}", capitalised(noun(other))),
    };
    if detail.is_empty() || detail == id { text } else { format!("{text} ({detail})") }
}

fn deleting(kind: ResourceKind) -> String {
    match kind {
        ResourceKind::KeyPair => "Deleting temporary keypair...".to_owned(),
        ResourceKind::SecurityGroup => "Deleting temporary security group...".to_owned(),
        ResourceKind::Role => "Deleting temporary role...".to_owned(),
        ResourceKind::InstanceProfile => "Deleting temporary instance profile...".to_owned(),
        ResourceKind::Instance => "Terminating the source AWS instance...".to_owned(),
        ResourceKind::Image => "Deregistering the AMI...".to_owned(),
        ResourceKind::Volume => "Cleaning up any extra volumes...".to_owned(),
        ResourceKind::Snapshot => "Deleting snapshots...".to_owned(),
        ResourceKind::Object => "Deleting objects...".to_owned(),
        ResourceKind::Lease => "Releasing the lease...".to_owned(),
    }
}

fn deleted(kind: ResourceKind, id: &str) -> String {
    match kind {
        ResourceKind::Instance => format!("Terminated instance: {id}"),
        ResourceKind::Image => format!("Deregistered AMI: {id}"),
        other => format!("Deleted {}: {id}", noun(other)),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

pub(super) fn noun(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::KeyPair => "keypair",
        ResourceKind::SecurityGroup => "security group",
        ResourceKind::Instance => "instance",
        ResourceKind::Volume => "volume",
        ResourceKind::Image => "AMI",
        ResourceKind::Snapshot => "snapshot",
        ResourceKind::Role => "role",
        ResourceKind::InstanceProfile => "instance profile",
        ResourceKind::Object => "object",
        ResourceKind::Lease => "lease",
    }
}

/// The word for a step in progress lines and in the table of durations.
pub(super) fn step_name(step: Step) -> &'static str {
    match step {
        Step::Prepare => "prepare",
        Step::Launch => "launch",
        Step::Connect => "connect",
        Step::Provision => "provision",
        Step::Stop => "stop",
        Step::Image => "image",
        Step::Publish => "publish",
        Step::Teardown => "teardown",
    }
}

/// Bytes with a unit of powers of 1024.
pub(super) fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// The artifact as Packer words it, then its hash.
pub(super) fn artifact(artifact: &Artifact) -> String {
    match artifact {
        Artifact::Nothing => "<nothing>".to_owned(),
        Artifact::Null => "Did not export anything. This is the null builder".to_owned(),
        Artifact::Images { images, image_hash, reused, .. } => {
            let verb = if *reused { "AMIs were reused:" } else { "AMIs were created:" };
            let images: Vec<_> =
                images.iter().map(|(region, id)| format!("{region}: {id}")).collect();
            format!("{verb}\n{}\nimage hash: {image_hash}\n", images.join("\n"))
        }
    }
}

/// Packer's ids of the builder and of the artifact.
pub(super) fn artifact_ids(artifact: &Artifact) -> Option<(&'static str, String)> {
    match artifact {
        Artifact::Nothing => None,
        Artifact::Null => Some(("fnoeding.null", "Null".to_owned())),
        Artifact::Images { builder_id, images, .. } => {
            let ids: Vec<_> = images.iter().map(|(region, id)| format!("{region}:{id}")).collect();
            Some((builder_id, ids.join(",")))
        }
    }
}
