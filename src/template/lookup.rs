//! Look-ups: what evaluation asks of the world outside, and the answers it was given.
//!
//! Evaluation itself touches no network. What needs one (a data source other than `null`, the
//! functions `vault`, `consul_key`, `aws_secretsmanager` and `aws_secretsmanager_raw`) is a
//! [`Lookup`]: it evaluates to the answer if there is one, else to an unknown value, and is kept as
//! *pending*. Whoever may touch the network finds the answers and evaluates again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Diagnostic, Span};
use crate::value::{Marks, Value};

/// What is asked. Two that are equal have one answer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Question {
    kind: String,
    request: String,
}

/// The functions whose answers are secrets.
const SECRETS: [&str; 3] = ["aws_secretsmanager", "aws_secretsmanager_raw", "vault"];

/// The kind of a question that is not to be asked.
const REFUSED: &str = "refused";

impl Question {
    /// Asks `request` of a data source type or a function.
    pub fn new(kind: impl Into<String>, request: &serde_json::Value) -> Self {
        Self { kind: kind.into(), request: request.to_string() }
    }

    /// A question whose answer is known to be no.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        let request = serde_json::to_value(refusal).unwrap_or_default();
        Self::new(REFUSED, &request)
    }

    /// Why nobody needs to be asked.
    pub fn refusal(&self) -> Option<Refusal> {
        (self.kind == REFUSED).then(|| self.request().ok())?
    }

    /// The data source's type, such as `amazon-ami`, or the function's name.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What is asked of it, in its own terms. May hold secrets.
    ///
    /// # Errors
    /// It was made by somebody else.
    pub fn request<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.request)
    }
}

impl std::fmt::Debug for Question {
    /// Without the request, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Question({})", self.kind)
    }
}

/// A question with the place where it is asked.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// What is asked.
    pub question: Question,
    /// What asks, as expressions name it: `data.http.list`, `vault`.
    pub asked_by: String,
    /// The header of the data source's block, or the call.
    pub span: Span,
    /// The question as others may read it: the `type` that is asked, and what. Where it depends on a
    /// secret, how the template writes it; `None` where that would still tell too little to know
    /// two questions apart. Neither account nor region are in it.
    pub published: Option<serde_json::Value>,
}

impl Lookup {
    /// What it is known by: `data.http.list`, or a call with its arguments,
    /// `vault(secret/data/app, password)`.
    pub fn name(&self) -> String {
        let arguments = self.published.as_ref().and_then(|asked| asked.get(ARGUMENTS)?.as_object());
        let Some(arguments) = arguments else { return self.asked_by.clone() };
        let texts: Vec<_> = arguments.values().filter_map(serde_json::Value::as_str).collect();
        format!("{}({})", self.asked_by, texts.join(", "))
    }
}

/// What a function is asked, in a published question.
const ARGUMENTS: &str = "arguments";

/// The published question of a function.
pub(in crate::template) fn published_call(
    function: &str,
    arguments: &serde_json::Value,
) -> Option<serde_json::Value> {
    Some(serde_json::json!({ "type": function, ARGUMENTS: arguments }))
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It was found.
    Found {
        /// What a data source gives, as an object, or what a function gives.
        value: Value,
        /// What stands for a secret value in a hash: its ARN and version, or the like. Never
        /// anything that depends on the value itself.
        identity: Option<String>,
    },
    /// It was not.
    Refused(Refusal),
}

impl Answer {
    /// A value.
    pub fn found(value: Value) -> Self {
        Self::Found { value, identity: None }
    }
}

/// Why a look-up failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What happened, in a sentence.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

impl Refusal {
    /// A failure without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new() }
    }

    /// The same with one more piece of advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The error at `span`, which asked by the name of `asked_by`.
    pub(super) fn diagnostic(&self, asked_by: &str, span: &Span) -> Diagnostic {
        let finding = Diagnostic::error("lookup-failed", format!("`{asked_by}`: {}", self.message));
        self.hints.iter().fold(finding.at(span, ""), |finding, hint| finding.help(hint.clone()))
    }
}

/// Answers by what was asked. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<BTreeMap<Question, Answer>>);

impl Answers {
    /// Adds an answer.
    pub fn add(&mut self, question: Question, answer: Answer) {
        Arc::make_mut(&mut self.0).insert(question, answer);
    }

    /// The answer to a question, if there is one.
    pub fn get(&self, question: &Question) -> Option<&Answer> {
        self.0.get(question)
    }

    /// The texts of the secrets that functions have looked up, whatever became of them.
    pub fn secrets(&self) -> Vec<String> {
        let secret = self.0.iter().filter(|(question, _)| SECRETS.contains(&question.kind()));
        let texts = secret.map(|(_, answer)| match answer {
            Answer::Found { value, .. } => value.clone().marked(Marks::SENSITIVE).sensitive_texts(),
            Answer::Refused(_) => Vec::new(),
        });
        texts.flatten().collect()
    }
}

/// What one evaluation has asked so far.
#[derive(Debug, Default)]
pub struct Lookups {
    answers: Answers,
    asked: Mutex<Asked>,
    identities: Mutex<Vec<(Span, String)>>,
}

/// What was asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Look-ups without an answer.
    pub(super) pending: Vec<Lookup>,
    /// Whether anything was asked, answered or not.
    pub(super) any: bool,
}

impl Lookups {
    /// Look-ups that `answers` answer.
    pub fn new(answers: Answers) -> Self {
        Self { answers, ..Self::default() }
    }

    /// The answer to a look-up; without one it is pending from now on.
    pub(super) fn ask(&self, lookup: Lookup) -> Option<&Answer> {
        let answer = self.answers.get(&lookup.question);
        if let Some(Answer::Found { identity: Some(identity), .. }) = answer {
            self.identified(lookup.span.clone(), identity);
        }
        let mut asked = self.lock();
        asked.any = true;
        if answer.is_none() {
            let known = |one: &Lookup| {
                one.question == lookup.question && one.span.range() == lookup.span.range()
            };
            if !asked.pending.iter().any(known) {
                asked.pending.push(lookup);
            }
        }
        answer
    }

    /// The look-ups that have no answer.
    pub fn pending(&self) -> Vec<Lookup> {
        self.lock().pending.clone()
    }

    /// What was asked since the last time, which is then forgotten here.
    pub(super) fn take(&self) -> Asked {
        std::mem::take(&mut *self.lock())
    }

    /// Puts back what was taken.
    pub(super) fn put_back(&self, taken: Asked) {
        let mut asked = self.lock();
        asked.any |= taken.any;
        asked.pending.extend(taken.pending);
    }

    fn identified(&self, span: Span, identity: &str) {
        let mut all = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.iter().any(|(at, one)| within(at, &span) && within(&span, at) && one == identity) {
            all.push((span, identity.to_owned()));
        }
    }

    /// What stands for the secrets that were looked up in a part of a text, each once.
    pub(super) fn identities_within(&self, span: &Span) -> BTreeSet<String> {
        let all = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = all.iter().filter(|(at, _)| within(at, span));
        inside.map(|(_, identity)| identity.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn within(inner: &Span, outer: &Span) -> bool {
    let (a, b) = (inner.range(), outer.range());
    Arc::ptr_eq(inner.source(), outer.source()) && b.start <= a.start && a.end <= b.end
}
