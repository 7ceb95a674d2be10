//! The vocabulary.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::diagnostic::Span;
use crate::template::schema::Secret;

/// Bytes of a line of output after which the rest of it comes as another.
pub const LONGEST_LINE: usize = 64 << 10;

/// A fact with its time and the build it is about.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it happened.
    pub at: SystemTime,
    /// The build's name as users see it, such as `amazon-ebs.app`; `None` for the whole run.
    pub build: Option<Arc<str>>,
    /// What happened.
    pub fact: Fact,
}

/// A part of a build, for durations and progress lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Credentials, region, name, network and source image are looked up.
    Prepare,
    /// Key pair, security group and the instance are made.
    Launch,
    /// The instance boots until the communicator is connected.
    Connect,
    /// Provisioners run.
    Provision,
    /// The instance stops.
    Stop,
    /// The image is made and becomes available.
    Image,
    /// Tags, sharing and other attributes are set.
    Publish,
    /// Everything temporary is removed.
    Teardown,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// Done.
    Succeeded,
    /// It failed; the error comes with [`Fact::BuildFailed`].
    Failed,
    /// It was interrupted.
    Cancelled,
}

/// Where a line of output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Things that a build makes in the cloud.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    /// An EC2 key pair.
    KeyPair,
    /// A security group.
    SecurityGroup,
    /// An instance.
    Instance,
    /// A volume.
    Volume,
    /// A machine image.
    Image,
    /// A snapshot.
    Snapshot,
    /// An IAM role.
    Role,
    /// An IAM instance profile.
    InstanceProfile,
    /// An object of S3.
    Object,
    /// A lease: a key pair that nobody logs in with, by whose name only one build at a time makes
    /// an image.
    Lease,
}

