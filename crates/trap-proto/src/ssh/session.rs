//! One connection to an SSH trap.

use super::{
    Setup,
    identification::{Heard, INVALID, Identification},
    transport::{Desk, Transport},
};
use crate::{ANSWER_BYTES_MAX, Findings, Flow, Patience, Pause, Session, Step};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use honeymesh_types::{Signs, WallTime};

/// The part of an identification line that is told: RFC 4253's limit for the whole line.
const LINE_KEPT_BYTES_MAX: usize = 255;
/// How long a login may take, in milliseconds: sshd's `LoginGraceTime`.
const LOGIN_GRACE_MS: u32 = 120_000;
/// The longest answer to one packet, in bytes.
const REPLY_BYTES_MAX: usize = 20 * 1_024;

/// When so much was said at once the rest waits until that was kept: packed, a few bytes say much.
const SAID_BYTES_MAX: usize = 64 * 1_024;

/// One connection to an SSH trap. Until the first line is there it holds nothing but a few words.
pub struct SshSession {
    setup: Arc<Setup>,
    seed: u64,
    phase: Phase,
    pause: Pause,
    findings: Findings,
    /// What was said and not yet kept.
    said: Vec<u8>,
    /// What comes is encrypted.
    is_secret: bool,
}

enum Phase {
    Identification(Identification),
    Packets(Box<Transport>),
    Over,
}

impl SshSession {
    pub(super) fn new(setup: Arc<Setup>, seed: u64) -> Self {
        Self {
            setup,
            seed,
            phase: Phase::Identification(Identification::default()),
            pause: Pause::default(),
            findings: Findings::default(),
            said: Vec::new(),
            is_secret: false,
        }
    }

    /// Takes what belongs together, and says how much that was.
    fn take(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> (usize, Flow) {
        match &mut self.phase {
            Phase::Over => {
                if !self.is_secret {
                    self.said.extend_from_slice(bytes);
                }
                (bytes.len(), Flow::Close)
            }
            Phase::Identification(_) => self.first_line(bytes, answer),
            Phase::Packets(transport) => {
                let at = answer.len();
                let (taken, flow) = transport.take(bytes, Desk { findings: &mut self.findings, answer, now });
                self.pause = Pause { at, ms: transport.login.wait_ms() };
                self.said.append(&mut transport.said);
                self.is_secret = transport.incoming.is_secret();
                if flow == Flow::Close {
                    self.phase = Phase::Over;
                }
                (taken, flow)
            }
        }
    }

    fn first_line(&mut self, bytes: &[u8], answer: &mut Vec<u8>) -> (usize, Flow) {
        for (index, byte) in bytes.iter().enumerate() {
            let Phase::Identification(identification) = &mut self.phase else { break };
            let flow = match identification.push(*byte) {
                Heard::More => continue,
                Heard::Line => self.identified(answer),
                Heard::Invalid => self.refuse(INVALID, answer),
            };
            self.said.extend_from_slice(&bytes[..=index]);
            return (index + 1, flow);
        }
        self.said.extend_from_slice(bytes);
        (bytes.len(), Flow::Continue)
    }

    fn identified(&mut self, answer: &mut Vec<u8>) -> Flow {
        let Phase::Identification(identification) = &mut self.phase else { return Flow::Close };
        if let Some(objection) = identification.objection() {
            return self.refuse(objection, answer);
        }
        let line = core::mem::take(&mut identification.line);
        self.findings.note("client", kept(&line));
        self.phase = Phase::Packets(Box::new(Transport::open(Arc::clone(&self.setup), self.seed, line, answer)));
        // Whoever is told of now is banned now, and tries no password any more: that is worth the moment until it comes.
        Flow::Continue
    }

    fn refuse(&mut self, last_words: &str, answer: &mut Vec<u8>) -> Flow {
        self.note_line();
        self.findings.signs |= Signs::MALFORMED;
        answer.extend_from_slice(last_words.as_bytes());
        self.phase = Phase::Over;
        Flow::Close
    }

    /// What waits goes out before more is heard.
    fn has_due(&self) -> bool {
        matches!(&self.phase, Phase::Packets(transport) if transport.has_due())
    }

    fn note_line(&mut self) {
        if let Phase::Identification(identification) = &self.phase {
            self.findings.note("client", kept(&identification.line));
        }
    }
}

/// What is told of a line.
pub(super) fn kept(line: &[u8]) -> &[u8] {
    line.get(..LINE_KEPT_BYTES_MAX).unwrap_or(line)
}

impl Session for SshSession {
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        answer.extend_from_slice(self.setup.identification.as_bytes());
        answer.extend_from_slice(b"\r\n");
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        let full = answer.len() + ANSWER_BYTES_MAX - REPLY_BYTES_MAX;
        let mut taken = 0;
        while taken < bytes.len() && answer.len() <= full && (taken == 0 || !self.has_due()) {
            let (more, flow) = self.take(&bytes[taken..], now, answer);
            taken += more;
            if flow != Flow::Continue || self.pause.ms > 0 || self.said.len() > SAID_BYTES_MAX {
                return Step { taken, flow };
            }
        }
        Step { taken, flow: Flow::Continue }
    }

    fn pause(&mut self) -> Pause {
        core::mem::take(&mut self.pause)
    }

    fn resume(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        let Phase::Packets(transport) = &mut self.phase else { return None };
        let flow = transport.resume(&mut Desk { findings: &mut self.findings, answer, now })?;
        self.said.append(&mut transport.said);
        if flow == Flow::Close {
            self.phase = Phase::Over;
        }
        Some(flow)
    }

    fn patience(&self) -> Patience {
        match &self.phase {
            Phase::Packets(transport) if transport.is_in() => Patience::default(),
            // A crowd that says nothing is not held longer than elsewhere.
            Phase::Identification(identification) if identification.line.is_empty() => Patience::default(),
            _ => Patience { silence_ms: Some(LOGIN_GRACE_MS), all_ms: Some(LOGIN_GRACE_MS) },
        }
    }

    fn end(&mut self) {
        if matches!(&self.phase, Phase::Identification(identification) if !identification.line.is_empty()) {
            self.note_line();
        }
        if let Phase::Packets(transport) = &mut self.phase {
            transport.not_heard();
            transport.tell_rest(&mut self.findings);
            self.said.append(&mut transport.said);
        }
        self.phase = Phase::Over;
    }

    fn said(&mut self) -> Option<Vec<u8>> {
        Some(core::mem::take(&mut self.said))
    }

    fn is_secret(&self) -> bool {
        self.is_secret
    }

    fn findings(&mut self) -> Findings {
        core::mem::take(&mut self.findings)
    }
}
