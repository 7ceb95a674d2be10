//! What is told of two builds.

use serde::Serialize;

use super::writers::Writer;
use crate::content::Cause;
use crate::plan::Plan;
use crate::provision::normalize;

/// Two images of one build.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    /// The build's name.
    pub(super) build: String,
    /// Whether they hold the same files.
    pub(super) identical: bool,
    /// The images; removed, unless they were to be kept.
    pub(super) images: [String; 2],
    /// Their image hashes.
    pub(super) image_hashes: [String; 2],
    /// Their content digests.
    pub(super) content_digests: [String; 2],
    /// How many paths were compared.
    pub(super) paths: usize,
    /// Where they differ.
    pub(super) differences: Vec<Told>,
}

/// A path at which they differ.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// The path on the machine.
    pub(super) path: String,
    /// What differs there.
    pub(super) what: Vec<String>,
    /// Why.
    pub(super) cause: Cause,
    /// Who wrote it last.
    pub(super) writer: By,
}

/// Who wrote a path last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub(super) enum By {
    /// A step.
    Step {
        /// Its number, from one.
        number: usize,
        /// Its type.
        #[serde(rename = "type")]
        kind: String,
        /// Where the template has it; nothing for bake's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<String>,
    },
    /// The machine, before the first step.
    Boot,
    /// The machine, after the last step.
    End,
    /// Nobody who was seen.
    Unknown,
}

impl By {
    /// Names the step of a plan.
    pub(super) fn of(writer: Option<Writer>, plan: &Plan) -> Self {
        match writer {
            None => Self::Unknown,
            Some(Writer::Boot) => Self::Boot,
            Some(Writer::End) => Self::End,
            Some(Writer::Step(index)) => match plan.steps.get(index) {
                None => Self::Unknown,
                Some(step) => {
                    let component = &step.planned.component;
                    let own = component.kind == normalize::KIND;
                    let place = (!own).then(|| component.owner.to_string());
                    Self::Step { number: index + 1, kind: component.kind.clone(), place }
                }
            },
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Step { number, kind, place: Some(place) } => {
                format!("step {number}, {kind} at {place}")
            }
            Self::Step { number, kind, place: None } => format!("step {number}, {kind}"),
            Self::Boot => "before the first step".to_owned(),
            Self::End => "after the last step".to_owned(),
            Self::Unknown => "nobody seen".to_owned(),
        }
    }
}

impl Comparison {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let [first, second] = &self.image_hashes;
        text += &if self.identical {
            let digest = &self.content_digests[0];
            let paths = self.paths;
            format!(
                "{}: the two images hold the same files ({paths} paths, content digest {digest})\n",
                self.build
            )
        } else {
            let (count, paths) = (self.differences.len(), self.paths);
            format!("{}: {count} of {paths} paths differ\n", self.build)
        };
        if first != second {
            text += "  the image hashes differ, too: a clock or a random value is an input of the image\n";
        }
        if !self.identical && self.differences.is_empty() {
            text += "  what they stand on has changed between the two builds\n";
        }
        let rows: Vec<_> = self.differences.iter().map(Told::row).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or_default()
        };
        let widths = [width(0), width(1), width(2)];
        for [path, what, cause, writer] in &rows {
            let [a, b, c] = widths;
            text += &format!("  {path:<a$}  {what:<b$}  {cause:<c$}  {writer}\n");
        }
        text
    }
}

impl Told {
    fn row(&self) -> [String; 4] {
        let what = self.what.join(", ");
        [self.path.clone(), what, self.cause.name().to_owned(), self.writer.text()]
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn told(path: &str, what: &str, cause: Cause, writer: By) -> Told {
        Told { path: path.to_owned(), what: vec![what.to_owned()], cause, writer }
    }

    fn comparison(differences: Vec<Told>) -> Comparison {
        Comparison {
            build: "amazon-ebs.app".to_owned(),
            identical: differences.is_empty(),
            images: ["ami-1", "ami-2"].map(str::to_owned),
            image_hashes: ["a", "a"].map(str::to_owned),
            content_digests: ["c", "d"].map(str::to_owned),
            paths: 40,
            differences,
        }
    }

    #[test]
    fn each_path_has_a_line() {
        let place = Some("t.pkr.hcl:12:3".to_owned());
        let step = By::Step { number: 2, kind: "shell".to_owned(), place };
        let own = By::Step { number: 3, kind: normalize::KIND.to_owned(), place: None };
        let text = comparison(vec![
            told("/etc/machine-id", "bytes", Cause::MachineId, step),
            told("/opt/app", "file only in the first", Cause::Unknown, own),
            told("/var/log/boot.log", "bytes", Cause::Log, By::Boot),
        ])
        .text();
        assert_snapshot!(text, @"
        amazon-ebs.app: 3 of 40 paths differ
          /etc/machine-id    bytes                   machine id  step 2, shell at t.pkr.hcl:12:3
          /opt/app           file only in the first  unknown     step 3, bake-normalize
          /var/log/boot.log  bytes                   log         before the first step
        ");
        assert_snapshot!(comparison(Vec::new()).text(), @"amazon-ebs.app: the two images hold the same files (40 paths, content digest c)");
    }

    #[test]
    fn programs_read_json() {
        let step =
            By::Step { number: 2, kind: "shell".to_owned(), place: Some("t:1:1".to_owned()) };
        let told = told("/etc/machine-id", "bytes", Cause::MachineId, step);
        assert_snapshot!(serde_json::to_string(&told).unwrap(), @r#"{"path":"/etc/machine-id","what":["bytes"],"cause":"machine-id","writer":{"by":"step","number":2,"type":"shell","place":"t:1:1"}}"#);
    }
}
