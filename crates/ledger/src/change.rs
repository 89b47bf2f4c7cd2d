//! What a call did to a ban.

use crate::{Claim, Protection, Refusal};
use alloc::{boxed::Box, vec::Vec};
use honeymesh_types::{Ban, Enforcement, Subject};

/// What happened to a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It began or grew, or a peer changed its word.
    Raised,
    /// Some of its claims went; others hold it.
    Lowered,
    /// It is gone because somebody or something lifted it.
    Lifted,
    /// It is gone because its time was over.
    Expired,
}

/// Why it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A claim came in.
    Claimed,
    /// Claims were lifted or withdrawn.
    Withdrawn,
    /// Claims ended.
    Ended,
    /// The subject became protected.
    Protected {
        /// The net that protects it now.
        net: Subject,
        /// Why.
        why: Protection,
    },
    /// The table was full, and a stronger claim needed the place: it comes back when there is room.
    Displaced,
    /// It had given way or was refused, and now there is room, or no protection any more.
    Returned,
}

/// What a call did to the ban of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happened.
    pub kind: ChangeKind,
    /// Why.
    pub cause: Cause,
    /// The ban as it is now or, when it is gone, as it was.
    pub ban: Ban,
    /// The ban as it was before, if there was one.
    pub before: Option<Ban>,
    /// `Raised`: the claim as it is kept now. Otherwise: the claims that went.
    pub claims: Vec<Claim>,
    /// What must be enforced now, by an entry of its own or by that of a group; `None` is nothing. What the kernel's tables
    /// must hold for it is in [`Ledger::take_kernel_changes`](crate::Ledger::take_kernel_changes).
    pub enforce: Option<Enforcement>,
    /// What had to be enforced before.
    pub enforce_before: Option<Enforcement>,
    /// What else changed for it, in order: bans that gave way because a group was taken apart, or that came back because one
    /// was made.
    pub also: Vec<Change>,
}

impl Change {
    /// Is there no ban any more?
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self.kind, ChangeKind::Lifted | ChangeKind::Expired)
    }
}

/// One change of what the kernel's tables must hold. Carry them out in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelChange {
    /// Enter this, or change it.
    Enforce(Enforcement),
    /// Take out the entry of exactly this subject.
    Release(Subject),
}

/// The door's answer to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Entered {
    /// It stays outside; nothing was changed.
    Refused(Refusal),
    /// It was known already; nothing was changed.
    Unchanged,
    /// The ban began or grew.
    Changed {
        /// How.
        change: Box<Change>,
        /// The ban that had to give way in a full table, or that was over.
        displaced: Option<Box<Change>>,
    },
}
