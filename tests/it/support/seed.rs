//! Random numbers that come again with the same seed.

use std::time::Duration;

/// A generator, splitmix64.
pub(crate) struct Seed(u64);

impl Seed {
    /// The one that `BAKE_TEST_SEED` names, or `usual`; says which, so that a failure can be had
    /// again.
    #[expect(clippy::print_stderr, reason = "whoever reads a test's output has to know")]
    pub(crate) fn of_test(what: &str, usual: u64) -> Self {
        let given = std::env::var("BAKE_TEST_SEED").ok();
        let seed = given.map_or(usual, |text| text.parse().expect("BAKE_TEST_SEED is a number"));
        eprintln!("{what}: BAKE_TEST_SEED={seed}");
        Self(seed)
    }

    /// A moment in a time, to the microsecond.
    pub(crate) fn moment(&mut self, of: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(of.as_micros()).unwrap_or(u64::MAX)))
    }

    /// The next number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end.max(1)
    }
}
