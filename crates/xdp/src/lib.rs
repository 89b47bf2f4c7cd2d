//! Bans into the kernel, knocks out of it: load, attach, pin, audit.
//!
//! [`Kernel`] owns the tables and the links of the XDP program; [`Knocks`] reads what the program saw. This crate
//! carries: it decides nothing about who is banned, it only makes the kernel equal to what it is told.

mod area;
mod attach;
mod auditor;
mod bans;
mod bpf;
mod clock;
mod compare;
mod counts;
mod deadline;
mod error;
mod kernel;
mod knocks;
mod lines;
mod load;
mod network;
mod options;
mod pins;
mod record;
mod report;
mod spot;
mod start;
mod stash;
mod system;
mod tables;
mod ticks;
mod touch;
mod wire;

pub use auditor::Auditor;
pub use clock::now;
pub use error::Error;
pub use kernel::Kernel;
pub use knocks::Knocks;
pub use network::{NetworkFacts, default_route_interface, network_facts};
pub use options::{Attach, BUDGET_MAX, MAX_BANS, OnExit, Options, ScanOptions, Spoofable, TableKind, V6_BANS_MIN, WINDOW_MAX};
pub use report::{AttachMode, Counters, Drift, Fill, InterfaceStatus, Level, TestVerdict};
