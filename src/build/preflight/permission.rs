//! What the credentials may do, by dry runs.
//!
//! A dry run is worth something only when it asks about what will really be done: policies can be
//! about names, tags and ids. What does not exist yet is left out of the question; a refusal that is
//! about what stands in its place is none.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt as _};
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

use crate::aws::time::{milliseconds, seconds};
use crate::aws::wait::Backoff;
use crate::aws::{AwsError, Client};
use crate::build::BuildError;

/// How long a build waits for all answers together.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often an id is asked about that is not found yet.
const ATTEMPTS: u32 = 5;

/// Something to ask.
pub(in crate::build) struct Question<'a> {
    /// What it is for: `which launches the instance`.
    pub(in crate::build) purpose: &'static str,
    /// Kinds of resources, as ARNs have them, in whose place something else stands.
    pub(in crate::build) stand_ins: Vec<&'static str>,
    /// Asks.
    pub(in crate::build) ask:
        Box<dyn Fn() -> BoxFuture<'a, Result<(), AwsError>> + Send + Sync + 'a>,
}

impl<'a> Question<'a> {
    /// A question about exactly what will be done.
    pub(in crate::build) fn new(
        purpose: &'static str,
        ask: impl Fn() -> BoxFuture<'a, Result<(), AwsError>> + Send + Sync + 'a,
    ) -> Self {
        Self { purpose, stand_ins: Vec::new(), ask: Box::new(ask) }
    }

    async fn answer(&self) -> Result<(), AwsError> {
        let mut backoff = Backoff::new(milliseconds(200), seconds(2));
        let mut attempts = 1;
        loop {
            match (self.ask)().await {
                Err(error) if error.is_not_found() && attempts < ATTEMPTS => {
                    attempts += 1;
                    sleep(backoff.next()).await;
                }
                answer => return answer,
            }
        }
    }

    /// Whether an answer says that what will be done is not allowed.
    fn is_refused(&self, error: &AwsError) -> bool {
        error.is_denial()
            && error.denied_resource_kind().is_none_or(|kind| !self.stand_ins.contains(&kind))
    }
}

/// Asks on behalf of one build.
pub(in crate::build) struct Asker {
    who: Option<String>,
    /// Whether to ask at all.
    wanted: bool,
    knows: OnceCell<bool>,
}

impl Asker {
    /// `who` is the ARN of whose credentials they are; nothing is asked when it is not `wanted`.
    pub(in crate::build) fn new(who: Option<String>, wanted: bool) -> Self {
        Self { who, wanted, knows: OnceCell::new() }
    }

    /// Asks all at once.
    ///
    /// # Errors
    /// With the first that is refused. Any other answer than a refusal is none.
    pub(in crate::build) async fn ask(
        &self,
        client: &Client,
        questions: Vec<Question<'_>>,
    ) -> Result<(), BuildError> {
        // Nothing is slower than an endpoint that does not answer, and no answer is worth that.
        timeout(PATIENCE, self.ask_all(client, questions)).await.unwrap_or_else(|_| {
            tracing::debug!("dry runs are not answered in time");
            Ok(())
        })
    }

    async fn ask_all(
        &self,
        client: &Client,
        questions: Vec<Question<'_>>,
    ) -> Result<(), BuildError> {
        if !self.wanted || !*self.knows.get_or_init(|| client.knows_dry_runs()).await {
            return Ok(());
        }
        let asking = questions.into_iter().map(|question| self.put(question));
        let mut answers: FuturesOrdered<_> = asking.collect();
        while let Some(answer) = answers.next().await {
            answer?;
        }
        Ok(())
    }

    async fn put(&self, question: Question<'_>) -> Result<(), BuildError> {
        let Err(error) = question.answer().await else { return Ok(()) };
        if !question.is_refused(&error) {
            tracing::debug!(%error, "a dry run says nothing");
            return Ok(());
        }
        let who = error.denied_principal().map(str::to_owned).or_else(|| self.who.clone());
        let who = who.unwrap_or_else(|| "these credentials".to_owned());
        Err(BuildError::Denied { error, who, purpose: question.purpose })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::aws::{AwsErrorKind, AwsFailure};

    fn error(code: &str, message: &str) -> AwsError {
        AwsFailure {
            earlier_unclear: false,
            kind: AwsErrorKind::Service,
            action: "RunInstances",
            service: "ec2",
            code: Some(code.to_owned()),
            message: message.to_owned(),
            request_id: None,
            status: Some(403),
            resource: None,
            region: "eu-west-1".to_owned(),
            endpoint: None,
        }
        .into()
    }

    async fn asked(code: &str, message: &str, stand_ins: &[&'static str]) -> Option<String> {
        let error = error(code, message);
        let mut question = Question::new("which launches the instance", move || {
            let error = error.clone();
            async move { Err(error) }.boxed()
        });
        question.stand_ins = stand_ins.to_vec();
        let asker = Asker::new(Some("arn:aws:iam::1:user/u".to_owned()), true);
        asker.put(question).await.err().map(|error| error.to_string())
    }

    const GROUP: &str = "User: arn:aws:iam::1:user/v is not authorized to perform: ec2:RunInstances on resource: arn:aws:ec2:eu-west-1:1:security-group/sg-1 because no identity-based policy allows the ec2:RunInstances action";

    #[tokio::test]
    async fn only_a_refusal_counts() {
        let denied = asked("UnauthorizedOperation", "no.", &[]).await;
        insta::assert_snapshot!(denied.unwrap_or_default(), @"arn:aws:iam::1:user/u may not call `ec2:RunInstances`, which launches the instance: UnauthorizedOperation: no.");
        for code in ["RequestLimitExceeded", "InvalidParameterValue", "InvalidInstanceID.NotFound"]
        {
            assert_eq!(asked(code, "no.", &[]).await, None, "{code}");
        }
    }

    #[tokio::test]
    async fn a_refusal_about_a_stand_in_is_none() {
        assert_eq!(asked("UnauthorizedOperation", GROUP, &["security-group"]).await, None);
        let denied = asked("UnauthorizedOperation", GROUP, &["instance"]).await;
        assert!(denied.is_some_and(|text| text.starts_with("arn:aws:iam::1:user/v may not call")));
        assert!(asked("UnauthorizedOperation", "no.", &["security-group"]).await.is_some());
    }
}
