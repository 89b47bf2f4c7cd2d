//! Who is banned and why: one door in, one door out.
//!
//! A [`Claim`] is what one origin says about one subject. The ledger keeps the claims; a [`Ban`](honeymesh_types::Ban)
//! is what the live claims of a subject add up to: reasons OR-ed, the best grade, the widest scope, the latest end.
//! Claims end one by one, so that a reason which ends alone leaves the others standing.
//!
//! Only claims that *count* make a ban: the node's own, those of peers trusted to enforce, and those of
//! corroborating peers once [`CORROBORATION_MIN`] distinct nodes agree. If none counts, the ban is shown as the union of
//! all its claims and is not enforced, so that an observed record never widens what a local claim enforces.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod change;
mod claim;
mod entry;
mod ledger;
mod lifted;
mod origins;
mod policy;
mod prefix;
mod protect;
mod refusal;
mod slot;

pub use change::{Cause, Change, ChangeKind, Entered};
pub use claim::{Claim, NOTE_BYTES_MAX, Origin, Reach};
pub use ledger::{CLAIMS_PEER_MAX, EXPIRE_BATCH_MAX, Ledger, Stats, Whose, Why};
pub use lifted::LIFTED_MAX;
pub use origins::ORIGINS_MAX;
pub use policy::{CORROBORATION_MIN, Policy, Ttls};
pub use protect::{Protected, Protection};
pub use refusal::{Refusal, Refusals};
