//! What a collection came to.

use jiff::Timestamp;
use serde::Serialize;

use crate::event::ResourceKind;

/// Something of a dead run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub kind: ResourceKind,
    /// Its id; its name or client token where the id never arrived.
    pub id: String,
    /// Where.
    pub region: String,
    /// Endpoint, when it is not AWS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The run that made it.
    pub run: String,
    /// When that run began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Why it is due.
    pub why: String,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It is there, and nothing was to be removed.
    Found,
    /// It is gone.
    Removed,
    /// It is complete, and stays.
    Kept,
    /// It could not be removed.
    Left {
        /// Why.
        error: String,
    },
    /// Where it is could not be asked: it may be there.
    Unreached {
        /// Why.
        error: String,
    },
    /// Nobody looks for it any more, as its user asked for; it may be there.
    Forgotten,
}

/// A run that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The run.
    pub run: String,
    /// Why.
    pub why: String,
}

/// What a collection came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was found.
    pub findings: Vec<Finding>,
    /// Runs that were passed over.
    pub skipped: Vec<Skipped>,
    /// What kept from looking everywhere: there may be more.
    pub problems: Vec<String>,
    /// What is worth knowing and changes nothing.
    pub notes: Vec<String>,
}

impl Report {
    /// What is still there and should not be.
    pub fn left(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|one| match one.outcome {
            Outcome::Found | Outcome::Left { .. } | Outcome::Unreached { .. } => true,
            Outcome::Removed | Outcome::Kept | Outcome::Forgotten => false,
        })
    }

    /// What was given up on.
    pub fn forgotten(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|one| one.outcome == Outcome::Forgotten)
    }

    /// What is gone now.
    pub fn removed(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|one| one.outcome == Outcome::Removed)
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.findings.extend(other.findings);
        for skipped in other.skipped {
            // A run may be met in several regions.
            if !self.skipped.iter().any(|one| one.run == skipped.run) {
                self.skipped.push(skipped);
            }
        }
        self.problems.extend(other.problems);
        self.notes.extend(other.notes);
    }

    pub(super) fn of_problem(problem: impl Into<String>) -> Self {
        Self { problems: vec![problem.into()], ..Self::default() }
    }

    pub(super) fn of_skipped(run: &str, why: impl Into<String>) -> Self {
        let skipped = vec![Skipped { run: run.to_owned(), why: why.into() }];
        Self { skipped, ..Self::default() }
    }
}
