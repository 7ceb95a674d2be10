//! `-machine-readable`: rows for programs (`packer-core.md` section 6.2).
