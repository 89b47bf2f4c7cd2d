//! What services of packets share: one byte is heard after the other, until it is over.

use crate::{ANSWER_BYTES_MAX, Findings, Flow, Session, Step, TlsManner};
use alloc::vec::Vec;
use honeymesh_types::WallTime;

/// What a service of packets says to each byte.
pub(crate) trait Packets: Send {
    /// The longest answer to one byte, in bytes.
    const REPLY_BYTES_MAX: usize;
    /// [`Session::tls`].
    const TLS: TlsManner = TlsManner::Usual;

    /// Takes one; nothing is heard behind one that is answered with [`Flow::Close`].
    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow;

    /// [`Session::resume`].
    fn resume(&mut self, _answer: &mut Vec<u8>) -> Option<Flow> {
        None
    }

    /// [`Session::leaves_tls`].
    fn leaves_tls(&self) -> bool {
        false
    }

    /// No more bytes will come, though it was not over.
    fn finish(&mut self) {}

    fn findings(&mut self) -> &mut Findings;
}

/// One connection to a service of packets, in which the stranger speaks first.
pub(crate) struct ByPacket<P> {
    packets: P,
    over: bool,
}

impl<P: Packets> ByPacket<P> {
    pub(crate) const fn new(packets: P) -> Self {
        Self { packets, over: false }
    }

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        if self.over {
            return Flow::Close;
        }
        let flow = self.packets.byte(byte, now, answer);
        self.over = flow == Flow::Close;
        flow
    }
}

impl<P: Packets> Session for ByPacket<P> {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        let full = answer.len() + ANSWER_BYTES_MAX - P::REPLY_BYTES_MAX;
        Step::by_byte_until_full(bytes, answer, full, |byte, answer| self.byte(byte, now, answer))
    }

    fn resume(&mut self, _now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        self.packets.resume(answer)
    }

    fn end(&mut self) {
        if !self.over {
            self.packets.finish();
        }
        self.over = true;
    }

    fn tls(&self) -> TlsManner {
        P::TLS
    }

    fn leaves_tls(&self) -> bool {
        self.packets.leaves_tls()
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(self.packets.findings())
    }
}
