//! Why a build failed.

use std::time::Duration;

use crate::aws::AwsError;
use crate::communicator::CommunicatorError;
use crate::diagnostic::Span;
use crate::event::ResourceKind;
use crate::provision::StepFailed;

use super::context::BoxError;

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A call to AWS failed.
    #[error("{0}")]
    Aws(#[from] AwsError),
    /// What the template asks for is not what the cloud has.
    #[error("{message}")]
    Option {
        /// The option that says it, such as `source_ami_filter`.
        option: &'static str,
        /// What is wrong.
        message: String,
        /// What to do.
        hints: Vec<String>,
    },
    /// Something ended in a state from which a build cannot go on.
    #[error("{kind_name} {id} is `{state}`{}", reason.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Hopeless {
        /// What, for people.
        kind_name: &'static str,
        /// Its id.
        id: String,
        /// Its state.
        state: String,
        /// Why, as the service says it.
        reason: Option<String>,
    },
    /// Nothing moved until the deadline.
    #[error("{kind_name} {id} did not become `{wanted}` in {} s; it is `{state}`", after.as_secs())]
    Deadline {
        /// What, for people.
        kind_name: &'static str,
        /// Its id.
        id: String,
        /// The state that was waited for.
        wanted: &'static str,
        /// The last state that was seen.
        state: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The instance has no address of the kind that was asked for.
    #[error("instance {id} has no {wanted}")]
    NoAddress {
        /// The instance.
        id: String,
        /// The kind of address.
        wanted: &'static str,
    },
    /// The instance could not be reached.
    #[error("cannot connect to the instance")]
    Connect(#[source] BoxError),
    /// A provisioner failed.
    #[error("{0}")]
    Provision(BoxError),
    /// A Go-template text could not be rendered.
    #[error("`{option}` cannot be rendered: {message}")]
    Render {
        /// The option.
        option: &'static str,
        /// Why.
        message: String,
    },
    /// The image hash could not be computed.
    #[error("the image hash cannot be computed: {0}")]
    Identity(String),
    /// A key pair could not be made or read.
    #[error("the key pair cannot be made: {0}")]
    Key(String),
    /// The ledger could not be written, so nothing more is created.
    #[error("the ledger cannot be written: {0}")]
    Ledger(#[source] std::io::Error),
    /// The credentials have expired.
    #[error("the credentials expired at {at}")]
    Expired {
        /// When, RFC 3339.
        at: String,
    },
    /// The credentials expire before a build can end, and there will be no others.
    #[error("the credentials expire at {at}, in {minutes} minutes: a build takes longer")]
    ExpiresSoon {
        /// When, RFC 3339.
        at: String,
        /// Until then.
        minutes: u64,
    },
    /// A call that the build needs is not allowed, as EC2 said before it was made.
    #[error("{who} may not call `{}`, {purpose}: {}", error.denied_action(), error.answer())]
    Denied {
        /// The refusal.
        error: AwsError,
        /// The ARN of whose credentials they are, or `these credentials`.
        who: String,
        /// What the call is for: `which launches the instance`.
        purpose: &'static str,
    },
    /// A bug of ours.
    #[error("internal error: {0}")]
    Panic(String),
    /// The run was interrupted.
    #[error("the build was interrupted")]
    Cancelled,
}

impl BuildError {
    /// An option whose wish cannot be met.
    pub fn option(option: &'static str, message: impl Into<String>) -> Self {
        Self::Option { option, message: message.into(), hints: Vec::new() }
    }

    /// Adds what to do; only for [`BuildError::Option`].
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Option { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    /// The option that it comes from, where there is one.
    pub fn option_name(&self) -> Option<&'static str> {
        match self {
            Self::Option { option, .. } | Self::Render { option, .. } => Some(option),
            _ => None,
        }
    }

    /// What a panic came with.
    pub(super) fn of_panic(panic: &(dyn std::any::Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Self::Panic(text.unwrap_or_else(|| "a step panicked".to_owned()))
    }

    /// The provisioner that it comes from, where there is one.
    pub fn step_place(&self) -> Option<&Span> {
        match self {
            Self::Provision(error) => {
                error.downcast_ref::<StepFailed>().map(|failed| &failed.place)
            }
            _ => None,
        }
    }

    /// Whether the run was interrupted rather than failed.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// What to do next.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Aws(error) => error.hints(),
            Self::Option { hints, .. } => hints.clone(),
            Self::Connect(error) | Self::Provision(error) => hints_of(&**error),
            Self::Hopeless { reason: Some(reason), .. } if reason.contains("KMS") => vec![
                "may the account use the KMS key of the source image or volumes?".to_owned(),
            ],
            Self::Deadline { .. } => {
                vec!["`aws_polling` sets how long to wait without progress".to_owned()]
            }
            Self::NoAddress { .. } => vec![
                "choose a subnet that gives such an address, `associate_public_ip_address = true`, or another `ssh_interface`".to_owned(),
            ],
            Self::Ledger(_) => vec![
                "resources are recorded in $XDG_STATE_HOME/bake/runs before they are made: is it writable?".to_owned(),
            ],
            Self::Expired { .. } => {
                vec!["fetch new credentials (for SSO: `aws sso login`)".to_owned()]
            }
            Self::ExpiresSoon { .. } => {
                vec!["fetch new credentials, or use a profile that renews them".to_owned()]
            }
            Self::Denied { error, .. } => {
                let mut hints = error.hints();
                hints.push("docs/permissions.md has a policy with all that a build needs".to_owned());
                hints
            }
            Self::Panic(_) => vec!["this is a bug in bake: please report it".to_owned()],
            _ => Vec::new(),
        }
    }

    /// The whole error, one cause a line.
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let line = cause.to_string();
            if !text.ends_with(&line) {
                text.push('\n');
                text.push_str(&line);
            }
            next = cause.source();
        }
        text
    }
}

/// What the rooms below say about their errors.
fn hints_of(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    if let Some(failed) = error.downcast_ref::<StepFailed>() {
        failed.error.hints()
    } else if let Some(error) = error.downcast_ref::<CommunicatorError>() {
        error.hints()
    } else {
        Vec::new()
    }
}

/// A kind in people's words.
pub(crate) fn kind_name(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::KeyPair => "key pair",
        ResourceKind::SecurityGroup => "security group",
        ResourceKind::Instance => "instance",
        ResourceKind::Volume => "volume",
        ResourceKind::Image => "image",
        ResourceKind::Snapshot => "snapshot",
        ResourceKind::Role => "role",
        ResourceKind::InstanceProfile => "instance profile",
        ResourceKind::Object => "object",
        ResourceKind::Lease => "lease",
    }
}
