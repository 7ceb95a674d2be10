//! What a run reads like: one place for all renderers that tell it line by line.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Span, Style, render};
use crate::event::{Artifact, Event, Fact, LONGEST_LINE, Step, StepOutcome, Stream};

use super::lines::{self, Tone};
use super::{Mask, duration};

/// What came of all builds.
#[derive(Debug, Default)]
pub struct Summary {
    /// Artifacts by build.
    pub artifacts: Vec<(String, Artifact)>,
    /// Errors and hints by build.
    pub failures: Vec<(String, String, Vec<String>)>,
    /// Whether something could not be removed.
    pub left_behind: bool,
    /// What, by build: region, kind, id and why.
    pub left: Vec<(String, [String; 4])>,
}

/// A piece of the narrative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// For people; may have several lines.
    Text {
        /// The build it is about, or nothing.
        build: String,
        /// How it is meant.
        tone: Tone,
        /// With `==> NAME:` in front, where it has that.
        text: String,
    },
    /// For programs, in Packer's machine-readable form (`packer-core.md` section 6.2).
    Row {
        /// The build it is about, or nothing.
        target: String,
        /// What it says.
        kind: &'static str,
        /// The rest.
        data: Vec<String>,
    },
}

/// Tells events. Secrets are still in what it says, but those that it learns of are in its mask.
pub(super) struct Narrative {
    mask: Mask,
    builds: Vec<String>,
    run_id: String,
    steps: BTreeMap<String, Vec<(Step, Duration)>>,
    /// Ends of overlong lines, of which the rest may come, by build and stream.
    held: BTreeMap<(String, Stream), String>,
    summary: Summary,
}

impl Narrative {
    pub(super) fn new(mask: Mask) -> Self {
        Self {
            mask,
            builds: Vec::new(),
            run_id: String::new(),
            steps: BTreeMap::new(),
            held: BTreeMap::new(),
            summary: Summary::default(),
        }
    }

    /// Names of the builds, in order.
    pub(super) fn builds(&self) -> &[String] {
        &self.builds
    }

    /// What came of it in the end.
    pub(super) fn into_summary(self) -> Summary {
        self.summary
    }

    /// What there is to say about an event.
    pub(super) fn tell(&mut self, event: &Event) -> Vec<Said> {
        let build = event.build.as_deref().unwrap_or_default().to_owned();
        if let Fact::Output { stream, line } = &event.fact {
            return self.output(&build, *stream, line);
        }
        let mut said = self.release(&build);
        match &event.fact {
            Fact::SecretsFound { secrets } => {
                self.mask.add(secrets.iter().map(crate::template::schema::Secret::reveal));
            }
            Fact::RunStarted { builds, run_id } => {
                self.builds.clone_from(builds);
                self.run_id.clone_from(run_id);
            }
            Fact::StepEnded { step, elapsed, outcome: StepOutcome::Succeeded } => {
                self.steps.entry(build).or_default().push((*step, *elapsed));
            }
            Fact::BuildFinished { artifact, elapsed } => {
                said.extend(self.step_table(&build));
                self.summary.artifacts.push((build.clone(), artifact.clone()));
                let text = format!("Build '{build}' finished after {}.", duration::long(*elapsed));
                said.push(Said::Text { build, tone: Tone::Normal, text });
            }
            Fact::BuildFailed { error, place, hints, elapsed, .. } => {
                said.extend(self.step_table(&build));
                let mut error = error.clone();
                if let Some(place) = place {
                    error += &format!("\n{}", self.snippet(place));
                }
                let text =
                    format!("Build '{build}' errored after {}: {error}", duration::long(*elapsed));
                self.summary.failures.push((build.clone(), error, hints.clone()));
                said.push(Said::Text { build, tone: Tone::Error, text });
            }
            Fact::RunEnded { elapsed } => self.end(*elapsed, &mut said),
            fact => {
                if let Fact::ResourceLeft { kind, id, region, error } = fact {
                    self.summary.left_behind = true;
                    let kind = lines::noun(*kind).to_owned();
                    let left = [region.clone(), kind, id.clone(), error.clone()];
                    self.summary.left.push((build.clone(), left));
                }
                let all = lines::lines(fact);
                said.extend(all.iter().flat_map(|(tone, text)| prefixed(&build, *tone, text)));
            }
        }
        said
    }

    /// A line of output. The end of an overlong one waits for its rest, as a secret may be across
    /// the cut.
    fn output(&mut self, build: &str, stream: Stream, line: &str) -> Vec<Said> {
        let key = (build.to_owned(), stream);
        let mut text = self.held.remove(&key).unwrap_or_default() + line;
        // A piece is shorter where it would end within a character.
        if line.len() + 3 >= LONGEST_LINE {
            // What may be part of a secret, in the longest of its encodings.
            let mut end = text.len().saturating_sub(self.mask.longest() * 6);
            let found = self.mask.find(&text);
            if let Some(secret) = found.iter().find(|one| one.start < end && end < one.end) {
                end = secret.start;
            }
            let held = text.split_off(text.floor_char_boundary(end));
            self.held.insert(key, held);
        }
        prefixed(build, lines::tone(stream), &text)
    }

