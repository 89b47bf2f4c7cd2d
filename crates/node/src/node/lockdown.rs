//! The mode, and a lockdown that rolls back unless it is confirmed.
//!
//! Whoever locks down a distant machine must be able to be wrong. So a lockdown begins as a trial: unless an operator confirms
//! it in time, the mode before it comes back, by the kernel's own clock even if this node is dead by then. A trial is never
//! kept: after a restart the mode before it holds.

use super::Node;
use crate::{Done, Keep, Output, Refused};
use alloc::{collections::BTreeMap, format, string::ToString, vec::Vec};
use core::{ops::RangeInclusive, time::Duration};
use honeymesh_ledger::Protection;
use honeymesh_types::{Lockdown, Mode, MonoTime};

/// How long an operator may have to confirm a lockdown.
pub const CONFIRM_WITHIN: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_hours(1);
/// How long an operator has who does not say.
pub const CONFIRM_WITHIN_DEFAULT: Duration = Duration::from_secs(60);

/// A lockdown that waits to be confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The mode that comes back.
    pub before: Mode,
    /// When it comes back.
    pub until: MonoTime,
}

impl Node {
    pub(super) fn order_mode(&mut self, mode: Mode) -> Result<Done, Refused> {
        if mode == Mode::Lockdown {
            return self.order_lockdown(None);
        }
        let before = self.ledger.mode();
        self.out.keep(Keep::Mode { mode, configured: self.configured });
        if mode != before {
            self.enter_mode(mode, None);
            let event = self.audit("mode", mode.as_str());
            self.out.tell(event);
        }
        Ok(Done::ModeSet { mode, before })
    }

    /// Begins a trial, or gives the one under way more time. A confirmed lockdown stays one.
    pub(super) fn order_lockdown(&mut self, within: Option<Duration>) -> Result<Done, Refused> {
        let within = within.unwrap_or(CONFIRM_WITHIN_DEFAULT);
        if !CONFIRM_WITHIN.contains(&within) {
            return Err(Refused::ConfirmWithin);
        }
        let before = match (self.trial, self.ledger.mode()) {
            (Some(trial), _) => trial.before,
            (None, Mode::Lockdown) => return Ok(Done::ModeSet { mode: Mode::Lockdown, before: Mode::Lockdown }),
            (None, mode) => mode,
        };
        self.enter_mode(Mode::Lockdown, Some(Trial { before, until: self.now.mono.plus(within) }));
        let mut event = self.audit("mode", "lockdown");
        event.fields.insert("confirm_within".into(), format!("{}s", within.as_secs()));
        event.fields.insert("otherwise".into(), before.to_string());
        self.out.tell(event);
        Ok(Done::LockedDown { before, within, passing: self.passing() })
    }

    pub(super) fn order_confirm(&mut self) -> Result<Done, Refused> {
        let changed = self.trial.is_some();
        if self.ledger.mode() != Mode::Lockdown {
            return Err(Refused::NothingToConfirm);
        }
        if changed {
            self.out.keep(Keep::Mode { mode: Mode::Lockdown, configured: self.configured });
            self.enter_mode(Mode::Lockdown, None);
            let event = self.audit("mode", "lockdown confirmed");
            self.out.tell(event);
        }
        Ok(Done::LockdownConfirmed { changed, passing: self.passing() })
    }

    /// Ends a trial whose time is over. Comes before whatever else an input asks for, so that nobody confirms too late.
    pub(super) fn roll_back(&mut self) {
        let Some(trial) = self.trial.filter(|trial| trial.until <= self.now.mono) else { return };
        self.enter_mode(trial.before, None);
        let mut event = self.audit("mode", trial.before.as_str());
        event.fields.insert("by".into(), self.name.to_string());
        event.fields.insert("how".into(), "the lockdown was not confirmed in time".into());
        self.out.tell(event);
    }

    /// Tells the kernel what holds after a restart.
    pub(super) fn restore_lockdown(&mut self) {
        self.out.push(Output::Enforcing(self.held_mode() != Mode::Observe));
        self.out.push(Output::Lockdown(self.lockdown()));
    }

    /// Whether this node only lets in who is allowed or connected, and until when.
    #[must_use]
    pub fn lockdown(&self) -> Lockdown {
        match (self.trial, self.ledger.mode()) {
            (Some(trial), _) => Lockdown::Until(trial.until),
            (None, Mode::Lockdown) => Lockdown::Confirmed,
            (None, _) => Lockdown::Off,
        }
    }

    /// The mode without a trial: what comes back, and what decides about things that cannot be taken back.
    pub(super) fn held_mode(&self) -> Mode {
        self.trial.map_or(self.ledger.mode(), |trial| trial.before)
    }

    /// What was banned while observing is enforced from now on and, unless this is a trial, said to the meshes.
    fn enter_mode(&mut self, mode: Mode, trial: Option<Trial>) {
        let (drops_before, holds_before) = (self.is_enforcing(), self.held_mode() != Mode::Observe);
        let lockdown_before = self.lockdown();
        self.ledger.set_mode(mode);
        self.trial = trial;
        let holds = self.held_mode() != Mode::Observe;
        if holds != holds_before {
            self.out.push(Output::Enforcing(holds));
            self.touch_all_bridges();
        }
        if self.lockdown() != lockdown_before {
            self.out.push(Output::Lockdown(self.lockdown()));
        }
        if self.is_enforcing() != drops_before {
            self.out.push(Output::Reconcile);
        }
        if holds && !holds_before {
            self.renew_all();
        }
    }

    /// How many nets of each kind pass in a lockdown, in the order of [`Protection`].
    fn passing(&self) -> Vec<(Protection, usize)> {
        let mut counts = BTreeMap::new();
        self.shield.protected().iter().for_each(|one| *counts.entry(one.why).or_insert(0) += 1);
        counts.into_iter().collect()
    }
}
