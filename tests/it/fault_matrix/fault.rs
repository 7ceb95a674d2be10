//! The ways in which a call goes wrong.

/// A column of the matrix.
pub(super) struct Fault {
    /// What it is called.
    pub(super) heading: &'static str,
    /// The rule of `bake sandbox serve -fault`, without the action.
    pub(super) rule: &'static str,
    /// Whether the template has `max_retries = 1`, so that nothing repeats a call by itself.
    pub(super) one_attempt: bool,
    /// Whether all of the column is run with `BAKE_TEST_ALL`; else a part is.
    pub(super) whole: bool,
    /// Whether the answer is that the credentials may not.
    pub(super) refused: bool,
}

const fn fault(heading: &'static str, rule: &'static str) -> Fault {
    Fault { heading, rule, one_attempt: false, whole: true, refused: false }
}

/// All of them.
pub(super) const FAULTS: &[Fault] = &[
    fault("once", "1:internal"),
    fault("five times", "5:internal"),
    fault("throttled", "5:throttle"),
    Fault { whole: false, ..fault("late", "1:delay=2s") },
    Fault { whole: false, ..fault("dropped", "1:drop") },
    fault("cut", "1:cut"),
    Fault { whole: false, ..fault("cut five times", "5:cut") },
    // A build calls no action more often once it is refused; what removes the rest may be then.
    Fault { refused: true, ..fault("refused", "8:unauthorized") },
    Fault { one_attempt: true, whole: false, ..fault("once, not repeated", "1:internal") },
    Fault { one_attempt: true, whole: false, ..fault("cut, not repeated", "1:cut") },
];