    /// The ends of lines of which no more will come.
    fn release(&mut self, build: &str) -> Vec<Said> {
        let mut said = Vec::new();
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(text) = self.held.remove(&(build.to_owned(), stream)) {
                said.extend(prefixed(build, lines::tone(stream), &text));
            }
        }
        said
    }

    /// The piece of the template that asks for what failed. It is cut to the width of a screen, so
    /// secrets have to go before.
    fn snippet(&self, place: &Span) -> String {
        let finding = Diagnostic::error("option", "").at(place, "");
        let text = render(&self.mask.findings(&finding.into()), Style::default());
        // The first line is the summary, which is the error itself.
        text.split_once('\n').map_or("", |(_, snippet)| snippet).trim_end().to_owned()
    }

    fn step_table(&mut self, build: &str) -> Option<Said> {
        let steps = self.steps.remove(build)?;
        let words: Vec<_> = steps
            .iter()
            .map(|(step, elapsed)| {
                format!("{} {}", lines::step_name(*step), duration::short(*elapsed))
            })
            .collect();
        let text = format!("==> {build}: Steps took: {}", words.join(", "));
        Some(Said::Text { build: build.to_owned(), tone: Tone::Normal, text })
    }

    /// What is still there, and who removes it.
    fn tell_left(&self, said: &mut Vec<Said>) {
        let left = &self.summary.left;
        if left.is_empty() {
            return;
        }
        let row = |target: &str, kind, data: Vec<String>| Said::Row {
            target: target.to_owned(),
            kind,
            data,
        };
        said.push(row("", "left-behind-count", vec![left.len().to_string()]));
        let mut text = "\n==> Some resources are still there:\n".to_owned();
        for (build, data) in left {
            let [region, kind, id, error] = data;
            text += &format!("--> {build}: {region}: {kind} {id}: {error}\n");
            said.push(row(build, "left-behind", data.to_vec()));
        }
        text += &format!("    next: bake gc -run {}", self.run_id);
        said.push(Said::Text { build: String::new(), tone: Tone::Error, text });
    }

    fn end(&self, elapsed: Duration, said: &mut Vec<Said>) {
        self.tell_end(elapsed, said);
        self.tell_left(said);
    }

    fn tell_end(&self, elapsed: Duration, said: &mut Vec<Said>) {
        let all = |tone, text: String| Said::Text { build: String::new(), tone, text };
        let row = |target: &str, kind, data: &[&str]| Said::Row {
            target: target.to_owned(),
            kind,
            data: data.iter().map(|one| (*one).to_owned()).collect(),
        };
        let text = format!("\n==> Wait completed after {}", duration::long(elapsed));
        said.push(all(Tone::Normal, text));
        let failures = &self.summary.failures;
        if !failures.is_empty() {
            let mut text =
                "\n==> Some builds didn't complete successfully and had errors:\n".to_owned();
            said.push(row("", "error-count", &[&failures.len().to_string()]));
            for (build, error, hints) in failures {
                said.push(row(build, "error", &[error]));
                text += &format!("--> {build}: {error}\n");
                for hint in hints {
                    text += &format!("    hint: {hint}\n");
                }
            }
            said.push(all(Tone::Error, text.trim_end().to_owned()));
        }
        let artifacts = &self.summary.artifacts;
        if artifacts.is_empty() {
            let text = "\n==> Builds finished but no artifacts were created.".to_owned();
            said.push(all(Tone::Normal, text));
            return;
        }
        let mut text =
            "\n==> Builds finished. The artifacts of successful builds are:\n".to_owned();
        for (build, artifact) in artifacts {
            let string = lines::artifact(artifact);
            text += &format!("--> {build}: {string}\n");
            // A build has one artifact as long as nothing is made of it.
            said.push(row(build, "artifact-count", &["1"]));
            match lines::artifact_ids(artifact) {
                None => said.push(row(build, "artifact", &["0", "nil"])),
                Some((builder_id, id)) => {
                    said.push(row(build, "artifact", &["0", "builder-id", builder_id]));
                    said.push(row(build, "artifact", &["0", "id", &id]));
                    said.push(row(build, "artifact", &["0", "string", &string]));
                    said.push(row(build, "artifact", &["0", "files-count", "0"]));
                }
            }
            said.push(row(build, "artifact", &["0", "end"]));
        }
        said.push(all(Tone::Normal, text.trim_end().to_owned()));
    }
}

/// Every line of a text with the build's name in front.
fn prefixed(build: &str, tone: Tone, text: &str) -> Vec<Said> {
    let prefix = if build.is_empty() { "==>".to_owned() } else { format!("==> {build}:") };
    text.lines()
        .map(|line| {
            let text = format!("{prefix} {line}").trim_end().to_owned();
            Said::Text { build: build.to_owned(), tone, text }
        })
        .collect()
}

#[cfg(test)]
mod tests;
