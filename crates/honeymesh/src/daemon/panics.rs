//! A panic is a bug: it is loud, and it ends the process so that systemd starts it again. The kernel goes on enforcing.
//!
//! Only a single question may panic without harm: clients are served by [`DOORS`], the store is read by [`READERS`]. What must not
//! end there is supervised. (A trap's protocol breaks in the process that plays it; the traps' doors turn with the loop.)

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    thread,
};

/// The name of the threads that serve clients, and the mesh's streams.
pub const DOORS: &str = "doors";
/// The name of the threads that read the store and key files for one asker.
pub const READERS: &str = "readers";

/// From now on a panic is told in one line: its words may have a stranger's bytes in them, which must neither reach a terminal
/// nor begin a line of their own.
pub fn tell_harmlessly() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        crate::output::complain(&words(thread::current().name(), &place, panic.payload_as_str().unwrap_or("no words")));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            trace.to_string().lines().for_each(crate::output::complain);
        }
    }));
}

/// `honeymesh: panic in doors at src/x.rs:1:2: index out of bounds`.
fn words(thread: Option<&str>, place: &str, said: &str) -> String {
    format!("honeymesh: panic in {} at {place}: {said}", thread.unwrap_or("a thread"))
}

/// From now on a panic on any other thread aborts the process, also where a runtime would swallow it.
pub fn end_the_process() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        if !is_forgivable(thread::current().name()) {
            crate::output::complain("honeymesh: the daemon has panicked; this is a bug, please report the lines above");
            std::process::abort();
        }
    }));
}

fn is_forgivable(name: Option<&str>) -> bool {
    matches!(name, Some(DOORS | READERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_questions_may_panic() {
        let table =
            [(Some("doors"), true), (Some("readers"), true), (Some("main"), false), (Some("facts"), false), (None, false)];
        for (name, forgivable) in table {
            assert_eq!(is_forgivable(name), forgivable, "{name:?}");
        }
    }
}
