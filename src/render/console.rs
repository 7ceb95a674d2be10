//! The build log as people and their scripts read it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use tokio::sync::mpsc;

use crate::event::{Artifact, Event, Fact, Step, StepOutcome};

use super::lines::{self, Tone};
use super::progress::Progress;
use super::{Mask, duration};

/// How the log is to look.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether lines are coloured.
    pub colour: bool,
    /// Whether progress lines are kept below the log.
    pub progress: bool,
    /// Whether each line starts with its local time.
    pub timestamps: bool,
}

/// What came of all builds.
#[derive(Debug, Default)]
pub struct Summary {
    /// Artifacts by build.
    pub artifacts: Vec<(String, Artifact)>,
    /// Errors and hints by build.
    pub failures: Vec<(String, String, Vec<String>)>,
    /// Whether something could not be removed.
    pub left_behind: bool,
}

/// Prints events as they come.
pub struct Console<W> {
    out: W,
    settings: Settings,
    mask: Mask,
    progress: Option<Progress>,
    builds: Vec<String>,
    steps: BTreeMap<String, Vec<(Step, Duration)>>,
    summary: Summary,
}

/// Colours of builds, by position, as Packer has them.
const COLOURS: [AnsiColor; 5] =
    [AnsiColor::Green, AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Yellow, AnsiColor::Blue];

impl<W: Write> Console<W> {
    /// A console that writes to `out`.
    pub fn new(out: W, settings: Settings, mask: Mask) -> Self {
        Self {
            out,
            settings,
            mask,
            progress: settings.progress.then(Progress::new),
            builds: Vec::new(),
            steps: BTreeMap::new(),
            summary: Summary::default(),
        }
    }

    /// Prints until the run has ended, then says what came of it. A closed output is no error: the
    /// run goes on without a reader.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>) -> Summary {
        while let Some(event) = events.recv().await {
            drop(self.observe(&event));
        }
        self.summary
    }

    fn observe(&mut self, event: &Event) -> io::Result<()> {
        if let Some(progress) = &mut self.progress {
            progress.observe(event);
        }
        let build = event.build.as_deref().unwrap_or_default().to_owned();
        match &event.fact {
            Fact::RunStarted { builds, .. } => {
                self.builds.clone_from(builds);
                if self.settings.colour {
                    for name in builds {
                        let line = format!("{name}: output will be in this color.");
                        self.write(&line, self.style_of(name))?;
                    }
                    self.write("", Style::new())?;
                }
                Ok(())
            }
            Fact::StepEnded { step, elapsed, outcome: StepOutcome::Succeeded } => {
                self.steps.entry(build).or_default().push((*step, *elapsed));
                Ok(())
            }
            Fact::BuildFinished { artifact, elapsed } => {
                self.step_table(&build)?;
                self.summary.artifacts.push((build.clone(), artifact.clone()));
                let line = format!("Build '{build}' finished after {}.", duration::long(*elapsed));
                self.write(&line, self.style_of(&build))
            }
            Fact::BuildFailed { error, hints, elapsed, .. } => {
                self.step_table(&build)?;
                let line =
                    format!("Build '{build}' errored after {}: {error}", duration::long(*elapsed));
                self.summary.failures.push((build, error.clone(), hints.clone()));
                self.write(&line, self.error_style())
            }
            Fact::RunEnded { elapsed } => self.end(*elapsed),
            fact => {
                if matches!(fact, Fact::ResourceLeft { .. }) {
                    self.summary.left_behind = true;
                }
                for (tone, text) in lines::lines(fact) {
                    let style = match tone {
                        Tone::Normal | Tone::Output => self.style_of(&build),
                        Tone::Error => self.error_style(),
                    };
                    let prefix =
                        if build.is_empty() { "==>".to_owned() } else { format!("==> {build}:") };
                    for line in text.lines() {
                        self.write(format!("{prefix} {line}").trim_end(), style)?;
                    }
                }
                Ok(())
            }
        }
    }

    fn step_table(&mut self, build: &str) -> io::Result<()> {
        let Some(steps) = self.steps.remove(build) else { return Ok(()) };
        let words: Vec<_> = steps
            .iter()
            .map(|(step, elapsed)| {
                format!("{} {}", lines::step_name(*step), duration::short(*elapsed))
            })
            .collect();
        let line = format!("==> {build}: Steps took: {}", words.join(", "));
        self.write(&line, self.style_of(build))
    }

    fn end(&mut self, elapsed: Duration) -> io::Result<()> {
        self.write("", Style::new())?;
        self.write(&format!("==> Wait completed after {}", duration::long(elapsed)), Style::new())?;
        if !self.summary.failures.is_empty() {
            let mut text =
                "\n==> Some builds didn't complete successfully and had errors:\n".to_owned();
            for (build, error, hints) in &self.summary.failures {
                text += &format!("--> {build}: {error}\n");
                for hint in hints {
                    text += &format!("    hint: {hint}\n");
                }
            }
            self.write(text.trim_end(), self.error_style())?;
        }
        let mut text = String::new();
        if self.summary.artifacts.is_empty() {
            text += "\n==> Builds finished but no artifacts were created.";
        } else {
            text += "\n==> Builds finished. The artifacts of successful builds are:\n";
            for (build, artifact) in &self.summary.artifacts {
                text += &format!("--> {build}: {}\n", lines::artifact(artifact));
            }
        }
        self.write(text.trim_end(), Style::new())
    }

    fn style_of(&self, build: &str) -> Style {
        let index = self.builds.iter().position(|name| name == build);
        index.map_or(Style::new(), |index| {
            Style::new().bold().fg_color(Some(COLOURS[index % COLOURS.len()].into()))
        })
    }

    fn error_style(&self) -> Style {
        Style::new().bold().fg_color(Some(AnsiColor::Red.into()))
    }

    fn write(&mut self, text: &str, style: Style) -> io::Result<()> {
        let text = self.mask.apply(text);
        let mut whole = String::new();
        for line in text.split('\n') {
            if self.settings.timestamps && !line.is_empty() {
                let now = jiff::Zoned::now();
                whole += &format!("{} ", now.strftime("%Y-%m-%dT%H:%M:%S%:z"));
            }
            if self.settings.colour && !line.is_empty() {
                whole += &format!("{}{line}{}", style.render(), style.render_reset());
            } else {
                whole += line;
            }
            whole.push('\n');
        }
        let out = &mut self.out;
        let mut print = || {
            out.write_all(whole.as_bytes())?;
            out.flush()
        };
        match &self.progress {
            Some(progress) => progress.suspend(print),
            None => print(),
        }
    }
}

#[cfg(test)]
mod tests;
