//! Every option of a provisioner and of the communicators has a test of what it does, or a line in
//! `docs/unsupported.md`.
//!
//! Which test it is says `fixtures/option-tests.txt`. The options come from their declarations, so
//! that a new one fails here until it has a row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use bake::communicator::CommunicatorOptions;
use bake::plan::MetaOptions;
use bake::template::schema::Schema;
use regex::Regex;

use crate::support::repository;

/// Options by component, and what is said of each.
type Table = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Reads the table; what is written twice is a mistake.
fn table(text: &str) -> Result<Table, String> {
    let mut table = Table::new();
    let mut section = String::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
            if table.insert(section.clone(), BTreeMap::new()).is_some() {
                return Err(format!("[{section}] is there twice"));
            }
            continue;
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let rows = table.get_mut(&section).ok_or_else(|| format!("`{line}` has no section"))?;
        let option = words.next().ok_or("an empty line")?;
        if rows.insert(option.clone(), words.collect()).is_some() {
            return Err(format!("`{option}` of {section} is there twice"));
        }
    }
    Ok(table)
}

/// The options that there are, by component.
fn declared() -> BTreeMap<String, BTreeSet<String>> {
    let names = |schema: &Schema| schema.options.iter().map(|one| one.name.to_owned()).collect();
    let mut every: BTreeSet<_> = names(MetaOptions::schema());
    // Not declared with the others: its value has the options of the provisioner.
    every.insert("override".to_owned());
    let mut declared = BTreeMap::from([
        ("every provisioner".to_owned(), every),
        ("communicator".to_owned(), names(CommunicatorOptions::schema())),
    ]);
    let provisioners = bake::provision::KINDS;
    declared.extend(provisioners.iter().map(|one| (one.name.to_owned(), names((one.schema)()))));
    declared
}

/// What is wrong with a row.
fn complaint(component: &str, option: &str, said: &[String], unsupported: &str) -> Option<String> {
    if said == ["unsupported"] {
        let is_told = |name: &str| unsupported.contains(&format!("`{name}`"));
        let prefix = option.split_once('_').map_or(option, |(prefix, _)| prefix);
        let whole = unsupported.contains(&format!("`{component}`, with all of its options"));
        let told = whole || is_told(option) || is_told(&format!("{prefix}_…"));
        return (!told).then(|| "docs/unsupported.md does not say so".to_owned());
    }
    let mut mentioned = false;
    for test in said {
        let Some((file, function)) = test.split_once("::") else {
            return Some(format!("`{test}` is not `FILE::FUNCTION`"));
        };
        let Ok(text) = fs::read_to_string(repository().join(file)) else {
            return Some(format!("there is no file `{file}`"));
        };
        let Some(body) = body(&text, function) else {
            return Some(format!("`{file}` has no test `{function}`"));
        };
        // Templates in a test often have their lines in one string.
        let word = Regex::new(&format!(r"(\b|\\n){option}\b")).expect("a pattern");
        mentioned |= word.is_match(body) || used(&text, body).any(|one| word.is_match(one));
    }
    if said.is_empty() {
        return Some("nothing is said of it".to_owned());
    }
    (!mentioned).then(|| "none of these tests has the name of the option".to_owned())
}

/// A test of a file, up to the bracket that ends it, by the indentation that `rustfmt` gives it.
fn body<'t>(text: &'t str, function: &str) -> Option<&'t str> {
    let attribute = r"#\[(tokio::)?test\b[^\n]*\]\n";
    let between = r"(\s*(#\[|//)[^\n]*\n)*";
    let pattern = format!(r"(?m)^\s*{attribute}{between}(?P<indent> *)(async )?fn {function}\(\)");
    let found = Regex::new(&pattern).expect("a pattern").captures(text)?;
    let (start, indent) = (found.name("indent")?.start(), found.name("indent")?.as_str());
    let text = text.get(start..)?;
    let end = text.find(&format!("\n{indent}}}\n"))?;
    text.get(..end)
}

/// The constants of a file that a test uses by name.
fn used<'t>(text: &'t str, body: &'t str) -> impl Iterator<Item = &'t str> {
    let constant = Regex::new(r"(?ms)^const (\w+):.*?;\n").expect("a pattern");
    let all: Vec<_> =
        constant.captures_iter(text).filter_map(|one| one.get(0).zip(one.get(1))).collect();
    let is_used = |name: &str| {
        body.split(|one: char| !one.is_alphanumeric() && one != '_').any(|word| word == name)
    };
    all.into_iter().filter(move |(_, name)| is_used(name.as_str())).map(|(whole, _)| whole.as_str())
}

#[test]
fn every_option_has_a_test_or_is_said_to_be_unsupported() {
    let read = |name: &str| fs::read_to_string(repository().join(name)).expect("a file");
    let table = table(&read("fixtures/option-tests.txt")).unwrap_or_else(|wrong| panic!("{wrong}"));
    let unsupported = read("docs/unsupported.md");
    let declared = declared();
    let mut wrong = Vec::new();
    for (component, options) in &declared {
        let none = BTreeMap::new();
        let rows = table.get(component).unwrap_or(&none);
        for option in options {
            let complaint = match rows.get(option) {
                Some(said) => complaint(component, option, said, &unsupported),
                None => Some("it has no row".to_owned()),
            };
            wrong.extend(complaint.map(|what| format!("{component}, {option}: {what}")));
        }
        let known = |option: &&String| options.contains(*option);
        let more = rows.keys().filter(|option| !known(option));
        wrong.extend(more.map(|option| format!("{component} has no option {option}")));
    }
    let more = table.keys().filter(|component| !declared.contains_key(*component));
    wrong.extend(more.map(|component| format!("there is no component {component}")));
    assert!(wrong.is_empty(), "in fixtures/option-tests.txt:\n{}", wrong.join("\n"));
}

const NAMED: &str = "option_of_a_constant";

#[test]
fn rows_that_do_not_hold_are_found() {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let complaint = |option: &str, said: &str| {
        complaint("x", option, &words(said), "| `gone` | `win_…` |").unwrap_or_default()
    };
    let this = "tests/it/option_tables.rs";
    let me = format!("{this}::rows_that_do_not_hold_are_found");
    assert_eq!(complaint("option", &me), "");
    assert_eq!(complaint("gone", "unsupported"), "");
    assert_eq!(complaint("win_x", "unsupported"), "");
    assert_eq!(complaint("here", "unsupported"), "docs/unsupported.md does not say so");
    assert_eq!(
        complaint("no".repeat(9).as_str(), &me),
        "none of these tests has the name of the option"
    );
    // That another function of the file has it says nothing; what a constant has does.
    let elsewhere = ["decl", "ared"].concat();
    assert_eq!(complaint(&elsewhere, &me), "none of these tests has the name of the option");
    assert_eq!(complaint(NAMED, &me), "");
    assert_eq!(
        complaint("option", &format!("{this}::table")),
        format!("`{this}` has no test `table`")
    );
    assert_eq!(complaint("option", "gone.rs::x"), "there is no file `gone.rs`");
    assert!(table("[a]\nx y\nx z\n").is_err() && table("x y").is_err());
}
