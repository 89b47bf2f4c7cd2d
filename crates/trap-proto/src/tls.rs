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
pub(crate) use mute::{DOVECOT_ALERT, Mute, is_web};
pub use overhear::overhear;
pub use reader::{HELLO_BYTES_MAX, Heard, HelloReader};
pub(crate) use secured::Secured;

/// A record's head, in bytes: kind, version, length. OpenSSL reads so much before it judges, and so it is done here.
pub const RECORD_HEAD_BYTES: usize = 5;
/// The first byte of a handshake record.
pub(crate) const HANDSHAKE: u8 = 0x16;
