//! The matrix as people read it.

use std::fmt;

use super::cell::Cell;
use super::fault::{FAULTS, Fault};
use super::subject::Subject;
use crate::support::repository;

const PAGE: &str = "docs/faults.md";
const START: &str = "<!-- The test fault_matrix writes what follows. -->\n";
const END: &str = "<!-- The end of it. -->\n";

/// What becomes of a build when an action goes wrong, one cell a fault.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) subject: &'static Subject,
    pub(super) action: String,
    pub(super) cells: Vec<String>,
}

impl Row {
    /// A row that is not filled in.
    pub(super) fn of(subject: &'static Subject, action: String) -> Self {
        Self { subject, action, cells: vec![String::new(); FAULTS.len()] }
    }

    /// Whether both are about the same action of the same build.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        self.action == other.action && self.subject.name == other.subject.name
    }

    /// One of its cells.
    pub(super) fn cell<'a>(&'a self, fault: &'a Fault) -> Cell<'a> {
        Cell { subject: self.subject, action: &self.action, fault }
    }

    fn words(&self) -> Vec<String> {
        let first = [self.action.clone(), self.subject.name.to_owned()];
        first.into_iter().chain(self.cells.iter().cloned()).collect()
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.words() == other.words()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" | "))
    }
}

/// The matrix.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
}

impl Table {
    /// Row and column of each cell.
    pub(super) fn cells(&self) -> impl Iterator<Item = (usize, usize)> {
        let rows = self.rows.len();
        (0..rows).flat_map(|row| (0..FAULTS.len()).map(move |column| (row, column)))
    }

    /// That of the page.
    pub(super) fn read() -> Self {
        let page = std::fs::read_to_string(repository().join(PAGE)).expect("docs/faults.md");
        let (_, rest) = page.split_once(START).expect("where the table begins");
        let (table, _) = rest.split_once(END).expect("where the table ends");
        let row = |line: &str| {
            let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
            let mut words = line.split(" | ").map(|word| word.trim().to_owned());
            let (action, build) = (words.next()?, words.next()?);
            let subject = Subject::named(&build)?;
            Some(Row { subject, action, cells: words.collect() })
        };
        let rows: Vec<_> = table.lines().filter_map(row).collect();
        assert!(rows.iter().all(|row| row.cells.len() == FAULTS.len()), "columns of {PAGE}");
        Self { rows }
    }

    /// Puts it into the page.
    pub(super) fn write(&self) {
        let path = repository().join(PAGE);
        let page = std::fs::read_to_string(&path).expect("docs/faults.md");
        let (before, rest) = page.split_once(START).expect("where the table begins");
        let (_, after) = rest.split_once(END).expect("where the table ends");
        let page = format!("{before}{START}\n{self}\n{END}{after}");
        std::fs::write(path, page).expect("write docs/faults.md");
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headings = ["action", "build"].into_iter().chain(FAULTS.iter().map(|one| one.heading));
        let headings: Vec<_> = headings.map(str::to_owned).collect();
        let lines: Vec<_> =
            std::iter::once(headings).chain(self.rows.iter().map(Row::words)).collect();
        let width = |column: usize| {
            lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<_> = (0..FAULTS.len() + 2).map(width).collect();
        for (number, line) in lines.iter().enumerate() {
            let words = line.iter().zip(&widths).map(|(word, width)| format!("{word:width$}"));
            writeln!(f, "| {} |", words.collect::<Vec<_>>().join(" | "))?;
            if number == 0 {
                let rules = widths.iter().map(|width| "-".repeat(*width));
                writeln!(f, "| {} |", rules.collect::<Vec<_>>().join(" | "))?;
            }
        }
        Ok(())
    }
}
