//! Datagrams in and out: membership, spreading, repair, sealing, quotas.
//!
//! One [`Mesh`] per cluster decides everything about that cluster's datagrams: no socket, no clock and no random
//! source of its own. What arrives goes in through [`Mesh::datagram`], time through [`Mesh::wake`], and what is to
//! be done comes out as [`Effect`]s. The same seed and the same inputs give the same outputs.
//!
//! # How a record travels
//! 1. [`Mesh::publish`] signs a [`Statement`], puts it into the node's own slot and pushes it at once to about √N live members,
//!    each with a part of the ring of identities to hand it on to: two steps to everybody, one copy each. A push without a receipt
//!    is sent again, and its part done by the sender; and a moment later whoever has a record tells one other its id, who asks if
//!    it was missed.
//! 2. Each second every node sends a digest (a keyed fingerprint of its whole set) to one random member, now and
//!    then to one that is down or configured. A mismatch that outlives half a second is answered by a sketch, one datagram
//!    that tells some 50 differences: the peer hands over what is missing and fetches what it lacks. Longer differences are told by
//!    longer sketches, asked for piece by piece; what no sketch tells is found by walking a hash trie over datagrams.
//! 3. A node that is far behind pulls pages through a bounded window.
//!
//! # What a datagram must survive
//! Length, version, cluster, key, replay window, AES-256-GCM, the sender's clock, the peer's budget; then, per
//! record: size, identity, policy (never `spoofable`, never wide, this cluster, not from the future, not over),
//! the origin's budget, and only then the Ed25519 signature. Every refusal is counted under its [`Refused`] reason,
//! and nothing else happens. Signatures are checked by the mesh itself, or wherever its caller has a processor for it:
//! see [`Mesh::check_elsewhere`].
//!
//! # Limits and the set
//! A node that keeps what another drops would make their digests differ for ever. So every limit on the *set* is a
//! function of the set alone (see [`limits`]): each origin keeps its newest records up to a quota, the whole keeps
//! its newest up to a total, and expiry is cut at a horizon that travels inside each digest. Limits on *rates* may
//! differ between nodes, because what they delay is fetched later by repair, at the receiver's own pace.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod admission;
mod answer;
mod bucket;
mod check;
mod cluster;
mod config;
mod effect;
mod envelope;
mod frame;
mod gone;
mod hlc;
mod key;
mod knock;
pub mod limits;
mod membership;
mod mesh;
mod origins;
mod peers;
mod post;
mod proof;
mod record;
mod relay;
mod repair;
mod replay;
mod roster;
mod set;
mod sketch;
mod spread;
mod stats;
mod stream;
#[cfg(test)]
mod testing;

pub use admission::public_key;
pub use admission::{
    Admitted, CERTIFICATE_LIFE, Deed, DeedError, Deeds, Granted, JoinRefused, JoinToken, Joining, REGISTER_NODES_MAX,
    RENEW_BEFORE, REVOKED_MAX, Standing, TOKEN_LIFE_MAX_SECS, TOKENS_MAX, TokenError,
};
pub use check::{Claims, Verdicts};
pub use config::{Admission, Config};
pub use effect::{Effect, Member, MemberChange, MemberState};
pub use hlc::Hlc;
pub use key::{Key, KeyError, KeyRing, KeyRingError};
pub use limits::Limits;
#[cfg(feature = "testing")]
pub use membership::FixedMembers;
pub use mesh::{IssueError, Mesh};
pub use proof::verify_record;
pub use record::{Record, RecordError, RecordId, Said, Signed, Statement, Touch};
pub use stats::{CheckStats, MeshStats, PeerStats, Refusals, Refused};
pub use stream::{
    DIAL_MAX, Role, STREAM_FRAME_BYTES_MAX, STREAM_PROOF_BYTES, STREAMS_MAX, StreamEvent, StreamId, StreamOrder, StreamSigner,
    StreamStats,
};
