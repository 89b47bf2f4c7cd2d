//! The bytes that kernel and user space share.
