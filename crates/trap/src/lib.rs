//! Strangers to trap protocols.
