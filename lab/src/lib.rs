//! Namespaces, the real binary, real tools.
