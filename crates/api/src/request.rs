//! What can be asked of the daemon, and what it answers.

use crate::{ExportSink, Secret};
use honeymesh_format::{
    AllowJson, BanJson, DoneJson, EventJson, EventQuery, ExportFormat, PayloadJson, PeerJson, StatusJson, Ttl, WhyJson,
};
use honeymesh_types::{ClusterName, Mode, NodeName, Subject};
use ipnet::IpNet;
use std::{net::IpAddr, path::PathBuf, time::Duration};

/// The most bans in one answer; more are asked for with `after`.
pub const BANS_PAGE_MAX: usize = 100_000;
/// The most events in one answer; more are asked for with `after`, or with an export.
pub const EVENTS_PAGE_MAX: u64 = 1_000;
/// The longest time that an unban waits for confirmations.
pub const WAIT_MAX: Duration = Duration::from_secs(300);

/// A question or an order. Everything in it is parsed; nothing is judged yet.
#[derive(Debug)]
pub enum Request {
    /// The node in numbers: [`Response::Status`].
    Status,
    /// The bans in force: [`Response::Bans`].
    Bans(BansQuery),
    /// What was seen: [`Response::Events`], at most [`EVENTS_PAGE_MAX`] (the limit is set and clamped).
    Events(EventQuery),
    /// What was sent with this SHA-256: [`Response::Payload`]; what is not there is a refusal of kind `NotFound`.
    Payload([u8; 32]),
    /// Everything about one address: [`Response::Why`].
    Why(IpAddr),
    /// All that is never banned: [`Response::Allow`].
    AllowList,
    /// The mesh members: [`Response::Peers`].
    Peers,
    /// Ban somebody: [`Response::Done`].
    Ban(BanOrder),
    /// Lift a ban: [`Response::Done`]; a ban that does not exist is a refusal of kind `NotFound`.
    Unban(UnbanOrder),
    /// Never ban this net: [`Response::Done`].
    AllowAdd(IpNet),
    /// Take this net off the allowlist: [`Response::Done`].
    AllowRemove(IpNet),
    /// Believe a quarantined peer again: [`Response::Done`].
    Pardon(String),
    /// Change the mode: [`Response::Done`].
    SetMode(Mode),
    /// Lock down on trial: [`Response::Done`].
    LockDown {
        /// How long there is to confirm it; `None`: as the node says.
        within: Option<Duration>,
    },
    /// Confirm a lockdown: [`Response::Done`].
    ConfirmLockdown,
    /// Go over to another key: [`Response::Done`]. Comes from the control socket only.
    KeyRotate {
        /// Whose key.
        cluster: ClusterName,
        /// The new key.
        new: NewKey,
    },
    /// Make a join token: [`Response::Done`]. Comes from the control socket only.
    JoinToken {
        /// Which cluster.
        cluster: ClusterName,
        /// For how long it is good.
        ttl: Duration,
        /// Who will run the new machine; `None`: its name.
        owner: Option<NodeName>,
    },
    /// Turn a node away, or take that back: [`Response::Done`]. Comes from the control socket only.
    Revoke {
        /// Its name, or the beginning of its identity.
        who: String,
        /// Turn it away, or take it back.
        revoked: bool,
    },
    /// Write events into `sink`: [`Response::Exporting`] at once, the events after it from another thread.
    Export {
        /// In which form.
        format: ExportFormat,
        /// Which events; without a limit: all of them.
        query: EventQuery,
        /// Where to. Blocks while the reader is slow.
        sink: ExportSink,
    },
}

impl Request {
    /// How long the request itself asks to wait.
    #[must_use]
    pub fn patience(&self) -> Duration {
        match self {
            Self::Unban(order) => order.wait.unwrap_or_default().min(WAIT_MAX),
            _ => Duration::ZERO,
        }
    }
}

/// Which bans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BansQuery {
    /// Only bans that overlap this subject: those inside it and those that cover it.
    pub subject: Option<Subject>,
    /// Only bans behind this one in the order of subjects.
    pub after: Option<Subject>,
    /// At most so many, 1 to [`BANS_PAGE_MAX`].
    pub limit: usize,
}

impl Default for BansQuery {
    fn default() -> Self {
        Self { subject: None, after: None, limit: BANS_PAGE_MAX }
    }
}

/// An operator's ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanOrder {
    /// Whom.
    pub subject: Subject,
    /// For how long.
    pub ttl: Ttl,
    /// Why, in the operator's words; at most 200 bytes.
    pub note: Option<String>,
    /// On this node only, or on all.
    pub local: bool,
    /// Whether a wide prefix is meant.
    pub force: bool,
}

/// An operator's unban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnbanOrder {
    /// Whose ban.
    pub subject: Subject,
    /// On this node only, or on all.
    pub local: bool,
    /// How long to wait for confirmations, at most [`WAIT_MAX`]; `None`: answer at once.
    pub wait: Option<Duration>,
}

/// Where a new key is.
#[derive(Debug)]
pub enum NewKey {
    /// In a file that the daemon can read.
    File(PathBuf),
    /// Here, as text.
    Text(Secret),
}

/// An answer.
#[derive(Debug)]
pub enum Response {
    /// The node in numbers.
    Status(Box<StatusJson>),
    /// Bans, in the order of their subjects.
    Bans(Page<BanJson>),
    /// Events, in the order asked for.
    Events(Page<EventJson>),
    /// What was sent.
    Payload(Box<PayloadJson>),
    /// The chain.
    Why(Box<WhyJson>),
    /// All that is never banned.
    Allow(Vec<AllowJson>),
    /// The mesh members.
    Peers(Vec<PeerJson>),
    /// The order was carried out.
    Done(DoneJson),
    /// The export has begun.
    Exporting,
}

/// A part of a long list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to give as `after` for the next page; `None` if this is the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A list that is all there is.
    #[must_use]
    pub const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// What kind of no it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The request makes no sense: 400.
    Bad,
    /// Not through this door: 403.
    Forbidden,
    /// There is no such thing: 404.
    NotFound,
    /// It contradicts a rule or the state, such as a ban of what is never banned: 409.
    Conflict,
    /// Too much at once; try again: 503.
    Busy,
    /// The daemon is stopping: 503.
    Stopping,
    /// Something broke; the log knows: 500.
    Broken,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// What kind of no it is.
    pub kind: RefusalKind,
    /// One line: what, where, how to mend it.
    pub detail: String,
}

impl Refusal {
    /// A refusal in words.
    #[must_use]
    pub fn new(kind: RefusalKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The request makes no sense.
    #[must_use]
    pub fn bad(detail: impl ToString) -> Self {
        Self::new(RefusalKind::Bad, detail.to_string())
    }

    pub(crate) fn busy(detail: &str) -> Self {
        Self::new(RefusalKind::Busy, detail)
    }

    pub(crate) fn stopping() -> Self {
        Self::new(RefusalKind::Stopping, "the daemon is stopping; start it again")
    }
}
