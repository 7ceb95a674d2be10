//! What became of each kill, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::lane::Moment;

/// What the build after a kill did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It built the image, and nobody held it up.
    Built,
    /// It took the image that the killed one had completed.
    Taken,
    /// It took over the lease of the killed one.
    TakenOver,
}

/// What became of one kill.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) number: usize,
    pub(super) moment: Option<Moment>,
    /// The last call.
    pub(super) action: Option<String>,
    /// The build had ended before.
    pub(super) ended: bool,
    /// What it left, before `bake gc`.
    pub(super) left: BTreeMap<&'static str, usize>,
    pub(super) gc_first: bool,
    pub(super) gc: Duration,
    pub(super) build: Duration,
    pub(super) next: Option<Next>,
    pub(super) failure: Option<String>,
}

impl Row {
    /// When it was killed.
    pub(super) fn title(&self) -> String {
        let action = self.action.as_deref().unwrap_or("no call yet");
        match &self.moment {
            Some(Moment::Call(strike)) => {
                let answer = if strike.answered { "answered" } else { "answer lost" };
                format!("{action} {}, {answer}", strike.number)
            }
            Some(Moment::After(after)) => format!("{:.3} s, {action}", after.as_secs_f64()),
            None => action.to_owned(),
        }
    }

    fn left(&self) -> String {
        let words: Vec<_> =
            self.left.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
    }
}

/// Prints each kill, and then one line for each action.
#[expect(clippy::print_stderr, reason = "whoever reads a test's output wants to see the matrix")]
pub(super) fn print(rows: &[Row], calls: usize, elapsed: Duration) {
    let mut text =
        format!("A build makes {calls} calls in {:.2} s. Killed at:\n", elapsed.as_secs_f64());
    let mut by_action: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let next = match row.next {
            Some(Next::Built) => "built",
            Some(Next::Taken) => "taken",
            Some(Next::TakenOver) => "lease taken over, built",
            None => "-",
        };
        let ok = if row.failure.is_some() { "FAILED" } else { "ok" };
        let order = if row.gc_first { "gc, build" } else { "build, gc" };
        let ended = if row.ended { " (it had ended)" } else { "" };
        writeln!(
            text,
            "{:<44} {ok:<6} {order}; gc {:.2} s, next {:.2} s: {next}; left: {}{ended}",
            row.title(),
            row.gc.as_secs_f64(),
            row.build.as_secs_f64(),
            row.left(),
        )
        .expect("to a string");
        by_action.entry(row.action.as_deref().unwrap_or("no call yet")).or_default().push(row);
    }
    writeln!(text, "\nBy action:").expect("to a string");
    for (action, rows) in by_action {
        let ok = rows.iter().filter(|row| row.failure.is_none()).count();
        let most = rows.iter().map(|row| row.left.values().sum::<usize>()).max();
        let slowest = rows.iter().map(|row| row.gc).max().unwrap_or_default();
        writeln!(
            text,
            "{action:<34} {ok:>3} of {:>3} ok; left at most {} things; gc at most {:.2} s",
            rows.len(),
            most.unwrap_or_default(),
            slowest.as_secs_f64()
        )
        .expect("to a string");
    }
    eprintln!("{text}");
}
