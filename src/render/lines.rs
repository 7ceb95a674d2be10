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

/// The lines of a fact about a build, without the `==> NAME: ` in front. Wording follows Packer's
/// where it has the same step (`packer-amazon.md` section 5), since people grep for it.
pub(super) fn lines(fact: &Fact) -> Vec<(Tone, String)> {
    let say = |text: String| vec![(Tone::Normal, text)];
    match fact {
        Fact::RunStarted { .. }
        | Fact::BuildStarted { .. }
        | Fact::StepStarted { .. }
        | Fact::UploadProgressed { .. }
        | Fact::BuildFinished { .. }
        | Fact::BuildFailed { .. }
        | Fact::CreateStarted { .. }
        | Fact::DeleteStarted { .. }
        | Fact::ImageProgressed { .. }
        | Fact::StopRequested { .. }
        | Fact::WaitStarted { .. }
        | Fact::RunEnded { .. } => Vec::new(),
        Fact::NetworkFound { vpc_id, subnet_id } => {
            let vpc = vpc_id.iter().map(|id| format!("Found VPC ID: {id}"));
            let subnet = subnet_id.iter().map(|id| format!("Found Subnet ID: {id}"));
            vpc.chain(subnet).map(|text| (Tone::Normal, text)).collect()
        }
        Fact::ImageNameChecked { name } => say(format!("Prevalidating AMI Name: {name}")),
        Fact::AttributesChanged { id, what } => {
            say(format!("Modifying attributes on AMI ({id}): {what}"))
        }
        Fact::ImageTagged { id, tags } => {
            let mut lines = say(format!("Adding tags to AMI ({id})..."));
            for (key, value) in tags {
                lines.extend(say(format!("Adding tag: \"{key}\": \"{value}\"")));
            }
            lines
        }
        Fact::StepEnded { .. } | Fact::ProvisionerEnded { .. } => Vec::new(),
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
        Fact::ReuseSkipped { reason } => {
            say(format!("Not looking for an existing image: {reason}"))
        }
        Fact::ImageReused { id, name } => {
            say(format!("An image of this hash exists: {id} ({name}); nothing to build"))
        }
        Fact::ResourceCreated { kind, id, detail } => say(created(*kind, id, detail)),
        Fact::IngressAuthorized { port, cidrs } => say(format!(
            "Authorizing access to port {port} from [{}] in the temporary security group...",
            cidrs.join(" ")
        )),
        Fact::StateChanged { kind, id, state } => match (kind, state.as_str()) {
            (ResourceKind::Instance, "stopping") => {
                say("Stopping the source instance...".to_owned())
            }
            (ResourceKind::Image, "pending") => {
                say(format!("Waiting for AMI ({id}) to become ready..."))
            }
            _ => say(format!("{} {id} is {state}", noun(*kind))),
        },
        Fact::ConnectStarted { communicator, address } => vec![
            (Tone::Normal, format!("Using {communicator} communicator to connect: {address}")),
            (Tone::Normal, format!("Waiting for {communicator} to become available...")),
        ],
        Fact::Connected { .. } => say("Connected!".to_owned()),
        Fact::ProvisionerStarted { title, .. } => say(title.clone()),
        Fact::ProvisionerSaid { text } => say(text.clone()),
        Fact::Output { stream: Stream::Stdout, line } => vec![(Tone::Output, line.clone())],
        Fact::Output { stream: Stream::Stderr, line } => vec![(Tone::Error, line.clone())],
        Fact::UploadStarted { source, destination, bytes, files } => say(format!(
            "Uploading {source} => {destination} ({}, {files} file{})",
            size(*bytes),
            if *files == 1 { "" } else { "s" }
        )),
        Fact::UploadEnded { bytes, elapsed, .. } => {
            say(format!("Uploaded {} in {}", size(*bytes), duration::short(*elapsed)))
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

fn created(kind: ResourceKind, id: &str, detail: &str) -> String {
    match kind {
        ResourceKind::KeyPair => format!("Created temporary keypair: {id}"),
        ResourceKind::SecurityGroup => {
            format!("Created temporary security group for this instance: {id} ({detail})")
        }
        ResourceKind::Instance => format!("Instance ID: {id} ({detail})"),
        ResourceKind::Image => format!("AMI: {id}"),
        ResourceKind::Volume | ResourceKind::Snapshot => {
            format!("Created {}: {id} {detail}", noun(kind)).trim_end().to_owned()
        }
    }
}

fn deleted(kind: ResourceKind, id: &str) -> String {
    match kind {
        ResourceKind::KeyPair => format!("Deleted temporary keypair: {id}"),
        ResourceKind::SecurityGroup => format!("Deleted temporary security group: {id}"),
        ResourceKind::Instance => format!("Terminated the source AWS instance: {id}"),
        ResourceKind::Image => format!("Deregistered AMI: {id}"),
        ResourceKind::Volume | ResourceKind::Snapshot => format!("Deleted {}: {id}", noun(kind)),
    }
}

fn noun(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::KeyPair => "keypair",
        ResourceKind::SecurityGroup => "security group",
        ResourceKind::Instance => "instance",
        ResourceKind::Volume => "volume",
        ResourceKind::Image => "AMI",
        ResourceKind::Snapshot => "snapshot",
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
    let verb = if artifact.reused { "AMIs were reused:" } else { "AMIs were created:" };
    if artifact.images.is_empty() {
        return "<nothing>".to_owned();
    }
    let images: Vec<_> =
        artifact.images.iter().map(|(region, id)| format!("{region}: {id}")).collect();
    format!("{verb}\n{}\nimage hash: {}\n", images.join("\n"), artifact.image_hash)
}
