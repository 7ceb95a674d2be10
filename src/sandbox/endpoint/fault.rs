//! Faults on purpose: which call of which action goes wrong, and how.
//!
//! A rule is `ACTION:COUNT:EFFECT`:
//!
//! - ACTION: a name with `*` and `?`, such as `RunInstances`, `Describe*`, `*`;
//! - COUNT: `3` the first three calls that the rule sees, `#3` only the third,
//!   `3+` the third and all after it, `*` every call;
//! - EFFECT: see [`FaultEffect`].
//!
//! A dry run of ACTION is a call of the action `DryRunACTION`, and of no other, so that rules strike
//! the same calls whether somebody asks first or not. But a permission that the next call of ACTION
//! will not have is one that its dry run has not either, see [`Faults::denial`].
//!
//! The sockets of data channels are calls of the action [`DATA_CHANNEL`]: besides what can happen
//! to every call, they can go wrong while they are open, see [`ChannelFault`].

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::sandbox::cloud::{CloudError, parse_duration, wildcard};

/// The action that opening a socket of a data channel counts as.
pub(super) const DATA_CHANNEL: &str = "DataChannel";
/// What the names of actions begin with when they are only tried.
const DRY_RUN: &str = "DryRun";
/// What refuses for want of permission.
const DENIALS: [&str; 4] =
    ["UnauthorizedOperation", "AuthFailure", "AccessDenied", "AccessDeniedException"];
/// The action that can give an empty token.
const RESUME: &str = "ResumeSession";

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRule {
    action: String,
    first: u64,
    last: Option<u64>,
    effect: FaultEffect,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultEffect {
    /// The call is refused and does nothing: `throttle` (RequestLimitExceeded), `internal`
    /// (InternalError, 500), `unavailable` (503), `capacity` (InsufficientInstanceCapacity),
    /// `unauthorized` (UnauthorizedOperation), or `error=CODE` with or without `/MESSAGE`.
    Refuse(CloudError),
    /// `delay=DURATION`: the call takes that much longer, then works.
    Delay(Duration),
    /// `drop`: the connection is closed before the call is acted on.
    Drop,
    /// `cut`: the call is acted on, and the connection is closed in the middle of the answer.
    Cut,
    /// `empty-token`: a session is not resumed, as if it had ended (ResumeSession only).
    EmptyToken,
    /// What goes wrong with an open data channel (DataChannel only).
    Channel(ChannelFault),
}

/// What goes wrong with a socket of a data channel while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelFault {
    /// `cut=BYTES`: the connection breaks after so many bytes, both directions together.
    Cut(u64),
    /// `bye=BYTES`: the same with a word: it is closed as the service closes it every hour.
    Bye(u64),
    /// `lose=PERCENT%`: frames do not arrive, in both directions.
    Lose(Share),
    /// `duplicate=PERCENT%`: frames arrive twice.
    Duplicate(Share),
    /// `reorder=PERCENT%`: frames arrive after the next one.
    Reorder(Share),
    /// `stall=DURATION` or `stall=DURATION@BYTES`: nothing moves for so long, from the start or
    /// after so many bytes.
    Stall {
        /// For how long.
        time: Duration,
        /// After how many bytes.
        after: u64,
    },
}

/// A part of all frames, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(pub u32);

impl ChannelFault {
    fn parse(name: &str, value: &str) -> Option<Self> {
        Some(match name {
            "cut" => Self::Cut(bytes(value)?),
            "bye" => Self::Bye(bytes(value)?),
            "lose" => Self::Lose(share(value)?),
            "duplicate" => Self::Duplicate(share(value)?),
            "reorder" => Self::Reorder(share(value)?),
            "stall" => {
                let (time, after) = match value.split_once('@') {
                    Some((time, after)) => (time, bytes(after)?),
                    None => (value, 0),
                };
                Self::Stall { time: parse_duration(time)?, after }
            }
            _ => return None,
        })
    }
}

