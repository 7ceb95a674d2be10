//! What a run is given, and what it gives back.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::{BuildError, Cancel, Clock, Ledger, Left, SharedRecord};
use crate::aws::{Client, Image};
use crate::communicator::ssm::Depot;
use crate::communicator::{Communicator, Dial, SshSettings, WinRmSettings};
use crate::event::{Artifact, Emitter};
use crate::plan::lock::Pins;
use crate::template::schema::{BuildData, Secret};

/// Any error of a neighbour.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What every build of a run shares or is given.
#[derive(Clone)]
pub struct BuildContext {
    /// Id of the run; on every resource's tags.
    pub run_id: String,
    /// The build's name as users see it, such as `amazon-ebs.app`.
    pub build: String,
    /// Name of the source in the template, such as `app`.
    pub source_name: String,
    /// Events in the name of this build.
    pub events: Emitter,
    /// Interruption.
    pub cancel: Cancel,
    /// The run's ledger.
    pub ledger: Ledger,
    /// The time of day.
    pub clock: Clock,
    /// After how long `bake gc` may take the run for dead; also a tag.
    pub lifetime: Duration,
    /// How long teardown keeps trying.
    pub teardown_deadline: Duration,
    /// Build although an image with this hash exists, and replace one of the same name.
    pub force: bool,
    /// How old an image may be to be taken instead of building one; any age when `None`.
    pub max_age: Option<Duration>,
    /// What a failure does to what was made.
    pub on_error: OnError,
    /// What look-ups have come to before.
    pub pins: Pins,
    /// An image to be compared, beside those that are used.
    pub apart: Option<Apart>,
    /// Knows the runs of this machine that were killed.
    pub killed: Killed,
    /// Gives the image its hash.
    pub identify: Identify,
    /// Connects to the instance.
    pub connect: Connect,
    /// Runs the provisioners.
    pub provision: Provision,
}

/// An image that is made to be compared with another: it is built though there is one of its hash,
/// and takes nobody's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// Follows the image's name.
    pub suffix: String,
    /// Whether it may be taken for an image of its hash. One that goes away again may not.
    pub claims_hash: bool,
}

/// What a failed build does with what it made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Removes it.
    #[default]
    Cleanup,
    /// Leaves it, and says what is there.
    Abort,
}

/// The source image and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedSource {
    /// The region.
    pub region: String,
    /// The image.
    pub image: Image,
}

/// What an image is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageIdentity {
    /// 64 hexadecimal digits.
    pub hash: String,
    /// Why an image with this hash must not be taken instead, if so: `timestamp()` in a script.
    pub unrepeatable: Option<String>,
    /// What the hash was taken over, where that is to be kept in S3.
    pub shared: Option<SharedRecord>,
}

/// Computes the image hash from the source image that was found.
pub type Identify = Arc<dyn Fn(&ResolvedSource) -> Result<ImageIdentity, String> + Send + Sync>;

/// Tells how many things besides leases the run of this id left, when it ran on this machine and its
/// process is certainly gone; `None` for any other run. It reads a file.
pub type Killed = Arc<dyn Fn(&str) -> Option<usize> + Send + Sync>;

/// Connects to an instance. It is dropped when the instance ends or the run is interrupted.
pub type Connect = Arc<
    dyn Fn(ConnectRequest) -> BoxFuture<'static, Result<Arc<dyn Communicator>, BoxError>>
        + Send
        + Sync,
>;

/// An instance to connect to.
#[derive(Clone)]
pub struct ConnectRequest {
    /// How it is reached.
    pub way: Way,
    /// Events in the name of this build.
    pub events: Emitter,
    /// Ends it.
    pub cancel: CancellationToken,
}

/// How an instance is reached.
#[derive(Clone)]
pub enum Way {
    /// Over SSH.
    Ssh {
        /// Name or IP address; for people only when there is a `dial`.
        host: String,
        /// TCP port.
        port: u16,
        /// How to connect and log in.
        login: Box<SshSettings>,
        /// Streams to the instance that are not TCP, such as those of Session Manager.
        dial: Option<Arc<dyn Dial>>,
        /// The temporary private key in OpenSSH's format, when one was made.
        private_key: Option<Secret>,
    },
    /// Over WinRM.
    WinRm {
        /// Name or IP address; for people only when there is a `dial`.
        host: String,
        /// TCP port.
        port: u16,
        /// How to connect and log in, with the password.
        login: Box<WinRmSettings>,
        /// Streams to the instance that are not TCP, such as those of Session Manager.
        dial: Option<Arc<dyn Dial>>,
    },
    /// Through the agent of Systems Manager.
    Ssm {
        /// The instance's id.
        instance: String,
        /// The service.
        client: Box<Client>,
        /// Through which large files go.
        depot: Option<Arc<dyn Depot>>,
    },
}

/// Runs the provisioners over a connection; `None` when the communicator is `none`.
pub type Provision =
    Arc<dyn Fn(ProvisionRequest) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// What provisioners get.
#[derive(Clone)]
pub struct ProvisionRequest {
    /// The way to the instance.
    pub communicator: Option<Arc<dyn Communicator>>,
    /// What is known about the build.
    pub data: BuildData,
    /// How long to wait for the instance to have set itself up before the first step.
    pub readiness: Duration,
    /// Events in the name of this build.
    pub events: Emitter,
    /// `stop` ends the steps; an error-cleanup step then runs until `hurry`.
    pub cancel: Cancel,
}

/// How a build ended.
#[derive(Debug)]
pub struct BuildOutcome {
    /// What it made, or why it did not.
    pub result: Result<Artifact, BuildError>,
    /// What could not be removed; exit code 3 when the build succeeded.
    pub left: Vec<Left>,
    /// How long it took.
    pub elapsed: Duration,
}
