//! Go templates: parsing, references, and rendering with data and without.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::template::go_template::{Data, GoTemplate, Moment, NoFunctions, PackerFunctions};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let template = match GoTemplate::parse(text) {
        Ok(template) => template,
        Err(error) => {
            assert!(text.get(error.range.clone()).is_some(), "{error:?}");
            return;
        }
    };
    let references = template.references();
    for range in references
        .functions
        .iter()
        .map(|one| &one.range)
        .chain(references.fields.iter().map(|one| &one.range))
    {
        assert!(text.get(range.clone()).is_some(), "{range:?}");
    }
    let fields = Data::Map(
        [
            ("Name", Data::from("web é")),
            ("N", Data::Integer(3)),
            ("F", Data::Float(1.5)),
            ("B", Data::Bool(true)),
            ("L", Data::List(vec![Data::from("a"), Data::Integer(2), Data::Nil])),
            ("M", Data::texts([("a", "1"), ("b", "2")])),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
    );
    let entropy = || [7; 12];
    let functions = PackerFunctions::new(Moment::new(1_700_000_000, 5), &entropy, "1.16.0");
    for rendered in
        [template.render(&fields, &functions), template.render(&Data::Map([].into()), &NoFunctions)]
    {
        match rendered {
            Ok(rendered) => {
                if template.is_literal() {
                    assert_eq!(rendered.text, text);
                }
                for kept in &rendered.kept {
                    assert!(text.get(kept.field.clone()).is_some(), "{kept:?}");
                }
            }
            Err(error) => assert!(text.get(error.range.clone()).is_some(), "{error:?}"),
        }
    }
});
