//! How long a lockdown holds.

use crate::MonoTime;

/// Whether a kernel lets in only who is allowed or connected, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lockdown {
    /// It lets in everybody who is not banned.
    #[default]
    Off,
    /// It waits to be confirmed: at this time it ends by itself, even if no daemon lives.
    Until(MonoTime),
    /// It was confirmed: it has no end of its own.
    Confirmed,
}
