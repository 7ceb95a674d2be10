//! The state of one account in one region, and its transitions. (being built)
