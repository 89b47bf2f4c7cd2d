//! What the traps are and how much of the machine they may use.

use honeymesh_trap_proto::{Bait, Service};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, time::Duration};

/// All traps of a node.
#[derive(Clone, Debug)]
pub struct Options {
    /// The traps.
    pub traps: Vec<TrapOptions>,
    /// What ports play that nobody serves; `None` if nobody hands such connections over.
    pub dark: Option<Bait>,
    /// What they share.
    pub limits: Limits,
}

/// One trap.
#[derive(Clone, Debug)]
pub struct TrapOptions {
    /// Its name in the configuration.
    pub name: String,
    /// What it plays.
    pub service: Service,
    /// Where it listens. `[::]` is IPv6 only: write `0.0.0.0` as well for both.
    pub listen: Vec<SocketAddr>,
}

/// Limits that all traps share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Sessions at once over all traps. Then the neighbourhood (an IPv4 /24, an IPv6 /48) that has most of them gives one up to a
    /// newcomer from one with fewer; any other connection is closed. Both are counted, and reported at least as a visit without a
    /// byte: a full house is no hiding place.
    pub sessions_max: usize,
    /// Sessions at once from one source (an IPv4 address, an IPv6 /64). A connection beyond it is closed and
    /// counted; the first one is reported.
    pub sessions_per_source_max: usize,
    /// Bytes kept of one session, over all its reports. What comes beyond is counted and marked `TRUNCATED`.
    pub capture_bytes_max: usize,
    /// How long a stranger may stay silent before the session ends.
    pub read_deadline: Duration,
    /// How long a stranger may take to accept an answer before the session ends.
    pub write_deadline: Duration,
    /// How long a session may last.
    pub session_deadline: Duration,
    /// How much of a service's own waits (after a wrong password, say) is waited, in percent: 100, but in tests. A tarpit keeps
    /// one percent of its own at least.
    pub delay_percent: u32,
}

/// Those who were dismissed and are still on their way out, at most, while others have their places already; beyond that nobody
/// comes into a full house.
pub const LEAVING_MAX: usize = 64;

impl Limits {
    /// Connections that are open at once at most: `sessions_max`, and [`LEAVING_MAX`] of those who were dismissed and have not left yet.
    #[must_use]
    pub const fn open_max(&self) -> usize {
        self.sessions_max.saturating_add(LEAVING_MAX)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions_max: 1_024,
            sessions_per_source_max: 16,
            capture_bytes_max: 64 * 1_024,
            read_deadline: Duration::from_secs(30),
            write_deadline: Duration::from_secs(10),
            session_deadline: Duration::from_secs(300),
            delay_percent: 100,
        }
    }
}