/// A number with or without `K` or `M`, which are binary.
fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = if let Some(digits) = text.strip_suffix('K') {
        (digits, 1 << 10)
    } else if let Some(digits) = text.strip_suffix('M') {
        (digits, 1 << 20)
    } else {
        (text, 1)
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// `1%`, `0.5%`
fn share(text: &str) -> Option<Share> {
    let percent: f64 = text.strip_suffix('%')?.parse().ok()?;
    // The range is checked, so the cast keeps the value.
    (0.0..=100.0).contains(&percent).then(|| Share((percent * 10_000.0).round() as u32))
}

/// Why a rule was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Not three parts.
    #[error("`{0}` is not `ACTION:COUNT:EFFECT`; for example `RunInstances:2:throttle`")]
    Shape(String),
    /// An action with other characters than letters, `*` and `?`.
    #[error("`{0}` is not the name of an action; for example `CreateImage`, `Describe*` or `*`")]
    Action(String),
    /// Not a count.
    #[error(
        "`{0}` does not say which calls; write `3` (the first three), `#3` (the third), `3+` (from the third on) or `*`"
    )]
    Count(String),
    /// Not an effect.
    #[error(
        "`{0}` is not a fault; there are: throttle, internal, unavailable, capacity, unauthorized, error=CODE, error=CODE/MESSAGE, delay=5s, drop, cut, empty-token; for data channels: cut=BYTES, bye=BYTES, lose=1%, duplicate=1%, reorder=1%, stall=5s, stall=5s@BYTES"
    )]
    Effect(String),
    /// An effect that calls of this action cannot have.
    #[error("`{effect}` happens to calls of {of} only, not to `{action}`")]
    Misplaced {
        /// What was written.
        effect: String,
        /// For which calls.
        action: String,
        /// Which calls can have it.
        of: &'static str,
    },
}

impl FromStr for FaultRule {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let shape = || FaultError::Shape(text.to_owned());
        let (action, rest) = text.split_once(':').ok_or_else(shape)?;
        let (count, effect) = rest.split_once(':').ok_or_else(shape)?;
        if action.is_empty()
            || !action.chars().all(|c| c.is_ascii_alphanumeric() || "*?".contains(c))
        {
            return Err(FaultError::Action(action.to_owned()));
        }
        let number = |text: &str| text.parse().ok().filter(|n: &u64| *n > 0);
        let range = if count == "*" {
            Some((1, None))
        } else if let Some(only) = count.strip_prefix('#') {
            number(only).map(|n| (n, Some(n)))
        } else if let Some(first) = count.strip_suffix('+') {
            number(first).map(|n| (n, None))
        } else {
            number(count).map(|n| (1, Some(n)))
        };
        let (first, last) = range.ok_or_else(|| FaultError::Count(count.to_owned()))?;
        let text = effect;
        let effect: FaultEffect = text.parse()?;
        let only = match effect {
            FaultEffect::Channel(_) => Some(DATA_CHANNEL),
            FaultEffect::EmptyToken => Some(RESUME),
            _ => None,
        };
        if let Some(of) = only.filter(|of| !wildcard(action, of)) {
            let (effect, action) = (text.to_owned(), action.to_owned());
            return Err(FaultError::Misplaced { effect, action, of });
        }
        Ok(Self { action: action.to_owned(), first, last, effect })
    }
}

