//! Whether anything tells that nobody is at home: known tests for honeypots, and the same questions to real servers.
//!
//! `docs/traps/persona.md` has the table of both, and how to record the real servers anew.

mod agents;
mod answers;
mod conversation;
mod detectors;
mod honeydet;
mod line;
mod nuclei;
mod real;
mod record;
mod scans;
mod shells;
mod signatures;
mod wire;
