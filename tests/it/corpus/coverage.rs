//! `fixtures/corpus/README.md` says which templates are about which rule.

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;

use crate::support::repository;

use super::case;

/// Every template is named, and everything that is named is there.
#[test]
fn the_table_names_every_template() {
    let path = repository().join(case::ROOT).join("README.md");
    let text = fs::read_to_string(path).expect("read the table");
    let pattern = Regex::new(r"`((?:in)?valid/[^`]+)`").expect("a pattern");
    let named: BTreeSet<String> =
        pattern.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    let there: BTreeSet<String> = case::all().iter().map(case::Case::name).collect();
    let missing: Vec<_> = there.difference(&named).collect();
    let gone: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty(), "not in the table: {missing:#?}");
    assert!(gone.is_empty(), "in the table, but not there: {gone:#?}");
}

/// No row of the table is without a template.
#[test]
fn every_row_has_a_template() {
    let path = repository().join(case::ROOT).join("README.md");
    let text = fs::read_to_string(path).expect("read the table");
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| row"));
    let empty: Vec<_> = rows.filter(|row| !row.contains("valid/")).collect();
    assert!(empty.is_empty(), "{empty:#?}");
}
