//! From the text of a ledger to what a run did.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::record::{Ending, Intent, Place, Record, VERSION};
use super::{Life, Process};

/// What a ledger says is, or may be, still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Number of the entry.
    pub entry: u64,
    /// What was about to be made.
    pub intent: Intent,
    /// When.
    pub at: Option<Timestamp>,
    /// Its id, when it arrived.
    pub id: Option<String>,
}

/// A build, as far as its ledger tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildReading {
    /// Its name.
    pub name: String,
    /// The image hash, once it was known.
    pub image_hash: Option<String>,
    /// The name that its image was to have.
    pub image_name: Option<String>,
    /// What was to be done with the image, in the builder's words.
    pub publication: Option<serde_json::Value>,
    /// How and when it ended.
    pub ended: Option<(Ending, Option<Timestamp>)>,
    /// Region and id of each image.
    pub images: Vec<(String, String)>,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its number, from one.
    pub line: usize,
    /// Why.
    pub why: String,
}

/// A ledger that was read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Id of the run; empty when the first line cannot be read.
    pub run: String,
    /// When it was opened.
    pub opened: Option<Timestamp>,
    /// Process of the run.
    pub pid: Option<u32>,
    /// What tells that process from others.
    pub process: Option<Process>,
    /// The template, as it was given.
    pub template: Option<String>,
    /// When the run is certainly over.
    pub deadline: Option<Timestamp>,
    /// Whether its cloud was bake's own and ended with the process.
    pub sandbox: bool,
    /// Its builds, in order.
    pub builds: Vec<BuildReading>,
    /// Whether it was closed.
    pub closed: bool,
    /// What is, or may be, still there, in the order in which it was made.
    pub leftovers: Vec<Leftover>,
    /// What was given up on, and may still be there.
    pub forgotten: Vec<Leftover>,
    /// Where it made anything, whether that is still there or not.
    pub places: BTreeSet<Place>,
    /// The highest number of an entry.
    pub entries: u64,
    /// Lines that cannot be read.
    pub broken: Vec<Broken>,
    /// Whether the last line has no end.
    pub torn: bool,
}

/// Why a ledger is left alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It was written by a newer bake.
    #[error(
        "it has version {version}, and this bake knows versions up to {VERSION}: use the bake that wrote it, or a newer one"
    )]
    Newer {
        /// Its version.
        version: u64,
    },
}

impl Reading {
    /// Whether the process that wrote it still runs.
    pub fn life(&self) -> Life {
        match (&self.process, self.pid) {
            (Some(process), Some(pid)) => process.life(pid),
            (None, Some(pid)) if super::process::exists(pid) => Life::Elsewhere,
            _ => Life::Dead,
        }
    }

    fn build(&mut self, name: String) -> &mut BuildReading {
        let at = self.builds.iter().position(|build| build.name == name);
        let at = at.unwrap_or_else(|| {
            self.builds.push(BuildReading { name, ..BuildReading::default() });
            self.builds.len() - 1
        });
        &mut self.builds[at]
    }

    fn take(&mut self, record: Record) {
        match record {
            Record::Opened { run, at, pid, process, .. } => {
                self.run = run;
                self.opened = at.parse().ok();
                self.pid = Some(pid);
                self.process = process;
            }
            Record::Started { template, builds, deadline, sandbox, .. } => {
                self.template = Some(template);
                self.deadline = deadline.parse().ok();
                self.sandbox = sandbox;
                for name in builds {
                    self.build(name);
                }
            }
            Record::Hashed { build, image_hash, name } => {
                let build = self.build(build);
                build.image_hash = Some(image_hash);
                build.image_name = Some(name);
            }
            Record::Publication { build, publication } => {
                self.build(build).publication = Some(publication);
            }
            Record::Ended { build, at, how, images } => {
                let build = self.build(build);
                build.ended = Some((how, at.parse().ok()));
                build.images = images;
            }
            Record::Intent { entry, at, intent } => {
                self.entries = self.entries.max(entry);
                let at = at.parse().ok();
                self.places.insert(intent.place());
                self.leftovers.push(Leftover { entry, intent, at, id: None });
            }
            Record::Created { entry, id } => {
                if let Some(one) = self.leftovers.iter_mut().find(|one| one.entry == entry) {
                    one.id = Some(id);
                }
            }
            Record::Refused { entry } | Record::Deleted { entry } | Record::Kept { entry } => {
                self.leftovers.retain(|one| one.entry != entry);
            }
            Record::Forgotten { entry } => {
                self.forgotten.extend(self.leftovers.extract_if(.., |one| one.entry == entry));
            }
            Record::Closed { .. } => self.closed = true,
        }
    }
}

