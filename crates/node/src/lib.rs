//! The whole brain without a body.
