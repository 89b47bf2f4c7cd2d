//! What is left of a session that broke.

use honeymesh_trap_proto::{Findings, Flow, Session, Step};
use honeymesh_types::{Signs, WallTime};
use std::cell::RefCell;

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

thread_local! {
    static FAULT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on the place of a panic is noted for the session's last word, and nothing is printed: the words of a panic may have
/// a stranger's bytes in them, and where they are printed may be full.
pub fn note_faults() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        FAULT.with(|fault| *fault.borrow_mut() = place);
    }));
}

/// Where the last panic of this thread was, if it was noted; once.
pub(crate) fn fault() -> Option<String> {
    FAULT.with(RefCell::take)
}