/// Reads a ledger. A torn last line counts as never written; a line that cannot be read elsewhere is
/// passed over and told in [`Reading::broken`].
///
/// # Errors
/// When a newer bake wrote it.
pub fn read(text: impl AsRef<[u8]>) -> Result<Reading, Unreadable> {
    let text = text.as_ref();
    // Without its end a line is torn, even when what there is of it happens to parse.
    let end = text.iter().rposition(|byte| *byte == b'\n');
    let whole = end.map_or(&[][..], |end| &text[..end]);
    let mut reading =
        Reading { torn: end.map_or(0, |end| end + 1) < text.len(), ..Reading::default() };
    for (index, line) in whole.split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let record = match serde_json::from_slice::<Record>(line) {
            Ok(record) => record,
            Err(error) => {
                if let Some(version) = version_of(line).filter(|one| *one > VERSION.into()) {
                    return Err(Unreadable::Newer { version });
                }
                let why = error.to_string();
                reading.broken.push(Broken { line: index + 1, why });
                continue;
            }
        };
        if let Record::Opened { version, .. } = &record {
            if *version > VERSION {
                return Err(Unreadable::Newer { version: (*version).into() });
            }
            if reading.pid.is_some() {
                let why = "a second `opened`".to_owned();
                reading.broken.push(Broken { line: index + 1, why });
                continue;
            }
        }
        reading.take(record);
    }
    if reading.pid.is_none() && !whole.is_empty() && reading.broken.is_empty() {
        let why = "it does not begin with `opened`".to_owned();
        reading.broken.push(Broken { line: 1, why });
    }
    Ok(reading)
}

/// The version that a line opens a ledger with, whatever else a newer bake puts into it.
fn version_of(line: &[u8]) -> Option<u64> {
    let line: serde_json::Value = serde_json::from_slice(line).ok()?;
    if line.get("event")? != "opened" {
        return None;
    }
    line.get("version")?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"event":"opened","version":2,"run":"r1","at":"2026-01-01T00:00:00Z","pid":7}
{"event":"started","at":"2026-01-01T00:00:00Z","template":"web.pkr.hcl","builds":["amazon-ebs.web"],"deadline":"2026-01-01T06:00:00Z"}
{"event":"intent","entry":1,"at":"2026-01-01T00:00:01Z","kind":"key-pair","name":"k","build":"amazon-ebs.web","region":"eu-west-1"}
{"event":"created","entry":1,"id":"k"}
{"event":"intent","entry":2,"at":"2026-01-01T00:00:01Z","kind":"instance","name":"token","build":"amazon-ebs.web","region":"eu-west-1"}
{"event":"created","entry":2,"id":"i-1"}
{"event":"deleted","entry":1}
"#;

    #[test]
    fn a_garbled_line_costs_nothing_but_itself() {
        let lines: Vec<&str> = WHOLE.lines().collect();
        for broken in 0..lines.len() {
            for garbage in [&b"{\"event\":"[..], b"\0\0\0\0", b"\xff\xfe", b"{\"event\":\"new\"}"] {
                let mut text = Vec::new();
                for (index, line) in lines.iter().enumerate() {
                    text.extend(if index == broken { garbage } else { line.as_bytes() });
                    text.push(b'\n');
                }
                let reading = read(&text).expect("is read");
                assert_eq!(reading.broken.len(), 1, "line {broken}");
                assert_eq!(reading.broken[0].line, broken + 1);
                let instance = reading.leftovers.iter().find(|one| one.entry == 2);
                let id = instance.and_then(|one| one.id.as_deref());
                match broken {
                    4 => assert_eq!(instance, None, "its tags will tell"),
                    5 => assert!(instance.is_some() && id.is_none()),
                    _ => assert_eq!(id, Some("i-1"), "line {broken}"),
                }
            }
        }
    }

    #[test]
    fn a_newer_version_is_left_alone_whatever_its_lines_look_like() {
        let text =
            "{\"event\":\"opened\",\"version\":3,\"run\":{\"id\":\"r\"}}\n{\"event\":\"x\"}\n";
        assert_eq!(read(text), Err(Unreadable::Newer { version: 3 }));
        let text = WHOLE.replace("\"version\":2", "\"version\":9");
        assert_eq!(read(text), Err(Unreadable::Newer { version: 9 }));
    }

    #[test]
    fn version_1_is_read() {
        let text = r#"{"event":"opened","version":1,"run":"r1","at":"1970-01-01T00:00:00Z","pid":4000000000}
{"event":"intent","entry":1,"at":"1970-01-01T00:00:00Z","kind":"key-pair","name":"bake_1","build":"amazon-ebs.app","region":"eu-west-1","account":"123456789012"}
{"event":"created","entry":1,"id":"key-1"}
"#;
        let reading = read(text).expect("is read");
        assert_eq!((reading.run.as_str(), reading.broken.len(), reading.closed), ("r1", 0, false));
        assert_eq!(reading.leftovers[0].id.as_deref(), Some("key-1"));
        assert_eq!(reading.life(), Life::Dead);
    }

    #[test]
    fn an_empty_ledger_says_nothing() {
        let reading = read("").expect("is read");
        assert_eq!(reading, Reading::default());
        assert!(read("{\"event\":\"opened\"").expect("is read").torn);
    }
}
