//! A file that is brought, block by block, to a port of its own: what the server waits for next, and what it says to what comes.

use crate::{
    Findings, TRANSFER_BYTES, Transfer,
    datagram::{Datagram, Reply},
};
use alloc::{string::ToString, vec::Vec};
use honeymesh_types::Signs;

/// The block that is usual, in octets (RFC 1350).
const SEGMENT: u16 = 512;
/// How long tftpd-hpa waits until it repeats its answer for the first time, in milliseconds.
const TIMEOUT_MS: u32 = 1_000;
/// It waits twice as long each time and gives up with the sixth: 1 + 2 + 4 + 8 + 16 + 32 times the first.
const PATIENCE: u32 = 63;
/// An acknowledgement, in octets.
const ACKNOWLEDGEMENT_BYTES: usize = 4;
/// Bits of the last octet.
const HAS_OPTIONS: u8 = 1;
const IS_OVER: u8 = 2;

/// What is known of an upload between two blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Upload {
    /// The block that is awaited; once it is over, the last one.
    next: u16,
    /// The octets of each block but the last.
    pub(super) segment: u16,
    pub(super) timeout_ms: u32,
    /// What comes after block 65,535.
    pub(super) rollover: u16,
    /// Options were agreed to: whoever did not hear of it cannot be told again, for that is longer than what he says.
    pub(super) has_options: bool,
    /// The last block has come: it may come again, if the answer to it was lost.
    is_over: bool,
}

impl Default for Upload {
    fn default() -> Self {
        Self { next: 1, segment: SEGMENT, timeout_ms: TIMEOUT_MS, rollover: 0, has_options: false, is_over: false }
    }
}

/// Closed at once.
pub(super) const OVER: Transfer = Transfer { wait_ms: 0, known: [0; TRANSFER_BYTES] };

impl Upload {
    /// As it is kept until something comes.
    pub(super) fn waiting(self) -> Transfer {
        let wait_ms = if self.is_over { self.timeout_ms } else { self.timeout_ms.saturating_mul(PATIENCE) };
        Transfer { wait_ms, known: self.to_bytes() }
    }

    fn to_bytes(self) -> [u8; TRANSFER_BYTES] {
        let mut bytes = [0; TRANSFER_BYTES];
        bytes[..2].copy_from_slice(&self.next.to_le_bytes());
        bytes[2..4].copy_from_slice(&self.segment.to_le_bytes());
        bytes[4..6].copy_from_slice(&self.rollover.to_le_bytes());
        bytes[6..10].copy_from_slice(&self.timeout_ms.to_le_bytes());
        bytes[10] = if self.has_options { HAS_OPTIONS } else { 0 } | if self.is_over { IS_OVER } else { 0 };
        bytes
    }

    /// Whatever it is that was kept.
    pub(super) fn read(bytes: [u8; TRANSFER_BYTES]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, bits, ..] = bytes;
        Self {
            next: u16::from_le_bytes([a, b]),
            segment: u16::from_le_bytes([c, d]),
            rollover: u16::from_le_bytes([e, f]),
            timeout_ms: u32::from_le_bytes([g, h, i, j]),
            has_options: bits & HAS_OPTIONS != 0,
            is_over: bits & IS_OVER != 0,
        }
    }

    /// A block comes to the upload's port.
    pub(super) fn block(self, rest: &[u8], datagram: &Datagram<'_>) -> Reply {
        let (findings, block) = note(rest, datagram);
        let Some((number, length)) = block.filter(|_| !self.is_over) else { return self.other(findings, datagram) };
        if number == self.next {
            let is_last = length != usize::from(self.segment);
            let after = if is_last { Self { is_over: true, ..self } } else { Self { next: self.after(), ..self } };
            return self.acknowledged(number, after.waiting(), findings, datagram);
        }
        let is_repeated = u32::from(number) + 1 == u32::from(self.next);
        if is_repeated && (number != 0 || !self.has_options) {
            return self.acknowledged(number, self.waiting(), findings, datagram);
        }
        Reply::silent(findings)
    }

    /// Something else comes to it, that servers do not say: once the last block has come, its answer is taken for lost, and nothing more is
    /// heard after that.
    pub(super) fn other(self, findings: Findings, datagram: &Datagram<'_>) -> Reply {
        if self.is_over && datagram.bytes.len() >= ACKNOWLEDGEMENT_BYTES {
            return self.acknowledged(self.next, OVER, findings, datagram);
        }
        self.silence(findings)
    }

    /// What servers say is not answered. It ends what is over.
    pub(super) fn silence(self, findings: Findings) -> Reply {
        let silence = Reply::silent(findings);
        if self.is_over { silence.leaving(OVER) } else { silence }
    }

    fn acknowledged(self, number: u16, transfer: Transfer, findings: Findings, datagram: &Datagram<'_>) -> Reply {
        Reply::fitting(findings, datagram, [acknowledgement(number)]).leaving(transfer)
    }

    fn after(self) -> u16 {
        self.next.checked_add(1).unwrap_or(self.rollover)
    }
}

