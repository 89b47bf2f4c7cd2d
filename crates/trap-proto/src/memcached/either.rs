//! One connection, whose first byte says which protocol it speaks from then on.

use super::{
    binary::{Binary, REQUEST},
    session::MemcachedTalk,
};
use crate::{Era, Findings, Flow, Pause, Session, Step, dialogue::Talk, packets::ByPacket};
use alloc::sync::Arc;
use alloc::vec::Vec;
use honeymesh_types::WallTime;

/// One connection to memcached.
pub(super) struct Either {
    version: Arc<str>,
    era: Era,
    spoken: Spoken,
}

enum Spoken {
    /// Nothing was said.
    Nothing,
    Text(Talk<MemcachedTalk>),
    Binary(ByPacket<Binary>),
}

impl Either {
    pub(super) const fn new(version: Arc<str>, era: Era) -> Self {
        Self { version, era, spoken: Spoken::Nothing }
    }

    fn begin(&mut self, first: u8) {
        let (version, era, findings) = (Arc::clone(&self.version), self.era, Findings::default());
        self.spoken = if first == REQUEST {
            Spoken::Binary(ByPacket::new(Binary::new(version, era, findings)))
        } else {
            Spoken::Text(Talk::new(MemcachedTalk::new(version, era, findings)))
        };
    }

    fn inner(&mut self) -> Option<&mut dyn Session> {
        match &mut self.spoken {
            Spoken::Nothing => None,
            Spoken::Text(text) => Some(text),
            Spoken::Binary(binary) => Some(binary),
        }
    }
}

impl Session for Either {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Continue
    }

    fn receive(&mut self, bytes: &[u8], now: WallTime, answer: &mut Vec<u8>) -> Step {
        if let (Spoken::Nothing, Some(first)) = (&self.spoken, bytes.first()) {
            self.begin(*first);
        }
        let nothing = Step { taken: 0, flow: Flow::Continue };
        self.inner().map_or(nothing, |session| session.receive(bytes, now, answer))
    }

    fn pause(&mut self) -> Pause {
        self.inner().map(|session| session.pause()).unwrap_or_default()
    }

    fn end(&mut self) {
        if let Some(session) = self.inner() {
            session.end();
        }
    }

    fn findings(&mut self) -> Findings {
        self.inner().map(|session| session.findings()).unwrap_or_default()
    }
}
