//! Locks: findings lie in the text and can be shown; what is read is written the same again, and
//! its pins can be told.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::diagnostic::Source;
use rooms::plan::lock::Lock;

fuzz_target!(|data: &[u8]| {
    let Some(source) = rooms::source(data) else { return };
    let lock = match Lock::read(&source) {
        Ok(lock) => lock,
        Err(found) => return rooms::check(&found),
    };
    for pin in lock.pins() {
        assert!(pin.is_named(&pin.name));
        let _told = pin.answer.to_string();
    }
    let text = lock.write();
    let again = match Lock::read(&Source::new("again", text.as_str())) {
        Ok(again) => again,
        Err(found) => panic!("what is written is not read: {found:?}\n{text}"),
    };
    assert_eq!(again.write(), text);
});
