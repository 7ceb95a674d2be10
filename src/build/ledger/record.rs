//! The lines of a ledger.

use serde::{Deserialize, Serialize};

use super::Process;
use crate::event::ResourceKind;

/// Version of the format that is written.
pub const VERSION: u32 = 2;

/// A line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Record {
    /// The first line.
    Opened {
        /// Version of the format.
        version: u32,
        /// Id of the run.
        run: String,
        /// When, RFC 3339.
        at: String,
        /// Process id, to see whether the run is still alive on this machine.
        pid: u32,
        /// What tells this process from others of the same number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<Process>,
    },
    /// The builds begin.
    Started {
        /// When, RFC 3339.
        at: String,
        /// The template, as it was given.
        template: String,
        /// Names of the builds.
        builds: Vec<String>,
        /// When the run is certainly over, RFC 3339.
        deadline: String,
        /// Whether the cloud was bake's own and ended with the process.
        #[serde(default)]
        sandbox: bool,
    },
    /// The image hash of a build is known.
    Hashed {
        /// The build.
        build: String,
        /// 64 hexadecimal digits.
        image_hash: String,
        /// The name that its image is to have.
        name: String,
    },
    /// An image is about to be made: what is to be done with it once it is available.
    Publication {
        /// The build.
        build: String,
        /// The builder's own.
        publication: serde_json::Value,
    },
    /// A build has ended.
    Ended {
        /// The build.
        build: String,
        /// When, RFC 3339.
        at: String,
        /// How.
        how: Ending,
        /// Region and id of each image.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        images: Vec<(String, String)>,
    },
    /// Something is about to be made.
    Intent {
        /// Number of the entry.
        entry: u64,
        /// When, RFC 3339.
        at: String,
        /// What.
        #[serde(flatten)]
        intent: Intent,
    },
    /// It was made.
    Created {
        /// Number of the entry.
        entry: u64,
        /// Its id.
        id: String,
    },
    /// The create call was refused: there is nothing.
    Refused {
        /// Number of the entry.
        entry: u64,
    },
    /// It is gone.
    Deleted {
        /// Number of the entry.
        entry: u64,
    },
    /// It is part of the result.
    Kept {
        /// Number of the entry.
        entry: u64,
    },
    /// It may be there, and nobody is to look for it any more.
    Forgotten {
        /// Number of the entry.
        entry: u64,
    },
    /// Nothing of the run is left over.
    Closed {
        /// When, RFC 3339.
        at: String,
    },
}

/// How a build ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It made what was asked for.
    Built,
    /// An image of its hash was there already.
    Reused,
    /// It failed.
    Failed,
    /// It was interrupted.
    Interrupted,
}

impl Ending {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Built => "built",
            Self::Reused => "reused",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Something about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What.
    pub kind: ResourceKind,
    /// Name or client token by which it can be found without its id.
    pub name: String,
    /// The build it is for.
    pub build: String,
    /// Region.
    pub region: String,
    /// Endpoint, when it is not AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Whether the endpoint is that of EC2 alone, and all else is AWS's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ec2_only: bool,
    /// Account, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl Intent {
    /// Where it is.
    pub fn place(&self) -> Place {
        Place {
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
            ec2_only: self.ec2_only,
            account: self.account.clone(),
        }
    }
}

/// Where a run made something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Region.
    pub region: String,
    /// Endpoint, when it is not AWS's own.
    pub endpoint: Option<String>,
    /// Whether the endpoint is that of EC2 alone.
    pub ec2_only: bool,
    /// Account, when it is known.
    pub account: Option<String>,
}
