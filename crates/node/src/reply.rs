//! The answers to an operator's orders, in words.

use alloc::{string::String, vec::Vec};
use core::{fmt, time::Duration};
use honeymesh_ledger::{Protected, Protection, Refusal};
use honeymesh_mesh_proto::{JoinToken, KeyRingError};
use honeymesh_types::{Ban, ClusterName, Mode, NodeId, NodeName, Subject};
use ipnet::IpNet;

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The subject is banned.
    Banned {
        /// The ban as it stands.
        ban: Ban,
        /// Whether this order changed anything.
        changed: bool,
        /// The clusters it was said to.
        clusters: Vec<ClusterName>,
        /// What inside it is never banned, and so keeps passing.
        passing: Vec<Protected>,
    },
    /// The subject is not banned any more.
    Unbanned {
        /// Whose ban.
        subject: Subject,
        /// The ban that was lifted; `None`: there was none here.
        was: Option<Ban>,
        /// Wider bans that still cover the subject.
        covered_by: Vec<Ban>,
        /// The clusters it was said to.
        clusters: Vec<ClusterName>,
        /// If the order waited: who has the unban, this node first, and who has not said so, by name, else by the first 8
        /// digits of the identity. A node that is in several clusters has it once it has it in one.
        confirmed: Vec<String>,
        /// The others.
        unconfirmed: Vec<String>,
    },
    /// The net is on the allowlist.
    Allowed {
        /// The net.
        net: IpNet,
        /// Whether it was not there before.
        changed: bool,
        /// How many bans were lifted for it.
        lifted: usize,
    },
    /// The net is off the allowlist.
    Disallowed {
        /// The net.
        net: IpNet,
    },
    /// The mode is in force.
    ModeSet {
        /// The mode.
        mode: Mode,
        /// The mode before.
        before: Mode,
    },
    /// A lockdown is on trial.
    LockedDown {
        /// The mode that comes back unless it is confirmed.
        before: Mode,
        /// How long there is to confirm it.
        within: Duration,
        /// How many nets pass, by what they are.
        passing: Vec<(Protection, usize)>,
    },
    /// The lockdown holds until somebody ends it.
    LockdownConfirmed {
        /// Whether it was on trial.
        changed: bool,
        /// How many nets pass, by what they are.
        passing: Vec<(Protection, usize)>,
    },
    /// A join token was made.
    Token {
        /// The token; its text is for the operator alone.
        token: JoinToken,
        /// For how long it is good.
        ttl: Duration,
    },
    /// A node was turned away, or taken back.
    Revoked {
        /// What it is called, and the beginning of its identity.
        node: String,
        /// Turned away, or taken back.
        revoked: bool,
        /// The clusters in which that holds everywhere.
        everywhere: Vec<ClusterName>,
        /// The clusters in which it holds on this node only.
        here: Vec<ClusterName>,
        /// How many of its bans go for it.
        bans: usize,
    },
    /// A quarantined peer is believed again.
    Pardoned {
        /// Who.
        node: NodeId,
        /// What it calls itself.
        name: NodeName,
        /// How many subjects are enforced again because of it.
        enforced: usize,
    },
    /// The cluster's keys changed.
    KeysChanged {
        /// The cluster.
        cluster: ClusterName,
    },
}

