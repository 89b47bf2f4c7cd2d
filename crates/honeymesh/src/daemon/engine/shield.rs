//! No lockdown before there is a never-ban set: it would let in nobody at all, whoever set it up included.

use super::{Engine, Turn, Unmet};
use crate::daemon::enforcer::Enforcer;
use honeymesh_types::Lockdown;
use honeymesh_xdp::Error;
use ipnet::IpNet;

/// The lockdown that waits for a never-ban set.
#[derive(Debug, Default)]
pub struct Shield {
    withheld: Option<Lockdown>,
}

impl Shield {
    /// Does a lockdown wait?
    pub const fn is_withholding(&self) -> bool {
        self.withheld.is_some()
    }

    /// What an operator should know.
    pub fn warning(&self) -> Option<String> {
        let why = "the kernel has taken no never-ban set since the start, and without one it would let in nobody at all";
        let then = "what held before holds, and it begins with the first set that is taken";
        self.withheld.map(|_| format!("the lockdown is NOT said to the kernel: {why}; {then}"))
    }
}

impl<K: Enforcer> Engine<K> {
    /// Tells the kernel the never-ban set.
    pub(super) fn protect(&mut self, nets: &[IpNet], turn: &mut Turn) {
        let done = self.kernel.set_allow(nets);
        self.setting("the never-ban set", done, turn);
    }

    /// Tells the kernel a lockdown, or its end. One that would leave nobody in waits.
    pub(super) fn lock(&mut self, lockdown: Lockdown, turn: &mut Turn) {
        self.keeping.mode_set = Some((self.clock)().mono);
        self.shield.withheld = None;
        if lockdown != Lockdown::Off && !self.kernel.has_allow() {
            self.shield.withheld = Some(lockdown);
            let why = "it has taken no never-ban set since the start, and without one nobody at all would be let in".to_owned();
            let words = format!("no lockdown is said to the kernel: {why}; it begins with the first set that is taken");
            turn.refuse(Unmet { what: "the lockdown", why: words, is_final: false });
            return self.trouble("the lockdown", None, &Error::Options(why));
        }
        let done = self.kernel.set_lockdown(lockdown);
        self.setting("the lockdown", done, turn);
    }

    /// Begins the lockdown that waits, if there is a never-ban set by now, however the kernel came to take it.
    pub(super) fn lock_withheld(&mut self) {
        if !self.kernel.has_allow() {
            return;
        }
        let Some(lockdown) = self.shield.withheld.take() else { return };
        self.keeping.mode_set = Some((self.clock)().mono);
        tracing::warn!("there is a never-ban set by now: the lockdown that has waited for it begins");
        if let Err(error) = self.kernel.set_lockdown(lockdown) {
            self.trouble("the lockdown", None, &error);
        }
    }
}
