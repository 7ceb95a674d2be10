//! SSH. (being built)
