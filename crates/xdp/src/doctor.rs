//! What this machine can do for the kernel path, found by trying: for `honeymesh doctor`.
//!
//! Whatever is made goes with the call: maps and programs are closed, and attachments are made in a network namespace
//! of their own. (A kernel that has a feature as a module may load it.) No verdict is given here, only facts.

mod clock;
mod features;
mod interface;
mod kernel;
mod netlink;
mod pinned;
mod throwaway;

pub use clock::{ClockFacts, clock_facts};
pub use features::{Feature, Tried, try_features};
pub use interface::{Attached, InterfaceFacts, interface_facts, wanted_interfaces};
pub use kernel::{Capability, KernelFacts, kernel_facts};
pub use pinned::{PinFacts, pin_facts};
