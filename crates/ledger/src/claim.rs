//! What one origin says about one subject.

use crate::Backing;
use alloc::string::String;
use honeymesh_types::{ClusterName, EventId, Grade, NodeId, Reasons, Scope, Subject, Trust, WallTime};

/// The longest note that is kept, in bytes; a longer one is cut at a character boundary.
pub const NOTE_BYTES_MAX: usize = 256;

/// Who claims.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// This node: its kernel, its traps, its operator.
    Local,
    /// A mesh peer.
    Peer {
        /// The cluster the record came by.
        cluster: ClusterName,
        /// The node that signed it.
        node: NodeId,
    },
}

/// How far a claim of this node may travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// It stays on this node.
    #[default]
    Here,
    /// It may be said to the mesh.
    Mesh,
}

/// What one origin says about one subject.
///
/// The ledger keeps one claim per (subject, reasons, forgeable or not) of this node: entering it again joins the two and
/// never shortens, never lowers. It keeps one per (subject, origin) of a peer: the one said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who is to be banned.
    pub subject: Subject,
    /// Who says so.
    pub origin: Origin,
    /// What people call the origin; at most 63 bytes are kept.
    pub origin_name: String,
    /// Why. A peer's claim has `MESH` added at the door.
    pub reasons: Reasons,
    /// How sure.
    pub grade: Grade,
    /// Which packets.
    pub scope: Scope,
    /// How hostile it looked: 0 to 100.
    pub score: u8,
    /// When it was first said. A peer's is when it was last said.
    pub since: WallTime,
    /// When it was last said; at the door, the later of this and `since` holds.
    pub last: WallTime,
    /// When it ends; `None` is for ever. A peer's claim is cut to `last` + the policy's `ttl.mesh`.
    pub until: Option<WallTime>,
    /// The operator's words; at most [`NOTE_BYTES_MAX`] bytes are kept. The words said last win.
    pub note: Option<String>,
    /// The event that shows it.
    pub evidence: Option<EventId>,
    /// What the origin's words may do here; `Override` for this node's own.
    pub trust: Trust,
    /// Who stands behind a peer's claim; nothing for this node's own.
    pub backing: Backing,
    /// How far it may travel.
    pub reach: Reach,
    /// Whether the operator insisted on a wide prefix.
    pub force: bool,
}

impl Claim {
    /// A claim of this node, made at `now`, that stays here; score 0, no note, no evidence.
    #[must_use]
    pub fn local(
        subject: Subject,
        origin_name: &str,
        reasons: Reasons,
        grade: Grade,
        now: WallTime,
        until: Option<WallTime>,
    ) -> Self {
        Self {
            subject,
            origin: Origin::Local,
            origin_name: origin_name.into(),
            reasons,
            grade,
            scope: Scope::All,
            score: 0,
            since: now,
            last: now,
            until,
            note: None,
            evidence: None,
            trust: Trust::Override,
            backing: Backing::default(),
            reach: Reach::Here,
            force: false,
        }
    }

    /// Is it made of evidence that anybody could have forged?
    #[must_use]
    pub fn is_spoofable(&self) -> bool {
        self.grade == Grade::Spoofable
    }

    /// Is it this node's own?
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.origin == Origin::Local
    }
}
