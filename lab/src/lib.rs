//! Namespaces, the real binary, real tools: hosts on this machine that attack and defend each other.
//!
//! ```text
//!   attacker 203.0.113.66      node 1 198.18.1.10
//!              2001:db8:bad::66   |      2001:db8:1::10
//!                     \           |
//!                       [ router ]----- node 2, node 3
//!                     /
//!   honest 198.51.100.10, 2001:db8:600d::10
//! ```
//! Every host is a network namespace with one link, `eth0`, to a router in a namespace of its own; nothing leads out of
//! it, and every address is from a range that is reserved for documentation or benchmarks. A [`Lab`] takes everything
//! down again when it is dropped: after success, failure, panic, Ctrl-C or SIGTERM; what a killed lab left behind is
//! swept away by the next one.

mod capture;
mod config;
pub mod contest;
mod estate;
mod far;
mod forge;
mod honest;
mod moments;
mod namespace;
mod node;
mod process;
pub mod reaction;
mod scan;
mod service;
pub mod story;

mod tools;
mod topology;
mod trio;
mod words;

pub use capture::{Capture, Segment};
pub use config::{FTP_PORT, HTTP_PORT, MESH_PORT, NodeConfig, SCRIPT_PORT, SSH_PORT};
pub use estate::{give_way_on_signals, sweep};
pub use far::FarEnd;
pub use forge::forge_syns;
pub use honest::{Honest, Report, Request};
pub use namespace::Namespace;
pub use node::{Node, binary};
pub use process::{Outcome, Task, run, run_with_input, wait_until};
pub use scan::{Scan, scan_connect, scan_from, scan_half_open};
pub use service::{Service, connect, fetch};
pub use tools::{curl, ftp_login, hping_syns, ssh, ssh_login};
pub use topology::{Family, Host, Lab, Place};
pub use trio::{Trio, WEB_PORT, new_key};
pub use words::{Ban, Event};
