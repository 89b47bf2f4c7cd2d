//! Every bound of the mesh by name, with what happens at it.

use core::time::Duration;

/// The longest datagram sent or opened, in bytes; a longer one is refused as [`crate::Refused::Length`].
pub const DATAGRAM_BYTES_MAX: usize = 1_400;
/// The longest record, signature included; a longer one is refused as malformed.
pub const RECORD_BYTES_MAX: usize = 512;
/// The longest note in a ban, in bytes; [`crate::Mesh::publish`] cuts a longer one at a character boundary, and a
/// received record with a longer one is refused as malformed.
pub const NOTE_BYTES_MAX: usize = 200;
/// What the touches of one page weigh at most ([`crate::Touch::weight`]): 36 IPv4 addresses or 24 IPv6 customers. A heavier
/// page is refused as malformed.
pub const TOUCH_PAGE_BYTES_MAX: usize = 288;
/// Pages of touches that one origin keeps in the set: its newest, some 4,600 IPv4 addresses. Part of the protocol.
pub const TOUCH_PAGES_MAX: usize = 128;
/// The most keys a ring holds; adding one more is an error.
pub const KEYS_MAX: usize = 4;
/// The most configured peers that are knocked at; more are ignored.
pub const JOIN_MAX: usize = 64;
/// The most members known, dead ones included. At the bound the member that has been down longest is forgotten; if
/// none is down, newcomers are refused and counted.
pub const MEMBERS_MAX: usize = 1_024;
/// The most senders whose keys, replay windows and budgets are remembered. At the bound the one not heard for
/// longest is forgotten; its next datagram opens a new window if its clock is right.
pub const PEERS_MAX: usize = 2_048;
/// The longest life of a ban in the mesh; [`crate::Mesh::publish`] cuts a longer one, and a received record with a
/// longer one is refused.
pub const TTL_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How far ahead of this node's wall clock a record may be; beyond it is refused and does not move the clock.
pub const FUTURE_MAX: Duration = Duration::from_secs(60);
/// How far a sender's wall clock may be from ours, either way, when its first datagram is accepted.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(90);
/// How long a record that is over stays in the set unseen, so that nodes with different clocks still agree on what
/// was in the set at the horizon of a digest. Longer than [`CLOCK_SKEW_MAX`].
pub const GRACE: Duration = Duration::from_secs(120);
/// How far ahead of our wall clock a member's incarnation (the time of its start, in milliseconds) may be; beyond it
/// the member is not taken note of, so that nobody can use up another's future lives.
pub const INCARNATION_AHEAD_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Sequence numbers a replay window remembers behind the newest; older datagrams are refused as replayed.
pub const REPLAY_WINDOW: u64 = 1_024;

/// Records whose signatures are checked together, at most; those of one message are never parted. More wait for the next batch.
pub const CHECK_BATCH_MAX: usize = 256;
/// Batches of signatures that are handed out at once; the next one is handed out when one is back.
pub const CHECK_BATCHES_MAX: usize = 2;
/// Records that wait for the next batch, and messages in which they came, those counted that only repeat what is being checked. Beyond it
/// the mesh checks the oldest ones itself, at once: that costs its caller the time, and nothing is lost.
pub const CHECK_QUEUE_MAX: usize = 2_048;
/// Records of one peer, asked for in datagrams or pushed, that are checked or wait for it. Beyond it the mesh checks itself, as
/// beyond [`CHECK_QUEUE_MAX`]: so a forger is fined after so many, and owes no more than a budget remembers.
pub const CHECK_PEER_MAX: usize = 198;
/// The most nodes for which one is a relay: half of the streams it has.
pub const GUESTS_MAX: usize = 32;
/// Datagrams a second that a relay hands on for one guest, each way, on average: at most 1.4 MB. More are dropped and counted
/// (`relay_limited`); repair makes them good.
pub const GUEST_RATE: u32 = 1_000;
/// Datagrams that a relay hands on for one guest at once, each way.
pub const GUEST_BURST: u32 = 4_000;

/// Budgets and quotas that an operator may tune. What is over a rate is refused, counted and repaired later; what is
/// over a quota leaves the set on every node alike, so quotas must be the same on all nodes of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Datagrams a second that one peer may send on average. Each record in them that is new and unasked for counts once
    /// more, because its signature must be verified.
    pub peer_rate: u32,
    /// Datagrams, and new records in them, that one peer may send at once.
    pub peer_burst: u32,
    /// New records a second that one origin may have pushed to this node on average. Records this node asked for
    /// are not metered: it asks at its own pace.
    pub origin_rate: u32,
    /// New records that one origin may have pushed at once.
    pub origin_burst: u32,
    /// Bans, and as many unbans, that one origin keeps in the set: its newest. Part of the protocol.
    pub origin_records_max: usize,
    /// Records that the whole set keeps: the newest. Part of the protocol.
    pub records_max: usize,
    /// Nodes that can only dial out for which this node is a relay, at most [`GUESTS_MAX`]; more are refused and counted, and take
    /// another. 0: none.
    pub guests_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peer_rate: 2_000,
            peer_burst: 24_000,
            origin_rate: 1_000,
            origin_burst: 12_000,
            origin_records_max: 50_000,
            records_max: 250_000,
            guests_max: GUESTS_MAX,
        }
    }
}
