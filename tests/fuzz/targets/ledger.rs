//! Ledgers: any bytes are read without a panic, a torn last line counts as never written, and a
//! line that cannot be read costs nothing but itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use rooms::reader::{Reading, read};

fuzz_target!(|data: &[u8]| {
    let Ok(reading) = read(data) else { return };
    let lines = data.split(|byte| *byte == b'\n').count();
    assert!(reading.broken.iter().all(|one| (1..=lines).contains(&one.line)), "{reading:?}");
    for left in &reading.leftovers {
        assert!(left.entry <= reading.entries, "{left:?}");
        assert!(reading.places.contains(&left.intent.place()), "{left:?}");
    }
    let _life = reading.life();
    // Without what is torn.
    let end = data.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let whole = read(&data[..end]).expect("it is not newer than with more");
    assert_eq!(whole, Reading { torn: false, ..reading.clone() });
    // With a line more that cannot be read.
    let more = [&data[..end], b"\0\n"].concat();
    let more = read(&more).expect("it is not newer than with less");
    assert_eq!(more.leftovers, reading.leftovers);
    assert_eq!(more.builds, reading.builds);
    assert_eq!(more.closed, reading.closed);
});
