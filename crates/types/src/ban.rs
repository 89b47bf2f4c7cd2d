//! A ban as the ledger holds it, and the part of it that a kernel needs.

use crate::{Grade, Reasons, Scope, Subject, WallTime};
use alloc::{string::String, vec::Vec};

/// A ban in force: what all claims on one subject add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub subject: Subject,
    /// Why: the union of all claims.
    pub reasons: Reasons,
    /// The best evidence of all claims.
    pub grade: Grade,
    /// The widest scope of all claims.
    pub scope: Scope,
    /// The names of the nodes that claim it, sorted, without duplicates.
    pub origins: Vec<String>,
    /// When the oldest live claim was made.
    pub since: WallTime,
    /// When the last claim ends; `None` is for ever.
    pub until: Option<WallTime>,
    /// Whether it is meant to be in the kernel: false in mode `observe`, or when a record may only be observed.
    pub enforced: bool,
    /// The operator's words, if any.
    pub note: Option<String>,
}

impl Ban {
    /// The part that a kernel needs.
    #[must_use]
    pub const fn enforcement(&self) -> Enforcement {
        Enforcement { subject: self.subject, reasons: self.reasons, grade: self.grade, scope: self.scope, until: self.until }
    }
}

/// What a kernel must know to drop: the ledger's intent for one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enforcement {
    /// Who.
    pub subject: Subject,
    /// Why.
    pub reasons: Reasons,
    /// How sure.
    pub grade: Grade,
    /// Which packets.
    pub scope: Scope,
    /// Until when; `None` is for ever.
    pub until: Option<WallTime>,
}
