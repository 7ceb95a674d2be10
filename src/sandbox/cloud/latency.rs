//! How long the cloud takes over what a machine does at once.

use std::str::FromStr;
use std::time::Duration;

/// Times that are added to transitions. All zero by default: a transition then takes as long as
/// the machine does, and the call that starts it still answers with the state in between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// From `pending` to `running`, after the machine is up.
    pub running: Duration,
    /// From `stopping` to `stopped`, after the machine is down.
    pub stopped: Duration,
    /// From `shutting-down` to `terminated`, after the machine is gone.
    pub terminated: Duration,
    /// How long a snapshot stays `pending` after the copy is made.
    pub snapshot: Duration,
    /// How long an image stays `pending` after its snapshots are completed.
    pub image: Duration,
    /// How long a fresh id is not found.
    pub visible: Duration,
    /// From a boot until the machine's agent has registered with Systems Manager.
    pub agent: Duration,
    /// From SendCommand until the agent starts the command.
    pub command: Duration,
    /// How long EC2 does not know a fresh instance profile, or its role.
    pub profile: Duration,
    /// After each message that the agent sends in a session.
    pub message: Duration,
}

/// The names of the settings, in the order in which they are explained.
const NAMES: [&str; 10] = [
    "running",
    "stopped",
    "terminated",
    "snapshot",
    "image",
    "visible",
    "agent",
    "command",
    "profile",
    "message",
];

/// Why a `--latency` text was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LatencyError {
    /// A part without `=`.
    #[error(
        "`{0}` is not `NAME=DURATION`; for example `running=5s,image=30s`, or `aws` for the usual times of AWS"
    )]
    Shape(String),
    /// A name that is none of the settings.
    #[error("no latency is called `{0}`; there are: {list}", list = NAMES.join(", "))]
    Name(String),
    /// Not a duration.
    #[error("`{value}` is not a duration for `{name}`; write for example `500ms`, `5s` or `2m`")]
    Duration {
        /// The setting.
        name: String,
        /// What was written.
        value: String,
    },
}

impl FromStr for Latency {
    type Err = LatencyError;

    /// `none`, `aws` (times as seen on AWS), or parts of `NAME=DURATION` separated by commas.
    /// Parts after `aws` change single times of it.
    fn from_str(text: &str) -> Result<Self, LatencyError> {
        let mut latency = Latency::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part {
                "none" => latency = Latency::default(),
                "aws" => latency = Latency::aws(),
                _ => {
                    let (name, value) =
                        part.split_once('=').ok_or_else(|| LatencyError::Shape(part.to_owned()))?;
                    let slot = latency
                        .slot(name.trim())
                        .ok_or_else(|| LatencyError::Name(name.trim().to_owned()))?;
                    *slot = parse_duration(value.trim()).ok_or_else(|| LatencyError::Duration {
                        name: name.trim().to_owned(),
                        value: value.trim().to_owned(),
                    })?;
                }
            }
        }
        Ok(latency)
    }
}

impl Latency {
    /// Times as a small Linux instance shows them on AWS.
    pub fn aws() -> Self {
        Self {
            running: Duration::from_secs(10),
            stopped: Duration::from_secs(25),
            terminated: Duration::from_secs(30),
            snapshot: Duration::from_secs(60),
            image: Duration::from_secs(15),
            visible: Duration::from_millis(700),
            agent: Duration::from_secs(30),
            command: Duration::from_millis(800),
            profile: Duration::from_secs(8),
            message: Duration::from_millis(1),
        }
    }

    fn slot(&mut self, name: &str) -> Option<&mut Duration> {
        Some(match name {
            "running" => &mut self.running,
            "stopped" => &mut self.stopped,
            "terminated" => &mut self.terminated,
            "snapshot" => &mut self.snapshot,
            "image" => &mut self.image,
            "visible" => &mut self.visible,
            "agent" => &mut self.agent,
            "command" => &mut self.command,
            "profile" => &mut self.profile,
            "message" => &mut self.message,
            _ => return None,
        })
    }
}

/// A number with `ms`, `s` or `m`; at most a day.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
    let number: f64 = digits.trim().parse().ok()?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        _ => return None,
    };
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    (duration <= Duration::from_secs(86_400)).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_by_name() {
        let latency: Result<Latency, _> = "running=1.5s, image=250ms,visible=1m".parse();
        let expected = Latency {
            running: Duration::from_millis(1500),
            image: Duration::from_millis(250),
            visible: Duration::from_secs(60),
            ..Latency::default()
        };
        assert_eq!(latency, Ok(expected));
        assert_eq!("".parse(), Ok(Latency::default()));
        assert_eq!(
            "aws,visible=0s".parse(),
            Ok(Latency { visible: Duration::ZERO, ..Latency::aws() })
        );
    }

    #[test]
    fn mistakes_are_explained() {
        let wrong = |text: &str| match text.parse::<Latency>() {
            Ok(latency) => format!("{latency:?}"),
            Err(error) => error.to_string(),
        };
        insta::assert_snapshot!(wrong("runing=5s"), @"no latency is called `runing`; there are: running, stopped, terminated, snapshot, image, visible, agent, command, profile, message");
        insta::assert_snapshot!(wrong("running"), @"`running` is not `NAME=DURATION`; for example `running=5s,image=30s`, or `aws` for the usual times of AWS");
        insta::assert_snapshot!(wrong("running=5"), @"`5` is not a duration for `running`; write for example `500ms`, `5s` or `2m`");
        insta::assert_snapshot!(wrong("running=-5s"), @"`-5s` is not a duration for `running`; write for example `500ms`, `5s` or `2m`");
    }
}
