//! Legacy JSON: parsing with repeated keys and without, reading it as a template, and evaluating
//! its variables.

#![no_main]

use std::io::Write as _;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use rooms::diagnostic::Diagnostics;
use rooms::template::json::{Duplicates, ParseOptions, parse};
use rooms::template::{Environment, Run, VariableInputs, load};

fuzz_target!(|data: &[u8]| {
    let Some(source) = rooms::source(data) else { return };
    let kept = parse(&source, ParseOptions { duplicates: Duplicates::Keep });
    let refused = parse(&source, ParseOptions { duplicates: Duplicates::Refuse });
    for found in [kept.as_ref().err(), refused.as_ref().err()].into_iter().flatten() {
        rooms::check(found);
    }
    if let (Ok(kept), Ok(refused)) = (&kept, &refused) {
        assert_eq!(kept, refused);
    }
    if refused.is_err() {
        return;
    }
    let mut file = tempfile::Builder::new().suffix(".json").tempfile().expect("a file");
    file.write_all(data).expect("write");
    let loaded = match load(file.path()) {
        Ok(loaded) => loaded,
        Err(found) => return rooms::check(&found),
    };
    rooms::check(&loaded.warnings);
    let run = Run {
        now: "2026-11-21T07:08:09Z".parse().expect("a timestamp"),
        directory: PathBuf::from("/nonexistent"),
        environment: [].into(),
        random: || [7; 16],
        data_sources: &[],
        answers: Default::default(),
    };
    let inputs = VariableInputs::default();
    let mut warnings = Diagnostics::new();
    if let Err(found) = Environment::new(&loaded.template, &inputs, run, &mut warnings) {
        rooms::check(&found);
    }
    rooms::check(&warnings);
});
