//! A service behind TLS.

use super::HANDSHAKE;
use crate::{Findings, Flow, Session, Step};
use alloc::{boxed::Box, vec::Vec};
use honeymesh_types::WallTime;

/// A session behind TLS. Whoever speaks in the clear meets another one, which tells so in the service's own words.
pub(crate) struct Secured {
    inner: Box<dyn Session>,
    plain: Option<Box<dyn Session>>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was said.
    First,
    /// TLS was asked for.
    Asked,
    /// Everything is inside TLS.
    Inside,
    /// Nothing is.
    Plain,
}

impl Secured {
    pub(crate) fn new(inner: Box<dyn Session>, plain: Box<dyn Session>) -> Self {
        Self { inner, plain: Some(plain), phase: Phase::First }
    }

    fn meant(&mut self) -> &mut dyn Session {
        match &mut self.plain {
            Some(plain) if self.phase == Phase::Plain => plain.as_mut(),
            _ => self.inner.as_mut(),
        }
    }
}

impl Session for Secured {
    fn open(&mut self, answer: &mut Vec<u8>) -> Flow {
        if self.phase != Phase::Asked {
            return Flow::Continue;
        }
        self.phase = Phase::Inside;
        self.inner.open(answer)
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        if self.phase == Phase::First {
            match bytes.first() {
                None => return Step { taken: 0, flow: Flow::Continue },
                Some(&HANDSHAKE) => {
                    self.phase = Phase::Asked;
                    self.plain = None;
                    return Step { taken: 1, flow: Flow::StartTls };
                }
                Some(_) => self.phase = Phase::Plain,
            }
        }
        match self.phase {
            // The carrier speaks no TLS.
            Phase::Asked => Step { taken: bytes.len().min(1), flow: Flow::Close },
            _ => self.meant().receive(bytes, now, answer),
        }
    }

    fn end(&mut self) {
        self.meant().end();
    }

    fn findings(&mut self) -> Findings {
        self.meant().findings()
    }

    fn said(&mut self) -> Option<Vec<u8>> {
        match self.phase {
            Phase::Asked => Some(Vec::new()),
            _ => self.meant().said(),
        }
    }

    fn resume(&mut self, now: WallTime, answer: &mut Vec<u8>) -> Option<Flow> {
        self.meant().resume(now, answer)
    }

    fn unread(&mut self) -> Vec<u8> {
        if self.phase == Phase::Asked { [HANDSHAKE].into() } else { Vec::new() }
    }
}
