//! The build log as people and their scripts read it.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use tokio::sync::mpsc;

use crate::event::{Event, Fact};

use super::Mask;
use super::lines::Tone;
use super::narrative::{Narrative, Said, Summary};
use super::progress::Progress;

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

/// Prints events as they come.
pub struct Console<W> {
    out: W,
    settings: Settings,
    mask: Mask,
    progress: Option<Progress>,
    narrative: Narrative,
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
            progress: settings.progress.then(|| Progress::new(mask.clone())),
            narrative: Narrative::new(mask.clone()),
            mask,
        }
    }

    /// Prints until the run has ended, then says what came of it. A closed output is no error: the
    /// run goes on without a reader.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>) -> Summary {
        while let Some(event) = events.recv().await {
            drop(self.observe(&event));
        }
        self.narrative.into_summary()
    }

    fn observe(&mut self, event: &Event) -> io::Result<()> {
        let said = self.narrative.tell(event);
        if let Some(progress) = &mut self.progress {
            progress.observe(event);
        }
        if let Fact::RunStarted { builds, .. } = &event.fact
            && self.settings.colour
        {
            for name in builds {
                let line = format!("{name}: output will be in this color.");
                self.write(&line, self.style_of(name))?;
            }
            self.write("", Style::new())?;
        }
        for piece in said {
            if let Said::Text { build, tone, text } = piece {
                let style = match tone {
                    Tone::Normal | Tone::Output => self.style_of(&build),
                    Tone::Error => self.error_style(),
                };
                self.write(&text, style)?;
            }
        }
        Ok(())
    }

    fn style_of(&self, build: &str) -> Style {
        let index = self.narrative.builds().iter().position(|name| name == build);
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
