//! Tables of expressions and their values.
