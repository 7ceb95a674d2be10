//! Differences for people.

use serde_json::Value as Json;

use super::{Change, Difference, FileChange, Form, Line, Sign};
use crate::plan::canonical_json;

/// How many lines of one input are shown.
pub const LINES: usize = 40;

/// Characters of the longest value and line that are shown.
const WIDTH: usize = 160;

/// Differences, each on a line with the lines below it that differ.
pub fn render_differences(differences: &[Difference]) -> String {
    differences.iter().map(render).collect()
}

fn render(one: &Difference) -> String {
    let mut text = format!("  {}: {}", one.input(), what(one));
    if let Some(place) = one.new_place.as_ref().or(one.old_place.as_ref()) {
        text += &format!("  ({place})");
    }
    text.push('\n');
    let (Change::Option { lines, .. } | Change::File { lines, .. }) = &one.change else {
        return text;
    };
    text.extend(lines.iter().take(LINES).map(line));
    if let Some(more) = lines.len().checked_sub(LINES).filter(|more| *more > 0) {
        text += &format!("      and {more} more lines\n");
    }
    text
}

fn line(line: &Line) -> String {
    let sign = match line.side {
        Sign::Old => '-',
        Sign::New => '+',
    };
    format!("    {sign} {:>3}: {}\n", line.line, printable(&line.text))
}

fn what(one: &Difference) -> String {
    match &one.change {
        Change::Added => "added".to_owned(),
        Change::Removed => "removed".to_owned(),
        Change::Moved { from } => format!("moved; it was step {from}"),
        Change::Type { old, new } => format!("`{new}` instead of `{old}`"),
        Change::Option { lines, .. } if !lines.is_empty() => "changed".to_owned(),
        Change::Option { old: Form::Sensitive, new: Form::Sensitive, .. } => {
            "(sensitive) changed".to_owned()
        }
        Change::Option { old, new, .. } => format!("{} instead of {}", value(new), value(old)),
        Change::File { what, .. } => match what {
            FileChange::Added => "added".to_owned(),
            FileChange::Removed => "removed".to_owned(),
            FileChange::Renamed { from } => format!("renamed; it was {from}"),
            FileChange::Changed => "changed".to_owned(),
            FileChange::MadeExecutable => "made executable".to_owned(),
            FileChange::MadeNotExecutable => "no longer executable".to_owned(),
            FileChange::Target { old, new } => format!("points to `{new}` instead of `{old}`"),
            FileChange::Kind { old, new } => format!("{new} instead of {old}"),
            FileChange::Placed { old, new } => format!("sent as `{new}` instead of `{old}`"),
        },
    }
}

fn value(form: &Form) -> String {
    match form {
        Form::Default => "the default".to_owned(),
        Form::Sensitive => "(sensitive)".to_owned(),
        Form::Late(text) => format!("(known later) {}", printable(text)),
        Form::Value(value) => match value {
            Json::String(text) if text.chars().any(char::is_control) => {
                printable(&format!("{text:?}"))
            }
            other => printable(&canonical_json(other)),
        },
    }
}

/// A text on one line, not too long, that does nothing to a terminal.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == WIDTH {
            shown.push('…');
            break;
        }
        match character {
            '\t' => shown.push('\t'),
            control if control.is_control() => shown.extend(control.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}