/// That a block has come; 0: that it may be sent.
pub(super) fn acknowledgement(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    [0, 4, high, low].to_vec()
}

/// Takes a block down: its number, and how long it is.
pub(super) fn note(rest: &[u8], datagram: &Datagram<'_>) -> (Findings, Option<(u16, usize)>) {
    let mut findings = Findings::default();
    let Some((number, data)) = rest.split_first_chunk::<2>() else {
        findings.signs |= Signs::MALFORMED;
        return (findings, None);
    };
    let (number, length) = (u16::from_be_bytes(*number), data.len() + datagram.cut);
    findings.note("request", b"data");
    findings.note("block", number.to_string().as_bytes());
    findings.note("data_bytes", length.to_string().as_bytes());
    findings.signs |= Signs::RULE;
    (findings, Some((number, length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datagram::Leaves;

    const OPENED: Upload = Upload { next: 1, segment: 8, timeout_ms: 2_000, rollover: 0, has_options: false, is_over: false };

    /// What is answered to a block, how long it is listened then, and what is known.
    fn hear(upload: Upload, number: u16, data: &[u8]) -> (Vec<u8>, Option<u32>, Upload) {
        let rest = [&number.to_be_bytes()[..], data].concat();
        let bytes = [&[0, 3], rest.as_slice()].concat();
        let reply = Upload::read(upload.to_bytes()).block(&rest, &Datagram { bytes: &bytes, ..Datagram::default() });
        match reply.leaves {
            Leaves::Own(transfer) => (reply.answer, Some(transfer.wait_ms), Upload::read(transfer.known)),
            Leaves::Asked => (reply.answer, None, upload),
        }
    }

    #[test]
    fn blocks_are_taken_in_order_and_the_last_one_is_the_short_one() {
        let (said, wait, upload) = hear(OPENED, 1, b"12345678");
        assert_eq!((said, wait, upload), (b"\0\x04\0\x01".to_vec(), Some(126_000), Upload { next: 2, ..OPENED }));
        let (said, wait, _) = hear(upload, 1, b"12345678");
        assert_eq!((said, wait), (b"\0\x04\0\x01".to_vec(), Some(126_000)), "once more, for its answer was lost");
        for number in [0, 3, 65_535] {
            assert_eq!(hear(upload, number, b"12345678"), (Vec::new(), None, upload), "{number}");
        }
        let (said, wait, upload) = hear(upload, 2, b"1234");
        assert_eq!((said, wait, upload.is_over), (b"\0\x04\0\x02".to_vec(), Some(2_000), true));
        let (said, wait, _) = hear(upload, 2, b"1234");
        assert_eq!((said, wait), (b"\0\x04\0\x02".to_vec(), Some(0)), "the last one is acknowledged twice at most");
        assert_eq!(hear(upload, 3, b"x").0, b"\0\x04\0\x02", "whatever else comes then");
    }

    #[test]
    fn whoever_did_not_hear_that_he_may_is_told_again_unless_that_is_longer_than_what_he_says() {
        assert_eq!(hear(OPENED, 0, b"").0, b"\0\x04\0\0");
        assert_eq!(hear(Upload { has_options: true, ..OPENED }, 0, b"").0, b"");
    }

    #[test]
    fn numbers_begin_again_after_the_last_one() {
        for rollover in [0, 1] {
            let last = Upload { next: 65_535, rollover, ..OPENED };
            let (_, _, upload) = hear(last, 65_535, b"12345678");
            assert_eq!(upload.next, rollover);
            assert_eq!(hear(upload, rollover, b"").0, [[0, 4].as_slice(), &rollover.to_be_bytes()].concat());
        }
    }

    #[test]
    fn a_block_that_was_cut_is_as_long_as_it_was() {
        let upload = Upload { segment: 5_000, ..OPENED };
        let bytes = [&b"\0\x03\0\x01"[..], &[7; 4_092]].concat();
        let block = |cut| upload.block(&bytes[2..], &Datagram { bytes: &bytes, cut, ..Datagram::default() });
        assert_eq!(block(908).findings.fields["data_bytes"], "5000");
        assert_eq!(block(908).leaves, Leaves::Own(Upload { next: 2, ..upload }.waiting()));
        assert_eq!(block(0).leaves, Leaves::Own(Upload { is_over: true, ..upload }.waiting()));
    }
}
