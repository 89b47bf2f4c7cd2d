//! What a TLS client says before anything is secret: its hello, read and fingerprinted.
//!
//! TLS itself needs a clock and randomness, so a carrier speaks it: a session asks for that with
//! [`Flow::StartTls`](crate::Flow::StartTls).

mod envelope;
mod hello;
mod ja4;
mod manner;
mod mute;
mod overhear;
mod reader;
mod secured;

pub use envelope::TdsEnvelope;
pub use hello::Hello;
pub use manner::TlsManner;
pub(crate) use mute::{DOVECOT_ALERT, Mute};
pub use overhear::overhear;
pub use reader::{HELLO_BYTES_MAX, Heard, HelloReader};
pub(crate) use secured::Secured;

/// The first byte of a handshake record.
pub(crate) const HANDSHAKE: u8 = 0x16;
