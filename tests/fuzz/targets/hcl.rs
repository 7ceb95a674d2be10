//! HCL native syntax: parsing, findings, and the canonical layout.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::diagnostic::Source;
use rooms::template::evaluate::canonical;
use rooms::template::layout::format_hcl;
use rooms::template::syntax::{Body, parse_hcl};

/// What layout must not change.
fn meaning(body: &Body, into: &mut String) {
    for attribute in &body.attributes {
        *into += &format!("{} = {:?}\n", attribute.name.text, canonical(&attribute.expression));
    }
    for block in &body.blocks {
        let labels: Vec<&str> = block.labels.iter().map(|label| label.text.as_str()).collect();
        *into += &format!("{} {labels:?} {{\n", block.kind.text);
        meaning(&block.body, into);
        *into += "}\n";
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(source) = rooms::source(data) else { return };
    let (body, found) = parse_hcl(&source);
    rooms::check(&found);
    assert!(source.text().get(body.span.range()).is_some());
    let Ok(once) = format_hcl(&source) else {
        assert!(found.has_errors());
        return;
    };
    assert!(!found.has_errors());
    let formatted = Source::new("formatted", once.as_str());
    let (again, found) = parse_hcl(&formatted);
    assert!(!found.has_errors(), "{once}");
    let mut meanings = [String::new(), String::new()];
    meaning(&body, &mut meanings[0]);
    meaning(&again, &mut meanings[1]);
    assert_eq!(meanings[0], meanings[1]);
    assert_eq!(format_hcl(&formatted).expect("parses"), once);
});
