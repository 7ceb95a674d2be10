//! Evaluates, finds answers, and evaluates again, until nothing is left to ask.

use std::collections::BTreeSet;

use futures::future::BoxFuture;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::template::UNKNOWN_VALUE;
use crate::template::lookup::{Answer, Answers, Lookup, Question};

/// Rounds after which a template is given up: longer chains of data sources are no chains.
const ROUNDS: usize = 100;

/// Who answers questions.
pub trait LookUp: Sync {
    /// Finds the answer to one question.
    fn look_up<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer>;
}

/// What one evaluation came to.
pub struct Round<T> {
    /// Its result.
    pub result: Result<T, Diagnostics>,
    /// What it could not know.
    pub pending: Vec<Lookup>,
}

/// Evaluates with more and more answers, and returns the first result that waits for nothing. All
/// that an evaluation waits for is asked at the same time, and nothing is asked twice.
///
/// # Errors
/// What the evaluation says; a look-up that failed is an error at its place, as evaluation meets
/// its answer.
pub async fn settle<T>(
    who: &dyn LookUp,
    mut evaluate: impl FnMut(&Answers) -> Round<T>,
) -> Result<T, Diagnostics> {
    let mut answers = Answers::default();
    for _ in 0..ROUNDS {
        let Round { result, pending } = evaluate(&answers);
        if pending.is_empty() || result.as_ref().is_err_and(|found| !only_unknown(found)) {
            return result;
        }
        let questions: BTreeSet<Question> = pending.into_iter().map(|one| one.question).collect();
        let asked = questions.into_iter().map(|question| async {
            let answer = who.look_up(&question).await;
            (question, answer)
        });
        for (question, answer) in futures::future::join_all(asked).await {
            answers.add(question, answer);
        }
    }
    let pending = evaluate(&answers).pending;
    let spans: Vec<_> = pending.iter().map(|one| &one.span).collect();
    let mut finding = Diagnostic::error(
        "endless-lookups",
        format!("after {ROUNDS} rounds of look-ups there is still something to ask"),
    )
    .note("each round asks something that depends on answers of the one before");
    if let Some((first, rest)) = spans.split_first() {
        finding = finding.at(first, "asks something new each time");
        finding = rest.iter().fold(finding, |finding, span| finding.also(span, "this too"));
    }
    Err(finding.into())
}

/// Whether all that is wrong is that something is not known yet.
fn only_unknown(found: &Diagnostics) -> bool {
    let mut errors = found.iter().filter(|one| one.severity == crate::diagnostic::Severity::Error);
    errors.all(|one| one.code == UNKNOWN_VALUE)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use serde_json::json;

    use super::*;
    use crate::diagnostic::{Source, Span};
    use crate::value::Value;

    struct Yes;

    impl LookUp for Yes {
        fn look_up<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Answer> {
            async { Answer::found(Value::bool(true)) }.boxed()
        }
    }

    #[tokio::test]
    async fn an_evaluation_that_always_asks_something_new_is_given_up() {
        let source = Source::new("a", "text");
        let mut count = 0;
        let result = settle(&Yes, |_| {
            count += 1;
            let lookup = Lookup {
                question: Question::new("http", &json!({ "count": count })),
                asked_by: "data.http.a".to_owned(),
                span: Span::whole(&source),
            };
            Round { result: Ok(()), pending: vec![lookup] }
        })
        .await;
        let found = result.expect_err("given up");
        assert_eq!(found.iter().next().map(|one| one.code), Some("endless-lookups"));
    }
}
