//! Lockdown: only allowed sources and established connections, until an end that the kernel itself keeps.

use super::Kernel;
use crate::Error;
use honeymesh_types::Lockdown;
use honeymesh_xdp_abi::{FOREVER, Gates, Settings};

impl Kernel {
    /// Begins, prolongs, confirms or ends a lockdown, in one step for all packets. One that waits to be confirmed ends at
    /// its time even if no process lives; a later start adopts what holds then. What passes is described in
    /// `honeymesh_xdp_program::lockdown`.
    ///
    /// While it holds bans are enforced, whatever [`Kernel::set_enforcing`] said last; that holds again with its end.
    ///
    /// # Errors
    /// [`Error::Table`]; what held before holds on, and this is said again with every [`Kernel::guard`] until the kernel takes it.
    pub fn set_lockdown(&mut self, lockdown: Lockdown) -> Result<(), Error> {
        let gates = self.settings.gates.with(Gates::LOCKDOWN, lockdown != Lockdown::Off);
        let settings = Settings { gates, lockdown_until_ns: end_ns(lockdown), ..self.settings };
        self.order(|kernel| kernel.set_settings(settings))
    }

    /// What is wanted, and holds unless the kernel has refused it. One whose end has come is still told as [`Lockdown::Until`] that time.
    #[must_use]
    pub const fn lockdown(&self) -> Lockdown {
        match (self.settings.gates.has(Gates::LOCKDOWN), self.settings.lockdown_until_ns) {
            (false, _) => Lockdown::Off,
            (true, FOREVER) => Lockdown::Confirmed,
            (true, until_ns) => Lockdown::Until(honeymesh_types::MonoTime(until_ns / 1_000)),
        }
    }
}

fn end_ns(lockdown: Lockdown) -> u64 {
    match lockdown {
        Lockdown::Off => 0,
        Lockdown::Until(end) => end.0.saturating_mul(1_000).min(FOREVER - 1),
        Lockdown::Confirmed => FOREVER,
    }
}
