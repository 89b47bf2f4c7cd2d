//! No lockdown before there is a never-ban set: it would let in nobody at all, whoever set it up included.

use super::{Engine, Turn, is_final};
use crate::daemon::enforcer::Enforcer;
use honeymesh_types::Lockdown;
use honeymesh_xdp::Error;
use ipnet::IpNet;

/// What the kernel made of the never-ban sets that it was told since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Set {
    /// It took none, and tries none again.
    #[default]
    None,
    /// It took none, and is told the last one again.
    Owed,
    /// It took one. Whatever it refuses later, that or a part of the new one is there.
    Taken,
}

/// The never-ban set, and the lockdown that waits for it.
#[derive(Debug, Default)]
pub struct Shield {
    set: Set,
    withheld: Option<Lockdown>,
}

impl Shield {
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
        let now = match &done {
            Ok(()) => Set::Taken,
            Err(error) if is_final(error) => Set::None,
            Err(_) => Set::Owed,
        };
        if self.shield.set != Set::Taken {
            self.shield.set = now;
        }
        self.setting("the never-ban set", done, turn);
        self.lock_withheld();
    }

    /// Tells the kernel a lockdown, or its end. One that would leave nobody in waits.
    pub(super) fn lock(&mut self, lockdown: Lockdown, turn: &mut Turn) {
        self.keeping.mode_set = Some((self.clock)().mono);
        self.shield.withheld = None;
        if lockdown != Lockdown::Off && self.shield.set != Set::Taken {
            self.shield.withheld = Some(lockdown);
            let why = "it has taken no never-ban set since the start, and without one nobody at all would be let in".to_owned();
            turn.refused = Some(format!("no lockdown is said to the kernel: {why}; it begins with the first set that is taken"));
            return self.trouble("the lockdown", None, &Error::Options(why));
        }
        let done = self.kernel.set_lockdown(lockdown);
        self.setting("the lockdown", done, turn);
    }

    /// Whatever the kernel had refused and was told again is in force now.
    pub(super) fn all_taken(&mut self) {
        if self.shield.set == Set::Owed {
            self.shield.set = Set::Taken;
        }
        self.lock_withheld();
    }

    fn lock_withheld(&mut self) {
        if self.shield.set != Set::Taken {
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
