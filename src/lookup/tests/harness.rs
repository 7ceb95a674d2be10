//! Evaluates a template with answers of the test's own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value as Json;

use crate::diagnostic::{Diagnostics, Style, render};
use crate::lookup::{DATA_SOURCES, LookUp, Round, settle};
use crate::plan::{ComponentKind, Kinds, Plan, Planner, Selection, plan};
use crate::template::lookup::{Answer, Answers, Question, Refusal};
use crate::template::{Environment, Run, VariableInputs, load};
use crate::value::Value;

crate::options! {
    /// Options of the test builder.
    struct VmOptions {
        /// Where it starts from.
        hashed source: Option<String>,
        /// A note.
        unhashed note: Option<String>,
    }
}

crate::options! {
    /// Options of the test provisioner.
    struct RunOptions {
        /// Commands.
        hashed inline: Vec<String>,
    }
}

const KINDS: Kinds<'static> = Kinds {
    builders: &[ComponentKind {
        name: "vm",
        schema: VmOptions::schema,
        plan: |planner: &mut Planner<'_>| {
            planner.decode(VmOptions::schema(), VmOptions::decode_options);
        },
    }],
    provisioners: &[ComponentKind {
        name: "run",
        schema: RunOptions::schema,
        plan: |planner: &mut Planner<'_>| {
            planner.decode(RunOptions::schema(), RunOptions::decode_options);
        },
    }],
    post_processors: &[],
};

/// Answers by a function, and remembers what was asked.
pub(super) struct Fake {
    answer: fn(&str, &Json) -> Answer,
    asked: Mutex<Vec<String>>,
}

impl Fake {
    pub(super) fn new(answer: fn(&str, &Json) -> Answer) -> Self {
        Self { answer, asked: Mutex::default() }
    }

    /// The kinds and requests that were asked, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl LookUp for Fake {
    fn look_up<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer> {
        let mut request: Json = question.request().expect("JSON");
        if let Json::Object(request) = &mut request {
            request.remove("access");
        }
        self.asked.lock().expect("no panic").push(format!("{} {request}", question.kind()));
        let answer = (self.answer)(question.kind(), &request);
        async { answer }.boxed()
    }
}

/// A data source `http` answers with its URL in brackets, functions with their arguments.
pub(super) fn echo(kind: &str, request: &Json) -> Answer {
    let text = |name: &str| request.get(name).and_then(Json::as_str).unwrap_or_default();
    match kind {
        "http" => body(format!("[{}]", text("url"))),
        "vault" => Answer::Found {
            value: Value::string(format!("{}/{}", text("path"), text("key"))),
            identity: Some("vault#1".to_owned()),
        },
        "consul_key" => Answer::found(Value::string(format!("value-of-{}", text("key")))),
        other => Answer::Refused(Refusal::new(format!("nobody answers {other}"))),
    }
}

/// The answer of a server.
pub(super) fn body(text: impl AsRef<str>) -> Answer {
    Answer::found(Value::object(BTreeMap::from([("body".to_owned(), Value::string(text))])))
}

/// One template in one run.
pub(super) struct Asking<'a> {
    /// Its text.
    pub(super) text: &'a str,
    /// Its file name.
    pub(super) file: &'a str,
    /// `-only`.
    pub(super) only: &'a [&'a str],
    /// `-var`.
    pub(super) variables: &'a [(&'a str, &'a str)],
}

impl<'a> Asking<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, file: "a.pkr.hcl", only: &[], variables: &[] }
    }

    /// One evaluation.
    pub(super) fn evaluate(&self, directory: &Path, answers: &Answers) -> Round<Vec<Plan>> {
        let path = directory.join(self.file);
        std::fs::write(&path, self.text).expect("write template");
        let failed = |found| Round { result: Err(found), pending: Vec::new() };
        let loaded = match load(&path) {
            Ok(loaded) => loaded,
            Err(found) => return failed(found),
        };
        let run = Run {
            now: jiff::Timestamp::from_second(1_700_000_000).expect("a moment"),
            directory: directory.to_owned(),
            environment: BTreeMap::new(),
            random: || [7; 16],
            data_sources: DATA_SOURCES,
            answers: answers.clone(),
        };
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let inputs = VariableInputs {
            command_line: self.variables.iter().map(owned).collect(),
            ..VariableInputs::default()
        };
        let mut warnings = Diagnostics::new();
        let environment = match Environment::new(&loaded.template, &inputs, run, &mut warnings) {
            Ok(environment) => environment,
            Err(found) => return failed(found),
        };
        let only: Vec<_> = self.only.iter().map(|one| (*one).to_owned()).collect();
        let selection = Selection::new(&only, &[]).expect("patterns");
        let plans =
            plan(&loaded.template, &environment, KINDS, &selection, directory, &mut warnings);
        Round { result: plans, pending: environment.pending() }
    }

    /// The plans without any answers.
    pub(super) fn unsettled(&self) -> Vec<Plan> {
        let directory = tempfile::tempdir().expect("temporary directory");
        let round = self.evaluate(directory.path(), &Answers::default());
        round.result.unwrap_or_else(|found| panic!("{}", render(&found, Style::default())))
    }

    /// The plans with all answers, or the errors as people see them.
    pub(super) async fn settled(&self, who: &dyn LookUp) -> Result<Vec<Plan>, String> {
        let directory = tempfile::tempdir().expect("temporary directory");
        let plans = settle(who, |answers| self.evaluate(directory.path(), answers)).await;
        let root = format!("{}/", directory.path().display());
        plans.map_err(|found| render(&found, Style::default()).replace(&root, ""))
    }
}

/// What a plan's source starts from.
pub(super) fn source(plan: &Plan) -> &Json {
    &plan.builder.hashed["source"]
}
