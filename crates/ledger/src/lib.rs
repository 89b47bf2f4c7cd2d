//! Who is banned and why: one door in, one door out.
//!
//! A [`Claim`] is what one origin says about one subject. The ledger keeps the claims; a [`Ban`](honeymesh_types::Ban)
//! is what the live claims of a subject add up to: reasons OR-ed, the best grade, the widest scope, the latest end.
//! Claims end one by one, so that a reason which ends alone leaves the others standing.
//!
//! A full table never forgets silently: what is weaker gives way to what is stronger, anything else is refused, and both are
//! told. What gave way or was refused for want of room waits, bounded, and the strongest comes back when there is room
//! ([`Ledger::readmit`]); so does a peer's word on somebody who is protected no more.
//!
//! In a full table complete groups of bans, an aligned block of neighbours of whom every single one is banned, make room: one
//! entry for their prefix stands for all of them in the kernel. The bans themselves stay what they are; only what the kernel
//! must hold is told differently ([`Ledger::intent`], [`Ledger::take_kernel_changes`]).
//!
//! Only claims that *count* make a ban: the node's own, those of peers trusted to enforce, and those of
//! corroborating peers once enough owners ([`Quorum`]) said the same within a window, for as long as so many say it. If none counts, the ban is shown as the union of
//! all its claims and is not enforced, so that an observed record never widens what a local claim enforces.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod backing;
mod change;
mod claim;
mod entry;
mod group;
mod ledger;
mod lifted;
mod origins;
mod policy;
mod prefix;
mod protect;
mod rank;
mod refusal;
mod slot;
mod waiting;

pub use backing::{Backing, Corroboration, Quorum};
pub use change::{Cause, Change, ChangeKind, Entered, KernelChange};
pub use claim::{Claim, NOTE_BYTES_MAX, Origin, Reach};
pub use group::{GROUP_MAX, HAND_OVER_AHEAD};
pub use ledger::{CLAIMS_PEER_MAX, EXPIRE_BATCH_MAX, Ledger, READMIT_BATCH_MAX, Reconsidered, Stats, Whose, Why};
pub use lifted::LIFTED_MAX;
pub use origins::ORIGINS_MAX;
pub use policy::{Policy, Ttls};
pub use protect::{Protected, Protection};
pub use rank::Class;
pub use refusal::{Refusal, Refusals};
pub use waiting::{WAITING_MAX, WAITING_PROTECTED_MAX};
