//! `console` of both programs, an expression at a time: of several lines only the last is printed.

use std::collections::BTreeMap;
use std::fs;

use crate::support::{all_suites, repository};

use super::differences::assert_known;
use super::program::{Programs, Said, for_each};

/// Compares the answers to every line of a file.
#[track_caller]
fn compare(file: &str, config_type: &str, kind: &str) -> usize {
    let programs = Programs::new();
    let path = repository().join("fixtures/peers/packer").join(file);
    let text = fs::read_to_string(path).expect("read expressions");
    let expressions: Vec<_> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let answers = for_each(&expressions, |expression| {
        let input = format!("{expression}\n");
        let arguments = ["console", config_type];
        (programs.bake(&arguments, &input), programs.packer(&arguments, &input))
    });
    let mut differences = BTreeMap::new();
    for (expression, (bake, packer)) in expressions.iter().zip(answers) {
        let same = (bake.succeeded, &bake.text) == (packer.succeeded, &packer.text);
        if !same {
            let text = format!("bake:   {}\nPacker: {}\n", shown(&bake), shown(&packer));
            differences.insert((*expression).to_owned(), text);
        }
    }
    assert_known(kind, &differences);
    expressions.len()
}

fn shown(said: &Said) -> String {
    if said.succeeded { said.text.clone() } else { format!("refused: {}", said.all) }
}

#[test]
fn expressions_have_the_same_values() {
    if !all_suites("expressions against Packer 1.6.6") {
        return;
    }
    let count = compare("expressions.txt", "--config-type=hcl2", "expression");
    assert!(count >= 150, "{count} expressions");
}

#[test]
fn legacy_texts_are_rendered_alike() {
    if all_suites("Go templates against Packer 1.6.6") {
        compare("legacy-expressions.txt", "--config-type=json", "text");
    }
}
