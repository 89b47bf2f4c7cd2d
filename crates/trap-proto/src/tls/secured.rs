//! A service behind TLS.

use super::{HANDSHAKE, TlsManner};
use crate::{Findings, Flow, Pause, Session, Step};
use alloc::{boxed::Box, vec::Vec};
use honeymesh_types::WallTime;

/// A session behind TLS. Whoever speaks in the clear meets another one, which tells so in the service's own words. Neither is there
/// before it is needed.
pub(crate) struct Secured {
    manner: TlsManner,
    make: Make,
    session: Option<Box<dyn Session>>,
    phase: Phase,
    /// What TLS was asked for with.
    first: Option<u8>,
}

/// Makes the session: the one inside TLS, or else the one for whoever speaks in the clear.
pub(crate) type Make = Box<dyn Fn(bool) -> Box<dyn Session> + Send>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was said.
    First,
    /// TLS was asked for.
    Asked,
    /// The session has begun, inside TLS or in the clear.
    Talking,
}

impl Secured {
    pub(crate) fn new(manner: TlsManner, make: Make) -> Self {
        Self { manner, make, session: None, phase: Phase::First, first: None }
    }
}

/// Whether OpenSSL is asked what it thinks of it: of a hello, also in SSL 2's clothes, and, but by nginx, of any record.
const fn is_record(first: u8, manner: TlsManner) -> bool {
    match first {
        HANDSHAKE | 0x80.. => true,
        0x14 | 0x15 | 0x17 | 0x18 => !matches!(manner, TlsManner::Web),
        _ => false,
    }
}

impl Session for Secured {
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        if self.phase != Phase::Asked {
            return Flow::Continue;
        }
        self.phase = Phase::Talking;
        self.session.insert((self.make)(true)).open(answer)
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        if self.phase == Phase::First {
            match bytes.first() {
                None => return Step { taken: 0, flow: Flow::Continue },
                Some(&first) if is_record(first, self.manner) => {
                    (self.phase, self.first) = (Phase::Asked, Some(first));
                    return Step { taken: 1, flow: Flow::StartTls };
                }
                Some(_) => {
                    self.phase = Phase::Talking;
                    self.session = Some((self.make)(false));
                }
            }
        }
        match &mut self.session {
            Some(session) => session.receive(bytes, now, answer),
            // The carrier speaks no TLS.
            None => Step { taken: bytes.len().min(1), flow: Flow::Close },
        }
    }

    fn end(&mut self) {
        if let Some(session) = &mut self.session {
            session.end();
        }
    }

    fn findings(&mut self) -> Findings {
        self.session.as_mut().map(|session| session.findings()).unwrap_or_default()
    }

    fn pause(&mut self) -> Pause {
        self.session.as_mut().map(|session| session.pause()).unwrap_or_default()
    }

    fn said(&mut self) -> Option<Vec<u8>> {
        match &mut self.session {
            None if self.phase == Phase::Asked => Some(Vec::new()),
            session => session.as_mut().and_then(|session| session.said()),
        }
    }

    fn resume(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        self.session.as_mut().and_then(|session| session.resume(now, answer))
    }

    fn hears_tls(&self) -> bool {
        true
    }

    fn tls(&self) -> TlsManner {
        self.manner
    }

    fn unread(&mut self) -> Vec<u8> {
        self.first.filter(|_| self.phase == Phase::Asked).into_iter().collect()
    }

    fn misses_tls(&mut self, head: &[u8], answer: &mut Vec<u8>) {
        // It was no hello of SSL 2.
        if head.first() != Some(&HANDSHAKE) {
            let _ = (self.make)(false).receive(head, WallTime(0), answer);
        }
    }
}
