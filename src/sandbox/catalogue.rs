//! Which base stands in for a well-known image name. (being built)
