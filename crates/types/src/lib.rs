//! The words of the house: subject, reason, grade, evidence, ban, time.
//!
//! Every other crate speaks in these. They carry no behaviour beyond parsing, printing and comparing, and
//! they are deliberately not serializable: each format (wire, store, API) has one owner that converts.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod ban;
mod event;
mod evidence;
mod grade;
mod lockdown;
mod marks;
mod names;
mod reasons;
mod subject;
mod text;
mod time;

pub use ban::{Ban, Enforcement};
pub use event::{Event, EventId, EventKind};
pub use evidence::{Fate, Knock, KnockKind, SessionId, Signs, Transport, Visit};
pub use grade::{Grade, Mode, Scope, Trust};
pub use lockdown::Lockdown;
pub use marks::{Entropies, MARK_BYTES_MAX, Marks, RULE_MARK_BYTES_MAX, RULE_MARKS_MAX, RULE_POINTS_MAX, RuleMark, Shape};
pub use names::{ClusterName, NAME_BYTES_MAX, NameError, NodeId, NodeName};
pub use reasons::Reasons;
pub use subject::{PREFIX_V4_MIN, PREFIX_V6_CUSTOMER, PREFIX_V6_MIN, Subject, SubjectError};
pub use text::{COMBINING_MAX, Censor, is_shown_as_it_is, is_unsafe};
pub use time::{MonoTime, Now, WallTime};

/// A word of a closed vocabulary that was not recognised: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{got}` is not one of {allowed}")]
pub struct UnknownWord {
    /// The word as given.
    pub got: alloc::string::String,
    /// What would have been understood, separated by `|`.
    pub allowed: &'static str,
}
