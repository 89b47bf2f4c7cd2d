//! One datagram in, at most one out, and never a longer one: what services over UDP share.
//!
//! Whoever sends a datagram can write any source on it. So a service keeps nothing between two of them, no answer is longer than what
//! it answers (nobody is flooded through us), and two traps that were set on each other fall silent before the third answer. What a
//! source says is believed to be its own once it brings back a nonce that was sent to it. The carrier makes that nonce, writes it
//! into the answer and looks for it: a service only says where its place is.
//!
//! A service may answer from a port of its own, as TFTP servers do, and be spoken to there ([`Leaves::Own`]): a *transfer*. The carrier opens
//! that port, and keeps for the service what it wants to know when its sender goes on.

use crate::{Findings, Flow, Service, Session, Step};
use alloc::vec::Vec;
use honeymesh_types::WallTime;

/// The octets of a datagram that are looked at; a longer one is cut and called so.
pub const DATAGRAM_BYTES_MAX: usize = 4_096;
/// The longest answer to a datagram, in octets: what every path takes in one piece (RFC 9715).
pub const DATAGRAM_ANSWER_BYTES_MAX: usize = 1_232;
/// A nonce as it stands in answers, in octets: small hexadecimal digits of 128 bits.
pub const NONCE_BYTES: usize = 32;
/// What a service wants to know again when a transfer goes on, in octets.
pub const TRANSFER_BYTES: usize = 16;

/// What somebody has sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Datagram<'a> {
    /// At most [`DATAGRAM_BYTES_MAX`] octets.
    pub bytes: &'a [u8],
    /// How many octets more it had: they were cut off.
    pub cut: usize,
    /// Where the nonce stands in it that was sent to its source a short time ago, if it does.
    pub nonce_at: Option<usize>,
    /// It came to a port that an answer to the same sender has left from: what was to be known then.
    pub transfer: Option<[u8; TRANSFER_BYTES]>,
    /// Dates answers.
    pub now: WallTime,
}

/// What is found in it, and what is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// What was recognised.
    pub findings: Findings,
    /// Empty: silence. Never longer than the datagram nor than [`DATAGRAM_ANSWER_BYTES_MAX`].
    pub answer: Vec<u8>,
    /// Where the carrier writes a nonce into the answer, [`NONCE_BYTES`] long.
    pub nonce_at: Option<usize>,
    /// From which port it leaves.
    pub leaves: Leaves,
}

/// From which port an answer leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leaves {
    /// The one that the datagram came to.
    #[default]
    Asked,
    /// A port that nobody but its sender reaches: a new one, or the one that it came to if that is such a port. Only for a service that
    /// has transfers ([`Service::transfers`]). The answer may be empty: then the transfer goes on, or ends, without a word.
    Own(Transfer),
}

/// What becomes of a port of one's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// How long it is listened there for what comes next, in milliseconds. 0: it is closed. The carrier may close it sooner.
    pub wait_ms: u32,
    /// What is to be known then.
    pub known: [u8; TRANSFER_BYTES],
}

impl Reply {
    /// No answer.
    pub(crate) const fn silent(findings: Findings) -> Self {
        Self { findings, answer: Vec::new(), nonce_at: None, leaves: Leaves::Asked }
    }

    /// The first of `answers` that is not too long for `datagram`; silence if all are.
    pub(crate) fn fitting(findings: Findings, datagram: &Datagram<'_>, answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let room = room(datagram);
        let answer = answers.into_iter().find(|answer| answer.len() <= room).unwrap_or_default();
        Self { findings, answer, nonce_at: None, leaves: Leaves::Asked }
    }

    /// The same from a port of its own.
    pub(crate) fn leaving(self, transfer: Transfer) -> Self {
        Self { leaves: Leaves::Own(transfer), ..self }
    }
}

/// How long an answer may be.
pub(crate) fn room(datagram: &Datagram<'_>) -> usize {
    datagram.bytes.len().min(DATAGRAM_ANSWER_BYTES_MAX)
}

impl Service {
    /// Does it answer from ports of its own?
    #[must_use]
    pub const fn transfers(&self) -> bool {
        matches!(self, Self::Tftp(_))
    }

    /// A datagram comes to this service. Nothing of it is kept.
    #[must_use]
    pub fn datagram(&self, datagram: &Datagram<'_>) -> Reply {
        let reply = match self {
            Self::Dns(dns) => dns.datagram(datagram),
            Self::Ntp(ntp) => ntp.datagram(datagram),
            Self::Snmp(snmp) => snmp.datagram(datagram),
            Self::Tftp(tftp) => tftp.datagram(datagram),
            Self::Sip(sip) => sip.datagram(datagram),
            Self::Ssdp(ssdp) => ssdp.datagram(datagram),
            Self::Memcached(memcached) => memcached.datagram(datagram),
            // Nobody listens for datagrams to the others.
            _ => Reply::default(),
        };
        // Each service cares for this; here no mistake in one of them can undo it.
        if reply.answer.len() <= room(datagram) { reply } else { Reply::silent(reply.findings) }
    }
}

/// A connection to a service that has none: nobody can open it.
pub(crate) struct Closed;

impl Session for Closed {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Close
    }

    fn receive(&mut self, bytes: &[u8], _now: WallTime, _answer: &mut Vec<u8>) -> Step {
        Step { taken: bytes.len(), flow: Flow::Close }
    }

    fn end(&mut self) {}

    fn findings(&mut self) -> Findings {
        Findings::default()
    }
}

#[cfg(test)]
mod tests;
