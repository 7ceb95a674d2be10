//! Bounds on what one evaluation may cost, so that no template can eat the machine.

use std::cell::Cell;

/// Expressions that one evaluation may look at.
const STEPS: u64 = 20_000_000;
/// Values that one evaluation may make.
const VALUES: u64 = 1_000_000;
/// Bytes of text that one evaluation may make.
const TEXT: u64 = 128 << 20;
/// How deeply expressions may nest.
const DEPTH: u32 = 400;

/// What is left.
pub(super) struct Budget {
    steps: Cell<u64>,
    values: Cell<u64>,
    text: Cell<u64>,
    depth: Cell<u32>,
}

/// What ran out, for an error message.
pub(super) type Exceeded = &'static str;

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            steps: Cell::new(STEPS),
            values: Cell::new(VALUES),
            text: Cell::new(TEXT),
            depth: Cell::new(DEPTH),
        }
    }

    /// Goes one expression deeper; pair it with [`Budget::leave`].
    pub(super) fn enter(&self) -> Result<(), Exceeded> {
        take(&self.steps, 1, "this takes too many steps")?;
        match self.depth.get().checked_sub(1) {
            Some(left) => {
                self.depth.set(left);
                Ok(())
            }
            None => Err("this is nested too deeply"),
        }
    }

    pub(super) fn leave(&self) {
        self.depth.set(self.depth.get() + 1);
    }

    pub(super) fn values(&self, count: usize) -> Result<(), Exceeded> {
        take(&self.values, count, "this makes too many values")
    }

    pub(super) fn text(&self, bytes: usize) -> Result<(), Exceeded> {
        take(&self.text, bytes, "this makes too much text")
    }
}

fn take(left: &Cell<u64>, cost: usize, message: Exceeded) -> Result<(), Exceeded> {
    match u64::try_from(cost).ok().and_then(|cost| left.get().checked_sub(cost)) {
        Some(rest) => {
            left.set(rest);
            Ok(())
        }
        None => Err(message),
    }
}
