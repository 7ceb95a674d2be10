//! The build log as Packer's `-machine-readable` has it: rows of comma-separated values
//! (`packer-core.md` section 6.2).

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;

use crate::event::Event;

use super::Mask;
use super::lines::Tone;
use super::narrative::{Narrative, Said, Summary};

/// A row with its line end: seconds since 1970, the build it is about (or nothing), its kind, and
/// its data without secrets. Commas and line ends in the data are escaped.
pub fn row(at: SystemTime, target: &str, kind: &str, data: &[&str], mask: &Mask) -> String {
    // A clock before 1970 is no reason to say nothing.
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut row = format!("{seconds},{},{kind}", escaped(&mask.apply(target)));
    for value in data {
        row.push(',');
        row += &escaped(&mask.apply(value));
    }
    row.push('\n');
    row
}

fn escaped(text: &str) -> String {
    text.replace(',', "%!(PACKER_COMMA)").replace('\r', "\\r").replace('\n', "\\n")
}

/// Prints events as rows, as they come.
pub struct MachineReadable<W> {
    out: W,
    mask: Mask,
    narrative: Narrative,
}

impl<W: Write> MachineReadable<W> {
    /// A renderer that writes to `out`.
    pub fn new(out: W, mask: Mask) -> Self {
        Self { out, narrative: Narrative::new(mask.clone()), mask }
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
        for piece in self.narrative.tell(event) {
            let row = match &piece {
                Said::Text { tone, text, .. } => {
                    let what = match tone {
                        Tone::Normal | Tone::Output => "say",
                        Tone::Error => "error",
                    };
                    row(event.at, "", "ui", &[what, text], &self.mask)
                }
                Said::Row { target, kind, data } => {
                    let data: Vec<_> = data.iter().map(String::as_str).collect();
                    row(event.at, target, kind, &data, &self.mask)
                }
            };
            self.out.write_all(row.as_bytes())?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
