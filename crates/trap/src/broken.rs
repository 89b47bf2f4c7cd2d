//! What is left of a session that broke.

use honeymesh_trap_proto::{Findings, Flow, Session, Step};
use honeymesh_types::{Signs, WallTime};

/// Takes the place of a session that broke, and says so once.
pub(crate) struct Broken(pub(crate) Signs);

impl Session for Broken {
    fn open(&mut self, _answer: &mut Vec<u8>) -> Flow {
        Flow::Close
    }

    fn receive(&mut self, bytes: &[u8], _now: WallTime, _answer: &mut Vec<u8>) -> Step {
        Step { taken: bytes.len(), flow: Flow::Close }
    }

    fn end(&mut self) {}

    fn findings(&mut self) -> Findings {
        Findings { signs: std::mem::take(&mut self.0), ..Findings::default() }
    }
}
