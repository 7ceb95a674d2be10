//! HCL in JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::template::evaluate::canonical;
use rooms::template::syntax::parse_hcl_json;

fuzz_target!(|data: &[u8]| {
    let Some(source) = rooms::source(data) else { return };
    let (body, found) = parse_hcl_json(&source);
    rooms::check(&found);
    assert!(source.text().get(body.span.range()).is_some());
    if !found.has_errors() {
        for attribute in &body.attributes {
            canonical(&attribute.expression);
        }
    }
});
