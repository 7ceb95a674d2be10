//! Records of what hashes were taken over: any bytes are read without a panic, what is read is
//! written the same, and what has the shape of a record can be compared and listed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::plan::difference::{of_templates, render_differences};
use rooms::plan::identity::{image_recipe_hash, recipe_hash};
use rooms::plan::{Digest, Record, difference};
use serde_json::{Map, Value as Json};

const SEED: &[u8] = include_bytes!("../seeds/record/build");

fuzz_target!(|data: &[u8]| {
    if let Ok(record) = Record::read(data) {
        check(&record);
    }
    // As all changes break the hashes, the same with hashes that are right.
    let Ok(mut form) = serde_json::from_slice::<Json>(data) else { return };
    mend(&mut form);
    let mended = form.to_string();
    let Ok(record) = Record::read(mended.as_bytes()) else { return };
    check(&record);
    let mut seed = serde_json::from_slice::<Json>(SEED).expect("JSON");
    mend(&mut seed);
    let seed = Record::read(seed.to_string().as_bytes()).expect("the seed is a record");
    for (old, new) in [(&seed, &record), (&record, &seed)] {
        let _text = render_differences(&of_templates(old, new));
        let found = difference(old, new);
        let _text = render_differences(&found);
        let _json = serde_json::to_string(&found).expect("differences can be written");
    }
});

fn check(record: &Record) {
    assert_eq!(Record::read(&record.write()).as_ref().ok(), Some(record));
    assert!(difference(record, record).is_empty());
    let _inputs = serde_json::to_string(&record.inputs()).expect("inputs can be written");
}

/// Puts right hashes in place of those that are there.
fn mend(form: &mut Json) {
    let Some(members) = form.as_object_mut() else { return };
    if let Some(recipe) = members.get("recipe") {
        let hash = recipe_hash(recipe).hex();
        members.insert("template_hash".to_owned(), hash.into());
    }
    if let Some(image) = members.get("image").filter(|image| !image.is_null()) {
        let hash = image_recipe_hash(image).hex();
        members.insert("image_hash".to_owned(), hash.into());
    }
    if let Some(texts) = members.get("texts").and_then(Json::as_object) {
        let texts = texts.values().filter_map(Json::as_str);
        let texts: Map<String, Json> =
            texts.map(|text| (Digest::of(text.as_bytes()).hex(), text.into())).collect();
        members.insert("texts".to_owned(), texts.into());
    }
}
