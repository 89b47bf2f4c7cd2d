//! What a session wants done beside its own connection: a port of its own, for what is brought or fetched there.
//!
//! A session opens nothing. It says what it wants ([`Flow::Errand`](crate::Flow::Errand), [`Session::errand`](crate::Session::errand)), its
//! carrier does it or does not, and says what came of it ([`Session::done`](crate::Session::done)). Meanwhile nothing else is heard.

use alloc::vec::Vec;
use core::net::SocketAddr;

/// The most that one [`Errand::Give`] sends, in bytes.
pub const GIVEN_BYTES_MAX: usize = 32 * 1_024;

/// What is to be done. One at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// A port is opened to which the stranger, and nobody else, may connect, once. What was open before is closed.
    Listen,
    /// It is waited for his connection to that port, so many milliseconds at most; the carrier may wait less.
    Await {
        /// How long at most.
        ms: u32,
    },
    /// What he sends there is read to its end and kept, as what this session said. Then the connection is closed.
    Take,
    /// He is sent this there, of [`GIVEN_BYTES_MAX`] bytes at most. Then the connection is closed.
    Give(Vec<u8>),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The port is open, at this address of ours.
    Listening(SocketAddr),
    /// He has connected there.
    Met,
    /// All that he brought there, in bytes; what of it is kept is the carrier's affair.
    Taken {
        /// So many.
        bytes: u64,
        /// He ended it himself, and nothing broke.
        is_whole: bool,
    },
    /// He was sent everything.
    Given,
    /// Nothing came of it: there is no port, nobody has connected, or the connection broke.
    Failed,
}