impl FromStr for FaultEffect {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let refuse = |code: &str, message: &str| {
            Ok(FaultEffect::Refuse(CloudError::new(code.to_owned(), message)))
        };
        match text {
            "throttle" => refuse("RequestLimitExceeded", "Request limit exceeded."),
            "internal" => refuse("InternalError", "An internal error has occurred"),
            "unavailable" => {
                refuse("Unavailable", "The service is unavailable. Please try again shortly.")
            }
            "capacity" => refuse(
                "InsufficientInstanceCapacity",
                "We currently do not have sufficient capacity in the Availability Zone you requested.",
            ),
            "unauthorized" => {
                refuse("UnauthorizedOperation", "You are not authorized to perform this operation.")
            }
            "drop" => Ok(FaultEffect::Drop),
            "cut" => Ok(FaultEffect::Cut),
            "empty-token" => Ok(FaultEffect::EmptyToken),
            _ => {
                let unknown = || FaultError::Effect(text.to_owned());
                let (name, value) = text.split_once('=').ok_or_else(unknown)?;
                match name {
                    "error" if !value.is_empty() => {
                        let (code, message) =
                            value.split_once('/').unwrap_or((value, "A fault on purpose."));
                        refuse(code, message)
                    }
                    "delay" => parse_duration(value).map(FaultEffect::Delay).ok_or_else(unknown),
                    _ => ChannelFault::parse(name, value)
                        .map(FaultEffect::Channel)
                        .ok_or_else(unknown),
                }
            }
        }
    }
}

/// The name that the dry run of an action has.
pub(super) fn dry_run_of(action: &str) -> String {
    format!("{DRY_RUN}{action}")
}

/// Rules with how often each has matched.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<(FaultRule, u64)>>);

impl Faults {
    pub(super) fn new(rules: Vec<FaultRule>) -> Self {
        Self(Mutex::new(rules.into_iter().map(|rule| (rule, 0)).collect()))
    }

