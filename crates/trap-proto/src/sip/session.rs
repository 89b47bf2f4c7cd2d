//! One connection to the exchange over TCP.

use super::{
    Sip,
    message::{self, Message},
};
use crate::{Findings, Flow, datagram::NONCE_BYTES, packets::Packets};
use alloc::{string::String, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// The longest message, in octets; a longer one ends the connection.
const MESSAGE_BYTES_MAX: usize = 8 * 1_024;

/// One connection to the exchange.
pub(super) struct SipSession {
    sip: Sip,
    nonce: String,
    message: Vec<u8>,
    /// How long the message is, once its headers are there.
    whole: Option<usize>,
    /// How many requests there were.
    count: u64,
    findings: Findings,
}

impl SipSession {
    pub(super) const fn new(sip: Sip, nonce: String) -> Self {
        Self {
            sip,
            nonce,
            message: Vec::new(),
            whole: None,
            count: 0,
            findings: Findings { signs: Signs::empty(), fields: alloc::collections::BTreeMap::new() },
        }
    }

    fn take(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        let bytes = core::mem::take(&mut self.message);
        self.whole = None;
        let Message::Request(request) = message::read(&bytes) else {
            self.findings.signs |= Signs::MALFORMED;
            return Flow::Close;
        };
        self.count += 1;
        let turn = self.sip.turn(&request, None, now, self.count);
        self.findings.merge(turn.findings);
        if let Some(first) = turn.answers.into_iter().next() {
            let start = answer.len();
            answer.extend_from_slice(&first.bytes);
            if let Some(at) = first.nonce_at {
                answer[start + at..start + at + NONCE_BYTES].copy_from_slice(self.nonce.as_bytes());
            }
        }
        Flow::Telling
    }
}

impl Packets for SipSession {
    const REPLY_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;

    /// What was begun and not finished is taken as far as it goes.
    fn finish(&mut self) {
        let bytes = core::mem::take(&mut self.message);
        match message::read(&bytes) {
            Message::Request(request) => {
                let turn = self.sip.turn(&request, None, WallTime::default(), 0);
                self.findings.merge(turn.findings);
            }
            Message::Broken => self.findings.signs |= Signs::MALFORMED,
            Message::Response | Message::KeepAlive => {}
        }
    }

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.message.push(byte);
        match self.message.as_slice() {
            // Empty lines between messages keep the connection alive; two of them ask for one back (RFC 5626).
            b"\r\n\r\n" => {
                answer.extend_from_slice(b"\r\n");
                self.message.clear();
            }
            b"\r" | b"\r\n" | b"\r\n\r" => {}
            [b'\r', b'\n', _] => {
                self.message.drain(..2);
            }
            [.., b'\r', b'\n', b'\r', b'\n'] if self.whole.is_none() => {
                let body = match message::read(&self.message) {
                    Message::Request(request) => request.body_bytes(),
                    _ => 0,
                };
                self.whole = Some(self.message.len().saturating_add(body));
            }
            _ => {}
        }
        if self.whole.is_some_and(|whole| whole == self.message.len()) {
            return self.take(now, answer);
        }
        if self.message.len() >= MESSAGE_BYTES_MAX || self.whole.is_some_and(|whole| whole > MESSAGE_BYTES_MAX) {
            self.findings.signs |= Signs::MALFORMED;
            self.message.clear();
            return Flow::Close;
        }
        Flow::Continue
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}
