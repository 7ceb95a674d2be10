//! Errors that are only eventual consistency, in one table.
//!
//! The SDK repeats what is worth repeating for every service: throttling, 5xx, broken
//! connections. What stands here are refusals that turn into successes once EC2's parts
//! have heard of what was just made.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::AwsError;
use super::time::{milliseconds, seconds};
use super::wait::Backoff;

/// A refusal that may pass.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The calls it is about.
    pub actions: &'static [&'static str],
    /// The codes.
    pub codes: &'static [&'static str],
    /// Text in the message, where the code says too little.
    pub message: Option<&'static str>,
    /// For how long after the first try.
    pub within: Duration,
}

/// The table. Times follow what is seen on EC2: ids travel within seconds, instance profiles
/// (IAM) within about fifteen.
pub const RULES: &[Rule] = &[
    Rule {
        actions: &[
            "DescribeInstances",
            "CreateTags",
            "StopInstances",
            "ModifyInstanceAttribute",
            "TerminateInstances",
            "CreateImage",
            "GetPasswordData",
        ],
        codes: &["InvalidInstanceID.NotFound"],
        message: None,
        within: seconds(60),
    },
    Rule {
        actions: &[
            "CreateTags",
            "ModifyImageAttribute",
            "EnableImageDeprecation",
            "EnableImageDeregistrationProtection",
        ],
        codes: &["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"],
        message: None,
        within: seconds(60),
    },
    Rule {
        actions: &["CreateTags", "ModifySnapshotAttribute"],
        codes: &["InvalidSnapshot.NotFound"],
        message: None,
        within: seconds(60),
    },
    Rule {
        actions: &["RunInstances"],
        codes: &["InvalidKeyPair.NotFound", "InvalidGroup.NotFound"],
        message: None,
        within: seconds(30),
    },
    Rule {
        actions: &["AuthorizeSecurityGroupIngress"],
        codes: &["InvalidGroup.NotFound", "InvalidGroupId.NotFound"],
        message: None,
        within: seconds(30),
    },
    Rule {
        actions: &["RunInstances"],
        codes: &["InvalidParameterValue"],
        message: Some("iamInstanceProfile"),
        within: seconds(60),
    },
    Rule {
        actions: &["RunInstances"],
        codes: &["InvalidParameterValue"],
        message: Some("Invalid IAM Instance Profile"),
        within: seconds(60),
    },
    Rule {
        actions: &["AttachRolePolicy", "PutRolePolicy", "AddRoleToInstanceProfile"],
        codes: &["NoSuchEntity"],
        message: None,
        within: seconds(30),
    },
    Rule {
        actions: &["CreateImage"],
        codes: &["InvalidParameterValue", "IncorrectInstanceState"],
        message: Some("not in state"),
        within: seconds(120),
    },
    Rule {
        actions: &["StopInstances", "ModifyInstanceAttribute"],
        codes: &["IncorrectInstanceState", "IncorrectState"],
        message: None,
        within: seconds(60),
    },
];

/// How long this refusal may be repeated; `None` when it is final.
pub fn patience(error: &AwsError) -> Option<Duration> {
    let code = error.code.as_deref()?;
    RULES
        .iter()
        .find(|rule| {
            rule.actions.contains(&error.action)
                && rule.codes.contains(&code)
                && rule.message.is_none_or(|text| error.message.contains(text))
        })
        .map(|rule| rule.within)
}

/// Makes a call, and again while the table says that the refusal may pass. The last answer is
/// returned at once: nothing sleeps after the last try, nor after `cancel`.
pub async fn persist<T, F>(
    cancel: &CancellationToken,
    mut call: impl FnMut() -> F,
) -> Result<T, AwsError>
where
    F: Future<Output = Result<T, AwsError>>,
{
    let started = Instant::now();
    let mut backoff = Backoff::new(milliseconds(200), seconds(5));
    loop {
        let error = match Box::pin(call()).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Some(within) = patience(&error) else { return Err(error) };
        let pause = backoff.next();
        if started.elapsed() + pause > within {
            return Err(error);
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(error),
            () = sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AwsErrorKind, AwsFailure};
    use super::*;

    fn refusal(action: &'static str, code: &str, message: &str) -> AwsError {
        AwsFailure {
            earlier_unclear: false,
            kind: AwsErrorKind::Service,
            action,
            service: "ec2",
            code: Some(code.to_owned()),
            message: message.to_owned(),
            request_id: None,
            status: Some(400),
            resource: None,
            region: "eu-west-1".to_owned(),
            endpoint: None,
        }
        .into()
    }

    #[tokio::test]
    async fn a_key_pair_that_is_not_known_yet_is_asked_for_again() {
        let mut answers = vec![
            Ok("i-1"),
            Err(refusal("RunInstances", "InvalidKeyPair.NotFound", "")),
            Err(refusal("RunInstances", "InvalidKeyPair.NotFound", "")),
        ];
        let cancel = CancellationToken::new();
        let launched = persist(&cancel, || {
            let answer = answers.pop().expect("asked three times");
            async move { answer }
        });
        assert_eq!(launched.await.expect("third time"), "i-1");
    }

    #[tokio::test]
    async fn a_refusal_outside_the_table_is_final() {
        let mut calls = 0;
        let cancel = CancellationToken::new();
        let error = persist::<(), _>(&cancel, || {
            calls += 1;
            async { Err(refusal("RunInstances", "UnauthorizedOperation", "")) }
        })
        .await
        .expect_err("denied");
        assert_eq!(error.code.as_deref(), Some("UnauthorizedOperation"));
        assert_eq!(calls, 1);
    }

    #[tokio::test]
    async fn patience_ends_without_a_last_sleep() {
        let started = Instant::now();
        let cancel = CancellationToken::new();
        let mut last = started;
        let text = "Value (x) for parameter iamInstanceProfile.name is invalid";
        let result = persist::<(), _>(&cancel, || {
            last = Instant::now();
            async { Err(refusal("RunInstances", "InvalidParameterValue", text)) }
        });
        assert!(result.await.is_err());
        let ended = Instant::now();
        assert!(last > started, "it was tried again");
        // A pause would have been 50 milliseconds here.
        assert!(ended - last < milliseconds(2000), "{:?}", ended - last);
    }

    #[tokio::test]
    async fn a_cancelled_run_does_not_go_on_trying() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        let mut calls = 0;
        let result = persist::<(), _>(&cancel, || {
            calls += 1;
            async { Err(refusal("StopInstances", "InvalidInstanceID.NotFound", "")) }
        });
        assert!(result.await.is_err());
        assert_eq!(calls, 1);
    }
}
