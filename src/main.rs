//! Thin entry: arguments to the library, its answer to an exit code.

fn main() {}
