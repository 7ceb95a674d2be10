//! Evaluates, finds answers, and evaluates again, until nothing is left to ask.

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::template::UNKNOWN_VALUE;
use crate::template::lookup::{Answer, Answers, Lookup, Question};

/// Rounds after which a template is given up: longer chains of data sources are no chains.
const ROUNDS: usize = 100;

/// Who answers questions.
pub trait LookUp: Sync {
    /// Finds the answer to one question.
    fn look_up<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer>;

    /// The same, told who asks it, at each place.
    fn look_up_for<'a>(
        &'a self,
        question: &'a Question,
        _askers: &'a [Lookup],
    ) -> BoxFuture<'a, Answer> {
        self.look_up(question)
    }
}

/// What one evaluation came to.
pub struct Round<T> {
    /// Its result.
    pub result: Result<T, Diagnostics>,
    /// What it could not know.
    pub pending: Vec<Lookup>,
}

impl<T> Round<T> {
    /// Whether answers would not change it: nothing is asked, or something else is wrong than that
    /// answers are missing.
    pub fn is_final(&self) -> bool {
        let only_unknown = |found: &Diagnostics| {
            let mut errors = found.iter().filter(|one| one.severity == Severity::Error);
            errors.all(|one| one.code == UNKNOWN_VALUE)
        };
        self.pending.is_empty() || self.result.as_ref().is_err_and(|found| !only_unknown(found))
    }
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
        let round = evaluate(&answers);
        if round.is_final() {
            return round.result;
        }
        let mut questions: BTreeMap<Question, Vec<Lookup>> = BTreeMap::new();
        for lookup in round.pending {
            questions.entry(lookup.question.clone()).or_default().push(lookup);
        }
        let asked = questions.into_iter().map(|(question, askers)| async move {
            let answer = who.look_up_for(&question, &askers).await;
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
                published: None,
            };
            Round { result: Ok(()), pending: vec![lookup] }
        })
        .await;
        let found = result.expect_err("given up");
        assert_eq!(found.iter().next().map(|one| one.code), Some("endless-lookups"));
    }
}
