//! What is found about an image.

use serde::Serialize;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Check {
    /// What the image says of itself.
    Claim,
    /// What was recorded for its hash.
    Record,
    /// What the template makes now.
    Template,
    /// Its files.
    Content,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// As it should be.
    Fits,
    /// Not as it should be.
    Differs,
    /// Nobody here can know.
    Unknown,
}

/// One thing that was found.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: Check,
    /// How it is.
    pub(super) outcome: Outcome,
    /// One sentence.
    pub(super) text: String,
    /// The path on the image's machines that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
}

impl Finding {
    pub(super) fn new(check: Check, outcome: Outcome, text: impl Into<String>) -> Self {
        Self { check, outcome, text: text.into(), path: None }
    }
}

/// All that was found about an image.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    /// The image's id.
    pub(super) image: String,
    /// Its name.
    pub(super) name: String,
    /// Where it is: a region, or `sandbox`.
    pub(super) place: String,
    /// Whether nothing differs, and more is known than what the image says of itself.
    pub(super) fits: bool,
    /// In the order of the checks.
    pub(super) findings: Vec<Finding>,
}

impl Verdict {
    /// Sums up.
    pub(super) fn new(image: &str, name: &str, place: &str, findings: Vec<Finding>) -> Self {
        let differs = findings.iter().any(|one| one.outcome == Outcome::Differs);
        let proven =
            findings.iter().any(|one| one.outcome == Outcome::Fits && one.check != Check::Claim);
        let [image, name, place] = [image, name, place].map(str::to_owned);
        Self { image, name, place, fits: proven && !differs, findings }
    }

    /// For people: a line for each finding.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{} ({}) in {}\n", self.image, self.name, self.place);
        for finding in &self.findings {
            let check = match finding.check {
                Check::Claim => "claim",
                Check::Record => "record",
                Check::Template => "template",
                Check::Content => "content",
            };
            let outcome = match finding.outcome {
                Outcome::Fits => "fits",
                Outcome::Differs => "differs",
                Outcome::Unknown => "unknown",
            };
            let path = finding.path.as_ref().map(|path| format!("{path} ")).unwrap_or_default();
            text += &format!("  {check:<8}  {outcome:<7}  {path}{}\n", finding.text);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(findings: &[(Check, Outcome)]) -> Verdict {
        let findings = findings.iter().map(|(check, outcome)| Finding::new(*check, *outcome, "x"));
        Verdict::new("ami-1", "app", "sandbox", findings.collect())
    }

    #[test]
    fn a_claim_alone_proves_nothing() {
        use Check::{Claim, Content, Record};
        use Outcome::{Differs, Fits, Unknown};
        assert!(!verdict(&[(Claim, Fits), (Record, Unknown)]).fits);
        assert!(verdict(&[(Claim, Fits), (Record, Unknown), (Content, Fits)]).fits);
        assert!(!verdict(&[(Claim, Fits), (Record, Fits), (Content, Differs)]).fits);
    }

    #[test]
    fn each_finding_has_a_line() {
        let mut verdict =
            verdict(&[(Check::Claim, Outcome::Fits), (Check::Content, Outcome::Differs)]);
        verdict.findings[1].path = Some("/etc/motd".to_owned());
        insta::assert_snapshot!(verdict.text(), @"
        ami-1 (app) in sandbox
          claim     fits     x
          content   differs  /etc/motd x
        ");
    }
}
