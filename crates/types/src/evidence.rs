//! What was seen, before anybody judged it: knocks from the kernel and visits from the traps.

use crate::{Marks, Now};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// The transport a stranger used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// The word in the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the kernel saw: a packet to a dark port. Forgeable, so never more than `spoofable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knock {
    /// When user space learned of it.
    pub at: Now,
    /// The source address the packet claimed.
    pub source: IpAddr,
    /// The source port the packet claimed.
    pub source_port: u16,
    /// The address it was sent to.
    pub dest: IpAddr,
    /// The dark port.
    pub port: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// A single probe, or the probe that crossed the threshold.
    pub kind: KnockKind,
}

/// Whether a knock crossed the scan threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnockKind {
    /// Below the threshold.
    Probe,
    /// At the threshold: the kernel has already silenced the source on its dark ports, if it had room.
    Scan {
        /// The distinct dark ports seen within the window, oldest first; at most 16.
        ports: Vec<u16>,
        /// Whether the kernel placed its own entry (the budget may have been used up).
        silenced: bool,
    },
    /// A SYN of a silenced source, told so that its reactions can be weighed.
    Suspect {
        /// What became of it.
        fate: Fate,
    },
}

/// What became of a suspect's SYN. Which ports are answered is decided by a coin that only this node can foresee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The coin said silence.
    Silent,
    /// The coin said an answer, and it went on to be answered.
    Answered,
    /// Silence, whatever the coin says: the source has had its answers.
    Spent,
}

/// One connection to a trap; unique per node and start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

bitflags::bitflags! {
    /// What a trap protocol recognised while it spoke. Judged by `detect`, not here.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Signs: u16 {
        /// A user name with a password (or a key) was offered.
        const CREDENTIALS = 1;
        /// The bytes break the protocol the trap speaks.
        const MALFORMED = 1 << 1;
        /// Bait was used: a secret that only a thief can know.
        const BAIT = 1 << 2;
        /// The trap's own rule calls it hostile.
        const RULE = 1 << 3;
        /// The capture limit cut the payload short.
        const TRUNCATED = 1 << 4;
        /// The stranger stayed silent until the deadline.
        const SILENT = 1 << 5;
        /// It came to a port that serves nothing, not to a trap that listens there.
        const DARK = 1 << 6;
        /// A file was brought.
        const UPLOAD = 1 << 7;
        /// What was sent to the source of a datagram, and could only be guessed elsewhere, came back in its place: it is where it
        /// says it is.
        const RETURNED = 1 << 15;
    }
}

/// What a trap saw over a completed handshake since its previous report of the same session, or in a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// When the report was made.
    pub at: Now,
    /// The connection.
    pub session: SessionId,
    /// The trap's name in the configuration.
    pub trap: String,
    /// The service it plays.
    pub service: String,
    /// Who came.
    pub source: SocketAddr,
    /// Where to.
    pub local: SocketAddr,
    /// TCP or UDP.
    pub transport: Transport,
    /// What the stranger sent since the previous report, bounded by the trap's capture limit.
    pub payload: Vec<u8>,
    /// How many bytes the stranger sent since the previous report, captured or not.
    pub bytes: u64,
    /// What the protocol recognised.
    pub signs: Signs,
    /// Named facts: user name, password, path, client. Bounded by the trap.
    pub fields: BTreeMap<String, String>,
    /// What was recognised in the bytes where they were parsed; `None` if nobody has looked yet.
    pub marks: Option<Marks>,
}