    /// What happens to this call: each rule counts it, and all that are due apply in their order.
    pub(super) fn due(&self, action: &str) -> Vec<FaultEffect> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        for (rule, seen) in rules.iter_mut().filter(|(rule, _)| wildcard(&rule.action, action)) {
            *seen += 1;
            if *seen >= rule.first && rule.last.is_none_or(|last| *seen <= last) {
                due.push(rule.effect.clone());
            }
        }
        due
    }

    /// The refusal for want of permission that the next call of an action would meet. It is not
    /// counted.
    pub(super) fn denial(&self, action: &str) -> Option<CloudError> {
        let rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rules.iter().find_map(|(rule, seen)| {
            let next = seen + 1;
            let is_due = wildcard(&rule.action, action)
                && next >= rule.first
                && rule.last.is_none_or(|last| next <= last);
            match &rule.effect {
                FaultEffect::Refuse(error) if is_due && DENIALS.contains(&&*error.code) => {
                    Some(error.clone())
                }
                _ => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(rules: &[&str]) -> Faults {
        let parse = |text: &&str| text.parse().unwrap_or_else(|error| panic!("{error}"));
        Faults::new(rules.iter().map(parse).collect())
    }

    fn hits(rule: &str, calls: usize) -> Vec<usize> {
        let faults = faults(&[rule]);
        (1..=calls).filter(|_| !faults.due("RunInstances").is_empty()).collect()
    }

    #[test]
    fn counts() {
        assert_eq!(hits("RunInstances:2:drop", 4), [1, 2]);
        assert_eq!(hits("RunInstances:#3:drop", 4), [3]);
        assert_eq!(hits("Run*:3+:drop", 4), [3, 4]);
        assert_eq!(hits("*:*:drop", 3), [1, 2, 3]);
        assert_eq!(hits("Stop*:*:drop", 3), [0; 0]);
    }

    #[test]
    fn a_dry_run_is_denied_like_the_call_after_it_and_counted_apart() {
        let faults = faults(&["RunInstances:#2:unauthorized", "RunInstances:1:throttle"]);
        assert_eq!(faults.denial("RunInstances"), None, "the first is only throttled");
        assert_eq!(faults.due("RunInstances").len(), 1);
        for _ in 0..2 {
            let denial = faults.denial("RunInstances").map(|error| error.code);
            assert_eq!(denial.as_deref(), Some("UnauthorizedOperation"));
        }
        assert_eq!(faults.due(&dry_run_of("RunInstances")), []);
        assert_eq!(faults.due("RunInstances").len(), 1, "it is still the second");
        assert_eq!(faults.denial("RunInstances"), None);
    }

    #[test]
    fn rules_add_up() {
        let faults = faults(&["*:*:delay=5ms", "CreateImage:1:error=Some.Code/why: so"]);
        assert_eq!(
            faults.due("CreateImage"),
            [
                FaultEffect::Delay(Duration::from_millis(5)),
                FaultEffect::Refuse(CloudError::new("Some.Code", "why: so")),
            ]
        );
        assert_eq!(faults.due("CreateImage").len(), 1);
    }

    #[test]
    fn faults_of_data_channels() {
        let effect = |text: &str| text.parse::<FaultRule>().map(|rule| rule.effect);
        let channel = |text: &str| match effect(&format!("DataChannel:*:{text}")) {
            Ok(FaultEffect::Channel(fault)) => fault,
            other => panic!("{other:?}"),
        };
        assert_eq!(channel("cut=50000"), ChannelFault::Cut(50_000));
        assert_eq!(channel("bye=2M"), ChannelFault::Bye(2 << 20));
        assert_eq!(channel("lose=1%"), ChannelFault::Lose(Share(10_000)));
        assert_eq!(channel("reorder=0.25%"), ChannelFault::Reorder(Share(2500)));
        let minute = Duration::from_secs(60);
        assert_eq!(channel("stall=60s"), ChannelFault::Stall { time: minute, after: 0 });
        assert_eq!(channel("stall=1m@1K"), ChannelFault::Stall { time: minute, after: 1024 });
        assert_eq!(effect("ResumeSession:#2:empty-token"), Ok(FaultEffect::EmptyToken));
        assert!(effect("DataChannel:*:lose=101%").is_err());
        insta::assert_snapshot!(effect("RunInstances:1:lose=1%").unwrap_err(), @"`lose=1%` happens to calls of DataChannel only, not to `RunInstances`");
        insta::assert_snapshot!(effect("StartSession:1:empty-token").unwrap_err(), @"`empty-token` happens to calls of ResumeSession only, not to `StartSession`");
    }

    #[test]
    fn mistakes_are_explained() {
        let wrong = |text: &str| match text.parse::<FaultRule>() {
            Ok(rule) => format!("{rule:?}"),
            Err(error) => error.to_string(),
        };
        insta::assert_snapshot!(wrong("RunInstances:throttle"), @"`RunInstances:throttle` is not `ACTION:COUNT:EFFECT`; for example `RunInstances:2:throttle`");
        insta::assert_snapshot!(wrong(":1:throttle"), @"`` is not the name of an action; for example `CreateImage`, `Describe*` or `*`");
        insta::assert_snapshot!(wrong("RunInstances:0:throttle"), @"`0` does not say which calls; write `3` (the first three), `#3` (the third), `3+` (from the third on) or `*`");
        insta::assert_snapshot!(wrong("RunInstances:#x:throttle"), @"`#x` does not say which calls; write `3` (the first three), `#3` (the third), `3+` (from the third on) or `*`");
        insta::assert_snapshot!(wrong("RunInstances:1:explode"), @"`explode` is not a fault; there are: throttle, internal, unavailable, capacity, unauthorized, error=CODE, error=CODE/MESSAGE, delay=5s, drop, cut, empty-token; for data channels: cut=BYTES, bye=BYTES, lose=1%, duplicate=1%, reorder=1%, stall=5s, stall=5s@BYTES");
        insta::assert_snapshot!(wrong("RunInstances:1:delay=soon"), @"`delay=soon` is not a fault; there are: throttle, internal, unavailable, capacity, unauthorized, error=CODE, error=CODE/MESSAGE, delay=5s, drop, cut, empty-token; for data channels: cut=BYTES, bye=BYTES, lose=1%, duplicate=1%, reorder=1%, stall=5s, stall=5s@BYTES");
    }
}
