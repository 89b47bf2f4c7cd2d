//! The whole brain without a body.
//!
//! One [`Node`] owns everything a node decides: detection, the ledger, one mesh per cluster. A body (the daemon, or the
//! simulator) feeds it [`Input`]s one at a time and carries out the [`Output`]s in their order; [`Node::wake_at`] says when
//! to come back with [`Input::Wake`] if nothing else happens. It has no clock, no socket and no random source of its own:
//! the same seed and the same inputs give the same outputs.
//!
//! # Start
//! [`Node::new`], then [`Node::restore`] with everything the store kept (nothing on a first start), then
//! [`Input::Network`], then make the kernel equal to [`Node::intent`], then the loop.
//!
//! # Order of outputs
//! Whatever one call of [`Node::handle`] causes comes out as: kernel ([`Output::Enforce`], [`Output::Release`],
//! [`Output::Protect`], [`Output::Enforcing`], [`Output::Lockdown`], [`Output::Reconcile`]), then [`Output::Keep`], [`Output::Send`],
//! [`Output::Tell`], and [`Output::Reply`] last.
//!
//! # What travels
//! Only claims of this node that rest on a proof or on an operator's word, and only in modes that enforce. What rests on
//! forgeable evidence never leaves the node. Records are published again only when something material changed: a new reason, a
//! higher grade, a wider scope, an end that is later by more than a tenth. A ban that outlives a peer's patience
//! (`ttl.mesh`, for what an operator said; else the 7 days that a record lives at most) is said again between the half and three
//! quarters of it, for as long as it stands. What was earned while observing is said when the node begins to enforce.
//!
//! # What an unban does
//! It lifts what was said before it about exactly its subject, whoever said it, here and on every node that trusts the cluster
//! at least to corroborate; a node that only observes a cluster lets it lift no more than what that cluster said. It travels in
//! mode `observe` too, because it can only help. A word from before it that arrives later stays refused.
//!
//! # What survives a restart
//! Everything in [`Keep`]. A mode or allowlist that an operator changed holds until the configuration file itself changes
//! there. What waits for room in a full table (see `honeymesh_ledger`) does not: peers' records come to the door again, what
//! this node itself had seen of those that gave way is forgotten.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod allow;
mod config;
mod gate;
mod history;
mod input;
mod node;
mod outbox;
mod output;
mod reply;
mod report;

pub use allow::ALLOW_MAX;
pub use config::{BridgeRule, ClusterConfig, Config, PeerRule, PeerWord};
pub use gate::{DATAGRAMS_PER_SOURCE, KNOCK_SOURCES_MAX, KNOCKS_PER_SOURCE, SUPPRESSED_REPORT_EVERY};
pub use history::HISTORY_MAX;
pub use input::{Input, KeyStep, Lifetime, NetworkFacts, Order, OrderId};
pub use node::{
    BRIDGE_BATCH_MAX, BRIDGE_PAUSE, BRIDGE_PENDING_MAX, CONFIRM_WITHIN, CONFIRM_WITHIN_DEFAULT, Node, PEER_GRACE,
    PROTECTED_PEERS_MAX, QUARANTINED_MAX, Quarantined, RENEW_BATCH_MAX, RENEW_PAUSE, REVOKED_HERE_MAX, TOUCHES_EVERY,
    TOUCHES_WAIT, Trial, WITHDRAW_BATCH_MAX,
};
pub use output::{Keep, Output};
pub use reply::{Done, Refused};
pub use report::{AllowEntry, AllowSource, Counters, Past, PeerReport, Status, Why, WhyBan, WhyRecord};

pub use honeymesh_mesh_proto::{Admitted, Standing};

pub use honeymesh_detect::SlowPolicy;

pub use honeymesh_ledger::{Backing, Claim, Corroboration, Origin, Policy, Protected, Protection, Quorum, Reach, Ttls};
