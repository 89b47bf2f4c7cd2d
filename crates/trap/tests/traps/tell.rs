//! Whether anything tells that nobody is at home: known tests for honeypots, and the same questions to real servers.
//!
//! `docs/traps/persona.md` has the table of both, and how to record the real servers anew.

mod answers;
mod conversation;
mod detectors;
mod line;
mod real;
mod record;
mod scans;
mod signatures;
mod wire;
