//! Bans into the kernel, knocks out of it: load, attach, pin, audit.
//!
//! [`Kernel`] owns the tables and the links of the XDP program; [`Knocks`] reads what the program saw. Where there is no
//! XDP, [`Nft`] holds bans in nf_tables, through a process of its own ([`NftWriter`]). This crate carries: it decides
//! nothing about who is banned, it only makes the kernel equal to what it is told.
//!
//! [`Keeper`] is the work of a process of its own: it keeps the programs on the interfaces, whatever happens to them. A
//! [`Warden`] starts it, and another one if it dies.

mod area;
mod attach;
mod auditor;
mod bans;
mod bpf;
mod clock;
mod compare;
mod counts;
mod dark;
mod deadline;
pub mod doctor;
mod error;
mod flood;
mod grace;
mod keeper;
mod kernel;
mod knocks;
mod lines;
mod link;
mod load;
mod lookout;
mod netlink;
mod network;
mod nft;
mod occupant;
mod options;
mod pins;
mod probe;
mod record;
mod release;
mod report;
mod spot;
mod start;
mod stash;
mod steering;
mod steps;
mod system;
mod tables;
#[cfg(feature = "testing")]
pub mod testing;
mod ticks;
mod touch;
mod visit;
mod wanted;
mod watch;
mod wire;

pub use auditor::Auditor;
pub use clock::now;
pub use dark::Dark;
pub use error::Error;
pub use flood::{ANSWERS_PER_SECOND_MAX, FLOOD_SYNS_MAX, Flood, GUESSES_PER_SECOND_MAX};
pub use keeper::{Keeper, Place, Warden, Why, Word};
pub use kernel::Kernel;
pub use knocks::{Knocks, Seen};
pub use link::LinkHandle;
pub use load::{LOCAL_MAX, NETS_MAX};
pub use lookout::{Lookout, Sight};
pub use network::{NetworkFacts, OWN_ADDRESSES, RESOLV_CONF, Unseen, default_route_interface, network_facts};
pub use nft::{Nft, NftAuditor, NftEnds, NftWriter, may_have_nft, release_nft};
pub use occupant::Occupant;
pub use options::{
    Attach, BUDGET_MAX, MAX_BANS, OnExit, Options, SOURCES, ScanOptions, Spoofable, TableKind, V6_BANS_MIN, WINDOW_MAX,
};
pub use probe::{Fared, PROBE_BANS, PROBE_EVERY, Probed};
pub use release::release;
pub use report::{AttachMode, Counters, Drift, Fill, InterfaceState, InterfaceStatus, Level, Replaced, Steered, TestVerdict};
pub use wanted::INTERFACES_MAX;
pub use watch::{Heard, Watch};