/// Why an order was not carried out; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The ledger's door stayed shut.
    #[error(transparent)]
    Ledger(#[from] Refusal),
    /// A ban must last.
    #[error("a ban must last longer than no time; use `honeymesh unban` to lift one")]
    NoTime,
    /// The net is not on the allowlist.
    #[error("{0} is not on the allowlist")]
    NotAllowed(IpNet),
    /// The allowlist is full.
    #[error("the allowlist already holds {0} nets; remove one first")]
    AllowFull(usize),
    /// Too little or too much time to confirm a lockdown.
    #[error("a lockdown must be confirmed within 5s to 1h; give another --confirm-within")]
    ConfirmWithin,
    /// No lockdown holds.
    #[error("there is no lockdown to confirm: none was begun, or it has rolled back; begin one with `honeymesh mode lockdown`")]
    NothingToConfirm,
    /// Nobody like that is quarantined.
    #[error("`{0}` is not quarantined; `honeymesh peers` lists who is")]
    NotQuarantined(String),
    /// Several are called that.
    #[error("several quarantined peers are called `{0}`; name the one you mean by its id")]
    Ambiguous(String),
    /// No such cluster.
    #[error("this node belongs to no cluster `{0}`")]
    UnknownCluster(ClusterName),
    /// Nobody is called so.
    #[error("no node `{0}` is known; `honeymesh peers` lists names and identities")]
    UnknownNode(String),
    /// More than one node is meant.
    #[error("`{who}` is ambiguous: {nodes}; give more of the identity")]
    AmbiguousNode {
        /// What was given.
        who: String,
        /// Whom it could mean.
        nodes: String,
    },
    /// A node does not turn itself away.
    #[error("`{0}` is this node itself; do it on another one")]
    OwnNode(String),
    /// Too many nodes are turned away here.
    #[error("{0} nodes are revoked on this node already; restore one first")]
    RevokedFull(usize),
    /// No token was made.
    #[error(transparent)]
    Token(#[from] honeymesh_mesh_proto::IssueError),
    /// The authority's word could not be given.
    #[error(transparent)]
    Deed(#[from] honeymesh_mesh_proto::DeedError),
    /// The key ring did not change.
    #[error(transparent)]
    Keys(#[from] KeyRingError),
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Banned { ban, changed, clusters, passing } => {
                write_banned(f, ban, *changed, clusters)?;
                write_exempt(f, passing)
            }
            Self::Unbanned { subject, was, covered_by, clusters, .. } => {
                write_unbanned(f, *subject, was.is_some(), covered_by, clusters)
            }
            Self::Allowed { net, changed: false, .. } => write!(f, "{net} was on the allowlist already"),
            Self::Allowed { net, lifted: 0, .. } => write!(f, "{net} is on the allowlist"),
            Self::Allowed { net, lifted, .. } => write!(f, "{net} is on the allowlist; {lifted} bans inside it were lifted"),
            Self::Disallowed { net } => write!(f, "{net} is off the allowlist"),
            Self::ModeSet { mode, before } if mode == before => write!(f, "mode was {mode} already"),
            Self::ModeSet { mode, before } => write!(f, "mode is {mode} (was {before})"),
            Self::LockedDown { before, within, passing } => {
                write!(f, "mode is lockdown ON TRIAL: {before} comes back in {}s unless ", within.as_secs())?;
                f.write_str("`honeymesh mode lockdown --confirm` comes first; ")?;
                write_passing(f, passing)
            }
            Self::LockdownConfirmed { changed, passing } => {
                let word = if *changed { "is confirmed" } else { "was confirmed already" };
                write!(f, "mode lockdown {word} and holds until `honeymesh mode enforce`; ")?;
                write_passing(f, passing)
            }
            Self::Token { token, ttl } => write!(
                f,
                "one machine can join {} within {}s: run `honeymesh join TOKEN` there; this is shown only once",
                token.cluster,
                ttl.as_secs()
            ),
            Self::Revoked { node, revoked, everywhere, here, bans } => write_revoked(f, node, *revoked, everywhere, here, *bans),
            Self::Pardoned { node, name, enforced } => {
                write!(f, "{name} ({node:.8}) is believed again; {enforced} of its bans are enforced again")
            }
            Self::KeysChanged { cluster } => write!(f, "the keys of cluster {cluster} changed"),
        }
    }
}

fn write_revoked(
    f: &mut fmt::Formatter<'_>,
    node: &str,
    revoked: bool,
    everywhere: &[ClusterName],
    here: &[ClusterName],
    bans: usize,
) -> fmt::Result {
    let join = |names: &[ClusterName]| names.iter().map(|name| alloc::format!("{name}")).collect::<Vec<_>>().join(", ");
    let word = if revoked { "is revoked" } else { "is restored" };
    write!(f, "{node} {word}")?;
    if !everywhere.is_empty() {
        write!(f, " on every node of {}", join(everywhere))?;
    }
    if !here.is_empty() {
        let also = if everywhere.is_empty() { "" } else { ", and" };
        write!(f, "{also} on this node only in {} (the secret of its authority is not here)", join(here))?;
    }
    if revoked {
        write!(f, "; {bans} bans that it claimed here are withdrawn unless others claim them too")?;
    }
    Ok(())
}

/// What still gets in, and a warning if that is nobody.
fn write_passing(f: &mut fmt::Formatter<'_>, passing: &[(Protection, usize)]) -> fmt::Result {
    let each: Vec<String> = passing.iter().map(|(why, count)| alloc::format!("{why} {count}")).collect();
    let all: usize = passing.iter().map(|(_, count)| count).sum();
    write!(f, "connections that stand go on, new ones get in only from {all} nets ({})", each.join(", "))?;
    let is_person = |why: &Protection| matches!(why, Protection::Allowlist | Protection::Operator);
    if !passing.iter().any(|(why, _)| is_person(why)) {
        f.write_str("; NOBODY is on the allowlist or logged in from elsewhere: a session that ends cannot come back")?;
    }
    Ok(())
}

fn write_banned(f: &mut fmt::Formatter<'_>, ban: &Ban, changed: bool, clusters: &[ClusterName]) -> fmt::Result {
    let verb = if changed { "is" } else { "was already" };
    write!(f, "{} {verb} banned", ban.subject)?;
    if ban.until.is_none() {
        f.write_str(" for ever")?;
    }
    if !ban.enforced {
        f.write_str(", not enforced (mode observe)")?;
    }
    write_clusters(f, clusters)
}

/// How many exempt nets are named; the others are counted.
const EXEMPT_NAMED_MAX: usize = 4;

/// Who keeps passing although the ban covers him.
fn write_exempt(f: &mut fmt::Formatter<'_>, passing: &[Protected]) -> fmt::Result {
    if passing.is_empty() {
        return Ok(());
    }
    let named = passing.iter().take(EXEMPT_NAMED_MAX).map(|one| alloc::format!("{} ({})", one.net, one.why));
    write!(f, "; never banned inside it, so it keeps passing: {}", named.collect::<Vec<_>>().join(", "))?;
    match passing.len().saturating_sub(EXEMPT_NAMED_MAX) {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

fn write_unbanned(
    f: &mut fmt::Formatter<'_>,
    subject: Subject,
    was: bool,
    covered_by: &[Ban],
    clusters: &[ClusterName],
) -> fmt::Result {
    if was {
        write!(f, "{subject} is not banned any more")?;
    } else {
        write!(f, "{subject} was not banned here")?;
    }
    write_clusters(f, clusters)?;
    for ban in covered_by {
        write!(f, "; still covered by the ban of {}", ban.subject)?;
    }
    Ok(())
}

fn write_clusters(f: &mut fmt::Formatter<'_>, clusters: &[ClusterName]) -> fmt::Result {
    if clusters.is_empty() {
        return f.write_str("; on this node only");
    }
    let names: Vec<String> = clusters.iter().map(|name| alloc::format!("{name}")).collect();
    write!(f, "; said to {}", names.join(", "))
}
