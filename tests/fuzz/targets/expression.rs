//! Expressions: parsing and evaluation, which ends within its budget.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::template::evaluate::{canonical, evaluate, references};
use rooms::template::syntax::{parse_expression, parse_template};

fuzz_target!(|data: &[u8]| {
    let Some(source) = rooms::source(data) else { return };
    // Reading the machine's files is not what is tried here.
    if ["file", "/"].iter().any(|part| source.text().contains(part)) {
        return;
    }
    for parsed in [parse_expression(&source, None), parse_template(&source)] {
        match parsed {
            Ok(expression) => {
                canonical(&expression);
                references(&expression);
                match evaluate(&expression, rooms::scope()) {
                    Ok(value) => {
                        let _ = value.without_marks().to_string();
                    }
                    Err(found) => rooms::check(&found),
                }
            }
            Err(found) => {
                assert!(found.has_errors());
                rooms::check(&found);
            }
        }
    }
});
