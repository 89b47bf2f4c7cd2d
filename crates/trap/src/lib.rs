//! Strangers to trap protocols: listeners, sessions, deadlines and limits; what was said goes out as [`Visit`]s.
//!
//! Whoever connects is reported: when enough was said, when it goes, or after two seconds with what there is.
//!
//! [`bind()`] needs the power to bind; [`Bound::run`] needs nothing but its listeners and a channel, so it can live
//! in a process of its own. A report leaves *before* the answer that follows it, so that a ban is as early as it can be.
//!
//! [`Visit`]: honeymesh_types::Visit

mod bind;
mod limits;
mod options;
mod report;
mod run;
mod session;
mod status;

pub use bind::{Bound, DARK, Error, bind};
pub use limits::Dismisser;
pub use options::{Limits, Options, TrapOptions};
pub use status::{StatusReader, TrapStatus};
