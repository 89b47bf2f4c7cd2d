//! A port that serves nothing by itself: it lets the stranger speak first, and answers in the protocol it hears.
//!
//! Known by their first bytes: HTTP and SSH, which are played on by the traps that know them; TLS, which is refused as a
//! server without a common cipher refuses; RDP, of which the first packet is answered; Redis, which is only named.
//! Everything else is taken down in silence.

mod first;
mod session;

pub use session::AnySession;

use crate::{Http, Ssh};

/// A port that serves nothing by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Any {
    http: Http,
    ssh: Ssh,
}

impl Any {
    /// One that plays HTTP and SSH as these traps do.
    #[must_use]
    pub const fn new(http: Http, ssh: Ssh) -> Self {
        Self { http, ssh }
    }

    /// A new connection.
    #[must_use]
    pub fn session(&self, seed: u64) -> AnySession {
        AnySession::new(self.clone(), seed)
    }
}
