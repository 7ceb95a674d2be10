//! HTTP, query decoding, XML answers. (being built)
