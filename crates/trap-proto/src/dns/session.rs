//! One connection to the name server: messages with their length before each (RFC 7766).

use super::{Dns, HEADER_BYTES};
use crate::{Findings, Flow, packets::Packets};
use alloc::vec::Vec;
use honeymesh_types::{Signs, WallTime};

/// The longest message that is looked at; whoever announces a longer one speaks another protocol.
const MESSAGE_BYTES_MAX: usize = 2_048;

/// One connection to the name server.
pub(super) struct DnsSession {
    dns: Dns,
    /// The length, and as much of the message as is there.
    held: Vec<u8>,
    findings: Findings,
}

impl DnsSession {
    pub(super) fn new(dns: Dns) -> Self {
        Self { dns, held: Vec::new(), findings: Findings::default() }
    }
}

impl Packets for DnsSession {
    const REPLY_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;

    fn byte(&mut self, byte: u8, now: WallTime, answer: &mut Vec<u8>) -> Flow {
        self.held.push(byte);
        let Some((length, message)) = self.held.split_first_chunk() else { return Flow::Continue };
        let length = usize::from(u16::from_be_bytes(*length));
        if !(HEADER_BYTES..=MESSAGE_BYTES_MAX).contains(&length) {
            self.findings.signs |= Signs::MALFORMED;
            self.held.clear();
            return Flow::Close;
        }
        if message.len() < length {
            return Flow::Continue;
        }
        let (findings, answers) = self.dns.query(message, now);
        self.findings.merge(findings);
        if let Some(first) = answers.first() {
            answer.extend_from_slice(&u16::try_from(first.len()).unwrap_or(0).to_be_bytes());
            answer.extend_from_slice(first);
        }
        let is_response = message[2] & 0x80 != 0;
        self.held.clear();
        // Whoever answers what was not asked has nothing more to say.
        if is_response { Flow::Close } else { Flow::Telling }
    }

    fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }
}
