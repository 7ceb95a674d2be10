//! Each action that a build calls goes wrong in each way: the build succeeds all the same, or ends
//! with an error that says what happened, and whatever is left is reported.
//!
//! The matrix is in `docs/faults.md`. With `BAKE_TEST_ALL` most of it is run and compared with that
//! page; without it a few cells are. `BAKE_UPDATE_FAULTS` runs all and writes the page anew, and `BAKE_FAULTS=WORD` runs
//! the cells with that word in their name only, such as `CreateImage (ssh), cut`.

mod cell;
mod fault;
mod for_good;
mod inventory;
mod subject;
mod table;
mod together;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use fault::FAULTS;
use subject::SUBJECTS;
use table::{Row, Table};

use crate::support::{all_suites, root};

/// Cells at the same time: they wait more than they compute.
const AT_ONCE: usize = 8;

/// Of the columns that are not run whole, one cell of so many is.
const PART: usize = 4;

/// Without `BAKE_TEST_ALL`, one cell of so many is run.
const SAMPLE: usize = 47;

#[test]
fn whichever_action_goes_wrong_the_build_copes_or_says_so() {
    if !root("building in the sandbox") {
        return;
    }
    let update = std::env::var_os("BAKE_UPDATE_FAULTS").is_some();
    let word = std::env::var("BAKE_FAULTS").ok();
    let written = Table::read();
    if word.is_some() || update || all_suites("all faults of all actions") {
        let mut table = Table { rows: discover() };
        for row in &mut table.rows {
            if let Some(before) = written.rows.iter().find(|before| before.is_of(row)) {
                row.cells.clone_from(&before.cells);
            }
        }
        let is_chosen = |(row, column): &(usize, usize)| {
            let cell = table.rows[*row].cell(&FAULTS[*column]).to_string();
            match &word {
                Some(word) => cell.contains(word),
                None => update || FAULTS[*column].whole || (row + column).is_multiple_of(PART),
            }
        };
        let cells: Vec<_> = table.cells().filter(is_chosen).collect();
        let (outcomes, failures) = run(&table, &cells);
        for ((row, column), outcome) in cells.into_iter().zip(outcomes) {
            table.rows[row].cells[column] = outcome;
        }
        say(&table.to_string());
        assert_none(&failures);
        if update {
            table.write();
        } else {
            assert_written(&table, &written);
        }
        return;
    }
    let cells: Vec<_> = written.cells().step_by(SAMPLE).collect();
    let (outcomes, failures) = run(&written, &cells);
    assert_none(&failures);
    for ((row, column), outcome) in cells.into_iter().zip(outcomes) {
        let row = &written.rows[row];
        let (action, fault) = (&row.action, FAULTS[column].heading);
        assert_eq!(row.cells[column], outcome, "{action}, {fault}: docs/faults.md has the first");
    }
}

/// Fails the test unless the page has this table.
#[track_caller]
fn assert_written(table: &Table, written: &Table) {
    for (now, before) in table.rows.iter().zip(&written.rows) {
        assert_eq!(now, before, "docs/faults.md has the second; BAKE_UPDATE_FAULTS=1 writes it");
    }
    assert_eq!(table.rows.len(), written.rows.len(), "actions in docs/faults.md");
}

/// A row, not filled in, for each action that a build calls.
fn discover() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for subject in SUBJECTS {
        for action in cell::actions(subject) {
            let again = subject.also.contains(&action.as_str());
            if again || rows.iter().all(|row| row.action != action) {
                rows.push(Row::of(subject, action));
            }
        }
    }
    rows
}

/// Fails the test if anything is wrong with a cell.
#[track_caller]
fn assert_none(failures: &[String]) {
    assert!(failures.is_empty(), "{} cells:\n\n{}", failures.len(), failures.join("\n\n"));
}

/// What the cells come to, in their order; and what is wrong with those that are wrong.
fn run(table: &Table, cells: &[(usize, usize)]) -> (Vec<String>, Vec<String>) {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec!["WRONG".to_owned(); cells.len()]);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((row, column)) = cells.get(index) else { return };
                    let cell = table.rows[*row].cell(&FAULTS[*column]);
                    let ran = catch_unwind(AssertUnwindSafe(|| cell.run()));
                    match ran.unwrap_or_else(|panic| Err(text_of(&*panic))) {
                        Ok(outcome) => outcomes.lock().expect("no panic")[index] = outcome,
                        Err(error) => {
                            failures.lock().expect("no panic").push(format!("{cell}: {error}"));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic");
    (outcomes.into_inner().expect("no panic"), failures)
}

/// What a panic came with.
fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Shows the matrix to whoever runs the test with `--nocapture`.
#[expect(clippy::print_stdout, reason = "it is what the test is for")]
fn say(text: &str) {
    println!("{text}");
}