/// What a build leaves: Packer's artifact.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Artifact {
    /// Nothing was asked for, as with `skip_create_ami`.
    Nothing,
    /// The `null` builder's: a word that stands for nothing.
    Null,
    /// Machine images.
    Images {
        /// Packer's id of the builder, such as `mitchellh.amazonebs`.
        builder_id: &'static str,
        /// Region and id of each, sorted.
        images: Vec<(String, String)>,
        /// The image hash, 64 hexadecimal digits.
        image_hash: String,
        /// Whether an existing image was taken instead of building one.
        reused: bool,
    },
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Fact {
    /// The run knows what it will build.
    RunStarted {
        /// Id of the run, also on every resource's tags.
        run_id: String,
        /// Names of the builds in order.
        builds: Vec<String>,
    },
    /// A build began.
    BuildStarted {
        /// Its template hash.
        template_hash: String,
    },
    /// Something the user should know but that stops nothing.
    Warning {
        /// One sentence.
        text: String,
    },
    /// A step began.
    StepStarted {
        /// Which.
        step: Step,
    },
    /// A step ended.
    StepEnded {
        /// Which.
        step: Step,
        /// How.
        outcome: StepOutcome,
        /// How long it took.
        elapsed: Duration,
    },
    /// The source image was found.
    SourceImageFound {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// What stands in for it where the cloud says so (tag `bake:sandbox-base`).
        stand_in: Option<String>,
    },
    /// The image hash is known.
    ImageHashKnown {
        /// 64 hexadecimal digits.
        hash: String,
        /// The name that the image will have.
        name: String,
    },
    /// Why an existing image is not taken into account, when that is not plain.
    ReuseSkipped {
        /// One sentence.
        reason: String,
    },
    /// An available image with this hash exists; nothing will be launched.
    ImageReused {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// An image of this hash exists, but it is older than was asked for.
    ImageTooOld {
        /// Its id.
        id: String,
        /// When it was made, as EC2 says it (RFC 3339).
        created: String,
        /// How old an image may be (`-max-age`).
        max_age: Duration,
    },
    /// Another build makes the same image; it is waited for.
    LeaseAwaited {
        /// Which, for people: its name, its run and who started it.
        holder: String,
        /// Since when, RFC 3339, by EC2's clock.
        since: Option<String>,
        /// Until when it holds the lease, if it does not renew it, RFC 3339.
        deadline: Option<String>,
    },
    /// The build that was waited for has not renewed its lease in time.
    LeaseTakenOver {
        /// Which, for people.
        holder: String,
        /// When its lease ran out, RFC 3339.
        deadline: Option<String>,
    },
    /// The process of the build that holds the lease is gone. It ran on this machine.
    LeaseHolderGone {
        /// Which, for people.
        holder: String,
        /// Its run.
        run: String,
        /// How many things its run left besides leases.
        left: usize,
    },
    /// An image that a run began and will not finish has the name, and is removed for it.
    UnfinishedImageFound {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// The run.
        run: String,
    },
    /// This build, and no other one, makes the image.
    LeaseTaken {
        /// The lease's name.
        name: String,
        /// Whether another build was waited for, in vain.
        waited: bool,
    },
    /// The lease was not renewed in time, and another build has it now.
    LeaseLost {
        /// The lease's name.
        name: String,
    },
    /// The network was chosen.
    NetworkFound {
        /// The VPC, when one was looked up.
        vpc_id: Option<String>,
        /// The subnet, when one was looked up.
        subnet_id: Option<String>,
    },
    /// No own image has the name yet.
    ImageNameChecked {
        /// The name.
        name: String,
    },
    /// Something is about to be made.
    CreateStarted {
        /// What.
        kind: ResourceKind,
        /// Its name, or the client token of an instance.
        name: String,
        /// More for people: the instance that an image is made of, a type; may be empty.
        detail: String,
    },
    /// Something was made in the cloud.
    ResourceCreated {
        /// What.
        kind: ResourceKind,
        /// Its id, or name for a key pair.
        id: String,
        /// More for people: a name, a type; may be empty.
        detail: String,
    },
    /// The temporary role was given a policy.
    PolicyAttached {
        /// The role's name.
        role: String,
        /// The policy's name or ARN.
        policy: String,
    },
    /// Access was allowed in the temporary security group.
    IngressAuthorized {
        /// TCP port.
        port: u16,
        /// From where.
        cidrs: Vec<String>,
    },
    /// An instance or an image was seen in a new state.
    StateChanged {
        /// What.
        kind: ResourceKind,
        /// Its id.
        id: String,
        /// EC2's word for the state.
        state: String,
    },
    /// A state is waited for.
    WaitStarted {
        /// Of what.
        kind: ResourceKind,
        /// Its id.
        id: String,
        /// EC2's word for the state.
        state: &'static str,
    },
    /// The instance was asked to stop.
    StopRequested {
        /// Its id.
        id: String,
    },
    /// How far the snapshots of an image are; may be lost.
    ImageProgressed {
        /// The image.
        id: String,
        /// Of all its snapshots together.
        percent: u64,
    },
    /// Attributes of an image were changed: its sharing, deprecation, protection.
    AttributesChanged {
        /// The image.
        id: String,
        /// What, for people: `launch permission`.
        what: &'static str,
    },
    /// The image and its snapshots have their final tags.
    ImageTagged {
        /// The image.
        id: String,
        /// The tags.
        tags: std::collections::BTreeMap<String, String>,
    },
    /// EC2 is asked for the password that a Windows instance makes for itself.
    PasswordWaitStarted {
        /// The instance.
        instance: String,
    },
    /// EC2 knew the password.
    PasswordReceived {
        /// The instance.
        instance: String,
    },
    /// The first attempt to connect is made.
    ConnectStarted {
        /// `SSH`, `SSM`, `WinRM`.
        communicator: &'static str,
        /// Host or address, with port.
        address: String,
    },
    /// The communicator is connected.
    Connected {
        /// Attempts it took.
        attempts: u32,
        /// Where.
        address: Option<SocketAddr>,
    },
    /// A provisioner began.
    ProvisionerStarted {
        /// Position, from zero.
        index: usize,
        /// Its type, such as `shell`.
        kind: String,
        /// What it does, for people: `Provisioning with shell script: setup.sh`.
        title: String,
    },
    /// A provisioner says something.
    ProvisionerSaid {
        /// One line.
        text: String,
    },
    /// A provisioner ended.
    ProvisionerEnded {
        /// Position, from zero.
        index: usize,
        /// Whether it succeeded.
        succeeded: bool,
        /// How long it took.
        elapsed: Duration,
    },
    /// Texts that must not be seen came up: from now on, renderers mask them.
    SecretsFound {
        /// The texts.
        secrets: Vec<Secret>,
    },
    /// A line of a step's output, without its end. One of more than [`LONGEST_LINE`] bytes comes
    /// in pieces of about that length.
    Output {
        /// Where it came from.
        stream: Stream,
        /// The line.
        line: String,
    },
    /// An upload began.
    UploadStarted {
        /// What, for people.
        source: String,
        /// Where to.
        destination: String,
        /// Bytes in all.
        bytes: u64,
        /// Files in all.
        files: usize,
    },
    /// Bytes sent so far; may be lost.
    UploadProgressed {
        /// Since the start of the upload.
        bytes: u64,
    },
    /// An upload is complete and verified.
    UploadEnded {
        /// Bytes in all.
        bytes: u64,
        /// Files in all.
        files: usize,
        /// How long it took.
        elapsed: Duration,
    },
    /// A download began. How much there is, nobody knows yet.
    DownloadStarted {
        /// What, as the template says it.
        source: String,
        /// Where to on this machine.
        destination: String,
    },
    /// Bytes received so far; may be lost.
    DownloadProgressed {
        /// Since the start of the download.
        bytes: u64,
    },
    /// A download is complete.
    DownloadEnded {
        /// Bytes in all.
        bytes: u64,
        /// Files in all.
        files: usize,
        /// How long it took.
        elapsed: Duration,
    },
    /// The run was asked to stop.
    Interrupted {
        /// `interrupt`, `terminated`.
        signal: &'static str,
        /// First, second, …
        count: u32,
    },
    /// Something temporary is about to be removed.
    DeleteStarted {
        /// What.
        kind: ResourceKind,
        /// Its id, or its name when the id never arrived.
        id: String,
    },
    /// Something temporary was removed.
    ResourceDeleted {
        /// What.
        kind: ResourceKind,
        /// Its id.
        id: String,
    },
    /// Something could not be removed.
    ResourceLeft {
        /// What.
        kind: ResourceKind,
        /// Its id.
        id: String,
        /// Region or endpoint.
        region: String,
        /// Why.
        error: String,
    },
    /// A build is done.
    BuildFinished {
        /// What it made.
        artifact: Artifact,
        /// How long it took.
        elapsed: Duration,
    },
    /// A build failed.
    BuildFailed {
        /// The whole error, one cause a line.
        error: String,
        /// Where the template asks for what failed, if there is such a place.
        place: Option<Span>,
        /// What to do, where that is known.
        hints: Vec<String>,
        /// How long it took.
        elapsed: Duration,
        /// Whether it was interrupted rather than failed.
        cancelled: bool,
    },
    /// All builds have ended.
    RunEnded {
        /// How long it took.
        elapsed: Duration,
    },
}
